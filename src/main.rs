//! The command line: `praxis serve` and what an operator does besides.

use std::process::ExitCode;

use clap::Parser;
use praxis::cli::Cli;

/// Twice what is usual. Documents are bounded before anything recurses into them; this is the second belt.
const STACK: usize = 4 * 1024 * 1024;

fn main() -> std::io::Result<ExitCode> {
    // Named, so that it is linked: it takes the place of the C library's allocator, and Rust's own asks that one.
    // Declared as the global allocator it is asked for an alignment with each block, and goes a long way round for
    // most of those above a kilobyte.
    std::hint::black_box(mimalloc::MiMalloc.version());
    let cli = Cli::parse();
    let threads = std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_stack_size(STACK)
        .enable_all()
        .build()?;
    Ok(runtime.block_on(praxis::cli::run(cli)))
}

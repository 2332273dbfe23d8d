//! The command line: `praxis serve` and what an operator does besides.

use std::process::ExitCode;

use clap::Parser;
use praxis::cli::Cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Twice what is usual. Documents are bounded before anything recurses into them; this is the second belt.
const STACK: usize = 4 * 1024 * 1024;

fn main() -> std::io::Result<ExitCode> {
    let cli = Cli::parse();
    let threads = std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_stack_size(STACK)
        .enable_all()
        .build()?;
    Ok(runtime.block_on(praxis::cli::run(cli)))
}

//! The command line: `praxis serve` and what an operator does besides.

use std::process::ExitCode;

use clap::Parser;
use praxis::cli::Cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    praxis::cli::run(Cli::parse()).await
}

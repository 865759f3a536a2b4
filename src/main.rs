//! The `paystorm` binary: reads the arguments and calls the library.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    paystorm::app::run(paystorm::cli::Cli::read())
}

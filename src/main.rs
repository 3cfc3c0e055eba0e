//! The `lares` program: hands the command line to [`lares::cli`] and turns its answer into an exit status.

use std::process::ExitCode;

fn main() -> ExitCode {
    lares::cli::main()
}

//! The `lares` program: hands the command line to [`lares::cli`] and turns its answer into an exit status.

use std::process::ExitCode;

fn main() -> ExitCode {
    keep_onnxruntime_quiet();
    lares::base::memory::be_thrifty();
    lares::cli::main()
}

/// ONNX Runtime's own builds report to their maker: they keep an id of the device in the cache folder and send events to
/// `mobile.events.data.microsoft.com`, from before the environment's telemetry can be switched off by its interface
/// (docs/decisions/0004-onnx-runtime-loaded-at-run-time.md). They ask this variable first.
#[allow(unsafe_code)]
fn keep_onnxruntime_quiet() {
    // SAFETY: nothing else runs yet that could read or write the environment.
    unsafe { std::env::set_var("ORT_DISABLE_TELEMETRY", "1") };
}

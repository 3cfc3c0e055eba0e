//! A video file: the walk along its boxes comes to an end.
#![no_main]

use lares::ingest::bench_api;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    let _ = bench_api::ends_early(file);
});

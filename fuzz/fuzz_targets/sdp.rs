//! A camera's description of its tracks.
#![no_main]

use lares::ingest::bench_api::description;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = description(bytes);
});

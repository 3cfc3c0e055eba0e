//! A segment or header of a clip, as it lies on a disk after a power cut.
#![no_main]

use lares::recording::cmaf::fmp4_reader;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    let _ = fmp4_reader::is_header(file);
    if let Some(segment) = fmp4_reader::segment(file) {
        let _ = segment.duration();
    }
});

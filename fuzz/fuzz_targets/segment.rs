//! A segment or header of a clip, as it lies on a disk after a power cut.
#![no_main]

use lares::recording::reread;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    let _ = reread::is_header(file);
    if let Some(segment) = reread::segment(file) {
        let _ = segment.duration();
    }
});

//! A recorded session, damaged in any way: it is played, or its line is named.
#![no_main]

use lares::vcam::quirk::Recording;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(error) = Recording::parse(text) {
        assert!(!error.to_string().is_empty());
    }
});

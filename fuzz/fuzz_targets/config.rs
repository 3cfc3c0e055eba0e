//! A configuration: either it is sound, or every problem is one plain line.
#![no_main]

use std::path::Path;

use lares::config::{Config, Environment};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    // Secrets are read from the files that are named, which is what the key is for.
    if text.contains("_file") {
        return;
    }
    match Config::parse(text, Path::new("/nowhere"), &Environment::new()) {
        Ok(config) => drop(config.keys()),
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in problems {
                assert!(!problem.to_string().is_empty());
            }
        }
    }
});

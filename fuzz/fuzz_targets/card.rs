//! A model card: what is accepted can be used without surprises.
#![no_main]

use lares::{flow::Size, infer::bench_api};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, u32, u32)| {
    let (text, width, height) = input;
    if let Ok(card) = bench_api::card("person", text) {
        let size = card.input.size_for(Size::new(width, height));
        assert!((16..=4096).contains(&size.width) && (16..=4096).contains(&size.height));
        let _ = (card.classes(), card.thresholds(), card.model_path());
    }
});

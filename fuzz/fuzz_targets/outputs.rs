//! What a model answers, whatever the numbers are: boxes are finite, lie around the picture, have an area and a score of 0 to 1.
#![no_main]

use lares::{flow::Size, infer::bench_api};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, u8, u8, &[u8])| {
    let (head, shape, floor, bytes) = input;
    let numbers: Vec<f32> = bytes
        .chunks_exact(4)
        .map(|four| f32::from_le_bytes(four.try_into().expect("four bytes")))
        .collect();
    if numbers.is_empty() {
        return;
    }
    let size = Size::new(16 << (shape & 3), 16 << (shape >> 2 & 3));
    let classes = usize::from(shape >> 4 & 7) + 1;
    let floor = f32::from(floor) / 256.0 + 0.001;
    for found in bench_api::boxes(usize::from(head), size, classes, floor, &numbers) {
        let [left, top, right, bottom, score] = found;
        assert!(left < right && top < bottom, "{found:?}");
        let (width, height) = (size.width as f32, size.height as f32);
        assert!(left >= -width && right <= 2.0 * width, "{found:?}");
        assert!(top >= -height && bottom <= 2.0 * height, "{found:?}");
        assert!((floor..=1.0).contains(&score) || score == 1.0, "{found:?}");
    }
});

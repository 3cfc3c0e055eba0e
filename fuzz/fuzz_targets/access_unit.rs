//! An access unit, cut and damaged in any way: it can be read, and what is made of it has lengths that fit.
#![no_main]

use lares::{flow::Codec, ingest::bench_api};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (shape, layers, data) = input;
    let codec = [Codec::H264, Codec::H265, Codec::Other][usize::from(shape >> 2) % 3];
    let unit = bench_api::access_unit(codec, layers, usize::from(shape & 3) + 1, data);
    let mut rest = &unit[..];
    while let Some((head, tail)) = rest.split_at_checked(4) {
        let length = u32::from_be_bytes(head.try_into().expect("four bytes"));
        rest = &tail[usize::try_from(length).expect("of 64 bits")..];
    }
    assert!(rest.is_empty());
    assert_eq!(
        bench_api::access_unit(codec, layers, 4, &unit),
        unit,
        "once is enough"
    );
});

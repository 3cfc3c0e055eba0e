//! What a camera sends in its connection: messages and packets in any order, whole or cut anywhere.
#![no_main]

use lares::ingest::bench_api::connection;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((&size, bytes)) = bytes.split_first() else {
        return;
    };
    // A session that stands passes over what it cannot read.
    let begun = b"RTSP/1.0 200 OK\r\n\r\n";
    let pieces = bytes.chunks(usize::from(size).max(1));
    let count = connection(std::iter::once(&begun[..]).chain(pieces));
    assert!(count <= bytes.len() + 1);
});

//! RTP and RTCP packets of a camera, sorted into pictures.
#![no_main]

use lares::ingest::bench_api::packets;
use libfuzzer_sys::fuzz_target;

const TRACKS: [&[u8]; 4] = [
    b"m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=fmtp:96 sprop-parameter-sets=Z00AHw==,aO48gA==\n",
    b"m=video 0 RTP/AVP 96\na=rtpmap:96 H265/90000\n",
    b"m=video 0 RTP/AVP 26\n",
    b"m=video 0 RTP/AVP 96\na=rtpmap:96 H264/1000\n",
];

fuzz_target!(|bytes: &[u8]| {
    let Some((&track, bytes)) = bytes.split_first() else {
        return;
    };
    let pictures = packets(TRACKS[usize::from(track) % TRACKS.len()], bytes);
    assert!(pictures <= bytes.len());
});

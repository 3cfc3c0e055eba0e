//! What odd cameras show, encoded on the spot, and the certificates of those with TLS.

use std::{io, path::Path, sync::Arc};

use bytes::Bytes;
use gstreamer::{self as gst, prelude::*};
use gstreamer_app::AppSink;

use super::{
    certificates::{Authority, Good, Pair, run},
    encoded::Encoded,
};
use crate::{
    flow::{Codec, Size},
    vcam::{
        TlsIdentity,
        quirk::{Clip, catalog::Films},
    },
};

/// Pictures a second of every film.
pub const RATE: u32 = 10;
const SIZE: Size = Size {
    width: 320,
    height: 240,
};

/// Films for every kind of camera. `folder` is given the authority's certificate (`ca.pem`) and the one that nobody
/// has signed (`strange.pem`).
///
/// # Errors
/// When `openssl` is missing or fails.
///
/// # Panics
/// When GStreamer or an encoder is missing: there is nothing to show then.
pub fn films(folder: &Path) -> io::Result<Films> {
    let scene = |codec, frames, gop| Encoded {
        size: SIZE,
        ..Encoded::new(codec, frames, gop).grainy()
    };
    let clip = |encoded: Encoded| Arc::new(Clip::from_packets(&encoded.packets(), RATE));
    let authority = Authority::new(folder)?;
    let trusted = authority.issue("trusted", "DNS:localhost,IP:127.0.0.1", Good::Now)?;
    run(
        "openssl",
        &[
            "req",
            "-x509",
            "-days",
            "2",
            "-subj",
            "/CN=strange",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-keyout",
            "strange.key",
            "-out",
            "strange.pem",
        ],
        folder,
    )?;
    let strange = Pair {
        certificate: folder.join("strange.pem"),
        key: folder.join("strange.key"),
    };
    Ok(Films {
        plain: clip(scene(Codec::H264, 40, 10)),
        large: clip(Encoded {
            size: Size::new(640, 480),
            ..scene(Codec::H264, 20, 10)
        }),
        h265: clip(scene(Codec::H265, 40, 10)),
        reordered: clip(scene(Codec::H264, 40, 10).b_frames(2, false)),
        h265_reordered: clip(scene(Codec::H265, 40, 10).b_frames(2, true)),
        refreshed: clip(Encoded {
            refresh: true,
            ..scene(Codec::H264, 400, 10)
        }),
        rare: clip(scene(Codec::H264, 200, 200)),
        images: Arc::new(Clip::from_images(images(20), RATE)),
        trusted: identity(trusted),
        strange: identity(strange),
    })
}

fn identity(pair: Pair) -> TlsIdentity {
    TlsIdentity {
        certificate: pair.certificate,
        key: pair.key,
    }
}

/// So many JPEG images, with the standard Huffman tables.
fn images(count: u32) -> Vec<Bytes> {
    let Size { width, height } = SIZE;
    let line = format!(
        "videotestsrc num-buffers={count} pattern=smpte ! \
         video/x-raw,format=I420,width={width},height={height},framerate={RATE}/1 ! \
         jpegenc quality=60 ! appsink name=out sync=false max-buffers=0"
    );
    let pipeline = gst::parse::launch(&line)
        .expect("jpegenc is installed")
        .downcast::<gst::Pipeline>()
        .expect("a launch line of several elements is a pipeline");
    let sink = pipeline
        .by_name("out")
        .and_then(|element| element.downcast::<AppSink>().ok())
        .expect("the sink is in the launch line");
    pipeline.set_state(gst::State::Playing).expect("it plays");
    let mut images = Vec::new();
    while let Ok(sample) = sink.pull_sample() {
        let buffer = sample.buffer().expect("a sample has a buffer");
        let data = buffer.map_readable().expect("memory can be read");
        images.push(Bytes::copy_from_slice(&data));
    }
    pipeline.set_state(gst::State::Null).expect("it stops");
    images
}

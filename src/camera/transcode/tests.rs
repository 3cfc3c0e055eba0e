use std::time::Duration;

use super::*;
use crate::{
    config::Config,
    flow::{Codec, MediaKind},
    testing::encoded::Encoded,
};

fn config() -> CameraConfig {
    let text = "version = 1\n[[cameras]]\nid = \"door\"\nurl = \"rtsp://127.0.0.1:9/\"\n";
    let path = std::path::Path::new("");
    let config = Config::parse(text, path, &crate::config::Environment::new()).unwrap();
    config.cameras.into_iter().next().unwrap()
}

#[test]
fn pictures_keep_the_distances_of_the_stream_while_their_times_are_corrected() {
    let dir = tempfile::tempdir().unwrap();
    let mut transcoder = Transcoder::new(Rendition::Preview, &config(), StageCpu::default());
    let mut events = transcoder.take(Item::Step(Step::Start {
        incident: IncidentId::new(),
        dir: dir.path().to_owned(),
        start: MediaTime::ZERO,
        fresh: true,
    }));
    let packets = Encoded::new(Codec::H265, 60, 20)
        .b_frames(2, true)
        .packets();
    // As at the start of a session: the offset falls by a tenth of what the stream goes on, until it is 0.2 s less.
    let mut highest = MediaTime::ZERO;
    for mut packet in packets {
        highest = highest.max(packet.pts);
        let fallen = highest.nanos() / 10;
        packet.time =
            MediaTime::from_nanos(1_000_000_000 + packet.pts.nanos() - fallen.min(200_000_000));
        packet.arrived = packet.time;
        packet.discontinuity = packet.pts == MediaTime::ZERO;
        let lead = false;
        events.extend(transcoder.take(Item::Packet { packet, lead }));
    }
    events.extend(transcoder.finish());
    let (mut frames, mut lasted) = (0, Duration::ZERO);
    for event in events {
        match event {
            ClipEvent::File(file) if file.kind == MediaKind::Media => {
                frames += file.frames;
                lasted += file.duration;
                assert!(!file.discontinuity);
            }
            ClipEvent::File(_) | ClipEvent::Closed { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(frames > 50, "{frames}");
    let expected = Duration::from_millis(100) * frames;
    let apart = lasted.abs_diff(expected);
    assert!(
        apart < Duration::from_millis(5),
        "{frames} pictures last {lasted:?}"
    );
}

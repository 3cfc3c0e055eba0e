use std::time::Duration;

use super::*;
use crate::{
    config::Config,
    flow::{Codec, MediaKind},
    testing::encoded::Encoded,
};

fn config() -> CameraConfig {
    let text = "version = 2\n[[cameras]]\nid = \"door\"\nurl = \"rtsp://127.0.0.1:9/\"\n";
    let path = std::path::Path::new("");
    let config = Config::parse(text, path, &crate::config::Environment::new()).unwrap();
    config.cameras.into_iter().next().unwrap()
}

/// A transcoder of evidence with an open clip.
struct Rig {
    transcoder: Transcoder,
    pictures: u32,
    _dir: tempfile::TempDir,
}

impl Rig {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut transcoder = Transcoder::new(Rendition::Sub, &config(), StageCpu::default());
        let _ = transcoder.take(Item::Step(Step::Start {
            incident: IncidentId::new(),
            dir: dir.path().to_owned(),
            start: MediaTime::ZERO,
            fresh: true,
        }));
        Self {
            transcoder,
            pictures: 0,
            _dir: dir,
        }
    }

    fn packets(&mut self, packets: impl IntoIterator<Item = Packet>) {
        for packet in packets {
            let lead = false;
            let events = self.transcoder.take(Item::Packet { packet, lead });
            self.count(events);
        }
    }

    fn count(&mut self, events: Vec<ClipEvent>) {
        for event in events {
            if let ClipEvent::File(file) = event
                && file.kind == MediaKind::Media
            {
                self.pictures += file.frames;
            }
        }
    }
}

/// Decoder and encoder hold some of them back until more come.
fn reordered(codec: Codec, frames: u32) -> Encoded {
    Encoded::new(codec, frames, 20).b_frames(2, true)
}

/// The same `seconds` later.
fn later(mut packet: Packet, seconds: i64) -> Packet {
    let by = |time: MediaTime| MediaTime::from_nanos(time.nanos() + seconds * 1_000_000_000);
    packet.time = by(packet.time);
    packet.pts = by(packet.pts);
    packet.arrived = by(packet.arrived);
    packet
}

#[test]
fn a_clip_that_a_stop_cuts_short_has_every_picture_that_came() {
    for codec in [Codec::H264, Codec::H265] {
        let mut rig = Rig::new();
        rig.packets(reordered(codec, 47).packets());
        let events = rig.transcoder.finish();
        rig.count(events);
        assert_eq!(rig.pictures, 47, "{codec:?}");
    }
}

#[test]
fn a_stream_that_falls_silent_or_is_disarmed_leaves_no_picture_behind() {
    let mut rig = Rig::new();
    rig.packets(reordered(Codec::H264, 33).packets());
    let events = rig.transcoder.tick(MediaTime::from_nanos(4_000_000_000));
    rig.count(events);
    assert!(rig.pictures < 33, "more may come");
    for seconds in [9, 15] {
        let events = rig
            .transcoder
            .tick(MediaTime::from_nanos(seconds * 1_000_000_000));
        rig.count(events);
    }
    assert_eq!(rig.pictures, 33);
    // And the same clip goes on with the next keyframe.
    let again = reordered(Codec::H264, 27).packets();
    rig.packets(again.into_iter().map(|packet| later(packet, 20)));
    let events = rig.transcoder.take(Item::Step(Step::Clear));
    rig.count(events);
    assert_eq!(rig.pictures, 60);
}

#[test]
fn a_gap_or_another_format_in_the_middle_of_a_clip_loses_no_picture_before_it() {
    let first = reordered(Codec::H264, 30).packets();
    let large = Encoded {
        size: crate::flow::Size::new(320, 192),
        ..reordered(Codec::H264, 20)
    };
    let mut gap = first.clone();
    gap[0].discontinuity = true;
    let mut rig = Rig::new();
    rig.packets(first);
    rig.packets(gap.into_iter().map(|packet| later(packet, 10)));
    rig.packets(large.packets().into_iter().map(|packet| later(packet, 20)));
    let events = rig.transcoder.finish();
    rig.count(events);
    assert_eq!(rig.pictures, 80);
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

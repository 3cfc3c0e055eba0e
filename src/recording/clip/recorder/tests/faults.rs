//! Streams and disks that do not do what they should, and stopping.

use std::fs;

use super::*;
use crate::{
    flow::{Codec, Size},
    recording::scripted::format,
};

#[test]
fn a_codec_that_does_not_fit_is_refused_once() {
    let mut bench = Bench::new(20);
    bench.camera.format = format(Codec::Other, Size::new(640, 360));
    let early = bench.start(0.0);
    bench.run_to(5.0);
    let visit = bench.start(5.0);
    bench.run_to(8.0);
    bench.end(visit, 9.0);
    bench.run_to(12.0);
    let refused: Vec<_> = bench
        .events
        .iter()
        .map(|event| match event {
            ClipEvent::Refused {
                incident, error, ..
            } => (*incident, error.to_string()),
            other => panic!("{other:?}"),
        })
        .collect();
    let why = "no clip of Motion JPEG video: clips take H.264 and H.265 as they come; set the camera to H.264 or H.265";
    assert_eq!(refused, [(early, why.to_owned()), (visit, why.to_owned())]);
}

#[test]
fn a_stream_that_goes_away_does_not_keep_its_clip_open() {
    let mut bench = Bench::new(20);
    bench.run_to(21.0);
    let visit = bench.start(21.0);
    bench.end(visit, 26.0);
    bench.run_to(22.0);
    bench.events.extend(bench.recorder.tick(at(24.0)));
    assert!(bench.numbers(visit).len() < 60);
    bench.events.extend(bench.recorder.tick(at(27.5)));
    assert_eq!(
        bench.numbers(visit),
        range(160, 219),
        "what is held is on disk"
    );
    assert_eq!(bench.closed(visit), Some(Some((at(16.0), at(22.0)))));
    let waiting = bench.start(28.0);
    bench.end(waiting, 40.0);
    bench.events.extend(bench.recorder.tick(at(39.0)));
    assert!(bench.closed(waiting).is_none());
    bench.events.extend(bench.recorder.tick(at(40.0)));
    assert!(bench.closed(waiting).is_some());
}

#[test]
fn stopping_closes_everything_now() {
    let mut bench = Bench::new(20);
    bench.run_to(21.0);
    let (first, second) = (bench.start(21.0), bench.start(21.0));
    bench.run_to(22.0);
    bench.events.extend(bench.recorder.finish());
    assert_eq!(bench.numbers(first), range(160, 219));
    assert_eq!(bench.numbers(second), range(160, 219));
    assert!(bench.closed(first).is_some() && bench.closed(second).is_some());
    assert!(bench.written_twice().is_empty());
}

#[test]
fn nothing_reaches_back_before_disarming() {
    let mut bench = Bench::new(20);
    bench.run_to(21.0);
    let before = bench.start(21.0);
    bench.run_to(22.5);
    bench.events.extend(bench.recorder.clear());
    assert!(bench.closed(before).is_some());
    bench.run_to(23.0);
    let after = bench.start(23.0);
    bench.end(after, 26.0);
    bench.run_to(29.0);
    assert_eq!(
        bench.numbers(after),
        range(240, 260),
        "from the next keyframe on"
    );
    assert!(bench.clip(after).iter().all(|file| file.incident == after));
}

#[test]
fn what_the_disk_refuses_is_tried_again() {
    let mut bench = Bench::new(20);
    bench.run_to(21.0);
    let incident = IncidentId::new();
    let blocked = bench.dir.path().join("blocked");
    fs::write(&blocked, b"a file where a folder must be").unwrap();
    bench.events.extend(
        bench
            .recorder
            .start(incident, blocked.join("visit"), at(21.0)),
    );
    bench.run_to(24.0);
    assert!(
        matches!(bench.events[..], [ClipEvent::Trouble { lost: false, .. }]),
        "told once"
    );
    fs::remove_file(&blocked).unwrap();
    bench.run_to(26.0);
    assert!(bench.numbers(incident).starts_with(&range(160, 239)));
    bench.end(incident, 27.0);
    bench.run_to(30.0);
    assert_eq!(bench.numbers(incident), range(160, 270));
    assert!(bench.closed(incident).is_some());
}

#[test]
fn what_the_disk_refuses_for_long_is_given_up_and_the_rest_goes_on() {
    let mut bench = Bench::new(20);
    bench.run_to(21.0);
    let incident = IncidentId::new();
    let blocked = bench.dir.path().join("blocked");
    fs::write(&blocked, b"a file where a folder must be").unwrap();
    bench.events.extend(
        bench
            .recorder
            .start(incident, blocked.join("visit"), at(21.0)),
    );
    bench.run_to(60.0);
    assert!(
        bench
            .events
            .iter()
            .any(|event| matches!(event, ClipEvent::Trouble { lost: true, .. }))
    );
    assert!(bench.clip(incident).is_empty());
    fs::remove_file(&blocked).unwrap();
    bench.run_to(66.0);
    bench.end(incident, 66.0);
    bench.run_to(70.0);
    let clip = bench.clip(incident);
    assert_eq!(clip[0].kind, MediaKind::Init, "a header that can be had");
    assert!(clip[1..].iter().all(|file| file.init == clip[0].number));
    let numbers = bench.numbers(incident);
    assert_eq!(numbers, range(numbers[0], 660));
    assert!(bench.closed(incident).is_some());
}

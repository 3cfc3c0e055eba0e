//! Visits that follow, overlap, pause and break off.

use std::fs;

use super::*;
use crate::{
    flow::{Codec, Size},
    recording::scripted::format,
};

#[test]
fn a_clip_begins_on_the_keyframe_before_its_pre_roll_and_ends_when_told() {
    let mut bench = Bench::new(20);
    bench.run_to(21.5);
    let visit = bench.start(21.0); // pre-roll from 16.0
    assert_eq!(bench.clip(visit)[0].kind, MediaKind::Init);
    assert_eq!(
        bench.numbers(visit),
        range(160, 199),
        "on disk while the visit goes on"
    );
    bench.run_to(30.0);
    bench.end(visit, 33.0);
    assert!(bench.closed(visit).is_none());
    bench.run_to(36.0);
    assert_eq!(bench.closed(visit), Some(Some((at(16.0), at(33.1)))));
    assert_eq!(bench.numbers(visit), range(160, 330));
    for (place, file) in bench.media(visit).iter().enumerate() {
        assert_eq!(file.number as usize, place + 1);
        assert_eq!(
            file.path,
            bench
                .folder(visit)
                .join(format!("sub/{:05}.m4s", file.number))
        );
        let content = fs::read(&file.path).unwrap();
        assert_eq!(file.bytes, content.len() as u64);
        use sha2::Digest;
        assert_eq!(
            file.sha256,
            <[u8; 32]>::from(sha2::Sha256::digest(&content))
        );
        assert!(!file.discontinuity);
    }
    // The clip's own time begins at nought and has no holes.
    let mut expected = 0;
    for file in bench.media(visit) {
        let contents = read(&file.path);
        assert_eq!(contents.start, expected);
        expected = contents.end;
    }
}

#[test]
fn visits_that_overlap_share_segments() {
    let mut bench = Bench::new(20);
    bench.run_to(21.0);
    let first = bench.start(21.0);
    bench.run_to(26.0);
    let second = bench.start(25.5); // pre-roll from 20.5: uses the piece from 20.0
    bench.run_to(30.0);
    bench.end(first, 33.0);
    bench.run_to(40.0);
    bench.end(second, 41.0);
    bench.run_to(45.0);
    assert_eq!(bench.numbers(first), range(160, 330));
    assert_eq!(bench.numbers(second), range(200, 410));
    assert!(bench.written_twice().is_empty());
    let owners: Vec<_> = bench
        .media(second)
        .iter()
        .map(|file| file.incident)
        .collect();
    assert!(owners.starts_with(&[first, first]) && owners.ends_with(&[second]));
    // Each header comes before the pictures that need it.
    let clip = bench.clip(second);
    for (place, file) in clip.iter().enumerate() {
        let header = |f: &&&MediaFile| {
            f.kind == MediaKind::Init && f.incident == file.incident && f.number == file.init
        };
        assert!(clip[..=place].iter().any(|f| header(&f)));
    }
    assert!(clip.iter().all(|file| !file.discontinuity));
}

#[test]
fn a_visit_straight_after_another_goes_on_in_its_run() {
    let mut bench = Bench::new(20);
    bench.run_to(21.0);
    let first = bench.start(21.0);
    bench.end(first, 23.5);
    bench.run_to(27.0);
    assert!(bench.closed(first).is_some());
    let second = bench.start(26.0); // pre-roll from 21.0: the piece from 20.0, then what no piece holds
    bench.end(second, 30.0);
    bench.run_to(33.0);
    assert_eq!(bench.numbers(second), range(200, 300));
    assert!(bench.written_twice().is_empty());
    assert!(bench.media(second).iter().all(|file| !file.discontinuity));
}

#[test]
fn a_later_visit_shares_nothing_and_starts_its_own_time() {
    let mut bench = Bench::new(20);
    bench.run_to(21.0);
    let first = bench.start(21.0);
    bench.end(first, 22.0);
    bench.run_to(60.0);
    let second = bench.start(60.0);
    bench.end(second, 61.0);
    bench.run_to(65.0);
    assert_eq!(bench.numbers(second), range(540, 610));
    assert!(
        bench
            .clip(second)
            .iter()
            .all(|file| file.incident == second)
    );
    assert_eq!(read(&bench.media(second)[0].path).start, 0);
}

#[test]
fn a_visit_dated_back_before_the_other_clip_is_filled_from_the_ring() {
    let mut bench = Bench::new(20);
    bench.run_to(30.0);
    let first = bench.start(30.0); // from 24.0
    bench.run_to(31.0);
    let second = bench.start(27.0); // from 22.0
    bench.end(first, 35.0);
    bench.end(second, 35.0);
    bench.run_to(40.0);
    assert_eq!(bench.numbers(first), range(240, 350));
    assert_eq!(bench.numbers(second), range(220, 350));
    assert!(bench.written_twice().is_empty());
}

#[test]
fn a_pause_leaves_a_gap_that_the_playlist_sees() {
    let mut bench = Bench::new(20);
    bench.run_to(21.0);
    let visit = bench.start(21.0);
    bench.events.extend(bench.recorder.pause(visit, at(23.0)));
    bench.run_to(50.0);
    assert!(bench.closed(visit).is_none());
    bench.events.extend(bench.recorder.resume(visit, at(50.0))); // from 44.0
    bench.end(visit, 52.0);
    bench.run_to(55.0);
    assert_eq!(
        bench.numbers(visit),
        [range(160, 230), range(440, 520)].concat()
    );
    let breaks: Vec<_> = bench
        .media(visit)
        .iter()
        .map(|file| file.discontinuity)
        .collect();
    assert_eq!(breaks.iter().filter(|&&it| it).count(), 1);
    let after = bench.media(visit)[breaks.iter().position(|&it| it).unwrap()].clone();
    assert_eq!(after.start, at(44.0));
    assert_eq!(read(&after.path).start, 28 * 90_000, "counted from 16.0");
    assert_eq!(bench.closed(visit), Some(Some((at(16.0), at(52.1)))));
}

#[test]
fn a_short_pause_leaves_no_gap() {
    let mut bench = Bench::new(20);
    bench.run_to(21.0);
    let visit = bench.start(21.0);
    bench.events.extend(bench.recorder.pause(visit, at(23.0)));
    bench.run_to(27.0);
    bench.events.extend(bench.recorder.resume(visit, at(27.0)));
    bench.end(visit, 29.0);
    bench.run_to(33.0);
    assert_eq!(bench.numbers(visit), range(160, 290));
    assert!(bench.media(visit).iter().all(|file| !file.discontinuity));
}

#[test]
fn a_visit_that_ends_while_paused_is_closed_at_once() {
    let mut bench = Bench::new(20);
    bench.run_to(21.0);
    let visit = bench.start(21.0);
    bench.events.extend(bench.recorder.pause(visit, at(21.0)));
    bench.run_to(25.0);
    bench.end(visit, 60.0);
    assert_eq!(bench.closed(visit), Some(Some((at(16.0), at(21.1)))));
}

#[test]
fn a_break_in_the_stream_is_a_discontinuity_and_a_new_size_a_new_header() {
    let mut bench = Bench::new(20);
    bench.run_to(21.0);
    let visit = bench.start(21.0);
    bench.run_to(23.0);
    bench.camera.next = 255; // 2.5 s are missing, and what comes has no keyframe until 26.0
    bench.camera.broken = true;
    bench.run_to(29.0);
    bench.camera.format = format(Codec::H264, Size::new(320, 180));
    bench.run_to(33.0);
    bench.camera.format = format(Codec::H264, Size::new(640, 360));
    bench.run_to(37.0);
    bench.end(visit, 36.0);
    bench.run_to(40.0);
    assert_eq!(
        bench.numbers(visit),
        [
            range(160, 229),
            range(260, 289),
            range(300, 329),
            range(340, 360)
        ]
        .concat()
    );
    let starts: Vec<_> = bench
        .media(visit)
        .iter()
        .filter(|f| f.discontinuity)
        .map(|f| (f.start, f.init))
        .collect();
    assert_eq!(starts, [(at(26.0), 1), (at(30.0), 2), (at(34.0), 1)]);
    let headers: Vec<_> = bench
        .clip(visit)
        .iter()
        .filter(|f| f.kind == MediaKind::Init)
        .map(|f| f.number)
        .collect();
    assert_eq!(headers, [1, 2]);
}

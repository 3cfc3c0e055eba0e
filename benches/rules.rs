//! What follows a look of the person model: boxes become tracks, tracks become incidents. Run with `cargo bench --bench rules`.
#![allow(missing_docs)]

mod measure;

use std::{f32::consts::TAU, hint::black_box, time::Duration};

use criterion::{Criterion, criterion_group, criterion_main};
use lares::{
    base::cpu,
    config::{DetectConfig, IncidentConfig},
    event::Events,
    flow::{
        Detection, IncidentId, Label, MediaTime, Mode, MotionRegion, MotionReport, NormRect, Track,
    },
    track::{Tracker, TrackerConfig},
};
use measure::CpuTime;

/// Looks, a fifth of a second apart.
const LOOKS: u32 = 300;

fn at(look: u32) -> MediaTime {
    MediaTime::ZERO + Duration::from_millis(200) * look
}

/// Where `people` are at this look: each walks up and down within its own part of the picture. `close`: the parts are so
/// small that boxes cover their neighbours' in part.
fn people(people: u16, close: bool, look: u32) -> Vec<Detection> {
    let columns = f32::from(people).sqrt().ceil();
    let (cell, body) = (
        1.0 / columns,
        if close { 1.6 / columns } else { 0.7 / columns },
    );
    (0..people)
        .map(|n| {
            let (row, column) = ((f32::from(n) / columns).floor(), f32::from(n) % columns);
            // Looks can be played again and again: after the last one everybody is where the first one was.
            let phase = TAU * 5.0 * look as f32 / LOOKS as f32 + f32::from(n);
            let x = (column + 0.5 + 0.3 * phase.sin()) * cell;
            let y = (row + 0.5) * cell;
            Detection {
                rect: NormRect::new(
                    x - body / 5.0,
                    y - body / 2.0,
                    x + body / 5.0,
                    y + body / 2.0,
                ),
                label: Label::Person,
                score: 0.8,
                clothes: None,
            }
        })
        .collect()
}

fn track(c: &mut Criterion<CpuTime>) {
    for (count, close, name) in [
        (1, false, "1 track"),
        (20, false, "20 tracks"),
        (100, false, "100 tracks"),
        (100, true, "100 tracks close together"),
    ] {
        let seen: Vec<_> = (0..LOOKS).map(|look| people(count, close, look)).collect();
        let mut tracker = Tracker::new(TrackerConfig::default());
        let mut look = 0;
        c.bench_function(&format!("track/{name}"), |b| {
            b.iter(|| {
                look += 1;
                let boxes = &seen[(look % LOOKS) as usize];
                tracker.step(at(look), black_box(boxes)).len()
            });
        });
        assert!(close || tracker.tracks().len() == usize::from(count));
    }
}

/// What the motion model says and whom the tracker follows, look by look.
fn visit(visitors: u16) -> Vec<(MotionReport, Vec<Track>)> {
    let mut tracker = Tracker::new(TrackerConfig::default());
    (0..LOOKS)
        .map(|look| {
            let seen = people(visitors, false, look);
            let moving = seen.iter().map(|seen| MotionRegion {
                rect: seen.rect,
                score: seen.rect.area(),
            });
            let report = MotionReport {
                time: at(look),
                score: seen.iter().map(|seen| seen.rect.area()).sum(),
                regions: moving.collect(),
                small: None,
                masked: None,
                unseen: None,
                changes: None,
                settled: true,
            };
            (report, tracker.step(at(look), &seen).to_vec())
        })
        .collect()
}

fn event(c: &mut Criterion<CpuTime>) {
    for (visitors, name) in [
        (0, "nobody"),
        (1, "1 track"),
        (20, "20 tracks"),
        (100, "100 tracks"),
    ] {
        let looks = visit(visitors);
        // A minute's visit, begun anew as often as it takes; the figure is for one look of it.
        let play = |left: u64| {
            let mut events = Events::new(
                "bench".parse().expect("a valid id"),
                &DetectConfig::default(),
                &IncidentConfig::default(),
                Mode::Armed,
                IncidentId::new,
            );
            let looks = &looks[..looks.len().min(usize::try_from(left).unwrap_or(usize::MAX))];
            let before = cpu::process();
            for (report, tracks) in looks {
                black_box(events.motion(report));
                black_box(events.seen(report.time, tracks, 0.8));
            }
            let spent = cpu::process() - before;
            // Whoever was there at first is a visit once believed to have walked.
            assert!(looks.len() < 100 || events.is_open() == (visitors > 0));
            (looks.len() as u64, spent)
        };
        c.bench_function(&format!("event/{name}"), |b| {
            b.iter_custom(|mut left| {
                let mut spent = Duration::ZERO;
                while left > 0 {
                    let (done, took) = play(left);
                    left -= done;
                    spent += took;
                }
                spent
            });
        });
    }
}

criterion_group! {
    name = benches;
    config = measure::cpu_time();
    targets = track, event
}
criterion_main!(benches);

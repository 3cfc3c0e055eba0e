//! `lares replay` on real recordings: what it finds, when it would have told, and what it prints for programs.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy knows only by their attribute"
)]

mod program;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize;
use serde_json::Value;

use program::{Done, assert_plain, first_seconds, lines_with, run, sample, text};

/// An `event` line, with exactly these keys.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Event {
    v: u32,
    r#type: String,
    video: String,
    id: String,
    camera: String,
    label: String,
    start_s: f64,
    end_s: f64,
    first_alert_s: f64,
    top_score: f64,
    tracks: u32,
    segments: u32,
    clip_start_s: f64,
    clip_end_s: f64,
    clip_bytes: u64,
}

/// A `summary` line, with exactly these keys.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Summary {
    v: u32,
    r#type: String,
    video: String,
    video_s: f64,
    wall_s: f64,
    cpu_s: f64,
    source_bytes: u64,
    upload_bytes: u64,
    frames: Frames,
    stage_cpu_s: StageCpu,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Frames {
    received: u64,
    decoded: u64,
    motion: u64,
    person_runs: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StageCpu {
    ingest: f64,
    decode: f64,
    motion: f64,
    person: f64,
    track: f64,
    clip: f64,
    other: f64,
}

/// All that replaying one video printed.
struct Replayed {
    events: Vec<Event>,
    summary: Summary,
}

/// Every line must be an event or, as the last of its video, a summary.
fn parse(stdout: &str) -> Vec<Replayed> {
    let mut videos = Vec::new();
    let mut events = Vec::new();
    for line in stdout.lines() {
        let value: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("no JSON ({error}): {line}"));
        if value["type"] == "event" {
            let event: Event =
                serde_json::from_value(value).unwrap_or_else(|error| panic!("{error}: {line}"));
            assert!((event.v, event.r#type.as_str()) == (1, "event"));
            events.push(event);
        } else {
            let summary: Summary =
                serde_json::from_value(value).unwrap_or_else(|error| panic!("{error}: {line}"));
            assert!((summary.v, summary.r#type.as_str()) == (1, "summary"));
            let events = std::mem::take(&mut events);
            assert!(events.iter().all(|event| event.video == summary.video));
            videos.push(Replayed { events, summary });
        }
    }
    assert!(events.is_empty(), "events without a summary");
    videos
}

fn replay_json(video: &Path) -> (Replayed, Done) {
    let done = run(["replay", "--json", text(video)]);
    assert_eq!(done.status, Some(0), "{}", done.stderr);
    assert_plain(&done.stderr);
    let mut videos = parse(&done.stdout);
    assert_eq!(videos.len(), 1);
    (videos.remove(0), done)
}

/// `start_s,end_s` of each line of a truth file.
fn truth(file: &Path) -> Vec<(f64, f64)> {
    let number = |field: Option<&str>| field.unwrap().parse::<f64>().unwrap();
    let text = fs::read_to_string(file).unwrap();
    text.lines()
        .skip(1)
        .map(|line| {
            let mut fields = line.split(',');
            (number(fields.next()), number(fields.next()))
        })
        .collect()
}

/// That each visit was told exactly once, while it was going on, and nothing else was; returns the median delay.
fn median_delay(events: &[Event], visits: &[(f64, f64)]) -> f64 {
    let told: Vec<_> = events.iter().map(|event| event.first_alert_s).collect();
    assert_eq!(
        events.len(),
        visits.len(),
        "alerts at {told:?}, visits {visits:?}"
    );
    let mut delays: Vec<_> = visits
        .iter()
        .map(|(start, end)| {
            let mut within = told.iter().filter(|at| (*start..*end).contains(*at));
            let first = within
                .next()
                .unwrap_or_else(|| panic!("no alert in {start}..{end}: {told:?}"));
            assert!(
                within.next().is_none(),
                "two alerts in {start}..{end}: {told:?}"
            );
            first - start
        })
        .collect();
    delays.sort_by(f64::total_cmp);
    let (low, high) = (delays[(delays.len() - 1) / 2], delays[delays.len() / 2]);
    (low + high) / 2.0
}

#[test]
fn each_visit_is_told_once_and_soon() {
    let visits = truth(&sample("video/visits.csv"));
    let (replayed, _) = replay_json(&sample("video/visits.mp4"));
    let median = median_delay(&replayed.events, &visits);
    assert!(median <= 1.5, "median delay {median:.2} s");

    for (event, (start, end)) in replayed.events.iter().zip(visits) {
        assert!(event.start_s <= event.first_alert_s && event.first_alert_s <= event.end_s);
        assert!(
            event.start_s >= start - 0.5 && event.end_s <= end + 1.0,
            "{event:?}"
        );
        assert!(
            event.clip_start_s <= event.start_s - 5.0,
            "less than the pre-roll: {event:?}"
        );
        assert!(
            event.clip_end_s >= event.end_s + 5.0 - 0.2,
            "less than the post-roll: {event:?}"
        );
        assert!(event.segments > 1 && event.clip_bytes > 0 && event.tracks >= 1);
        assert_eq!(
            (event.camera.as_str(), event.label.as_str()),
            ("camera1", "person")
        );
        assert!(
            event
                .id
                .parse::<uuid::Uuid>()
                .is_ok_and(|id| id.get_version_num() == 7)
        );
        assert!((0.3..=1.0).contains(&event.top_score));
    }
    let clips: u64 = replayed.events.iter().map(|event| event.clip_bytes).sum();
    let summary = replayed.summary;
    assert!(
        summary.upload_bytes > clips,
        "clips, pictures and alerts: {summary:?}"
    );
    assert!(
        summary.upload_bytes < summary.source_bytes * 6 / 10,
        "{summary:?}"
    );
}

#[test]
#[ignore = "needs data beside the checkout"]
fn strangers_of_another_scene_are_told_as_well() {
    let folder = Path::new("../shared/data/one-by-one");
    let visits = truth(&folder.join("events.csv"));
    assert_eq!(visits.len(), 6);
    let (replayed, _) = replay_json(&folder.join("one-by-one-person-detection.mp4"));
    let median = median_delay(&replayed.events, &visits);
    assert!(median <= 1.0, "median delay {median:.2} s");
}

/// Packets of the video that a demuxer marks as keyframes.
fn keyframes(video: &Path) -> u64 {
    let output = Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-select_streams",
            "v",
            "-show_entries",
            "packet=flags",
            "-of",
            "csv=p=0",
        ])
        .arg(video)
        .output()
        .expect("ffprobe is installed by the set-up");
    let flags = String::from_utf8(output.stdout).unwrap();
    flags.lines().filter(|line| line.starts_with('K')).count() as u64
}

#[test]
fn a_quiet_scene_costs_its_keyframes_and_sends_nothing() {
    let video = sample("video/idle.mp4");
    let (replayed, done) = replay_json(&video);
    assert!(replayed.events.is_empty());
    let Summary {
        video_s,
        wall_s,
        cpu_s,
        source_bytes,
        upload_bytes,
        frames,
        stage_cpu_s: stages,
        ..
    } = replayed.summary;
    assert_eq!(upload_bytes, 0);
    assert_eq!(frames.decoded, keyframes(&video));
    assert_eq!((frames.received, frames.motion), (6000, frames.decoded));
    assert!(frames.person_runs * 20 < frames.decoded, "{frames:?}");
    assert_eq!(video_s, 600.0);
    assert!(source_bytes < video.metadata().unwrap().len() && source_bytes > 90_000_000);
    assert!(wall_s > 0.0 && cpu_s > 0.0);
    let parts = [
        stages.ingest,
        stages.decode,
        stages.motion,
        stages.person,
        stages.track,
        stages.clip,
        stages.other,
    ];
    assert!(parts.iter().all(|seconds| *seconds >= 0.0), "{stages:?}");
    assert!(
        (parts.iter().sum::<f64>() - cpu_s).abs() < 0.1,
        "{stages:?} of {cpu_s}"
    );
    assert_eq!(done.stderr, "");
}

/// What may differ between two runs, taken out.
fn timeless(stdout: &str) -> Vec<Value> {
    let lines = stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines
        .map(|mut value| {
            let fields = value.as_object_mut().unwrap();
            for name in ["id", "wall_s", "cpu_s", "stage_cpu_s"] {
                fields.remove(name);
            }
            value
        })
        .collect()
}

#[test]
fn two_replays_give_the_same_but_for_ids_and_times_spent() {
    let folder = tempfile::tempdir().unwrap();
    let video = first_seconds(&sample("video/visits.mp4"), 90, folder.path());
    let [first, second] = [(); 2].map(|()| replay_json(&video));
    assert_eq!(timeless(&first.1.stdout), timeless(&second.1.stdout));
    assert_eq!(first.0.events.len(), 2);
    assert_ne!(first.0.events[0].id, second.0.events[0].id);
}

/// One line of the MOT challenge's format.
#[derive(Debug, Clone, Copy)]
struct Sighting {
    frame: u64,
    id: i64,
    /// x, y, width and height in pixels.
    rect: [f64; 4],
    score: f64,
}

fn mot(video: &Path, more: &[&str]) -> Vec<Sighting> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("boxes.txt");
    let arguments = ["replay", "--json", "--mot", text(&file), text(video)];
    let done = run([&arguments[..], more].concat());
    assert_eq!(done.status, Some(0), "{}", done.stderr);
    assert_eq!(parse(&done.stdout).len(), 1);
    let lines = fs::read_to_string(file).unwrap();
    let sightings = lines.lines().map(|line| {
        let fields: Vec<f64> = line
            .split(',')
            .map(|field| field.parse().unwrap())
            .collect();
        let [frame, id, x, y, w, h, score, -1.0, -1.0, -1.0] = fields[..] else {
            panic!("not ten fields that end in -1,-1,-1: {line}");
        };
        Sighting {
            frame: frame as u64,
            id: id as i64,
            rect: [x, y, w, h],
            score,
        }
    });
    sightings.collect()
}

/// Boxes of persons in a 768x576 picture, in time order. The box of somebody at the edge may reach a little beyond it.
fn assert_plausible(sightings: &[Sighting]) {
    assert!(sightings.is_sorted_by_key(|seen| seen.frame));
    for seen in sightings {
        let [x, y, w, h] = seen.rect;
        let over = [-x, -y, x + w - 768.0, y + h - 576.0]
            .into_iter()
            .fold(0.0, f64::max);
        // What hardly scores may have any shape, and at the edge of a close-up reach far out.
        let plausible = over <= 12.0 && w > 4.0 && h > 8.0 && w < 400.0;
        assert!(plausible || seen.score < 0.15, "{seen:?}");
        assert!((0.05..=1.0).contains(&seen.score), "{seen:?}");
        assert!(seen.id >= -1, "{seen:?}");
    }
    let sure = sightings.iter().filter(|seen| seen.score > 0.5);
    let upright = sure
        .clone()
        .filter(|seen| seen.rect[3] > seen.rect[2])
        .count();
    assert!(
        upright * 10 >= sure.count() * 9,
        "people who walk are taller than wide"
    );
}

/// That an id is given to one box of a frame, and follows one person.
fn assert_stable(sightings: &[Sighting]) {
    let mut tracks: BTreeMap<i64, Vec<&Sighting>> = BTreeMap::new();
    for seen in sightings.iter().filter(|seen| seen.id >= 0) {
        tracks.entry(seen.id).or_default().push(seen);
    }
    // A box that is cut differently, as by somebody in front, has not moved: both of its sides must go the same way.
    let along = |from: [f64; 2], to: [f64; 2]| {
        let (low, high) = (to[0] - from[0], to[1] - from[1]);
        if low * high > 0.0 {
            low.abs().min(high.abs())
        } else {
            0.0
        }
    };
    let sides = |seen: &Sighting| {
        let [x, y, w, h] = seen.rect;
        ([x, x + w], [y, y + h])
    };
    for (id, track) in &tracks {
        for pair in track.windows(2) {
            let (before, after) = (pair[0], pair[1]);
            assert!(
                before.frame < after.frame,
                "id {id} twice in frame {}",
                after.frame
            );
            let ((x0, y0), (x1, y1)) = (sides(before), sides(after));
            let step = along(x0, x1).hypot(along(y0, y1)) / (after.frame - before.frame) as f64;
            assert!(
                step < 40.0,
                "id {id} jumps {step:.0} pixels a frame from {before:?} to {after:?}"
            );
        }
    }
    // Six to eight people are in view during these 20 s; some are hidden for a while and come back.
    let long = tracks.values().filter(|track| track.len() >= 30).count();
    assert!(long >= 4, "{long} tracks of 30 looks or more");
    assert!(tracks.len() <= 40, "{} ids", tracks.len());
}

#[test]
fn boxes_for_scoring_come_on_a_fixed_grid() {
    let folder = tempfile::tempdir().unwrap();
    let video = first_seconds(&sample("video/vtest-h264.mp4"), 20, folder.path());
    let frames = |sightings: &[Sighting]| {
        sightings
            .iter()
            .map(|seen| seen.frame)
            .collect::<BTreeSet<_>>()
    };

    let five_a_second = mot(&video, &[]);
    assert_eq!(frames(&five_a_second), (1..=200).step_by(2).collect());
    assert_plausible(&five_a_second);
    assert_stable(&five_a_second);

    let all = mot(&video, &["--every-frame"]);
    assert_eq!(frames(&all), (1..=200).collect());
    assert_plausible(&all);
    assert_stable(&all);
}

fn odd(name: &str) -> PathBuf {
    sample(&format!("odd/{name}"))
}

#[test]
fn containers_and_codings_of_all_kinds_are_replayed() {
    // Frames and seconds as ffprobe counts them.
    for (name, frames, seconds) in [
        ("clip.mkv", 60, 6.0),
        ("clip.ts", 60, 6.0),
        ("bframes.mp4", 60, 6.0),
        ("gop10s.mp4", 300, 30.0),
    ] {
        let (replayed, _) = replay_json(&odd(name));
        let Replayed { events, summary } = replayed;
        assert_eq!(summary.frames.received, frames, "{name}");
        assert!(
            (summary.video_s - seconds).abs() < 0.2,
            "{name}: {} s",
            summary.video_s
        );
        assert!(
            !events.is_empty() && events[0].segments > 0,
            "{name}: {events:?}"
        );
        assert!(
            events[0].first_alert_s <= 1.5,
            "{name}: people are in its first picture: {events:?}"
        );
    }
}

#[test]
fn a_clip_of_a_coding_that_no_clip_can_hold_is_encoded() {
    let (replayed, done) = replay_json(&odd("mpeg4.avi"));
    assert_eq!(done.stderr, "");
    let Replayed { events, summary } = replayed;
    assert_eq!(events.len(), 1);
    assert!(
        events[0].segments > 0 && events[0].clip_bytes > 0,
        "{events:?}"
    );
    assert!(summary.upload_bytes >= events[0].clip_bytes, "{summary:?}");
}

#[test]
fn people_get_one_line_a_visit_and_one_a_video() {
    let done = run(["replay", text(&odd("clip.mkv"))]);
    assert_eq!(done.status, Some(0));
    assert_plain(&done.stdout);
    assert_eq!(done.stdout.lines().count(), 2, "{}", done.stdout);
    assert_eq!(
        lines_with(
            &done.stdout,
            &["clip.mkv", "person", "score", "alert at", "clip"]
        )
        .len(),
        1
    );
    assert_eq!(
        lines_with(
            &done.stdout,
            &["clip.mkv:", "pictures decoded", "would leave the house"]
        )
        .len(),
        1
    );
}

#[test]
fn a_line_crossed_and_a_long_stay_are_told() {
    let folder = tempfile::tempdir().unwrap();
    // One person, who walks in from the right at 12 s and through to the left in 11 s.
    let video = first_seconds(&sample("video/visits.mp4"), 26, folder.path());
    let config = folder.path().join("rules.toml");
    let middle = "ends = [[0.5, 0.0], [0.5, 1.0]]";
    let all = "area = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]";
    let rules = format!(
        "version = 2\n[[cameras]]\nurl = \"rtsp://127.0.0.1/none\"\n\
         [[cameras.lines]]\nname = \"in\"\n{middle}\ndirection = \"to-right\"\n\
         [[cameras.lines]]\nname = \"out\"\n{middle}\ndirection = \"to-left\"\n\
         [[cameras.zones]]\nname = \"yard\"\n{all}\nloiter = \"5 s\"\n\
         [[cameras.zones]]\nname = \"garden\"\n{all}\nloiter = \"20 s\"\n"
    );
    fs::write(&config, rules).unwrap();
    let done = run([
        "replay",
        "--explain",
        "--config",
        text(&config),
        text(&video),
    ]);
    assert_eq!(done.status, Some(0), "{}", done.stderr);
    let said = format!("{}{}", done.stdout, done.stderr);
    for told in ["crossed in to the right", "loitered in yard"] {
        assert!(said.contains(told), "{told} is not in {said}");
    }
    for not_told in ["crossed out", "loitered in garden"] {
        assert!(!said.contains(not_told), "{not_told} is in {said}");
    }
}

#[test]
fn what_would_be_sent_is_kept_where_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let done = run([
        "replay",
        "--out",
        text(folder.path()),
        text(&odd("clip.mkv")),
    ]);
    assert_eq!(done.status, Some(0), "{}", done.stderr);
    let mut names = BTreeSet::new();
    let mut folders = vec![folder.path().to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => drop(names.insert(path.file_name().unwrap().to_str().unwrap().to_owned())),
            }
        }
    }
    for name in [
        "init-1.mp4",
        "00001.m4s",
        "index.m3u8",
        "thumb.jpg",
        "crop.jpg",
    ] {
        assert!(names.contains(name), "{name} is not among {names:?}");
    }
}

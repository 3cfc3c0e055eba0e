//! Clips as other programs see them: made by `lares replay --out`, decoded by ffmpeg, and compared with their source.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{
    lares,
    media::{Packet, RATE, assert_plays, cut, cut_gops, decoded_frames, packets},
    output_of, sample,
};

/// The default `pre_roll`.
const PRE_ROLL: f64 = 5.0;
/// Half of what lies between two pictures.
const HALF: f64 = 0.5 / RATE;
/// Times are told in milliseconds.
const MILLISECOND: f64 = 0.001;

/// What `lares replay --json --out` made of a video.
struct Replayed {
    events: Vec<Value>,
    /// Coded pictures of the source, in the order of the file.
    source: Vec<Packet>,
    folder: TempDir,
}

impl Replayed {
    fn new(video: &Path) -> Self {
        let folder = TempDir::with_prefix("lares-clips-").unwrap();
        let lines = output_of(
            lares()
                .args(["replay", "--json", "--out"])
                .arg(folder.path())
                .arg(video),
        );
        let lines = lines
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        Self {
            events: lines.filter(|line| line["type"] == "event").collect(),
            source: packets(video),
            folder,
        }
    }

    /// The playlist of an event's clip.
    fn playlist(&self, event: &Value) -> PathBuf {
        let id = event["id"].as_str().unwrap();
        let mut found = Vec::new();
        find(
            self.folder.path(),
            &format!("{id}/sub/index.m3u8"),
            &mut found,
        );
        assert_eq!(found.len(), 1, "playlists of {id}: {found:?}");
        found.remove(0)
    }

    /// Time of the first picture; the replay counts from there.
    fn zero(&self) -> f64 {
        self.source
            .iter()
            .map(|packet| packet.pts)
            .fold(f64::INFINITY, f64::min)
    }

    /// Asserts that each clip plays, begins where it must and has its source's times.
    fn assert_clips(&self) {
        assert!(!self.events.is_empty(), "nobody was found");
        for event in &self.events {
            self.assert_clip(event);
        }
    }

    fn assert_clip(&self, event: &Value) {
        let seconds = |field: &str| event[field].as_f64().unwrap();
        let joined = assert_plays(&self.playlist(event));
        let clip = packets(&joined);
        assert!(clip[0].keyframe, "{event}");

        // It begins on the last keyframe at or before the pre-roll, or the first one of all.
        let wanted = seconds("start_s") - PRE_ROLL + self.zero();
        let keyframes = || {
            self.source
                .iter()
                .enumerate()
                .filter(|(_, packet)| packet.keyframe)
        };
        let (at, first) = keyframes()
            .rfind(|(_, packet)| packet.pts <= wanted + MILLISECOND)
            .or_else(|| keyframes().next())
            .unwrap();
        assert!(
            (first.pts - self.zero() - seconds("clip_start_s")).abs() < HALF,
            "{first:?} {event}"
        );

        // Nothing is missing in between, and times are as far apart as they were.
        let source = &self.source[at..];
        let lead = first.pts - clip[0].pts;
        for (index, (of_clip, of_source)) in clip.iter().zip(source).enumerate() {
            assert_eq!(
                of_clip.keyframe, of_source.keyframe,
                "picture {index} of {event}"
            );
            let apart = of_source.pts - of_clip.pts - lead;
            assert!(
                apart.abs() < MILLISECOND,
                "picture {index} is {apart} s off: {event}"
            );
        }
        let last = clip
            .iter()
            .map(|packet| packet.pts + lead)
            .fold(0.0, f64::max);
        let end = last + 1.0 / RATE - self.zero();
        assert!(
            (end - seconds("clip_end_s")).abs() < HALF,
            "ends at {end}: {event}"
        );
        let until_end = self
            .source
            .iter()
            .map(|packet| packet.pts)
            .fold(0.0, f64::max)
            == last;
        assert!(until_end || end >= seconds("end_s"), "{event}");
    }
}

fn find(dir: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find(&path, ending, found);
        } else if path.ends_with(ending) {
            found.push(path);
        }
    }
}

/// The first ten groups of pictures of a sample: 20 s.
fn assert_clips_of(name: &str) {
    let dir = TempDir::with_prefix("lares-cut-").unwrap();
    let video = dir.path().join("cut.mp4");
    cut_gops(&sample(name), 10, &video);
    Replayed::new(&video).assert_clips();
}

#[test]
fn h264() {
    assert_clips_of("vtest-h264.mp4");
}

#[test]
fn h264_with_b_frames() {
    assert_clips_of("vtest-h264-bframes.mp4");
}

#[test]
fn h265_with_open_gops() {
    assert_clips_of("vtest-h265.mp4");
}

/// The pre-roll reaches back into quiet, and the clip ends before the video does.
#[test]
fn a_visit_from_quiet_to_quiet() {
    let dir = TempDir::with_prefix("lares-cut-").unwrap();
    let video = dir.path().join("visit.mp4");
    cut(&sample("visits.mp4"), 0, 40, &video);
    let replayed = Replayed::new(&video);
    assert_eq!(replayed.events.len(), 1, "{:?}", replayed.events);
    replayed.assert_clips();
    let clip = assert_plays(&replayed.playlist(&replayed.events[0]));
    let seconds = decoded_frames(&clip) as f64 / RATE;
    assert!(
        (11.5 + PRE_ROLL..11.5 + 4.0 * PRE_ROLL).contains(&seconds),
        "{seconds} s"
    );
}

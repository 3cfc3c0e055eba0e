//! Real video recorded, cut, swept and read back by ffmpeg.

mod cuts;
mod gaps;
mod room;

use std::{fs, io::Read, process::Command, sync::atomic::Ordering::Relaxed};

use super::{feed::State, format::TICKS_MS, index::wall, load::Loader, *};
use crate::{
    base::{
        clock::SimClock,
        link::{WhenFull, link},
        recordings::{Gap, LONGEST, NoRecording, Range, RecordingSource, Timeline, Why},
    },
    config::{Config, Environment},
    flow::{ClockState, Codec, MediaTime, NormPoint, Polygon, Size, WallTime},
    recording::scripted,
    testing::encoded::Encoded,
};

/// 2026-11-30.
const BEGAN: i64 = 1_795_996_800_000;
const SECOND: i64 = 1000;

fn door() -> CameraId {
    "door".parse().unwrap()
}

struct Rig {
    dir: tempfile::TempDir,
    clock: Arc<SimClock>,
    recordings: Recordings,
}

impl Rig {
    fn new() -> Self {
        Self::with(tempfile::tempdir().unwrap(), 0)
    }

    fn with(dir: tempfile::TempDir, floor: u64) -> Self {
        let clock = SimClock::new(WallTime(BEGAN));
        let parts = (Metrics::new(), HealthRegistry::new());
        let site = "home".parse().unwrap();
        let mut inner = Inner::new(dir.path(), &site, clock.clone(), parts, None);
        inner.floor = floor;
        let recordings = Recordings(Some(Arc::new(inner)));
        Self {
            dir,
            clock,
            recordings,
        }
    }

    fn inner(&self) -> &Inner {
        self.recordings.inner().unwrap()
    }

    fn stream(&self) -> Stream {
        let (_, packets) = link(1, WhenFull::NewestWins, &WakeSignal::new());
        Stream::new(door(), StreamRole::Sub, packets, Arc::default())
    }

    fn record(&self, stream: &mut Stream, packets: &[Packet]) {
        for packet in packets {
            self.clock.advance_to(packet.time);
            stream.packet(packet, self.inner());
        }
    }

    fn timeline(&self) -> Timeline {
        let range = Range::new(BEGAN - 3600 * SECOND, BEGAN + 86_400 * SECOND, WEEK);
        self.recordings.timeline(&door(), range.unwrap()).unwrap()
    }

    fn export(
        &self,
        from: i64,
        to: i64,
    ) -> Result<(crate::base::recordings::Facts, Vec<u8>), NoRecording> {
        let range = Range::new(BEGAN + from, BEGAN + to, LONGEST)?;
        let mut export = self.recordings.export(&door(), range, None)?;
        let mut bytes = Vec::new();
        export.reader.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes.len() as u64, export.facts.bytes);
        Ok((export.facts, bytes))
    }

    /// The index again, from the files alone.
    fn restarted(self) -> Self {
        let rig = Self::with(self.dir, self.recordings.inner().unwrap().floor);
        assert!(Loader::new(&rig.inner().root, true).step(rig.inner(), None));
        rig
    }

    /// Its files, oldest first.
    fn files(&self) -> Vec<PathBuf> {
        let index = self.inner().index.lock();
        let keys = index
            .0
            .get(&door())
            .into_iter()
            .flat_map(|files| files.keys());
        keys.map(|key| place::path(&self.inner().root, &door(), *key))
            .collect()
    }
}

const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// Pictures that ffmpeg decodes of `film`, and how long it says that it is. No complaint may come up.
fn decoded(film: &[u8]) -> (usize, f64) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("film.mp4");
    fs::write(&path, film).unwrap();
    let output = Command::new("ffprobe")
        .args(["-v", "warning", "-select_streams", "v", "-count_frames"])
        .args(["-show_entries", "stream=nb_read_frames:format=duration"])
        .args(["-of", "default=noprint_wrappers=1:nokey=1"])
        .arg(&path)
        .output()
        .expect("ffmpeg is installed");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && complaints.trim().is_empty(),
        "{complaints}"
    );
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut lines = text.lines();
    (
        lines.next().unwrap().parse().unwrap(),
        lines.next().unwrap().parse().unwrap(),
    )
}

/// Video of `frames` pictures, ten a second, keyframes each two seconds.
fn video(frames: u32) -> Vec<Packet> {
    Encoded::new(Codec::H264, frames, 20).packets()
}

fn pictures(camera: &mut scripted::Camera, count: u64) -> Vec<Packet> {
    (0..count).map(|_| camera.picture()).collect()
}

/// Files of 60 s each, `count` of them.
fn minutes(rig: &Rig, count: u64) -> u64 {
    let mut stream = rig.stream();
    let mut camera = scripted::Camera::new(10);
    rig.record(&mut stream, &pictures(&mut camera, 600 * count));
    stream.finish(rig.inner());
    assert_eq!(rig.files().len() as u64, count);
    fs::metadata(&rig.files()[0]).unwrap().len()
}

#[test]
fn what_was_recorded_plays_and_exports_whole() {
    let rig = Rig::new();
    let (packets, mut stream) = (video(1500), rig.stream());
    rig.record(&mut stream, &packets);
    stream.finish(rig.inner());
    assert_eq!(rig.files().len(), 3, "a file a minute");
    let all = rig.timeline();
    assert_eq!((all.spans.len(), all.gaps.len()), (1, 0), "{all:?}");
    let (facts, film) = rig.export(0, 150 * SECOND).unwrap();
    assert_eq!((facts.frames, facts.width, facts.height), (1500, 160, 96));
    let (frames, seconds) = decoded(&film);
    assert_eq!(frames, 1500);
    assert!((seconds - 150.0).abs() < 0.2, "{seconds}");
    // A part, over the seam of two files: from the keyframe before.
    let (facts, film) = rig.export(59 * SECOND, 63 * SECOND).unwrap();
    assert_eq!(facts.range.from.0 - BEGAN, 58 * SECOND);
    assert_eq!(facts.range.to.0 - BEGAN, 64 * SECOND);
    assert_eq!((facts.frames, decoded(&film).0), (60, 60));
    // The same after a restart, from the files alone.
    let (before, rig) = (rig.timeline(), rig.restarted());
    assert_eq!(rig.timeline(), before);
    assert_eq!(rig.export(59 * SECOND, 63 * SECOND).unwrap().1, film);
}

#[test]
fn a_playlist_plays_over_the_seams_of_files() {
    let rig = Rig::new();
    let mut stream = rig.stream();
    rig.record(&mut stream, &video(1500));
    stream.finish(rig.inner());
    let range = Range::new(BEGAN + 30_000, BEGAN + 125_000, LONGEST).unwrap();
    let text = rig.recordings.playlist(&door(), range, None).unwrap();
    assert_eq!(text.matches("EXT-X-MAP").count(), 1, "{text}");
    assert!(!text.contains("DISCONTINUITY"), "{text}");
    // As the page serves it: names lead to bytes.
    let served = tempfile::tempdir().unwrap();
    fs::create_dir(served.path().join("files")).unwrap();
    for line in text.lines().filter(|line| line.starts_with("files/")) {
        let name = line.strip_prefix("files/").unwrap();
        let content = rig.recordings.file(&door(), name).unwrap();
        let mut bytes = Vec::new();
        content
            .file
            .take(content.bytes)
            .read_to_end(&mut bytes)
            .unwrap();
        fs::write(served.path().join(line), bytes).unwrap();
    }
    let playlist = served.path().join("play.m3u8");
    fs::write(&playlist, &text).unwrap();
    let output = Command::new("ffprobe")
        .args([
            "-v",
            "warning",
            "-allowed_extensions",
            "ALL",
            "-count_frames",
        ])
        .args(["-show_entries", "stream=nb_read_frames", "-of", "csv=p=0"])
        .arg(&playlist)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let frames = said.lines().next().unwrap_or_default();
    // From 30 s to 126 s, the end of the fragment that holds the last second.
    assert_eq!(frames.trim_end_matches(','), "960");
}

#[test]
fn b_frames_and_open_groups_keep_their_times() {
    let rig = Rig::new();
    let packets = Encoded::new(Codec::H264, 700, 20)
        .b_frames(2, true)
        .packets();
    let mut stream = rig.stream();
    rig.record(&mut stream, &packets);
    stream.finish(rig.inner());
    assert!(rig.files().len() >= 2);
    let (facts, film) = rig.export(0, 80 * SECOND).unwrap();
    let (frames, seconds) = decoded(&film);
    assert_eq!(frames as u64, facts.frames);
    assert_eq!(frames, 700);
    assert!((seconds - 70.0).abs() < 0.5, "{seconds}");
}

#[test]
fn a_change_of_size_is_another_header_and_no_one_file() {
    let rig = Rig::new();
    let mut stream = rig.stream();
    let mut camera = scripted::Camera::new(10);
    rig.record(&mut stream, &pictures(&mut camera, 50));
    camera.format = scripted::format(Codec::H264, Size::new(320, 180));
    rig.record(&mut stream, &pictures(&mut camera, 50));
    stream.finish(rig.inner());
    let range = Range::new(BEGAN, BEGAN + 60_000, LONGEST).unwrap();
    let text = rig.recordings.playlist(&door(), range, None).unwrap();
    assert_eq!(text.matches("#EXT-X-MAP").count(), 2, "{text}");
    let at = WallTime(BEGAN + 5 * SECOND);
    assert_eq!(
        rig.export(0, 20 * SECOND).unwrap_err(),
        NoRecording::Format(at)
    );
    assert!(NoRecording::Format(at).sentence().contains("2026-11-30T"));
    assert_eq!(rig.export(0, 4 * SECOND).unwrap().0.width, 640);
    assert_eq!(rig.export(5 * SECOND, 9 * SECOND).unwrap().0.width, 320);
}

#[test]
fn a_masked_camera_shows_nothing_of_before() {
    let rig = Rig::new();
    minutes(&rig, 1);
    let policy = Policy {
        config: None,
        masked: true,
        states: Vec::new(),
    };
    rig.inner().policies.lock().insert(door(), policy);
    assert_eq!(rig.export(0, 9000).unwrap_err(), NoRecording::Masked);
    let range = Range::new(BEGAN, BEGAN + 9000, LONGEST).unwrap();
    let names = [place::reference((BEGAN, StreamRole::Sub))];
    assert_eq!(
        rig.recordings.playlist(&door(), range, None).unwrap_err(),
        NoRecording::Masked
    );
    assert_eq!(
        rig.recordings.timeline(&door(), range),
        Err(NoRecording::Masked)
    );
    assert_eq!(
        rig.recordings.file(&door(), &names[0]).unwrap_err(),
        NoRecording::Masked
    );
    assert!(rig.recordings.list().is_empty());

    // Nor does a command, which knows the camera by its configuration alone.
    let mut config = Config::for_camera("rtsp://10.0.0.2/live", &Environment::new()).unwrap();
    let camera = &mut config.cameras[0];
    camera.id = door();
    let corner = |x, y| NormPoint { x, y };
    let half = [corner(0.0, 0.0), corner(1.0, 0.0), corner(1.0, 0.5)];
    camera.privacy_mask = vec![Polygon(half.to_vec())];
    let site = "home".parse().unwrap();
    let read = |cameras| {
        Recordings::read_only(rig.dir.path(), &site, rig.clock.clone(), cameras)
            .export(&door(), range, None)
            .map(|_| ())
    };
    assert_eq!(read(&[]), Ok(()));
    assert_eq!(read(&config.cameras), Err(NoRecording::Masked));
}

#[test]
fn what_is_not_there_is_said() {
    let rig = Rig::new();
    assert_eq!(rig.export(0, 9).unwrap_err(), NoRecording::Unknown);
    minutes(&rig, 1);
    assert_eq!(rig.export(-90_000, -1).unwrap_err(), NoRecording::Nothing);
    let main = rig.recordings.export(
        &door(),
        Range::new(BEGAN, BEGAN + 1000, LONGEST).unwrap(),
        Some(StreamRole::Main),
    );
    assert_eq!(main.err(), Some(NoRecording::Nothing));
    for name in ["../../site", "0-sub.mp4", "x"] {
        let file = rig.recordings.file(&door(), name);
        assert_eq!(file.unwrap_err(), NoRecording::File, "{name}");
    }
    // Deleted under a reader: the range is shorter, or the read fails; nothing hangs.
    fs::remove_file(&rig.files()[0]).unwrap();
    assert_eq!(rig.export(0, 9000).unwrap_err(), NoRecording::Nothing);
}

#[test]
fn ticks_and_times_agree() {
    assert_eq!(wall(BEGAN * TICKS_MS), WallTime(BEGAN));
}

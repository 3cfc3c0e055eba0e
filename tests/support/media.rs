//! Videos for the tests, and what ffmpeg and ffprobe say of clips.

use std::{
    fs,
    path::{Component, Path, PathBuf},
    process::Command,
};

use super::output_of;

/// Pictures a second of every sample.
pub(crate) const RATE: f64 = 10.0;

/// Copies the first `gops` groups of pictures of `video`, each whole, without encoding them anew.
///
/// Counted in pictures: by time, ffmpeg would take a keyframe along and leave out pictures shown before it.
pub(crate) fn cut_gops(video: &Path, gops: usize, to: &Path) {
    let packets = packets(video);
    let mut keyframes = packets
        .iter()
        .enumerate()
        .filter(|(_, packet)| packet.keyframe);
    let (pictures, _) = keyframes.nth(gops).unwrap();
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-y", "-i"]).arg(video);
    command
        .args(["-an", "-c", "copy", "-frames:v", &pictures.to_string()])
        .arg(to);
    output_of(&mut command);
}

/// Copies `seconds` of `video` from the keyframe at `from` on, without encoding it anew.
pub(crate) fn cut(video: &Path, from: u32, seconds: u32, to: &Path) {
    encode(video, from, seconds, &["-c", "copy"], to);
}

/// The same as H.265, with B-frames in open GOPs of two seconds.
pub(crate) fn cut_as_h265(video: &Path, from: u32, seconds: u32, to: &Path) {
    let codec = "-c:v libx265 -preset ultrafast -tag:v hvc1 -x265-params";
    let params = "keyint=20:min-keyint=20:scenecut=0:bframes=2:open-gop=1:log-level=error";
    let codec: Vec<_> = codec.split(' ').chain([params]).collect();
    encode(video, from, seconds, &codec, to);
}

fn encode(video: &Path, from: u32, seconds: u32, codec: &[&str], to: &Path) {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-y", "-ss", &from.to_string(), "-i"]);
    command
        .arg(video)
        .args(["-t", &seconds.to_string(), "-an"])
        .args(codec)
        .arg(to);
    output_of(&mut command);
}

/// Decodes a file with ffmpeg, asserts that it has nothing to complain about, and counts the pictures.
pub(crate) fn decoded_frames(video: &Path) -> usize {
    let mut ffmpeg = Command::new("ffmpeg");
    let output = ffmpeg
        .args(["-v", "error", "-i"])
        .arg(video)
        .args(["-f", "null", "-"])
        .output()
        .unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && complaints.is_empty(),
        "{} does not decode cleanly: {complaints}",
        video.display()
    );
    let mut ffprobe = Command::new("ffprobe");
    ffprobe.args(
        "-v error -select_streams v -count_frames -show_entries stream=nb_read_frames -of csv=p=0"
            .split(' '),
    );
    output_of(ffprobe.arg(video)).trim().parse().unwrap()
}

/// Width of the pictures.
pub(crate) fn picture_width(video: &Path) -> u32 {
    let mut ffprobe = Command::new("ffprobe");
    ffprobe.args("-v error -select_streams v -show_entries stream=width -of csv=p=0".split(' '));
    output_of(ffprobe.arg(video)).trim().parse().unwrap()
}

/// A coded picture.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packet {
    /// Presentation time in seconds.
    pub(crate) pts: f64,
    pub(crate) keyframe: bool,
}

/// Coded pictures in the order of the file.
pub(crate) fn packets(video: &Path) -> Vec<Packet> {
    let mut ffprobe = Command::new("ffprobe");
    ffprobe.args(
        "-v error -select_streams v -show_entries packet=pts_time,flags -of csv=p=0".split(' '),
    );
    let listed = output_of(ffprobe.arg(video));
    let lines = listed.lines().filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let (pts, flags) = line.split_once(',').unwrap();
            Packet {
                pts: pts.parse().unwrap(),
                keyframe: flags.starts_with('K'),
            }
        })
        .collect()
}

/// A playlist as a player reads it.
#[derive(Debug)]
pub(crate) struct Playlist {
    /// Header and pictures, in order of play, each once.
    pub(crate) files: Vec<PathBuf>,
    /// How long all segments play, in seconds.
    pub(crate) seconds: f64,
    /// No more will come.
    pub(crate) ended: bool,
}

impl Playlist {
    /// Reads the playlist at `path`. Asserts that all it names is there, and that a segment's number is never below the
    /// one before.
    pub(crate) fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let folder = path.parent().unwrap();
        let mut playlist = Self {
            files: Vec::new(),
            seconds: 0.0,
            ended: text.trim_end().ends_with("#EXT-X-ENDLIST"),
        };
        let mut newest = String::new();
        assert!(text.starts_with("#EXTM3U\n"), "{text}");
        for line in text.lines() {
            if let Some(uri) = line.strip_prefix("#EXT-X-MAP:URI=") {
                playlist.add(folder, uri.trim_matches('"'));
            } else if let Some(duration) = line.strip_prefix("#EXTINF:") {
                playlist.seconds += duration.trim_end_matches(',').parse::<f64>().unwrap();
            } else if !line.starts_with('#') {
                let name = line.rsplit('/').next().unwrap().to_owned();
                assert!(name > newest, "segments out of order: {text}");
                newest = name;
                playlist.add(folder, line);
            }
        }
        playlist
    }

    fn add(&mut self, folder: &Path, uri: &str) {
        let path = normal(&folder.join(uri));
        assert!(
            path.is_file(),
            "the playlist names {uri}, which is not there"
        );
        self.files.push(path);
    }

    /// Pictures that the durations promise.
    pub(crate) fn frames(&self) -> usize {
        (self.seconds * RATE).round() as usize
    }

    /// All files one after the other: a plain fragmented MP4.
    pub(crate) fn concatenate(&self, to: &Path) {
        let bytes: Vec<u8> = self
            .files
            .iter()
            .flat_map(|file| fs::read(file).unwrap())
            .collect();
        fs::write(to, bytes).unwrap();
    }
}

/// `a/b/../c` is `a/c`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                normal.pop();
            }
            part => normal.push(part),
        }
    }
    normal
}

/// Asserts that the clip behind a playlist is complete and plays; gives it as one file.
pub(crate) fn assert_plays(playlist: &Path) -> PathBuf {
    let clip = playlist.with_file_name("joined.mp4");
    let playlist = Playlist::read(playlist);
    assert!(playlist.ended, "no ENDLIST");
    playlist.concatenate(&clip);
    assert!(playlist.frames() > 0);
    assert_eq!(decoded_frames(&clip), playlist.frames(), "{playlist:?}");
    clip
}

/// Asserts that a file is a picture that decodes.
pub(crate) fn assert_jpeg(path: &Path) {
    assert!(
        fs::read(path).unwrap().starts_with(&[0xff, 0xd8, 0xff]),
        "{} is no JPEG",
        path.display()
    );
    assert_eq!(decoded_frames(path), 1);
}

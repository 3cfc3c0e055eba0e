//! How a page reads continuous recordings, wherever they lie: in the box in this program, or one day in another one.
//!
//! In: a camera and a range of time. Out: what there is and what is missing, a playlist, files, and one file of a whole range. All of
//! it reads the disk: call it beside the async tasks.

use std::{fs::File, io::Read, time::Duration};

use serde::{Deserialize, Serialize};

use crate::flow::{CameraId, StreamRole, WallTime};

/// The longest range that is played or exported at once.
pub const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// The longest range whose timeline is asked for at once.
pub const LONGEST_TIMELINE: Duration = Duration::from_secs(31 * 24 * 3600);
/// 2100-01-01; later times are no times.
const LATEST: i64 = 4_102_444_800_000;

/// A range of time: not empty, and no longer than was allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// Its beginning.
    pub from: WallTime,
    /// Its end.
    pub to: WallTime,
}

impl Range {
    /// The range between two times, in milliseconds since 1970.
    ///
    /// # Errors
    /// [`NoRecording::Range`] when it is empty, reversed, of no real time, or longer than `longest`.
    pub fn new(from: i64, to: i64, longest: Duration) -> Result<Self, NoRecording> {
        let longest = i64::try_from(longest.as_millis()).unwrap_or(i64::MAX);
        let is_time = |at: i64| (0..=LATEST).contains(&at);
        if !is_time(from) || !is_time(to) || from >= to || to - from > longest {
            return Err(NoRecording::Range);
        }
        Ok(Self {
            from: WallTime(from),
            to: WallTime(to),
        })
    }
}

/// Why there is no recording of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Why {
    /// Lares, or recording, was not running.
    Off,
    /// The camera sent nothing.
    Away,
    /// The camera was suspended.
    Paused,
    /// The disk was full or refused.
    Disk,
    /// This box was too slow.
    Busy,
    /// Pictures were missing in the stream, or it began again.
    Stream,
    /// The clock was set.
    Clock,
}

/// A time without a recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// When it begins.
    pub from: WallTime,
    /// When it ends.
    pub to: WallTime,
    /// Its cause.
    pub why: Why,
}

/// What there is of a camera.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct About {
    /// The camera.
    pub camera: CameraId,
    /// For how long recordings are kept, in seconds; none: nothing is recorded any more.
    pub keep_s: Option<u64>,
    /// Whether it is recorded at this moment.
    pub recording: bool,
    /// The oldest recorded moment.
    pub oldest: Option<WallTime>,
    /// The newest.
    pub newest: Option<WallTime>,
    /// Bytes on the disk.
    pub bytes: u64,
    /// Which streams there are, the usual one first.
    pub streams: Vec<&'static str>,
}

/// What of a range is recorded, and what is not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Timeline {
    /// Recorded stretches, in order.
    pub spans: Vec<Range>,
    /// What is missing between them.
    pub gaps: Vec<Gap>,
}

/// A file as far as it is whole.
#[derive(Debug)]
pub struct Content {
    /// The file.
    pub file: File,
    /// Bytes of it that may be read.
    pub bytes: u64,
}

/// What is said beside an exported file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Version of this document.
    pub v: u32,
    /// The site.
    pub site: String,
    /// The camera.
    pub camera: CameraId,
    /// `sub` or `main`.
    pub stream: String,
    /// What was asked for.
    pub asked: Range,
    /// What is in the file: from the keyframe at or before the beginning.
    pub range: Range,
    /// What is missing in it. The file plays on without a pause there.
    pub gaps: Vec<Gap>,
    /// Whether the clock was known to be right all the time.
    pub clock_sure: bool,
    /// The codec's name.
    pub codec: String,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Pictures.
    pub frames: u64,
    /// Length of the file.
    pub bytes: u64,
    /// Its SHA-256 in hexadecimal; none where it was not computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The program that made it.
    pub program: String,
}

/// A range as one MP4.
pub struct Export {
    /// What it is.
    pub facts: Facts,
    /// Its bytes, read from the disk as they are asked for.
    pub reader: Box<dyn Read + Send>,
}

/// Why there is nothing to play or to export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRecording {
    /// There is no such camera, or nothing was ever recorded of it.
    Unknown,
    /// The range is none.
    Range,
    /// Nothing of the range is recorded, or no longer.
    Nothing,
    /// There is no such file, or no longer.
    File,
    /// Recordings of a camera that has a privacy mask now hold what the mask hides.
    Masked,
    /// The pictures change their format within the range, at this time.
    Format(WallTime),
    /// The disk refuses.
    Disk,
}

impl NoRecording {
    /// One sentence for the reader.
    #[must_use]
    pub fn sentence(self) -> String {
        match self {
            Self::Unknown => "There are no recordings of such a camera".to_owned(),
            Self::Range => "The range is empty, reversed or too long: ask for at most 24 hours".to_owned(),
            Self::Nothing => "Nothing of this time is recorded, or no longer".to_owned(),
            Self::File => "This part of the recording is no longer there".to_owned(),
            Self::Masked => {
                "This camera has a privacy mask now, and its recordings hold what the mask hides: they are not shown".to_owned()
            }
            Self::Format(at) => format!(
                "The camera's pictures change their format at {}: export up to that moment, or from it on",
                jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |at| at.to_string())
            ),
            Self::Disk => "The recording cannot be read: the log of the box says more".to_owned(),
        }
    }
}

/// Recordings of the cameras of a box. Every call may wait for the disk.
pub trait RecordingSource: Send + Sync + 'static {
    /// The cameras that are recorded, or were.
    fn list(&self) -> Vec<About>;

    /// What is recorded of `camera` within `range`, of any stream.
    ///
    /// # Errors
    /// Why there is nothing.
    fn timeline(&self, camera: &CameraId, range: Range) -> Result<Timeline, NoRecording>;

    /// An HLS playlist of `range`; its addresses begin with `files/`. `stream`: none for the usual one.
    ///
    /// # Errors
    /// Why there is nothing to play.
    fn playlist(
        &self,
        camera: &CameraId,
        range: Range,
        stream: Option<StreamRole>,
    ) -> Result<String, NoRecording>;

    /// The file that a playlist names `files/NAME`.
    ///
    /// # Errors
    /// When it is not there.
    fn file(&self, camera: &CameraId, name: &str) -> Result<Content, NoRecording>;

    /// `range` as one MP4, as the camera sent it.
    ///
    /// # Errors
    /// Why there is nothing to export.
    fn export(
        &self,
        camera: &CameraId,
        range: Range,
        stream: Option<StreamRole>,
    ) -> Result<Export, NoRecording>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_are_none_are_refused() {
        let year = 365 * 24 * 3_600_000;
        let now = 1_800_000_000_000;
        for (from, to) in [
            (now, now),
            (now + 1, now),
            (-1, 5),
            (now, now + 10 * year),
            (i64::MIN, i64::MAX),
            (i64::MAX, i64::MIN),
            (LATEST, LATEST + 1),
        ] {
            assert_eq!(
                Range::new(from, to, LONGEST),
                Err(NoRecording::Range),
                "{from} {to}"
            );
        }
        assert!(Range::new(now, now + 1, LONGEST).is_ok());
        assert!(Range::new(now, now + 86_400_000, LONGEST).is_ok());
    }
}

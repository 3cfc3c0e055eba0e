//! What `[[cameras]]` comes to: the tree of one camera, with its defaults. It is read in `load::cameras` and `load::zones`.

use std::{path::PathBuf, time::Duration};

use serde::Serialize;

use super::{ByteSize, Secret, keys};
use crate::flow::{CameraId, Label, Mode, NormPoint, Polygon, StreamRole, Turn};

/// One camera.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CameraConfig {
    /// Permanent id.
    pub id: CameraId,
    /// Display name.
    pub name: String,
    /// The watched stream.
    pub source: SourceConfig,
    /// A second stream of full quality, kept for clips.
    pub main: Option<SourceConfig>,
    /// Mode at first start.
    pub mode: Mode,
    /// Longest time between two looks while asleep.
    pub max_idle_interval: Duration,
    /// What decodes.
    pub decoder: DecoderChoice,
    /// What to look for, motion and where.
    pub detect: DetectConfig,
    /// How pictures are turned before anything looks at them or keeps them.
    pub rotate: Turn,
    /// When incidents end and what is recorded.
    pub incident: IncidentConfig,
    /// Clip cutting.
    pub clip: ClipConfig,
    /// Recording round the clock; none: off.
    pub recording: Option<RecordingConfig>,
    /// Painted black on each picture straight after decoding.
    pub privacy_mask: Vec<Polygon>,
}

/// What decodes a camera's pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum DecoderChoice {
    /// Hardware where there is some that has passed a trial, else the processor.
    #[default]
    Auto,
    /// The processor.
    Software,
}

/// How a camera's pictures travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum Transport {
    /// By TCP; by UDP where the camera refuses TCP.
    #[default]
    Auto,
    /// Inside the RTSP connection: nothing is lost or out of order.
    Tcp,
    /// As datagrams: a network that loses some loses pictures.
    Udp,
}

/// Where a stream comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SourceConfig {
    /// `rtsp://` or `rtsps://` address, or a file's path as `file:///...`; never holds a password.
    #[serde(serialize_with = "keys::camera")]
    pub url: url::Url,
    /// User for the camera.
    pub user: Option<String>,
    /// Password for the camera.
    pub password: Option<Secret>,
    /// A stream that stays silent for this long counts as stalled.
    pub stall_timeout: Duration,
    /// How its pictures travel. Over TLS they never go by UDP.
    pub transport: Transport,
    /// The authorities that a certificate of `rtsps://` is checked against, in PEM; none: the system's.
    pub ca_file: Option<PathBuf>,
}

/// What to look for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DetectConfig {
    /// Classes that make incidents.
    pub labels: Vec<Label>,
    /// Looks a second while awake, at most.
    pub detect_fps: f64,
    /// Score from which one look is a sighting; none: the model card's.
    pub min_score: Option<f32>,
    /// Height of the smallest person that is looked for, share of the picture's height, 0..1.
    pub min_height: f32,
    /// Where the person model looks.
    pub roi: RoiPolicy,
    /// Close-ups of small persons, a second, at most; 0: none.
    pub max_crops_per_second: f64,
    /// How long a scene must be quiet before decoding stops.
    pub idle_after: Duration,
    /// Motion in here wakes nothing and persons in here count for nothing.
    pub motion_mask: Vec<Polygon>,
    /// Named places. Where there is one with `required`, only visits that enter such a zone are reported.
    pub zones: Vec<ZoneConfig>,
    /// Named lines.
    pub lines: Vec<LineConfig>,
}

/// Where the person model looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum RoiPolicy {
    /// At the whole picture, and closer where somebody would be too small.
    #[default]
    Auto,
    /// At the whole picture only.
    Whole,
    /// At a square around each thing that moves or is followed.
    Regions,
}

/// A named place in the picture.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ZoneConfig {
    /// Name in alerts.
    pub name: String,
    /// Where feet must stand.
    pub area: Polygon,
    /// Only visits that enter a required zone (or cross a required line) are reported.
    pub required: bool,
    /// From this stay on it is loitering; none: nobody loiters here.
    pub loiter: Option<Duration>,
}

/// A named line in the picture that feet may cross.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LineConfig {
    /// Name in alerts.
    pub name: String,
    /// Its two ends.
    pub ends: [NormPoint; 2],
    /// Which crossings count.
    pub direction: LineDirection,
    /// Only visits that cross a required line (or enter a required zone) are reported.
    pub required: bool,
}

/// Which way over a line, as seen by somebody who stands at its first end and looks at its second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum LineDirection {
    /// Either way.
    Both,
    /// From the left side to the right.
    ToRight,
    /// From the right side to the left.
    ToLeft,
}

/// The life of an incident.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IncidentConfig {
    /// It ends this long after its last track left through the picture's edge.
    pub end_after_left: Duration,
    /// It ends this long after its last track was lost inside the picture.
    pub end_after_lost: Duration,
    /// Recording stops after this long ...
    pub record_max: Duration,
    /// ... and resumes for this long when a new track appears.
    pub record_resume: Duration,
}

/// The clip.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClipConfig {
    /// What is kept from before the incident's start, at least.
    pub pre_roll: Duration,
    /// What is kept after its end.
    pub post_roll: Duration,
    /// Most bytes of the pre-roll ring, for each stream.
    pub pre_roll_bytes: ByteSize,
    /// A segment is cut at the first keyframe after this long ...
    pub segment_target: Duration,
    /// ... or, keyframe or not, after this long ...
    pub segment_max: Duration,
    /// ... or about this many bytes.
    pub segment_bytes: ByteSize,
    /// An H.265 camera's clips are encoded as H.264 too, for browsers that play nothing else.
    pub preview: bool,
}

/// Recording round the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RecordingConfig {
    /// How long recordings are kept.
    pub keep: Duration,
    /// Most bytes of this camera's recordings.
    pub quota: ByteSize,
    /// What is recorded.
    pub streams: RecordedStreams,
}

/// Which of a camera's streams are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum RecordedStreams {
    /// The watched one.
    #[default]
    Sub,
    /// The one of full quality.
    Main,
    /// Both.
    Both,
}

impl RecordedStreams {
    /// Whether `role` is one of them.
    #[must_use]
    pub fn has(self, role: StreamRole) -> bool {
        matches!(
            (self, role),
            (Self::Both, _) | (Self::Sub, StreamRole::Sub) | (Self::Main, StreamRole::Main)
        )
    }
}

impl DetectConfig {
    /// Foreground from which a look counts as motion, as a share of the picture: a third of what the smallest person
    /// covers in a picture of 4:3 (the rest is hidden, or as dark as the ground).
    #[must_use]
    pub fn least_motion(&self) -> f32 {
        const WIDTH_TO_HEIGHT: f32 = 0.4;
        const FOUND: f32 = 1.0 / 3.0;
        FOUND * WIDTH_TO_HEIGHT * self.min_height * self.min_height / (4.0 / 3.0)
    }

    /// From one look to the next while something moves.
    #[must_use]
    pub fn look_interval(&self) -> Duration {
        Duration::from_secs_f64(1.0 / self.detect_fps.max(0.1))
    }
}

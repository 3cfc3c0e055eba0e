//! One visit, from the moment it is believed to its end; and what the pipeline asks of the decoder.

use std::{str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use super::{CameraId, IncidentId, Label, MediaTime, NormRect};

/// Whether a camera watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Watches and reports.
    Armed,
    /// Nothing is decoded or kept.
    Disarmed,
}

impl Mode {
    /// The name in configuration and on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Armed => "armed",
            Self::Disarmed => "disarmed",
        }
    }
}

impl FromStr for Mode {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "armed" => Ok(Self::Armed),
            "disarmed" => Ok(Self::Disarmed),
            _ => Err(()),
        }
    }
}

/// Where an incident is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IncidentState {
    /// Just believed: the alert that matters.
    Began,
    /// Something worth telling changed.
    Updated,
    /// Over.
    Ended,
}

impl IncidentState {
    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Began => "began",
            Self::Updated => "updated",
            Self::Ended => "ended",
        }
    }
}

/// Why it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EndReason {
    /// The last one left through the picture's edge.
    Left,
    /// The last one was lost inside the picture and did not come back.
    Lost,
    /// The camera was disarmed.
    Disarmed,
    /// The camera's stream ended or stayed away.
    Stream,
    /// The agent stopped in good order.
    Stopped,
    /// The agent was cut off; closed at the next start.
    Interrupted,
}

impl EndReason {
    /// The name on the wire and in the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Lost => "lost",
            Self::Disarmed => "disarmed",
            Self::Stream => "stream",
            Self::Stopped => "stopped",
            Self::Interrupted => "interrupted",
        }
    }
}

/// A rule about places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Somebody stayed in a zone for longer than allowed.
    Loitered,
    /// Somebody crossed a line from right to left, seen from its first end.
    CrossedToLeft,
    /// Somebody crossed a line from left to right, seen from its first end.
    CrossedToRight,
}

/// A rule that a visitor fired.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RuleHit {
    /// Which.
    pub rule: Rule,
    /// Name of the zone or line.
    pub name: String,
}

/// How somebody was known to move of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Movement {
    /// It went from one place to another.
    Travelled,
    /// It grew or shrank: it came towards the camera, or into the picture.
    Grew,
    /// It stood where there was nobody before.
    Appeared,
    /// Its own pixels changed while it stayed in its place: it works, turns, or comes straight towards the camera.
    Stirred,
}

impl Movement {
    /// The name on the wire and in the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Travelled => "travelled",
            Self::Grew => "grew",
            Self::Appeared => "appeared",
            Self::Stirred => "stirred",
        }
    }
}

/// Why an incident began.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Why {
    /// Looks in which its first visitor had been seen.
    pub looks: u32,
    /// What they said for it, summed; 1 is enough, unless its place had given doubtful boxes before.
    pub evidence: f32,
    /// How it had moved.
    pub movement: Movement,
    /// Height of its box, share of the picture's.
    pub height: f32,
}

/// The state of one visit. Each change carries all of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    /// Which.
    pub id: IncidentId,
    /// Where.
    pub camera: CameraId,
    /// What kind of thing came.
    pub label: Label,
    /// First sight of the first one.
    pub start: MediaTime,
    /// When the last one was last seen, once ended.
    pub end: Option<MediaTime>,
    /// Life.
    pub state: IncidentState,
    /// Why it ended, once ended.
    pub end_reason: Option<EndReason>,
    /// Best score of any of its tracks, 0..1.
    pub score: f32,
    /// Names of the zones entered, in order of entry.
    pub zones: Vec<String>,
    /// Rules fired, in order.
    pub rules: Vec<RuleHit>,
    /// Why it began.
    pub why: Why,
    /// Confirmed tracks so far.
    pub tracks: u32,
    /// Mode in force when it began.
    pub mode: Mode,
    /// Made by a test, not by a visitor.
    pub test: bool,
}

/// What an event step says happened.
#[derive(Debug, Clone, PartialEq)]
pub struct IncidentChange {
    /// State after the change.
    pub incident: Incident,
    /// Whether the clip should be recording from now on.
    pub recording: bool,
    /// Box of the one to show in the picture of this change, where one is in view.
    pub subject: Option<NormRect>,
}

/// What the rules ask of the decoder: the only arrow that points back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeDemand {
    /// Nothing: disarmed.
    Off,
    /// Keyframes only (or a look each `max_idle_interval` where keyframes are rarer).
    Asleep,
    /// Every picture, with a look each `every`.
    Awake {
        /// Time between looks.
        every: Duration,
    },
}

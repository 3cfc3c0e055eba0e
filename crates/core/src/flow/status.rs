//! How a camera is doing, in one word and one sentence.

use serde::{Deserialize, Serialize};

/// One word for a camera's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CameraState {
    /// Pictures arrive.
    Online,
    /// No pictures: see the problem.
    Offline,
    /// Disarmed.
    Suspended,
}

impl CameraState {
    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Offline => "offline",
            Self::Suspended => "suspended",
        }
    }
}

/// What is wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// One clear sentence; holds no secret.
    pub message: String,
    /// What to do next.
    pub hint: String,
}

/// What leaves now. Each step down leaves out one more thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DegradationLevel {
    /// Everything.
    Full,
    /// No full quality where there are two streams.
    Sub,
    /// Of each clip what it takes to watch the first seconds.
    First,
    /// Pictures, no clips.
    Stills,
    /// Alerts.
    Text,
}

impl DegradationLevel {
    /// What leaves, as a readable text.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Full => "everything leaves",
            Self::Sub => "clips leave, but not in full quality",
            Self::First => "of each clip only the first seconds leave",
            Self::Stills => "alerts and pictures leave, clips do not",
            Self::Text => "only alerts leave",
        }
    }
}

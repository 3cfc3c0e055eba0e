//! How a camera is doing, in one word and one sentence.

use serde::Serialize;

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

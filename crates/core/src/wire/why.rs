//! Why something was reported, or was not: one JSON line for each, kept by the box for a day.

use serde::{Deserialize, Serialize};

use super::VERSION;
use crate::flow::{CameraId, IncidentId, NormRect, WallTime, Why};

/// What the note is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum About {
    /// An incident that began.
    Incident,
    /// Somebody who was seen, and became no incident.
    Track,
    /// Motion that became none.
    Motion,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DecisionRecord {
    /// Version of this document.
    pub v: u32,
    /// When it was written, UTC milliseconds.
    pub at: WallTime,
    /// Where.
    pub camera: CameraId,
    /// What it is about.
    pub about: About,
    /// Which incident.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// In words.
    pub reason: String,
    /// What spoke for the incident.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<Why>,
    /// First noticed, UTC milliseconds.
    pub from: WallTime,
    /// Over, or believed, UTC milliseconds.
    pub to: WallTime,
    /// Best score, 0..1.
    pub score: f32,
    /// Looks in which it was seen.
    pub looks: u32,
    /// Where in the picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<NormRect>,
}

impl DecisionRecord {
    /// An empty note.
    #[must_use]
    pub fn new(at: WallTime, camera: CameraId, about: About, reason: &str) -> Self {
        Self {
            v: VERSION,
            at,
            camera,
            about,
            incident: None,
            reason: reason.to_owned(),
            why: None,
            from: at,
            to: at,
            score: 0.0,
            looks: 0,
            place: None,
        }
    }
}

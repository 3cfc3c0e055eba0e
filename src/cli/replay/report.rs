//! The JSON lines of `lares replay --json`: a contract that other programs parse.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::flow::IncidentId;

/// One incident, when it has ended and its clip is closed.
#[derive(Debug, Serialize)]
pub(super) struct Event<'a> {
    pub(super) v: u32,
    pub(super) r#type: &'static str,
    pub(super) video: &'a str,
    pub(super) id: IncidentId,
    pub(super) camera: String,
    pub(super) label: &'static str,
    pub(super) start_s: f64,
    pub(super) end_s: f64,
    pub(super) first_alert_s: f64,
    pub(super) top_score: f64,
    pub(super) tracks: u32,
    pub(super) segments: u32,
    pub(super) clip_start_s: f64,
    pub(super) clip_end_s: f64,
    pub(super) clip_bytes: u64,
}

/// One video, when it has ended.
#[derive(Debug, Serialize)]
pub(super) struct Summary<'a> {
    pub(super) v: u32,
    pub(super) r#type: &'static str,
    pub(super) video: &'a str,
    pub(super) video_s: f64,
    pub(super) wall_s: f64,
    pub(super) cpu_s: f64,
    pub(super) source_bytes: u64,
    pub(super) upload_bytes: u64,
    pub(super) frames: Frames,
    pub(super) stage_cpu_s: BTreeMap<&'static str, f64>,
}

#[derive(Debug, Serialize)]
pub(super) struct Frames {
    pub(super) received: u64,
    pub(super) decoded: u64,
    pub(super) motion: u64,
    pub(super) person_runs: u64,
}

/// Milliseconds are precise enough, and keep JSON short.
pub(super) fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

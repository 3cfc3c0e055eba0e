//! The incident as receivers see it: one JSON document that always holds the whole state.
//!
//! [`Facts`] are what the pipeline knows and the outbox keeps; [`IncidentMessage`] adds what is only known when the
//! message leaves: its number, the time, and how much of the clip has arrived.

use serde::{Deserialize, Serialize};

use super::VERSION;
use crate::flow::{
    CameraId, ClockState, EndReason, IncidentId, IncidentState, Label, Mode, RuleHit, SiteId,
    WallTime, Why,
};

/// One state of an incident, without anything that delivery adds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// Which.
    pub id: IncidentId,
    /// Counts the changes of this incident, from 1.
    pub seq: u32,
    /// Where it is in its life.
    pub state: IncidentState,
    /// Why it ended, once ended.
    pub end_reason: Option<EndReason>,
    /// The household.
    pub site: SiteId,
    /// Where.
    pub camera: CameraId,
    /// What came.
    pub label: Label,
    /// First sight, UTC milliseconds.
    pub start: WallTime,
    /// Last sight, UTC milliseconds, once ended.
    pub end: Option<WallTime>,
    /// Whether `start` and `end` can be trusted.
    pub clock: ClockState,
    /// Best score, 0..1.
    pub score: f32,
    /// Zones entered, in order.
    pub zones: Vec<String>,
    /// Rules fired, in order.
    #[serde(default)]
    pub rules: Vec<RuleHit>,
    /// Why it began; none where nothing is known of it.
    #[serde(default)]
    pub why: Option<Why>,
    /// Confirmed tracks so far.
    pub tracks: u32,
    /// Mode in force when it began.
    pub mode: Mode,
    /// Why the household records, in its own words.
    pub purpose: String,
    /// Made by a test.
    pub test: bool,
}

/// How much of the clip has reached the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClipState {
    /// There is no clip (yet).
    None,
    /// It is on its way; nothing can be watched yet.
    Sending,
    /// The first segment and a playlist are there.
    First,
    /// The rest stays on the box: no store is set up, or it refused a part.
    Held,
    /// All of it is there.
    Complete,
}

/// The clip as it is in the store now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clip {
    /// Key of the playlist, where there is a clip.
    pub key: Option<String>,
    /// How much has arrived.
    pub state: ClipState,
    /// Segments delivered.
    pub segments: u32,
    /// Bytes delivered.
    pub bytes: u64,
}

/// What is published for each change of an incident, and kept as `incident.json` beside its clip.
///
/// Readers ignore fields that they do not know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IncidentMessage {
    /// Version of this document.
    pub v: u32,
    /// Number of this alert among those for its receiver, without gaps; none in `incident.json`, which is no alert.
    pub n: Option<u64>,
    /// Which.
    pub id: IncidentId,
    /// Counts the changes of this incident, from 1.
    pub seq: u32,
    /// Where it is in its life.
    pub state: IncidentState,
    /// Why it ended, once ended.
    pub end_reason: Option<EndReason>,
    /// The household.
    pub site: SiteId,
    /// Where.
    pub camera: CameraId,
    /// What came.
    pub label: Label,
    /// First sight, UTC milliseconds.
    pub start: WallTime,
    /// Last sight, UTC milliseconds, once ended.
    pub end: Option<WallTime>,
    /// When this message was sent, UTC milliseconds.
    pub sent: WallTime,
    /// Whether the times can be trusted.
    pub clock: ClockState,
    /// Best score, 0..1.
    pub score: f32,
    /// Zones entered, in order.
    #[serde(default)]
    pub zones: Vec<String>,
    /// Rules fired, in order.
    #[serde(default)]
    pub rules: Vec<RuleHit>,
    /// Why it began.
    #[serde(default)]
    pub why: Option<Why>,
    /// Confirmed tracks so far.
    pub tracks: u32,
    /// Mode in force when it began.
    pub mode: Mode,
    /// Why the household records.
    #[serde(default)]
    pub purpose: String,
    /// Made by a test.
    #[serde(default)]
    pub test: bool,
    /// Key of the picture, once it has been handed to the outbox; it follows the alert.
    pub thumbnail: Option<String>,
    /// The clip.
    pub clip: Clip,
}

impl IncidentMessage {
    /// The message for `facts`, leaving at `sent`.
    #[must_use]
    pub fn new(
        facts: Facts,
        n: Option<u64>,
        sent: WallTime,
        thumbnail: Option<String>,
        clip: Clip,
    ) -> Self {
        Self {
            v: VERSION,
            n,
            id: facts.id,
            seq: facts.seq,
            state: facts.state,
            end_reason: facts.end_reason,
            site: facts.site,
            camera: facts.camera,
            label: facts.label,
            start: facts.start,
            end: facts.end,
            sent,
            clock: facts.clock,
            score: facts.score,
            zones: facts.zones,
            rules: facts.rules,
            why: facts.why,
            tracks: facts.tracks,
            mode: facts.mode,
            purpose: facts.purpose,
            test: facts.test,
            thumbnail,
            clip,
        }
    }

    /// The document as bytes.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("plain data always serialises")
    }

    /// Reads the document.
    ///
    /// # Errors
    /// When it is not JSON or lacks a field.
    pub fn from_json(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Movement, Rule};

    fn facts() -> Facts {
        Facts {
            id: "01990000-0000-7000-8000-000000000001".parse().unwrap(),
            seq: 2,
            state: IncidentState::Updated,
            end_reason: None,
            site: "home".parse().unwrap(),
            camera: "front-door".parse().unwrap(),
            label: Label::Person,
            start: WallTime(1_770_000_000_123),
            end: None,
            clock: ClockState::Good,
            score: 0.91,
            zones: vec!["gate".to_owned()],
            rules: vec![RuleHit {
                rule: Rule::Loitered,
                name: "gate".to_owned(),
            }],
            why: Some(Why {
                looks: 2,
                evidence: 1.5,
                movement: Movement::Travelled,
                height: 0.25,
            }),
            tracks: 2,
            mode: Mode::Armed,
            purpose: "home security".to_owned(),
            test: false,
        }
    }

    #[test]
    fn the_document_is_the_contract() {
        let clip = Clip {
            key: Some("v1/home/front-door/2026-02-02/x/sub/index.m3u8".to_owned()),
            state: ClipState::First,
            segments: 3,
            bytes: 123_456,
        };
        let message = IncidentMessage::new(
            facts(),
            Some(812),
            WallTime(1_770_000_002_000),
            Some("v1/home/front-door/2026-02-02/x/thumb.jpg".to_owned()),
            clip,
        );
        insta::assert_snapshot!(String::from_utf8(message.to_json()).unwrap());
        assert_eq!(
            IncidentMessage::from_json(&message.to_json()).unwrap(),
            message
        );
    }

    #[test]
    fn an_ended_incident_without_a_clip() {
        let mut facts = facts();
        facts.state = IncidentState::Ended;
        facts.end_reason = Some(EndReason::Interrupted);
        facts.end = Some(WallTime(1_770_000_009_000));
        facts.clock = ClockState::Unsure;
        let clip = Clip {
            key: None,
            state: ClipState::None,
            segments: 0,
            bytes: 0,
        };
        let message = IncidentMessage::new(facts, Some(1), WallTime(1), None, clip);
        insta::assert_snapshot!(String::from_utf8(message.to_json()).unwrap());
    }

    #[test]
    fn unknown_fields_are_ignored_and_missing_ones_named() {
        let clip = Clip {
            key: None,
            state: ClipState::None,
            segments: 0,
            bytes: 0,
        };
        let message = IncidentMessage::new(facts(), Some(1), WallTime(1), None, clip);
        let mut json: serde_json::Value = serde_json::from_slice(&message.to_json()).unwrap();
        json["weather"] = "rain".into();
        assert_eq!(
            IncidentMessage::from_json(json.to_string().as_bytes()).unwrap(),
            message
        );
        json.as_object_mut().unwrap().remove("camera");
        let error = IncidentMessage::from_json(json.to_string().as_bytes()).unwrap_err();
        assert!(error.to_string().contains("camera"), "{error}");
    }
}

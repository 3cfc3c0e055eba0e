//! Incidents as the rules make them.

use crate::flow::{Incident, IncidentId, IncidentState, Label, MediaTime, Mode, Movement, Why};

/// A visit that has just begun, `at` seconds after the start.
#[must_use]
pub fn visit(at: f64) -> Incident {
    Incident {
        id: IncidentId::new(),
        camera: "door".parse().expect("a valid id"),
        label: Label::Person,
        start: MediaTime::from_secs_f64(at),
        end: None,
        state: IncidentState::Began,
        end_reason: None,
        score: 0.9,
        zones: Vec::new(),
        rules: Vec::new(),
        why: Why {
            looks: 1,
            evidence: 1.0,
            movement: Movement::Travelled,
            height: 0.3,
        },
        tracks: 1,
        mode: Mode::Armed,
        test: false,
    }
}

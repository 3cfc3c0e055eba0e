//! What the watch lane tells the record lane: changes of incidents, and views of who is there.

use crate::{
    flow::{Frame, IncidentChange, IncidentId, IncidentState, MediaTime, NormRect, Track},
    outbox::{Outbox, OutboxError, sinks::LiveState},
};

/// Somebody of an incident, in one picture.
#[derive(Clone)]
pub struct View {
    /// Of which incident.
    pub incident: IncidentId,
    /// The picture.
    pub frame: Frame,
    /// Where in it.
    pub rect: NormRect,
    /// Larger, surer and wholly inside is better; compares views of one camera.
    pub quality: f32,
}

impl View {
    /// The best view that `tracks` offer in `frame`, if any of them was seen in it.
    pub(super) fn best(incident: IncidentId, frame: &Frame, tracks: &[Track]) -> Option<Self> {
        let (rect, quality) = tracks
            .iter()
            .filter_map(|track| track.seen.map(|rect| (rect, quality(rect, track.score))))
            .max_by(|a, b| a.1.total_cmp(&b.1))?;
        Some(Self {
            incident,
            frame: frame.clone(),
            rect,
            quality,
        })
    }
}

/// Score times size; a person cut off by the picture's edge counts half.
fn quality(rect: NormRect, score: f32) -> f32 {
    let whole = if rect.touches_edge(0.01) { 0.5 } else { 1.0 };
    score * rect.clamped().area().sqrt() * whole
}

/// A change of an incident on its way from the watch lane.
#[derive(Clone)]
pub struct Report {
    /// What changed.
    pub change: IncidentChange,
    /// The view that confirmed it.
    pub view: Option<View>,
    /// When the picture that confirmed it was received; none where no picture did.
    pub confirmed_by: Option<MediaTime>,
    /// Presentation time of the newest access unit received when the change was made.
    pub newest: MediaTime,
}

impl Report {
    /// Makes the alert safe: its row is on disk when this returns.
    ///
    /// # Errors
    /// When the disk refuses: hold the report and try again.
    pub fn commit(&self, outbox: &Outbox, live: &LiveState) -> Result<(), OutboxError> {
        let incident = &self.change.incident;
        outbox.alert(incident, self.confirmed_by)?;
        live.person(&incident.camera, incident.state != IncidentState::Ended);
        Ok(())
    }
}

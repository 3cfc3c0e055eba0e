//! How many close-ups may be made: a token bucket on media time.

use crate::flow::MediaTime;

/// What may be saved up: enough for the first pictures of somebody who wakes the camera.
const RESERVE: f32 = 3.0;

/// Close-ups that may be made now.
#[derive(Debug)]
pub(super) struct CropBudget {
    per_second: f32,
    saved: f32,
    at: Option<MediaTime>,
}

impl CropBudget {
    /// With a full reserve, unless nothing is allowed at all.
    pub(super) fn new(per_second: f64) -> Self {
        let per_second = per_second as f32;
        Self {
            per_second,
            saved: if per_second > 0.0 { RESERVE } else { 0.0 },
            at: None,
        }
    }

    /// Time passes.
    pub(super) fn advance(&mut self, to: MediaTime) {
        let passed = self.at.map_or(0.0, |at| to.since(at).as_secs_f32());
        self.saved = (self.saved + passed * self.per_second).min(RESERVE.max(self.saved));
        self.at = self.at.max(Some(to));
    }

    pub(super) fn has_one(&self) -> bool {
        self.saved >= 1.0
    }

    pub(super) fn spend_one(&mut self) {
        self.saved -= 1.0;
    }
}

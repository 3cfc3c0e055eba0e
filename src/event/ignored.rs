//! Motion that was too small to be looked into. Told once for each stretch of it, so that nobody wonders.

use std::time::Duration;

use super::reasons::{Reason, Refusal, Refused};
use crate::flow::{MediaTime, MotionReport, NormRect};

/// A stretch is over when nothing was ignored for this long.
const OVER_AFTER: Duration = Duration::from_secs(10);
/// Patches below this share of what would matter are noise and not worth a word.
const WORTH_A_WORD: f32 = 0.4;

#[derive(Debug, Clone, Copy)]
struct Stretch {
    from: MediaTime,
    last: MediaTime,
    place: NormRect,
}

/// What is being ignored.
#[derive(Debug)]
pub(super) struct Ignored {
    least: f32,
    stretch: Option<Stretch>,
}

impl Ignored {
    /// Where motion of less than `least` of the picture is too small.
    pub(super) fn new(least: f32) -> Self {
        Self {
            least,
            stretch: None,
        }
    }

    /// Takes in a look of the motion model. Small patches beside a region belong to what is looked into.
    pub(super) fn look(&mut self, report: &MotionReport) {
        if let Some(patch) = report.small
            && !report.moving()
            && patch.score >= WORTH_A_WORD * self.least
        {
            self.stretch = Some(Stretch {
                from: self.stretch.map_or(report.time, |stretch| stretch.from),
                last: report.time,
                place: patch.rect,
            });
        }
    }

    /// The stretch that is over.
    pub(super) fn over(&mut self, now: MediaTime) -> Option<Refusal> {
        let over = self
            .stretch
            .take_if(|stretch| now.since(stretch.last) >= OVER_AFTER)?;
        Some(Refusal {
            what: Refused::Motion,
            reason: Reason::TooSmall,
            from: over.from,
            to: over.last,
            score: 0.0,
            looks: 0,
            place: Some(over.place),
        })
    }
}

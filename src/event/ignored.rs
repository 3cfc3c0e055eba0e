//! Motion that was not looked into: too small, or in the motion mask. Told once for each stretch of it, so that nobody
//! wonders.

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
    small: Option<Stretch>,
    masked: Option<Stretch>,
}

impl Ignored {
    /// Where motion of less than `least` of the picture is too small.
    pub(super) fn new(least: f32) -> Self {
        Self {
            least,
            small: None,
            masked: None,
        }
    }

    /// Takes in a look of the motion model. Patches beside a region belong to what is looked into.
    pub(super) fn look(&mut self, report: &MotionReport) {
        if report.moving() {
            return;
        }
        let worth = WORTH_A_WORD * self.least;
        if let Some(patch) = report.small.filter(|patch| patch.score >= worth) {
            note(&mut self.small, report.time, patch.rect);
        }
        if let Some(patch) = report.masked {
            note(&mut self.masked, report.time, patch.rect);
        }
    }

    /// The stretches that are over.
    pub(super) fn over(&mut self, now: MediaTime) -> impl Iterator<Item = Refusal> {
        let stretches = [
            (&mut self.small, Reason::TooSmall),
            (&mut self.masked, Reason::Masked),
        ];
        stretches.into_iter().filter_map(move |(stretch, reason)| {
            let over = stretch.take_if(|stretch| now.since(stretch.last) >= OVER_AFTER)?;
            Some(Refusal {
                what: Refused::Motion,
                reason,
                from: over.from,
                to: over.last,
                score: 0.0,
                looks: 0,
                place: Some(over.place),
            })
        })
    }
}

fn note(stretch: &mut Option<Stretch>, time: MediaTime, place: NormRect) {
    *stretch = Some(Stretch {
        from: stretch.map_or(time, |stretch| stretch.from),
        last: time,
        place,
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::MotionRegion;

    fn report(time: f64, small: Option<f32>, masked: Option<f32>) -> MotionReport {
        let region = |score| MotionRegion {
            rect: NormRect::new(0.1, 0.1, 0.2, 0.2),
            score,
        };
        MotionReport {
            time: MediaTime::from_secs_f64(time),
            score: 0.0,
            regions: Vec::new(),
            small: small.map(region),
            masked: masked.map(region),
            unseen: None,
            changes: None,
            settled: true,
        }
    }

    #[test]
    fn each_kind_is_told_once_when_it_is_over() {
        let mut ignored = Ignored::new(0.01);
        for (second, small, masked) in [
            (0.0, Some(0.009), None),
            (2.0, Some(0.001), Some(0.02)),
            (4.0, Some(0.005), Some(0.02)),
            (9.0, None, Some(0.02)),
        ] {
            ignored.look(&report(second, small, masked));
        }
        let told = |ignored: &mut Ignored, second: f64| -> Vec<(Reason, f64, f64)> {
            let now = MediaTime::from_secs_f64(second);
            let over = ignored.over(now);
            over.map(|r| (r.reason, r.from.secs_f64(), r.to.secs_f64()))
                .collect()
        };
        assert!(told(&mut ignored, 13.0).is_empty());
        assert_eq!(told(&mut ignored, 14.0), [(Reason::TooSmall, 0.0, 4.0)]);
        assert_eq!(told(&mut ignored, 20.0), [(Reason::Masked, 2.0, 9.0)]);
        assert!(told(&mut ignored, 60.0).is_empty());
    }

    #[test]
    fn what_is_beside_a_region_is_looked_into_with_it() {
        let mut ignored = Ignored::new(0.01);
        let mut moving = report(0.0, Some(0.009), Some(0.02));
        moving.regions = moving.masked.into_iter().collect();
        ignored.look(&moving);
        assert_eq!(ignored.over(MediaTime::from_secs_f64(60.0)).count(), 0);
    }
}

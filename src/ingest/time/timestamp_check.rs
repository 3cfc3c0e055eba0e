//! Whether a stream's timestamps can be relied on. Pure.
//!
//! Most cameras' can, even those that jump once when the camera sets its clock. Some stand still, run backwards, or run
//! so fast or slowly that they leave the box's clock behind again and again: those say nothing about when a picture was
//! taken, and its arrival says more.

use std::{collections::VecDeque, time::Duration};

use crate::flow::MediaTime;

/// More pictures in decode order than any encoder shows out of order.
const REORDERED: u32 = 16;
/// For slow cameras: so long without progress, and at least [`FEW`] pictures.
const STILL: Duration = Duration::from_secs(3);
const FEW: u32 = 4;
/// A timestamp so far below the highest is a new beginning.
const BACK: i64 = 1_000_000_000;
/// So many breaks in such a time are no accident.
const BREAKS: usize = 3;
const BREAKS_WITHIN: Duration = Duration::from_secs(180);
/// They are relied on again when they have kept step with the box's clock for so long ...
const PROBATION: Duration = Duration::from_secs(30);
/// ... to within this, in nanoseconds.
const TOLERANCE: i64 = 500_000_000;

/// What is known about the timestamps of one session.
#[derive(Debug, Default)]
pub(super) struct Trust {
    highest: Option<MediaTime>,
    /// Arrival of the last picture whose timestamp was the highest so far, and pictures since.
    risen: MediaTime,
    since: u32,
    breaks: VecDeque<MediaTime>,
    /// Not relied on, and since which timestamp and arrival they have kept step.
    probation: Option<(MediaTime, MediaTime)>,
}

impl Trust {
    /// Looks at the next picture's timestamp and arrival; whether timestamps are relied on.
    pub(super) fn judge(&mut self, pts: MediaTime, arrived: MediaTime) -> bool {
        self.progress(pts, arrived);
        let still =
            self.since >= REORDERED || (self.since >= FEW && arrived.since(self.risen) > STILL);
        if let Some((first_pts, first_arrived)) = self.probation {
            let apart = (pts - first_pts) - (arrived - first_arrived);
            if still || apart.abs() > TOLERANCE {
                self.probation = Some((pts, arrived));
            } else if arrived.since(first_arrived) > PROBATION {
                self.probation = None;
                self.breaks.clear();
            }
        } else if still || self.breaks.len() >= BREAKS {
            self.probation = Some((pts, arrived));
        }
        self.probation.is_none()
    }

    /// The offset between timestamps and the box's clock had to be stepped.
    pub(super) fn broke(&mut self, arrived: MediaTime) {
        self.breaks.push_back(arrived);
        self.breaks
            .retain(|earlier| arrived.since(*earlier) < BREAKS_WITHIN);
    }

    fn progress(&mut self, pts: MediaTime, arrived: MediaTime) {
        match self.highest {
            Some(highest) if pts <= highest => {
                self.since = self.since.saturating_add(1);
                if pts - highest < -BACK {
                    self.highest = Some(pts);
                }
            }
            _ => {
                (self.highest, self.risen, self.since) = (Some(pts), arrived, 0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: i64 = 100_000_000;

    fn at(frames: i64) -> MediaTime {
        MediaTime::from_nanos(frames * FRAME)
    }

    /// Of how many pictures at ten a second the timestamps were relied on.
    fn relied(trust: &mut Trust, from: i64, count: i64, pts: impl Fn(i64) -> i64) -> i64 {
        let pictures = from..from + count;
        let relied = pictures.filter(|&n| trust.judge(at(pts(n)), at(n)));
        i64::try_from(relied.count()).unwrap()
    }

    #[test]
    fn sound_reordered_and_once_jumping_timestamps_are_relied_on() {
        let mut trust = Trust::default();
        assert_eq!(relied(&mut trust, 0, 100, |n| n), 100);
        // P B B B, decoded in this order.
        assert_eq!(
            relied(&mut trust, 100, 100, |n| n + [3, -1, -1, -1]
                [n as usize % 4]),
            100
        );
        assert_eq!(relied(&mut trust, 200, 100, |n| n - 36_000), 100);
        assert_eq!(relied(&mut trust, 300, 100, |n| n + 36_000), 100);
    }

    #[test]
    fn timestamps_that_stand_still_or_run_backwards_are_not() {
        for pts in [|_| 50, |n: i64| 1000 - n] {
            let mut trust = Trust::default();
            relied(&mut trust, 0, 50, |n| n);
            let still = relied(&mut trust, 50, 100, pts);
            assert!(still <= 17, "{still} pictures before it was noticed");
            // Good again, and for half a minute.
            relied(&mut trust, 150, 310, |n| n);
            assert_eq!(relied(&mut trust, 460, 10, |n| n), 10);
        }
    }

    #[test]
    fn a_slow_camera_is_noticed_by_time() {
        let mut trust = Trust::default();
        let judged: Vec<bool> = (0..8).map(|n| trust.judge(at(0), at(n * 10))).collect();
        assert_eq!(judged, [true, true, true, true, false, false, false, false]);
    }

    #[test]
    fn breaks_again_and_again_are_no_accident() {
        let mut trust = Trust::default();
        for n in 0..3 {
            assert!(trust.judge(at(n * 200), at(n * 200)));
            trust.broke(at(n * 200));
        }
        assert!(!trust.judge(at(601), at(601)));
        let mut log_throttle = Trust::default();
        for n in 0..5 {
            assert!(log_throttle.judge(at(n * 1000), at(n * 1000)));
            log_throttle.broke(at(n * 1000));
        }
    }
}

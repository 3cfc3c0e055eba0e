//! Decode times and durations without looking ahead. Pure.
//!
//! Chromium drops everything up to the next keyframe when decode times go back, or go on by more than twice the last written
//! duration. A live picture must be written before its successor is known, and with B-frames presentation times go back. So the
//! written duration is the median step of the last pictures, and the decode time follows the presentation time, but never
//! further than that duration: `dts = max(last + 1, min(pts, last + last duration))`. What is shown, and when, stays true: `pts = dts
//! + composition offset`.

use std::collections::VecDeque;

/// Presentation times that are put in order before their steps are taken: reordering reaches no further.
const IN_ORDER: usize = 8;
/// Steps of which the median is taken.
const STEPS: usize = 15;
/// Step of a stream of which nothing is known yet, in ticks: ten pictures a second.
const USUAL: i64 = 9_000;
/// A keyframe that decode times lag behind by this much brings them up to it, in ticks.
const LONGEST_LAG: i64 = 90_000;

/// When a picture is decoded, for how long, and how much later it is shown; in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Timing {
    pub(super) decode: i64,
    pub(super) duration: u32,
    pub(super) composition: i32,
}

/// Gives decode times to the pictures of one stream, in decode order.
#[derive(Debug, Default)]
pub(super) struct DecodeTimes {
    /// Decode time and duration of the last picture.
    last: Option<(i64, i64)>,
    /// Presentation times of the last pictures, in order.
    recent: Vec<i64>,
    steps: VecDeque<i64>,
}

impl DecodeTimes {
    /// The next picture, shown at `shown` ticks. `fresh`: it begins a run of its own.
    pub(super) fn next(&mut self, shown: i64, key: bool, fresh: bool) -> Timing {
        if fresh {
            self.recent.clear();
        }
        self.learn(shown);
        let step = self.step();
        let decode = match self.last {
            None => shown,
            Some((last, lasts)) => {
                let lag = shown - (last + lasts);
                if key && lag > LONGEST_LAG {
                    shown
                } else {
                    shown.min(last + lasts).max(last + 1)
                }
            }
        };
        self.last = Some((decode, step));
        Timing {
            decode,
            duration: u32::try_from(step).unwrap_or(u32::MAX),
            composition: i32::try_from(shown - decode).unwrap_or(0),
        }
    }

    fn learn(&mut self, shown: i64) {
        let at = self.recent.partition_point(|&time| time < shown);
        self.recent.insert(at, shown);
        let step = if self.recent.len() > IN_ORDER {
            self.recent.remove(0);
            self.recent[1] - self.recent[0]
        } else if let [.., before, newest] = self.recent[..] {
            newest - before
        } else {
            return;
        };
        if step > 0 {
            self.steps.push_back(step);
        }
        if self.steps.len() > STEPS {
            self.steps.pop_front();
        }
    }

    fn step(&self) -> i64 {
        let mut steps: Vec<i64> = self.steps.iter().copied().collect();
        steps.sort_unstable();
        steps.get(steps.len() / 2).copied().unwrap_or(USUAL)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn times(shown: impl IntoIterator<Item = i64>) -> Vec<Timing> {
        let mut times = DecodeTimes::default();
        let each = |(n, shown)| times.next(shown, n % 50 == 0, false);
        shown.into_iter().enumerate().map(each).collect()
    }

    /// What Chromium asks of one picture after another.
    fn continuous(times: &[Timing]) -> bool {
        times.windows(2).all(|pair| {
            let step = pair[1].decode - pair[0].decode;
            step > 0 && step <= 2 * i64::from(pair[0].duration)
        })
    }

    #[test]
    fn a_steady_stream_is_decoded_as_it_is_shown() {
        let all = times((0..100).map(|n| n * 3_600));
        assert!(all.iter().all(|time| time.composition == 0));
        assert!(all[5..].iter().all(|time| time.duration == 3_600));
        assert!(continuous(&all));
    }

    #[test]
    fn b_frames_are_decoded_in_order_and_shown_when_they_were() {
        // I0 P3 B1 B2 P6 B4 B5 ...
        let shown = (0..40i64).flat_map(|gop| [0, 3, 1, 2].map(|n| (gop * 4 + n) * 3_600));
        let shown: Vec<i64> = shown.collect();
        let all = times(shown.clone());
        let kept = all.iter().map(|t| t.decode + i64::from(t.composition));
        assert!(kept.eq(shown));
        assert!(continuous(&all), "{all:?}");
    }

    #[test]
    fn a_gap_is_made_up_for_at_a_keyframe() {
        let mut times = DecodeTimes::default();
        for n in 0..20 {
            times.next(n * 9_000, n == 0, false);
        }
        let after = times.next(20 * 9_000 + 900_000, false, false);
        assert_eq!((after.decode, after.composition), (20 * 9_000, 900_000));
        let key = times.next(21 * 9_000 + 900_000, true, false);
        assert_eq!((key.decode, key.composition), (21 * 9_000 + 900_000, 0));
    }

    proptest! {
        /// Whatever a camera's clock does between keyframes, nothing is lost, and nothing is shown at another time.
        #[test]
        fn any_steps_are_continuous(steps in prop::collection::vec(-20_000i64..200_000, 1..200)) {
            let mut times = DecodeTimes::default();
            let mut shown = 1_000_000;
            let mut all = Vec::new();
            for step in steps {
                shown += step;
                let time = times.next(shown, false, false);
                prop_assert_eq!(time.decode + i64::from(time.composition), shown);
                all.push(time);
            }
            prop_assert!(continuous(&all));
        }
    }
}

//! Places a stream's timestamps on the box's monotonic time line. Pure.
//!
//! A timestamp says exactly how far two pictures are apart, but not when they were; the arrival says when, but late by
//! the network's mood. So the time of a picture is its timestamp plus an offset: the smallest difference between
//! arrival and timestamp of the recent past, which is the one with the least delay in it (the idea of the minimum
//! filter in NTP, RFC 5905, 10). The offset follows that smallest difference slowly, so that distances stay true and
//! clocks that drift are still followed; it is stepped where the stream itself breaks. Where the timestamps are of no use
//! at all ([`timestamp_check`](super::timestamp_check)), the arrival alone is the time, and pictures count as shown in the order in which they
//! are decoded.

use std::{collections::VecDeque, time::Duration};

use super::timestamp_check::Trust;
use crate::flow::MediaTime;

/// The recent past.
const WINDOW: usize = 20;
/// Length of one piece of it, in nanoseconds of arrival.
const PIECE: i64 = 1_000_000_000;
/// Disagreement from which the offset is stepped.
const STEP: i64 = 1_000_000_000;
/// How fast the offset follows: 0.5 ms per second, five times what bad crystals drift.
const SLEW: f64 = 0.0005;
/// How fast it follows in the first seconds of a session, when cameras send what they have buffered.
const FIRST_SLEW: f64 = 0.1;
/// How long those first seconds are.
const FIRST: Duration = Duration::from_secs(5);

/// Pictures that are timed by arrival are at least this far apart, in nanoseconds.
const APART: i64 = 1_000_000;

/// The offset of one session.
#[derive(Debug, Default)]
pub(in crate::ingest) struct Timeline {
    state: Option<State>,
    trust: Trust,
    /// The last time that was told by arrival, while that is so.
    by_arrival: Option<MediaTime>,
    begun: bool,
}

#[derive(Debug)]
struct State {
    /// Nanoseconds to add to a timestamp.
    offset: i64,
    started: MediaTime,
    highest_pts: MediaTime,
    /// Smallest difference in each piece of the recent past, with the piece's number.
    minima: VecDeque<(i64, i64)>,
}

/// A placed picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ingest) struct Placed {
    /// When it was taken, on the box's time line.
    pub(in crate::ingest) time: MediaTime,
    /// The offset was stepped: distances to the pictures before mean nothing.
    pub(in crate::ingest) stepped: bool,
    /// The timestamps are relied on; otherwise the time is the arrival's.
    pub(in crate::ingest) relied: bool,
}

impl Timeline {
    /// Places the picture with timestamp `pts` that arrived at `arrived`. Pictures come in decode order.
    pub(in crate::ingest) fn place(&mut self, pts: MediaTime, arrived: MediaTime) -> Placed {
        if !self.trust.judge(pts, arrived) {
            self.state = None;
            let last = self.by_arrival;
            let time = last.map_or(arrived, |last| {
                arrived.max(MediaTime::from_nanos(last.nanos() + APART))
            });
            self.by_arrival = Some(time);
            return Placed {
                time,
                stepped: last.is_none(),
                relied: false,
            };
        }
        self.by_arrival = None;
        let difference = arrived - pts;
        let stepped = match &mut self.state {
            Some(state) if state.continues(pts, difference) => {
                state.follow(pts, arrived, difference);
                false
            }
            state => {
                *state = Some(State {
                    offset: difference,
                    started: arrived,
                    highest_pts: pts,
                    minima: VecDeque::from([(arrived.nanos() / PIECE, difference)]),
                });
                true
            }
        };
        if stepped && self.begun {
            self.trust.broke(arrived);
        }
        self.begun = true;
        let offset = self.state.as_ref().map_or(difference, |state| state.offset);
        Placed {
            time: MediaTime::from_nanos(pts.nanos() + offset),
            stepped,
            relied: true,
        }
    }
}

impl State {
    /// Whether `pts` goes on from the pictures before. Late is no break: a stalled network catches up. Early is one,
    /// and so is a step back, and a delay that has not shrunk for the whole window.
    fn continues(&self, pts: MediaTime, difference: i64) -> bool {
        let early = difference - self.offset < -STEP;
        let back = pts - self.highest_pts < -STEP;
        let full = self.minima.len() == WINDOW;
        let always_late = full && self.smallest().min(difference) - self.offset > STEP;
        !(early || back || always_late)
    }

    fn smallest(&self) -> i64 {
        let smallest = self.minima.iter().map(|&(_, difference)| difference).min();
        smallest.unwrap_or(self.offset)
    }

    fn follow(&mut self, pts: MediaTime, arrived: MediaTime, difference: i64) {
        let piece = arrived.nanos() / PIECE;
        match self.minima.back_mut() {
            Some((number, smallest)) if *number == piece => *smallest = difference.min(*smallest),
            _ => self.minima.push_back((piece, difference)),
        }
        if self.minima.len() > WINDOW {
            self.minima.pop_front();
        }
        let young = arrived.since(self.started) < FIRST;
        let rate = if young { FIRST_SLEW } else { SLEW };
        // Measured in the stream's own time: after a stall many pictures arrive at once.
        let elapsed = pts.since(self.highest_pts);
        let most = (elapsed.as_nanos() as f64 * rate) as i64;
        self.offset += (self.smallest() - self.offset).clamp(-most, most);
        self.highest_pts = self.highest_pts.max(pts);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FRAME: i64 = 100_000_000;

    fn at(nanos: i64) -> MediaTime {
        MediaTime::from_nanos(nanos)
    }

    proptest! {
        #[test]
        fn distances_stay_true_under_jitter(
            jitter in prop::collection::vec(0i64..400_000_000, 50..300),
            start in 0i64..1_000_000_000_000,
        ) {
            let mut timeline = Timeline::default();
            let mut last: Option<Placed> = None;
            for (n, jitter) in jitter.iter().enumerate() {
                let pts = n as i64 * FRAME;
                let placed = timeline.place(at(pts), at(start + pts + jitter));
                prop_assert_eq!(placed.stepped, n == 0);
                if let Some(last) = last {
                    let error = (placed.time - last.time - FRAME).abs();
                    let rate = if n < 56 { FIRST_SLEW } else { SLEW };
                    prop_assert!(error as f64 <= FRAME as f64 * rate + 1.0);
                }
                // Never before it was sent, and late by no more than the first one was.
                prop_assert!(placed.time - at(start + pts) >= 0);
                prop_assert!(placed.time - at(start + pts) <= 400_000_000);
                last = Some(placed);
            }
        }

        #[test]
        fn a_drifting_clock_is_followed(ppm in -100i64..100, jitter in 0i64..30_000_000) {
            let mut timeline = Timeline::default();
            for n in 0..6000i64 {
                let pts = n * FRAME;
                let sent = pts + pts / 1_000_000 * ppm;
                let late = if n % 7 == 0 { 0 } else { jitter };
                let placed = timeline.place(at(pts), at(sent + late));
                prop_assert_eq!(placed.stepped, n == 0);
                prop_assert!((placed.time - at(sent)).abs() < 50_000_000);
            }
        }

        #[test]
        fn a_jump_of_the_timestamps_is_stepped_over(jump in prop_oneof![-100_000i64..-20, 20i64..100_000]) {
            let mut timeline = Timeline::default();
            for n in 0..40i64 {
                timeline.place(at(n * FRAME), at(n * FRAME));
            }
            let placed = timeline.place(at((40 + jump) * FRAME), at(40 * FRAME));
            prop_assert!(placed.stepped);
            prop_assert_eq!(placed.time, at(40 * FRAME));
        }
    }

    #[test]
    fn a_stalled_network_that_catches_up_breaks_nothing() {
        let mut timeline = Timeline::default();
        for n in 0..100i64 {
            let arrived = if (50..90).contains(&n) { 90 } else { n };
            let placed = timeline.place(at(n * FRAME), at(arrived * FRAME));
            assert_eq!(placed.stepped, n == 0);
            assert_eq!(placed.time, at(n * FRAME));
        }
    }

    #[test]
    fn a_clock_that_stands_still_or_runs_far_too_fast_gives_way_to_the_arrival() {
        for pts in [|_| 7, |n: i64| n * 3 / 2] {
            let mut timeline = Timeline::default();
            let placed: Vec<Placed> = (0..400i64)
                .map(|n| timeline.place(at(pts(n) * FRAME), at(n * FRAME)))
                .collect();
            let lost = placed.iter().position(|placed| !placed.relied).unwrap();
            assert!(lost < 120, "{lost}");
            assert!(placed[lost].stepped);
            for (n, placed) in placed.iter().enumerate().skip(lost) {
                assert_eq!((placed.time, placed.relied), (at(n as i64 * FRAME), false));
                assert_eq!(placed.stepped, n == lost);
            }
        }
    }

    #[test]
    fn pictures_that_arrive_together_keep_an_order() {
        let mut timeline = Timeline::default();
        let placed = (0..40).map(|n| timeline.place(at(0), at(FRAME * (n / 10))));
        let placed: Vec<Placed> = placed.filter(|placed| !placed.relied).collect();
        assert!(placed.len() > 20);
        assert!(placed.windows(2).all(|pair| pair[0].time < pair[1].time));
    }

    #[test]
    fn reordered_timestamps_are_no_step_back() {
        let mut timeline = Timeline::default();
        for (n, pts) in [0i64, 3, 1, 2, 6, 4, 5].into_iter().enumerate() {
            let placed = timeline.place(at(pts * FRAME), at(n as i64 * FRAME));
            assert_eq!(placed.stepped, n == 0);
        }
    }
}

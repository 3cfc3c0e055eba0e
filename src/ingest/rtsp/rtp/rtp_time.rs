//! RTP timestamps become times without wraps, jumps and outliers. Pure.
//!
//! Over TCP nothing is late and nothing overtakes, so there is no jitter buffer, and sender reports are not used: one
//! stream is not to be played in step with another. What the way delays, the [`timeline`](crate::ingest) takes out again.
//!
//! Each step is taken the short way round the 32 bits. A step that cannot be (back by more than pictures are reordered, or
//! far ahead of what has arrived meanwhile) is not followed until the next timestamp agrees with it: one picture with a
//! wrong stamp is put where it arrived, and a camera that sets its clock goes on without a break. A clock that runs at
//! another rate than the description says is measured, and believed where the rate is one that cameras use.

use crate::flow::MediaTime;

/// Where times begin, in nanoseconds: pictures may be shown before the one that came first.
const ORIGIN: i64 = 3_600_000_000_000;
/// A step back by more is no reordering of pictures, in nanoseconds.
const MOST_BACK: i64 = 1_000_000_000;
/// A camera may send what it has buffered, and then be so far ahead of the arrival.
const MOST_AHEAD: i64 = 5_000_000_000;
/// Longest and shortest distance between two pictures where timestamps say nothing.
const APART: (i64, i64) = (1_000_000, 1_000_000_000);

/// Rates at which cameras' clocks run that say something else.
const RATES: [u32; 6] = [1_000, 8_000, 10_000, 180_000, 1_000_000, 27_000_000];
/// A rate is measured over so long, in nanoseconds, ...
const MEASURED_OVER: i64 = 900_000_000;
/// ... and at least so many pictures, ...
const MEASURED_PICTURES: u32 = 8;
/// ... this often in a row, ...
const AGREEING: u32 = 2;
/// ... to within this share of it. Beyond the second share from the rate that is in force it is another.
const EXACT: f64 = 0.04;
const OTHER: f64 = 0.10;

/// The time line of one source.
#[derive(Debug)]
pub(super) struct Times {
    clock_rate: u32,
    /// The rate that the description says.
    told: u32,
    state: Option<State>,
    measured: Option<Measured>,
    votes: (u32, u32),
}

#[derive(Debug, Clone, Copy)]
struct State {
    timestamp: u32,
    /// Time of the last picture, in nanoseconds.
    time: i64,
    arrived: MediaTime,
    /// A timestamp that did not fit, and the time that its picture got.
    odd: Option<(u32, i64)>,
}

#[derive(Debug, Clone, Copy)]
struct Measured {
    since: MediaTime,
    ticks: i64,
    pictures: u32,
}

/// The time of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) time: MediaTime,
    /// The clock's rate has been corrected: distances to the pictures before were wrong.
    pub(super) corrected: bool,
}

impl Times {
    /// A line whose timestamps tick `clock_rate` times a second, at least once.
    pub(super) fn new(clock_rate: u32) -> Self {
        Self {
            clock_rate: clock_rate.max(1),
            told: clock_rate.max(1),
            state: None,
            measured: None,
            votes: (0, 0),
        }
    }

    /// Another source goes on: its first picture follows the last one by as much as it arrived later.
    pub(super) fn switch(&mut self, timestamp: u32, arrived: MediaTime) {
        if let Some(state) = &mut self.state {
            state.time += between(state.arrived, arrived);
            (state.timestamp, state.arrived, state.odd) = (timestamp, arrived, None);
        }
        self.measured = None;
    }

    /// The time of a picture with `timestamp` that arrived at `arrived`.
    pub(super) fn place(&mut self, timestamp: u32, arrived: MediaTime) -> Placed {
        let Some(state) = self.state else {
            self.state = Some(State {
                timestamp,
                time: ORIGIN,
                arrived,
                odd: None,
            });
            return Placed {
                time: MediaTime::from_nanos(ORIGIN),
                corrected: false,
            };
        };
        let since = (arrived - state.arrived).max(0);
        let step = step(state.timestamp, timestamp);
        let corrected = self.measure(step, arrived);
        let nanos = self.nanos(step);
        let mut next = State {
            timestamp,
            arrived,
            odd: None,
            ..state
        };
        if corrected {
            next.time += between(state.arrived, arrived);
        } else if plausible(nanos, since) {
            next.time += nanos;
        } else {
            self.measured = None;
            let again = state
                .odd
                .map(|(odd, time)| (self.nanos(self::step(odd, timestamp)), time));
            match again {
                Some((nanos, time)) if plausible(nanos, since) => next.time = time + nanos,
                _ => {
                    let time = state.time + between(state.arrived, arrived);
                    self.state = Some(State {
                        odd: Some((timestamp, time)),
                        ..state
                    });
                    return Placed {
                        time: MediaTime::from_nanos(time),
                        corrected: false,
                    };
                }
            }
        }
        // Steps back add up to this only where somebody means harm.
        if next.time < ORIGIN / 2 {
            next.time = ORIGIN;
        }
        self.state = Some(next);
        Placed {
            time: MediaTime::from_nanos(next.time),
            corrected,
        }
    }

    fn nanos(&self, step: i64) -> i64 {
        let nanos = i128::from(step) * 1_000_000_000 / i128::from(self.clock_rate);
        i64::try_from(nanos).unwrap_or(i64::MAX)
    }

    /// Compares the ticks with the time that passes. Whether another rate is in force from now on.
    fn measure(&mut self, step: i64, arrived: MediaTime) -> bool {
        let measured = self.measured.get_or_insert(Measured {
            since: arrived,
            ticks: -step,
            pictures: 0,
        });
        measured.ticks += step;
        measured.pictures += 1;
        let Measured {
            since,
            ticks,
            pictures,
        } = *measured;
        let passed = arrived - since;
        if passed < MEASURED_OVER || pictures < MEASURED_PICTURES {
            return false;
        }
        self.measured = Some(Measured {
            since: arrived,
            ticks: 0,
            pictures: 0,
        });
        let rate = ticks as f64 * 1e9 / passed as f64;
        let near = |known: u32, share: f64| (rate / f64::from(known) - 1.0).abs() <= share;
        let agrees = |known: &u32| *known != self.clock_rate && near(*known, EXACT);
        let other = RATES.into_iter().chain([self.told]).find(agrees);
        let Some(other) = other.filter(|_| !near(self.clock_rate, OTHER)) else {
            self.votes = (0, 0);
            return false;
        };
        let before = if self.votes.0 == other {
            self.votes.1
        } else {
            0
        };
        self.votes = (other, before + 1);
        if self.votes.1 < AGREEING {
            return false;
        }
        self.clock_rate = other;
        self.votes = (0, 0);
        true
    }
}

fn step(from: u32, to: u32) -> i64 {
    i64::from(to.wrapping_sub(from) as i32)
}

fn between(from: MediaTime, to: MediaTime) -> i64 {
    (to - from).clamp(APART.0, APART.1)
}

fn plausible(nanos: i64, since: i64) -> bool {
    nanos >= -MOST_BACK && nanos <= since.saturating_add(MOST_AHEAD)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FRAME: i64 = 100_000_000;

    fn at(frames: i64) -> MediaTime {
        MediaTime::from_nanos(frames * FRAME)
    }

    /// Distances between pictures in milliseconds, and how often the rate was corrected; ten pictures a second.
    fn distances(times: &mut Times, timestamps: &[u32]) -> (Vec<i64>, usize) {
        let placed: Vec<_> = (0..)
            .zip(timestamps)
            .map(|(n, timestamp)| times.place(*timestamp, at(n)))
            .collect();
        let apart = placed
            .windows(2)
            .map(|pair| (pair[1].time - pair[0].time) / 1_000_000);
        (
            apart.collect(),
            placed.iter().filter(|p| p.corrected).count(),
        )
    }

    #[test]
    fn wraps_jumps_and_outliers_leave_distances_true() {
        let steady = |base: u32| (0..20).map(move |n: u32| base.wrapping_add(n * 9000));
        let wrapping: Vec<_> = steady(u32::MAX - 50_000).collect();
        let jumping: Vec<_> = steady(500)
            .chain(steady(4_000_000))
            .chain(steady(0))
            .collect();
        let mut outlier: Vec<_> = steady(900_000_000).collect();
        outlier[7] = outlier[7].wrapping_sub(882_000_000);
        outlier[12] = outlier[12].wrapping_add(846_000_000);
        for timestamps in [wrapping, jumping, outlier] {
            let (apart, _) = distances(&mut Times::new(90_000), &timestamps);
            assert!(apart.iter().all(|ms| *ms == 100), "{apart:?}");
        }
    }

    #[test]
    fn reordered_pictures_keep_their_times() {
        let (apart, _) = distances(&mut Times::new(90_000), &[0, 27_000, 9_000, 18_000, 54_000]);
        assert_eq!(apart, [300, -200, 100, 400]);
    }

    #[test]
    fn another_rate_is_measured_once() {
        for rate in [1_000u32, 180_000] {
            let timestamps: Vec<_> = (0..100).map(|n| n * rate / 10).collect();
            let (apart, corrected) = distances(&mut Times::new(90_000), &timestamps);
            assert_eq!(corrected, 1, "{rate}");
            assert!(apart[50..].iter().all(|ms| *ms == 100), "{apart:?}");
        }
        let frozen = [7u32; 100];
        let (_, corrected) = distances(&mut Times::new(90_000), &frozen);
        assert_eq!(corrected, 0);
    }

    #[test]
    fn a_network_that_stalls_and_catches_up_is_no_other_clock() {
        let mut times = Times::new(90_000);
        let arrivals = (0..40).chain([90; 50]).chain(91..200);
        let placed: Vec<_> = (0..)
            .zip(arrivals)
            .map(|(n, arrived)| times.place(n * 9_000, at(arrived)))
            .collect();
        assert!(placed.iter().all(|placed| !placed.corrected));
        assert!(placed.windows(2).all(|p| p[1].time - p[0].time == FRAME));
    }

    proptest! {
        #[test]
        fn whatever_comes_has_a_time(timestamps in prop::collection::vec((any::<u32>(), 0i64..100), 1..200), rate in any::<u32>()) {
            let mut times = Times::new(rate);
            let mut arrived = 0;
            for (timestamp, later) in timestamps {
                arrived += later;
                prop_assert!(times.place(timestamp, at(arrived)).time.nanos() > 0);
            }
        }
    }
}

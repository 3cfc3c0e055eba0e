//! What may be deleted because of its age, for outbox and hub alike. Pure: no disk, and the time is an argument.
//!
//! A clock may be wrong: a board without a battery starts in 1970, a time server may answer nonsense. Therefore
//!
//! - nothing is deleted by age while the clock is not known to be right;
//! - something counts as kept since the time that it says itself only where that can be true, else since it was first met with
//!   a right clock ([`kept_since`]): what was recorded without a clock neither leaves early nor stays for ever;
//! - by age at most a fifth of everything goes in an hour. Where more than that is a day past its time, as after a clock that
//!   jumped or a box that was switched off for weeks, nothing goes for six hours, and [`Ageing::problem`] says so: time for a
//!   person to look at the clock.

use std::time::Duration;

use crate::flow::{ClockState, MediaTime, WallTime};

/// At most this part of everything goes ...
const SHARE: usize = 5;
/// ... in this time.
const EVERY: Duration = Duration::from_secs(3600);
/// What is past its time by more than this should be gone long since.
pub const LATE: Duration = Duration::from_secs(24 * 3600);
/// How long a person has to look at the clock.
const GRACE: Duration = Duration::from_secs(6 * 3600);

/// A time that is said may be so much ahead of a clock that is right.
const AHEAD_MS: i64 = 24 * 3_600_000;
/// Before this no Lares ran: 2026-01-01.
pub const EARLIEST: WallTime = WallTime(1_767_225_600_000);

/// Since when something counts as kept that says it is of `said`; none: since the clock is next known to be right. `sure`:
/// whether the clock was known to be right where that was written. `now`: this moment, where it is known.
#[must_use]
pub fn kept_since(said: WallTime, sure: bool, now: Option<WallTime>) -> Option<WallTime> {
    let can_be = sure && said >= EARLIEST && now.is_none_or(|now| said.0 <= now.0 + AHEAD_MS);
    if can_be { Some(said) } else { now }
}

/// The newest time that something can say it is of, where the clock says `now`.
#[must_use]
pub fn newest(now: WallTime) -> WallTime {
    WallTime(now.0.saturating_add(AHEAD_MS))
}

/// The time before which something is too old, where it is kept for `retention`.
#[must_use]
pub fn cutoff(now: WallTime, retention: Duration) -> WallTime {
    let retention = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
    WallTime(now.0.saturating_sub(retention))
}

/// What there is of one kind, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// All of it.
    pub kept: usize,
    /// Of these, past their time.
    pub due: usize,
    /// Of these, past it by more than [`LATE`].
    pub late: usize,
}

impl Counted {
    /// Counts things that are kept since `since`.
    #[must_use]
    pub fn of(since: impl IntoIterator<Item = WallTime>, cutoff: WallTime) -> Self {
        let late = self::cutoff(cutoff, LATE);
        since
            .into_iter()
            .fold(Self::default(), |counted, since| Self {
                kept: counted.kept + 1,
                due: counted.due + usize::from(since < cutoff),
                late: counted.late + usize::from(since < late),
            })
    }
}

/// How much of one kind has gone by age lately, and since when too much is late.
#[derive(Debug, Default)]
pub struct Ageing {
    /// When the present hour began, and how many may still go in it.
    hour: Option<(MediaTime, usize)>,
    /// Since when too much is late, how much, and of how much.
    late: Option<(MediaTime, usize, usize)>,
}

impl Ageing {
    /// How many of those that are due may go now, the oldest first; these count as gone. `now` never goes back.
    pub fn may_go(&mut self, now: MediaTime, clock: ClockState, counted: Counted) -> usize {
        if clock != ClockState::Good {
            return 0;
        }
        let share = counted.kept.div_ceil(SHARE);
        if counted.late <= share {
            self.late = None;
        } else {
            let since = self.late.map_or(now, |(since, ..)| since);
            self.late = Some((since, counted.late, counted.kept));
            if now.since(since) < GRACE {
                return 0;
            }
        }
        let (began, left) = match self.hour {
            Some((began, left)) if now.since(began) < EVERY => (began, left),
            _ => (now, share),
        };
        let going = counted.due.min(left);
        self.hour = Some((began, left - going));
        going
    }

    /// What a person should look at, in one sentence. `what`: incidents, clips and so on.
    #[must_use]
    pub fn problem(&self, what: &str) -> Option<String> {
        let (_, late, kept) = self.late?;
        Some(format!(
            "{late} of {kept} {what} are more than a day past their time: they are kept for six hours and then deleted a fifth \
             each hour; if the clock is wrong, set it right"
        ))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: f64 = 3600.0;

    fn at(hours: f64) -> MediaTime {
        MediaTime::from_secs_f64(hours * HOUR)
    }

    fn counted(kept: usize, due: usize, late: usize) -> Counted {
        Counted { kept, due, late }
    }

    #[test]
    fn what_ages_as_usual_goes_at_once() {
        let mut ageing = Ageing::default();
        let good = ClockState::Good;
        assert_eq!(ageing.may_go(at(0.0), good, counted(100, 3, 0)), 3);
        assert_eq!(ageing.may_go(at(0.5), good, counted(97, 40, 0)), 17);
        assert_eq!(ageing.may_go(at(0.9), good, counted(80, 23, 0)), 0);
        assert_eq!(ageing.may_go(at(1.1), good, counted(80, 23, 0)), 16);
        assert_eq!(ageing.may_go(at(9.0), good, counted(1, 1, 0)), 1);
        assert_eq!(ageing.problem("incidents"), None);
    }

    #[test]
    fn nothing_goes_while_the_clock_is_unsure() {
        let mut ageing = Ageing::default();
        let all = counted(9, 9, 9);
        assert_eq!(ageing.may_go(at(0.0), ClockState::Unsure, all), 0);
        assert_eq!(ageing.may_go(at(99.0), ClockState::Unsure, all), 0);
        assert_eq!(
            ageing.problem("incidents"),
            None,
            "the clock is told as such"
        );
    }

    #[test]
    fn a_clock_that_jumps_deletes_nothing_for_hours_and_is_told() {
        let mut ageing = Ageing::default();
        let good = ClockState::Good;
        assert_eq!(ageing.may_go(at(0.0), good, counted(10, 10, 10)), 0);
        assert_eq!(ageing.may_go(at(5.9), good, counted(10, 10, 10)), 0);
        let said = ageing.problem("incidents").unwrap();
        assert!(said.starts_with("10 of 10 incidents"), "{said}");
        // Set right in time, nothing was lost.
        assert_eq!(ageing.may_go(at(5.9), good, counted(10, 0, 0)), 0);
        assert_eq!(ageing.problem("incidents"), None);
        // Nobody did anything: in shares.
        assert_eq!(ageing.may_go(at(6.0), good, counted(10, 10, 10)), 0);
        assert_eq!(ageing.may_go(at(12.1), good, counted(10, 10, 10)), 2);
        assert_eq!(ageing.may_go(at(12.9), good, counted(8, 8, 8)), 0);
        assert_eq!(ageing.may_go(at(13.2), good, counted(8, 8, 8)), 2);
    }

    #[test]
    fn times_that_cannot_be_count_from_when_they_were_met() {
        let now = WallTime(1_800_000_000_000);
        let met = Some(now);
        let week = WallTime(now.0 - 7 * 24 * 3_600_000);
        assert_eq!(kept_since(week, true, met), Some(week));
        assert_eq!(kept_since(week, false, met), met, "without a clock");
        assert_eq!(kept_since(WallTime(5_000_000), true, met), met, "1970");
        assert_eq!(kept_since(WallTime(2 * now.0), true, met), met, "2084");
        assert_eq!(kept_since(week, true, None), Some(week));
        assert_eq!(kept_since(WallTime(5_000_000), true, None), None);
    }

    proptest! {
        #[test]
        fn never_more_than_a_fifth_in_an_hour(
            steps in proptest::collection::vec((1u32..90, 0i64..40_000_000_000, 0usize..30), 1..60),
        ) {
            // Things come, and the clock jumps as it likes; what goes is counted for each hour.
            let (mut ageing, mut now) = (Ageing::default(), at(0.0));
            let (mut things, mut gone): (Vec<i64>, Vec<(MediaTime, usize)>) = (vec![0; 50], Vec::new());
            let mut most = 0;
            for (minutes, wall, came) in steps {
                now = now + Duration::from_secs(u64::from(minutes) * 60);
                things.extend(std::iter::repeat_n(wall, came));
                most = most.max(things.len());
                let cutoff = cutoff(WallTime(wall), Duration::from_secs(7 * 86_400));
                let counted = Counted::of(things.iter().map(|at| WallTime(*at)), cutoff);
                let going = ageing.may_go(now, ClockState::Good, counted);
                prop_assert!(going <= counted.due);
                things.sort_unstable();
                things.drain(..going);
                gone.push((now, going));
                let lately = gone.iter().filter(|(at, _)| now.since(*at) < EVERY);
                // A window of an hour meets at most two of ours.
                prop_assert!(lately.map(|(_, going)| going).sum::<usize>() <= 2 * most.div_ceil(SHARE));
            }
        }
    }
}

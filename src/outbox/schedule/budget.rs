//! How much may leave: a data plan's bytes a day and a month, and what goes first when they are short. Pure: no clock, no
//! calendar, no database.
//!
//! Text always leaves, and a twentieth of each allowance is kept for it. Everything else stays within the rest, and what matters
//! less also leaves room for what matters more and is still to come: a clip's later segments are held back when the first segments and
//! pictures of the visits to be expected will need the bytes. So the household meets a ladder, one [`DegradationLevel`] after the other: everything, then
//! without full quality, then first segments only, then pictures only, then text.

use crate::flow::{DegradationLevel, WallTime};

/// What bytes are spent on, from what always leaves to what leaves last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TrafficClass {
    /// Alerts, and the state of the moment.
    Text,
    /// Pictures.
    Still,
    /// What it takes to watch the first seconds.
    First,
    /// The rest of the clip.
    Rest,
    /// The clip in full quality.
    Full,
}

impl TrafficClass {
    /// All of them, in order.
    pub const ALL: [Self; 5] = [Self::Text, Self::Still, Self::First, Self::Rest, Self::Full];

    /// As a number for the database; permanent.
    #[must_use]
    pub fn code(self) -> i64 {
        self as i64
    }

    /// From its number.
    #[must_use]
    pub fn from_code(code: i64) -> Option<Self> {
        usize::try_from(code)
            .ok()
            .and_then(|at| Self::ALL.get(at).copied())
    }
}

/// Bytes for each [`TrafficClass`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClassBytes([u64; TrafficClass::ALL.len()]);

impl ClassBytes {
    /// Adds `bytes` to one use.
    pub fn add(&mut self, what: TrafficClass, bytes: u64) {
        let sum = &mut self.0[what as usize];
        *sum = sum.saturating_add(bytes);
    }

    /// Takes `bytes` from one use.
    pub fn take(&mut self, what: TrafficClass, bytes: u64) {
        let sum = &mut self.0[what as usize];
        *sum = sum.saturating_sub(bytes);
    }

    /// Of one use.
    #[must_use]
    pub fn of(&self, what: TrafficClass) -> u64 {
        self.0[what as usize]
    }

    /// Of all uses.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().fold(0, |sum, more| sum.saturating_add(*more))
    }

    /// Of all but text.
    #[must_use]
    pub fn objects(&self) -> u64 {
        self.total() - self.of(TrafficClass::Text)
    }
}

/// A day or a month of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// Most bytes in it.
    pub limit: u64,
    /// Its first instant.
    pub starts: WallTime,
    /// The first instant of the next one.
    pub ends: WallTime,
    /// What has left in it.
    pub spent: ClassBytes,
}

/// A twentieth of each limit is for text.
const TEXT_SHARE: u64 = 20;
/// What is expected is taken half as much again.
const MARGIN: (u128, u128) = (3, 2);

impl Period {
    fn length(&self) -> u128 {
        u128::try_from(self.ends.0 - self.starts.0)
            .unwrap_or(1)
            .max(1)
    }

    fn left(&self, now: WallTime) -> u128 {
        u128::try_from(self.ends.0 - now.0)
            .unwrap_or(0)
            .min(self.length())
    }

    /// Bytes that are free for anything but text.
    fn room(&self) -> u64 {
        let text = self
            .spent
            .of(TrafficClass::Text)
            .max(self.limit / TEXT_SHARE);
        self.limit
            .saturating_sub(text)
            .saturating_sub(self.spent.objects())
    }

    /// Bytes to leave for what matters more than `what` and is still to come.
    fn expected(&self, what: TrafficClass, now: WallTime, needs: &Needs) -> u64 {
        if what <= TrafficClass::Still {
            return 0;
        }
        let left = self.left(now);
        let more_urgent = [
            (TrafficClass::Still, needs.stills),
            (TrafficClass::First, needs.firsts),
            (TrafficClass::Rest, needs.rests),
        ];
        let a_day: u128 = more_urgent
            .iter()
            .filter(|(other, _)| *other < what)
            .map(|(_, bytes)| u128::from(*bytes))
            .sum();
        let mut bytes = a_day * left * MARGIN.0 / (u128::from(DAY_MS) * MARGIN.1);
        if !needs.known {
            // Little is known of this household yet: pictures get a tenth, and later segments are paid out evenly.
            let share = if what == TrafficClass::First { 10 } else { 1 };
            bytes = bytes.max(u128::from(self.limit) * left / (self.length() * share));
        }
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }

    fn allows(&self, what: TrafficClass, bytes: u64, now: WallTime, needs: &Needs) -> bool {
        self.room() >= bytes.saturating_add(self.expected(what, now, needs))
    }

    /// Bytes in the whole of it, if it goes on as it did. Less than a day says little: it counts as one.
    fn forecast(&self, now: WallTime) -> u64 {
        let gone = self.length() - self.left(now);
        let measured = gone.max(u128::from(DAY_MS).min(self.length()));
        let bytes = u128::from(self.spent.total()) * self.length() / measured;
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

const DAY_MS: u64 = 86_400_000;

/// What a household's visits ask for in a day, in bytes: the busiest of the last days, or more if today promises to be busier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// Pictures.
    pub stills: u64,
    /// First segments, with what it takes to play them.
    pub firsts: u64,
    /// Later segments.
    pub rests: u64,
    /// There were visits on a day before today.
    pub known: bool,
}

/// What a plan allows now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Budget {
    /// Today, where bytes a day are limited.
    pub day: Option<Period>,
    /// This month of the plan, where bytes a month are limited.
    pub month: Option<Period>,
    /// Of this household.
    pub needs: Needs,
}

impl Budget {
    fn periods(&self) -> impl Iterator<Item = &Period> {
        [&self.day, &self.month].into_iter().flatten()
    }

    /// Whether anything is limited.
    #[must_use]
    pub fn limited(&self) -> bool {
        self.periods().next().is_some()
    }

    /// Whether `bytes` may leave now for `what`. `asked`: somebody waits for it, so that nothing is held back for others.
    #[must_use]
    pub fn allows(&self, what: TrafficClass, bytes: u64, asked: bool, now: WallTime) -> bool {
        let what = if asked {
            what.min(TrafficClass::Still)
        } else {
            what
        };
        what == TrafficClass::Text
            || self
                .periods()
                .all(|period| period.allows(what, bytes, now, &self.needs))
    }

    /// Counts what leaves.
    pub fn spend(&mut self, what: TrafficClass, bytes: u64) {
        for period in [&mut self.day, &mut self.month].into_iter().flatten() {
            period.spent.add(what, bytes);
        }
    }

    /// Counts back what did not leave after all.
    pub fn give_back(&mut self, what: TrafficClass, bytes: u64) {
        for period in [&mut self.day, &mut self.month].into_iter().flatten() {
            period.spent.take(what, bytes);
        }
    }

    /// Where the household stands on the ladder.
    #[must_use]
    pub fn level(&self, now: WallTime) -> DegradationLevel {
        /// What a segment and a picture take, about.
        const SEGMENT: u64 = 256_000;
        const PICTURE: u64 = 32_000;
        let steps = [
            (TrafficClass::Full, SEGMENT, DegradationLevel::Full),
            (TrafficClass::Rest, SEGMENT, DegradationLevel::Sub),
            (TrafficClass::First, SEGMENT, DegradationLevel::First),
            (TrafficClass::Still, PICTURE, DegradationLevel::Stills),
        ];
        steps
            .into_iter()
            .find(|(what, bytes, _)| self.allows(*what, *bytes, false, now))
            .map_or(DegradationLevel::Text, |(_, _, rung)| rung)
    }

    /// Bytes of the whole month, if it goes on as it did.
    #[must_use]
    pub fn forecast(&self, now: WallTime) -> Option<u64> {
        self.month.map(|month| month.forecast(now))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: i64 = DAY_MS as i64;

    fn period(limit: u64, days: i64) -> Period {
        Period {
            limit,
            starts: WallTime(0),
            ends: WallTime(days * DAY),
            spent: ClassBytes::default(),
        }
    }

    fn uses() -> impl Strategy<Value = TrafficClass> {
        (0..TrafficClass::ALL.len()).prop_map(|at| TrafficClass::ALL[at])
    }

    fn needs() -> impl Strategy<Value = Needs> {
        let bytes = || 0u64..100_000;
        (bytes(), bytes(), bytes(), any::<bool>()).prop_map(|(stills, firsts, rests, known)| {
            Needs {
                stills,
                firsts,
                rests,
                known,
            }
        })
    }

    proptest! {
        #[test]
        fn the_budget_holds_for_any_sequence(
            wishes in proptest::collection::vec((uses(), 0u64..30_000, any::<bool>(), 0..DAY), 0..200),
            day in 1_000u64..1_000_000,
            month in proptest::option::of(1_000u64..1_000_000),
            needs in needs(),
        ) {
            let mut budget = Budget {
                day: Some(period(day, 1)),
                month: month.map(|limit| period(limit, 30)),
                needs,
            };
            for (what, bytes, asked, at) in wishes {
                if budget.allows(what, bytes, asked, WallTime(at)) {
                    budget.spend(what, bytes);
                } else {
                    prop_assert_ne!(what, TrafficClass::Text, "an alert was held");
                }
                for period in budget.periods() {
                    let spent = period.spent;
                    let text = spent.of(TrafficClass::Text);
                    // Text may go beyond; nothing else may, and a twentieth stays for text.
                    prop_assert!(spent.objects() <= period.limit - period.limit / TEXT_SHARE);
                    prop_assert!(spent.total() <= period.limit.max(spent.objects() + text));
                    prop_assert!(text > period.limit / TEXT_SHARE || spent.total() <= period.limit);
                }
            }
        }

        #[test]
        fn what_matters_more_is_never_held_where_less_may_go(
            spent in proptest::collection::vec((uses(), 0u64..30_000), 0..20),
            bytes in 0u64..30_000,
            at in 0..DAY,
            needs in needs(),
        ) {
            let mut budget = Budget { day: Some(period(200_000, 1)), month: None, needs };
            for (what, bytes) in spent {
                budget.spend(what, bytes);
            }
            let allowed: Vec<_> = TrafficClass::ALL
                .into_iter()
                .map(|what| budget.allows(what, bytes, false, WallTime(at)))
                .collect();
            prop_assert!(allowed.is_sorted_by(|more, less| more >= less), "{:?}", allowed);
        }
    }

    #[test]
    fn expected_visits_keep_later_segments_back() {
        let mut budget = Budget {
            day: Some(period(1_000_000, 1)),
            month: None,
            needs: Needs {
                stills: 100_000,
                firsts: 500_000,
                rests: 0,
                known: true,
            },
        };
        let (morning, evening) = (WallTime(0), WallTime(DAY * 9 / 10));
        // 950 kB are not text's; 900 kB are expected to be needed.
        assert!(budget.allows(TrafficClass::Rest, 50_000, false, morning));
        assert!(!budget.allows(TrafficClass::Rest, 50_001, false, morning));
        assert!(
            budget.allows(TrafficClass::Rest, 50_001, true, morning),
            "asked for"
        );
        assert!(budget.allows(TrafficClass::First, 800_000, false, morning));
        assert!(budget.allows(TrafficClass::Rest, 860_000, false, evening));
        budget.spend(TrafficClass::First, 950_000);
        assert!(
            !budget.allows(TrafficClass::Still, 1, true, evening),
            "used up"
        );
        assert!(budget.allows(TrafficClass::Text, 1_000_000, false, evening));
    }

    #[test]
    fn the_ladder_is_walked_down() {
        let mut budget = Budget {
            day: Some(period(10_000_000, 1)),
            month: None,
            needs: Needs {
                stills: 1_000_000,
                firsts: 2_000_000,
                rests: 2_000_000,
                known: true,
            },
        };
        let mut levels = vec![budget.level(WallTime(0))];
        while levels.last() != Some(&DegradationLevel::Text) {
            budget.spend(TrafficClass::First, 100_000);
            levels.push(budget.level(WallTime(0)));
        }
        levels.dedup();
        assert_eq!(
            levels,
            [
                DegradationLevel::Full,
                DegradationLevel::Sub,
                DegradationLevel::First,
                DegradationLevel::Stills,
                DegradationLevel::Text
            ]
        );
        assert_eq!(Budget::default().level(WallTime(0)), DegradationLevel::Full);
    }

    #[test]
    fn a_month_is_forecast_from_what_has_left() {
        let mut budget = Budget {
            month: Some(period(1_000_000, 30)),
            ..Budget::default()
        };
        budget.spend(TrafficClass::Rest, 50_000);
        assert_eq!(
            budget.forecast(WallTime(DAY / 2)),
            Some(1_500_000),
            "half a day counts as one"
        );
        assert_eq!(budget.forecast(WallTime(15 * DAY)), Some(100_000));
    }
}

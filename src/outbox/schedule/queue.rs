//! What goes next. Pure: no database, no clock, no file.
//!
//! Things wait in lanes (one for each rendition of an incident, one for its alerts, ...). Within a lane the order is
//! strict; across lanes the class decides, then the newest incident, and every fourth pick takes the oldest, so that a
//! long backlog drains from both ends and nothing starves. A lane that was postponed or whose head is on its way never
//! holds up another.

use std::collections::{BTreeMap, BTreeSet};

use crate::flow::{IncidentId, MediaTime, Rendition, WallTime};
use crate::outbox::budget::TrafficClass;

/// What matters more leaves first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// An alert that was sent and not acknowledged: they leave by number, so that receivers see no gap.
    Again,
    /// An alert that was never sent.
    Alert,
    /// An alert that arrived once and was asked for again, by number. A long history must not hold up news.
    Resent,
    /// A thumbnail.
    Thumb,
    /// What it takes to watch the first seconds.
    First,
    /// The rest of the clip.
    Rest,
    /// The clip in full quality.
    Full,
}

/// What has an order of its own within an incident. Declared in the order that breaks ties.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Alerts, by `seq`.
    Alerts,
    /// The picture.
    Thumb,
    /// The picture of the one who came.
    Crop,
    /// `incident.json`.
    Facts,
    /// The playlist of a rendition.
    Playlist(Rendition),
    /// Header and segments of a rendition, in order.
    Media(Rendition),
}

impl Lane {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Alerts,
        Self::Thumb,
        Self::Crop,
        Self::Facts,
        Self::Playlist(Rendition::Sub),
        Self::Media(Rendition::Sub),
        Self::Playlist(Rendition::Main),
        Self::Media(Rendition::Main),
        Self::Playlist(Rendition::Preview),
        Self::Media(Rendition::Preview),
    ];

    /// As a number for the database; permanent.
    #[must_use]
    pub fn code(self) -> i64 {
        match self {
            Self::Alerts => 0,
            Self::Thumb => 1,
            Self::Crop => 2,
            Self::Facts => 3,
            Self::Playlist(Rendition::Sub) => 4,
            Self::Media(Rendition::Sub) => 5,
            Self::Playlist(Rendition::Main) => 6,
            Self::Media(Rendition::Main) => 7,
            Self::Playlist(Rendition::Preview) => 8,
            Self::Media(Rendition::Preview) => 9,
        }
    }

    /// From its number.
    #[must_use]
    pub fn from_code(code: i64) -> Option<Self> {
        usize::try_from(code)
            .ok()
            .and_then(|at| Self::ALL.get(at).copied())
    }
}

/// Where something waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneKey {
    /// Whose.
    pub incident: IncidentId,
    /// Which of its lanes.
    pub lane: Lane,
}

/// What waits at the front of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueHead {
    /// How much it matters.
    pub class: Class,
    /// Start of its incident.
    pub start: WallTime,
    /// Row in the database: `seq` of an alert, id of an object.
    pub row: i64,
    /// Its number, where the class goes by number.
    pub n: u64,
    /// What its bytes are spent on.
    pub what: TrafficClass,
    /// Payload bytes, as far as they are known before it is written.
    pub bytes: u64,
    /// Somebody has asked for it.
    pub asked: bool,
}

/// Every waiting lane of one sink.
#[derive(Debug, Default)]
pub struct Plan {
    heads: BTreeMap<LaneKey, QueueHead>,
    busy: BTreeSet<LaneKey>,
    postponed: BTreeMap<LaneKey, MediaTime>,
    picks: u64,
}

/// Each fourth pick takes the oldest.
const OLDEST_EVERY: u64 = 4;

impl Plan {
    /// Says what waits at the front of a lane now; none: nothing.
    pub fn set(&mut self, key: LaneKey, head: Option<QueueHead>) {
        match head {
            Some(head) => {
                self.heads.insert(key, head);
            }
            None => {
                self.heads.remove(&key);
                self.postponed.remove(&key);
            }
        }
    }

    /// Picks what goes next among what `may` leave, and marks its lane busy until [`Plan::release`].
    pub fn next(
        &mut self,
        now: MediaTime,
        may: impl Fn(&QueueHead) -> bool,
    ) -> Option<(LaneKey, QueueHead)> {
        let free = |key: &LaneKey| {
            !self.busy.contains(key) && self.postponed.get(key).is_none_or(|until| *until <= now)
        };
        // The class is looked at first: the rest costs more, and a backlog has thousands of lanes.
        let mut class = None;
        for (key, head) in &self.heads {
            let better = class.is_none_or(|class| head.class < class);
            if better && free(key) && may(head) {
                class = Some(head.class);
            }
        }
        let class = class?;
        let under_way = |key: &LaneKey| self.heads.get(key).map(|head| head.class);
        if class == Class::Full && self.busy.iter().filter_map(under_way).any(|c| c < class) {
            // Full quality would take the link from what matters more and is still on its way.
            return None;
        }
        let heads = self.heads.iter();
        let of_class = heads.filter(|(key, head)| head.class == class && free(key) && may(head));
        let oldest_turn = self.picks % OLDEST_EVERY == OLDEST_EVERY - 1;
        let by_number = matches!(class, Class::Again | Class::Resent);
        let picked = if by_number {
            of_class.min_by_key(|(_, head)| head.n)
        } else if oldest_turn {
            of_class.min_by_key(|(key, head)| (head.start, key.incident, key.lane))
        } else {
            // Newest incident, but within it the first lane.
            of_class.min_by_key(|(key, head)| {
                use std::cmp::Reverse;
                (Reverse(head.start), Reverse(key.incident), key.lane)
            })
        };
        let (key, head) = picked.map(|(key, head)| (*key, *head))?;
        if !by_number {
            self.picks += 1;
        }
        self.busy.insert(key);
        Some((key, head))
    }

    /// What waits at the front of each lane.
    pub fn waiting(&self) -> impl Iterator<Item = (&LaneKey, &QueueHead)> {
        self.heads.iter()
    }

    /// How many lanes wait because their head may not leave.
    #[must_use]
    pub fn held(&self, may: impl Fn(&QueueHead) -> bool) -> usize {
        self.heads.values().filter(|head| !may(head)).count()
    }

    /// Its head has arrived, failed or was refused: the lane may be picked again.
    pub fn release(&mut self, key: LaneKey) {
        self.busy.remove(&key);
        self.postponed.remove(&key);
    }

    /// The lane is left alone until `until`.
    pub fn postpone(&mut self, key: LaneKey, until: MediaTime) {
        self.busy.remove(&key);
        self.postponed.insert(key, until);
    }

    /// When a postponed lane may be picked next.
    #[must_use]
    pub fn next_due(&self) -> Option<MediaTime> {
        let waits = |key: &&LaneKey| self.heads.contains_key(key) && !self.busy.contains(key);
        self.postponed
            .iter()
            .filter(|(key, _)| waits(key))
            .map(|(_, until)| *until)
            .min()
    }

    /// Forgets what waits and what was postponed, before it is read again; what is on its way stays so.
    pub fn clear(&mut self) {
        self.heads.clear();
        self.postponed.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn incident(n: u8) -> IncidentId {
        IncidentId(Uuid::from_u128(u128::from(n)))
    }

    fn class_of(lane: Lane, first: bool) -> Class {
        match lane {
            Lane::Alerts => Class::Alert,
            Lane::Thumb => Class::Thumb,
            Lane::Media(Rendition::Sub) if first => Class::First,
            Lane::Media(Rendition::Main) => Class::Full,
            _ => Class::Rest,
        }
    }

    /// A backlog: for each lane, how many things wait in it.
    fn backlog() -> impl Strategy<Value = BTreeMap<(u8, i64), u8>> {
        proptest::collection::btree_map((0u8..12, 0i64..10), 1u8..5, 1..40)
    }

    fn head(key: (u8, i64), position: u8) -> (LaneKey, QueueHead) {
        let lane = Lane::from_code(key.1).unwrap();
        let head = QueueHead {
            class: class_of(lane, position == 0),
            start: WallTime(i64::from(key.0) * 1000),
            row: i64::from(position),
            n: 0,
            what: TrafficClass::Rest,
            bytes: 0,
            asked: false,
        };
        let incident = incident(key.0);
        (LaneKey { incident, lane }, head)
    }

    fn filled(backlog: &BTreeMap<(u8, i64), u8>) -> Plan {
        let mut plan = Plan::default();
        for key in backlog.keys() {
            let (key, head) = head(*key, 0);
            plan.set(key, Some(head));
        }
        plan
    }

    /// Delivers everything one by one; returns the order.
    fn drain(backlog: &BTreeMap<(u8, i64), u8>) -> Vec<(LaneKey, QueueHead)> {
        let mut plan = filled(backlog);
        let mut done: BTreeMap<LaneKey, u8> = BTreeMap::new();
        let mut order = Vec::new();
        while let Some((key, picked)) = plan.next(MediaTime::ZERO, |_| true) {
            order.push((key, picked));
            let count = done.entry(key).or_default();
            *count += 1;
            let raw = (key.incident.0.as_u128() as u8, key.lane.code());
            let left = *count < backlog[&raw];
            plan.set(key, left.then(|| head(raw, *count).1));
            plan.release(key);
        }
        order
    }

    proptest! {
        #[test]
        fn everything_leaves_once_and_in_the_order_of_its_lane(backlog in backlog()) {
            let order = drain(&backlog);
            prop_assert_eq!(order.len(), backlog.values().map(|n| usize::from(*n)).sum::<usize>());
            let mut seen: BTreeMap<LaneKey, i64> = BTreeMap::new();
            for (key, head) in order {
                let next = seen.entry(key).or_default();
                prop_assert_eq!(head.row, *next);
                *next += 1;
            }
        }

        #[test]
        fn nothing_leaves_before_something_that_matters_more(backlog in backlog()) {
            let mut plan = filled(&backlog);
            let classes: Vec<_> = std::iter::from_fn(|| plan.next(MediaTime::ZERO, |_| true))
                .map(|(_, head)| head.class)
                .collect();
            prop_assert!(classes.is_sorted());
        }

        #[test]
        fn newest_first_and_each_fourth_the_oldest(starts in proptest::collection::btree_set(0u8..100, 1..30)) {
            let mut plan = Plan::default();
            for start in &starts {
                let (key, head) = head((*start, Lane::Thumb.code()), 0);
                plan.set(key, Some(head));
            }
            let mut left: std::collections::VecDeque<_> = starts.iter().copied().collect();
            for pick in 0.. {
                let Some((_, picked)) = plan.next(MediaTime::ZERO, |_| true) else { break };
                let expected = if pick % 4 == 3 { left.pop_front() } else { left.pop_back() };
                prop_assert_eq!(Some(picked.start.0), expected.map(|s| i64::from(s) * 1000));
            }
            prop_assert!(left.is_empty());
        }

        #[test]
        fn a_postponed_lane_blocks_nobody(backlog in backlog(), bad in 0usize..40) {
            let mut plan = filled(&backlog);
            let (blocked, _) = head(*backlog.keys().nth(bad % backlog.len()).unwrap(), 0);
            let until = MediaTime::ZERO + Duration::from_secs(60);
            plan.postpone(blocked, until);
            let picked = std::iter::from_fn(|| {
                let (key, _) = plan.next(MediaTime::ZERO, |_| true)?;
                plan.set(key, None);
                plan.release(key);
                Some(key)
            });
            prop_assert_eq!(picked.count(), backlog.len() - 1);
            prop_assert_eq!(plan.next_due(), Some(until));
            prop_assert_eq!(plan.next(until, |_| true).map(|(key, _)| key), Some(blocked));
        }

        #[test]
        fn what_may_not_leave_holds_up_nothing_else(backlog in backlog(), held in 0u8..12) {
            let mut plan = filled(&backlog);
            let held = incident(held);
            for (key, mut head) in plan.waiting().map(|(k, h)| (*k, *h)).collect::<Vec<_>>() {
                head.asked = key.incident == held;
                plan.set(key, Some(head));
            }
            let may = |head: &QueueHead| !head.asked;
            let mut picked = BTreeSet::new();
            while let Some((key, _)) = plan.next(MediaTime::ZERO, may) {
                prop_assert!(key.incident != held);
                picked.insert(key);
                plan.set(key, None);
                plan.release(key);
            }
            let others = backlog.keys().filter(|key| incident(key.0) != held).count();
            prop_assert_eq!(picked.len(), others);
            prop_assert_eq!(plan.held(may), backlog.len() - others);
        }
    }

    #[test]
    fn full_quality_waits_for_what_is_under_way() {
        let mut plan = Plan::default();
        let (sub, urgent) = head((1, Lane::Media(Rendition::Sub).code()), 0);
        let (main, full) = head((1, Lane::Media(Rendition::Main).code()), 0);
        plan.set(
            sub,
            Some(QueueHead {
                class: Class::Rest,
                ..urgent
            }),
        );
        plan.set(
            main,
            Some(QueueHead {
                class: Class::Full,
                ..full
            }),
        );
        assert_eq!(
            plan.next(MediaTime::ZERO, |_| true).map(|(key, _)| key),
            Some(sub)
        );
        assert_eq!(
            plan.next(MediaTime::ZERO, |_| true).map(|(key, _)| key),
            None
        );
        plan.set(sub, None);
        plan.release(sub);
        assert_eq!(
            plan.next(MediaTime::ZERO, |_| true).map(|(key, _)| key),
            Some(main)
        );
    }

    #[test]
    fn numbered_alerts_leave_by_number() {
        let mut plan = Plan::default();
        for (at, n) in [(1, 9), (2, 7), (3, 8)] {
            let (key, mut head) = head((at, Lane::Alerts.code()), 0);
            head.class = Class::Again;
            head.n = n;
            plan.set(key, Some(head));
        }
        let numbers: Vec<_> = std::iter::from_fn(|| plan.next(MediaTime::ZERO, |_| true))
            .map(|(_, head)| head.n)
            .collect();
        assert_eq!(numbers, [7, 8, 9]);
    }

    #[test]
    fn lane_codes_are_permanent() {
        for (at, lane) in Lane::ALL.into_iter().enumerate() {
            assert_eq!(lane.code(), at as i64);
            assert_eq!(Lane::from_code(lane.code()), Some(lane));
        }
        assert_eq!(Lane::Media(Rendition::Main).code(), 7);
    }
}

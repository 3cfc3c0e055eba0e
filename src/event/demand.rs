//! How awake the decoder must be.
//!
//! Asleep, only keyframes are looked at. The rules:
//! - motion wakes, and so does a person seen in a keyframe, even a doubtful one;
//! - while it may be somebody who comes (motion after a calm, a track not yet believed), looks are twice as frequent for
//!   a moment: the alert waits for them;
//! - while an incident is open the camera stays awake, with two looks in place of three, as no alert waits for them, and
//!   ever sparser ones the longer nothing changes, down to the keyframes, as long as nobody is missed;
//! - it falls asleep when nothing has moved and nobody was seen for `idle_after`;
//! - it also falls asleep when it has been kept awake by motion alone for longer than its patience (rain, leaves, a
//!   flag) and by what only looked a little like a person. It is then weary: motion no longer wakes it, though keyframes with motion are still searched for persons,
//!   and one who is found wakes it. It stops being weary when a person is found, or when the scene was quiet for
//!   `idle_after`. Each disappointment halves the patience, down to `idle_after`; a person, or a
//!   long quiet, restores it.
//!
//! So a scene that always moves costs its keyframes and one person look for each, and a person there is found at the
//! next keyframe instead of at once.

use std::time::Duration;

use crate::flow::{DecodeDemand, MediaTime};

/// How long motion alone keeps the camera awake: somebody who comes from afar is seen within that time.
const PATIENCE: Duration = Duration::from_secs(20);
/// Nothing moving for this long restores patience.
const RESTFUL: Duration = Duration::from_secs(120);
/// Motion after so long without any is somebody who comes ...
const CALM: Duration = Duration::from_secs(2);
/// ... and looks are more frequent for this long, as they are for a new track.
pub(super) const EAGER_FOR: Duration = Duration::from_secs(1);
/// With an incident open, looks are so much farther apart: three halves.
const TOLD: (u32, u32) = (3, 2);
/// With nothing changing for this long besides, they become sparse,
const SPARSE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_millis(500));
/// sparser,
const SPARSER: (Duration, Duration) = (Duration::from_secs(20), Duration::from_millis(1000));
/// and at last only keyframes are looked at: somebody who sits is in each of them.
const KEYFRAMES_AFTER: Duration = Duration::from_secs(40);

/// What the looks are for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Need {
    /// No incident is open. `coming`: somebody may just have come.
    Alone { coming: bool },
    /// One is open; for how long nothing has changed.
    Incident { calm: Duration },
}

/// Whether and why the camera is awake.
#[derive(Debug)]
pub(super) struct Wakefulness {
    hold: Duration,
    every: Duration,
    awake_since: Option<MediaTime>,
    last_motion: Option<MediaTime>,
    /// Newest motion after a calm.
    stirred: Option<MediaTime>,
    last_person: Option<MediaTime>,
    last_doubt: Option<MediaTime>,
    patience: Duration,
    weary: bool,
}

/// How one spell of being awake ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spell {
    pub(super) from: MediaTime,
    /// Whether a person was seen in it.
    pub(super) person: bool,
}

impl Wakefulness {
    /// Asleep.
    pub(super) fn new(hold: Duration, every: Duration) -> Self {
        Self {
            hold,
            every,
            awake_since: None,
            last_motion: None,
            stirred: None,
            last_person: None,
            last_doubt: None,
            patience: PATIENCE.max(hold),
            weary: false,
        }
    }

    /// The same camera at the beginning of a new watch.
    pub(super) fn asleep_again(&self) -> Self {
        Self::new(self.hold, self.every)
    }

    /// Something moved.
    pub(super) fn motion(&mut self, now: MediaTime) {
        let quiet_for = |least| self.last_motion.is_none_or(|t| now.since(t) >= least);
        if quiet_for(self.hold) {
            self.weary = false;
        }
        if quiet_for(RESTFUL) {
            self.patience = PATIENCE.max(self.hold);
        }
        if quiet_for(CALM) {
            self.stirred = Some(now);
        }
        self.last_motion = Some(now);
        if !self.weary {
            self.wake(now);
        }
    }

    /// Somebody was seen who is not known to be at rest.
    pub(super) fn person(&mut self, now: MediaTime) {
        self.last_person = Some(now);
        self.patience = PATIENCE.max(self.hold);
        self.weary = false;
        self.wake(now);
    }

    /// What may be somebody was seen: worth a few more looks.
    pub(super) fn doubt(&mut self, now: MediaTime) {
        self.last_doubt = Some(now);
        self.wake(now);
    }

    fn wake(&mut self, now: MediaTime) {
        self.awake_since.get_or_insert(now);
    }

    /// Falls asleep if there is no reason to be awake any more; returns the spell that ended.
    pub(super) fn settle(&mut self, now: MediaTime, open: bool) -> Option<Spell> {
        let from = self.awake_since?;
        if open {
            return None;
        }
        let newest = self.last_motion.max(self.last_person).max(self.last_doubt);
        let fruitful = self.last_person.map_or(from, |person| person.max(from));
        let quiet = now.since(newest.unwrap_or(from)) >= self.hold;
        let disappointed = now.since(fruitful) >= self.patience;
        if !quiet && !disappointed {
            return None;
        }
        if !quiet {
            self.weary = true;
            self.patience = (self.patience / 2).max(self.hold);
        }
        self.awake_since = None;
        Some(Spell {
            from,
            person: self.last_person.is_some_and(|person| person >= from),
        })
    }

    /// What the decoder should do.
    pub(super) fn demand(&self, now: MediaTime, need: Need) -> DecodeDemand {
        if self.awake_since.is_none() {
            return DecodeDemand::Asleep;
        }
        let stirred = self.stirred.is_some_and(|then| now.since(then) < EAGER_FOR);
        let every = match need {
            Need::Incident { calm } if calm >= KEYFRAMES_AFTER => return DecodeDemand::Asleep,
            Need::Incident { calm } if calm >= SPARSER.0 => self.every.max(SPARSER.1),
            Need::Incident { calm } if calm >= SPARSE.0 => self.every.max(SPARSE.1),
            Need::Alone { coming } if coming || stirred => self.every / 2,
            Need::Incident { .. } => self.every * TOLD.0 / TOLD.1,
            Need::Alone { .. } => self.every,
        };
        DecodeDemand::Awake { every }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOLD: Duration = Duration::from_secs(6);
    const EVERY: Duration = Duration::from_millis(200);
    const AWAKE: DecodeDemand = DecodeDemand::Awake { every: EVERY };

    fn at(seconds: u32) -> MediaTime {
        MediaTime::from_secs_f64(f64::from(seconds))
    }

    const ALONE: Need = Need::Alone { coming: false };

    fn open_and_calm(seconds: u64) -> Need {
        Need::Incident {
            calm: Duration::from_secs(seconds),
        }
    }

    fn asleep() -> Wakefulness {
        Wakefulness::new(HOLD, EVERY)
    }

    /// Motion once a second in `from..to`; returns for how many of these seconds it was awake.
    fn awake_in(state: &mut Wakefulness, from: u32, to: u32) -> usize {
        (from..to)
            .filter(|&second| {
                state.motion(at(second));
                state.settle(at(second), false);
                state.demand(at(second), ALONE) != DecodeDemand::Asleep
            })
            .count()
    }

    #[test]
    fn motion_wakes_and_quiet_puts_to_sleep() {
        let mut state = asleep();
        assert_eq!(state.demand(at(0), ALONE), DecodeDemand::Asleep);
        assert_eq!(awake_in(&mut state, 1, 4), 3);
        assert_eq!(state.settle(at(8), false), None);
        let spell = Spell {
            from: at(1),
            person: false,
        };
        assert_eq!(state.settle(at(9), false), Some(spell));
        assert_eq!(state.demand(at(9), ALONE), DecodeDemand::Asleep);
        assert_eq!(awake_in(&mut state, 20, 22), 2);
    }

    #[test]
    fn rain_makes_weary_a_person_wakes_and_quiet_makes_attentive_again() {
        let mut state = asleep();
        assert_eq!(awake_in(&mut state, 0, 300), 20);
        state.person(at(300));
        assert_eq!(state.demand(at(300), ALONE), AWAKE);
        assert_eq!(awake_in(&mut state, 301, 500), 19);
        // A lull, and the next shower: patience is shorter.
        assert_eq!(awake_in(&mut state, 510, 600), 10);
        assert_eq!(awake_in(&mut state, 610, 700), 6);
        // A dry night.
        assert_eq!(awake_in(&mut state, 9_000, 9_100), 20);
    }

    #[test]
    fn what_looks_a_little_like_a_person_wakes_but_restores_no_patience() {
        let mut state = asleep();
        state.doubt(at(0));
        assert_ne!(state.demand(at(1), ALONE), DecodeDemand::Asleep);
        assert_eq!(state.settle(at(5), false), None);
        let spell = state.settle(at(6), false);
        assert!(spell.is_some_and(|spell| !spell.person), "it was not one");

        assert_eq!(awake_in(&mut state, 100, 300), 20);
        state.doubt(at(300));
        assert_ne!(state.demand(at(300), ALONE), DecodeDemand::Asleep);
        assert_eq!(awake_in(&mut state, 301, 500), 9, "the weather goes on");
    }

    #[test]
    fn looks_are_more_frequent_while_somebody_may_be_coming() {
        let eager = DecodeDemand::Awake { every: EVERY / 2 };
        let mut state = asleep();
        state.motion(at(10));
        assert_eq!(state.demand(at(10), ALONE), eager);
        state.motion(at(11));
        assert_eq!(state.demand(at(11), ALONE), AWAKE, "it goes on");
        assert_eq!(
            state.demand(at(11), Need::Alone { coming: true }),
            eager,
            "a new track"
        );
        assert_eq!(
            state.demand(at(11), open_and_calm(0)),
            DecodeDemand::Awake {
                every: EVERY * 3 / 2
            },
            "told already"
        );
        state.motion(at(14));
        assert_eq!(state.demand(at(14), ALONE), eager, "after a calm");
    }

    #[test]
    fn an_open_incident_keeps_awake_with_sparser_looks_when_nothing_changes() {
        let mut state = asleep();
        state.motion(at(0));
        state.person(at(1));
        assert_eq!(state.settle(at(60), true), None);
        let every = |millis| DecodeDemand::Awake {
            every: Duration::from_millis(millis),
        };
        let demanded = [5, 10, 20, 40].map(|calm| state.demand(at(60), open_and_calm(calm)));
        let keyframes = DecodeDemand::Asleep;
        assert_eq!(demanded, [every(300), every(500), every(1000), keyframes]);
        assert!(
            state
                .settle(at(61), false)
                .is_some_and(|spell| spell.person)
        );
    }
}

//! How many looks for persons one camera may have though nothing moves: a token bucket on media time.
//!
//! Such a look is for who came without being seen to move: while the background was being learnt,
//! too slowly, or between two keyframes. A few are saved up, as much changes at once when somebody
//! comes; in the long run there is one a minute, so that light which creeps over a scene costs no
//! more. When each of them is made is not decided here: all cameras share the time for them.

use std::time::Duration;

use crate::flow::MediaTime;

/// Saved up at most; and at the beginning of a watch.
const RESERVE: u32 = 8;
/// One more each ...
const EACH: Duration = Duration::from_secs(60);

/// The looks that may be made now.
#[derive(Debug)]
pub(super) struct Glances {
    saved: u32,
    /// Since when the next one is being saved up.
    since: MediaTime,
}

impl Glances {
    /// With a full reserve.
    pub(super) fn new(now: MediaTime) -> Self {
        Self {
            saved: RESERVE,
            since: now,
        }
    }

    /// Whether there is one.
    pub(super) fn any(&mut self, now: MediaTime) -> bool {
        while self.saved < RESERVE && now.since(self.since) >= EACH {
            self.saved += 1;
            self.since = self.since + EACH;
        }
        if self.saved == RESERVE {
            self.since = now;
        }
        self.saved > 0
    }

    /// One has been used.
    pub(super) fn spend(&mut self) {
        self.saved = self.saved.saturating_sub(1);
    }

    /// It was not used after all.
    pub(super) fn give_back(&mut self) {
        self.saved = (self.saved + 1).min(RESERVE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_at_once_then_one_a_minute_and_the_reserve_comes_back() {
        let at = |seconds: u32| MediaTime::from_secs_f64(f64::from(seconds));
        let mut glances = Glances::new(at(0));
        let mut take = |second| {
            let any = glances.any(at(second));
            if any {
                glances.spend();
            }
            any
        };
        let in_hour = (0..3600).filter(|s| take(*s)).count();
        assert_eq!(in_hour, 8 + 59);
        let after_an_hour = (7200..7210).filter(|s| take(*s)).count();
        assert_eq!(after_an_hour, 8);
        assert!(!glances.any(at(7210)));
        glances.give_back();
        assert!(glances.any(at(7210)));
    }
}

//! Lines of the log that anybody can cause: each is written at most once in a while, and what happened meanwhile is counted.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// Says yes at most once in a while.
#[derive(Debug)]
pub struct LogThrottle {
    every: Duration,
    last: Mutex<Option<Instant>>,
}

impl LogThrottle {
    /// Yes at once, and then not again before `every` has passed.
    #[must_use]
    pub fn new(every: Duration) -> Self {
        Self {
            every,
            last: Mutex::new(None),
        }
    }

    /// Whether it may be said now; if so, it counts as said.
    pub fn may(&self) -> bool {
        let now = Instant::now();
        let mut last = self.last.lock();
        let may = last.is_none_or(|at| now - at >= self.every);
        if may {
            *last = Some(now);
        }
        may
    }
}

/// Who is counted at most; the others are counted together.
const MOST: usize = 256;

/// What has happened since it was last said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    /// Whose; empty for those that are too many to be told apart.
    pub whose: String,
    /// How often.
    pub count: u64,
    /// What was said of the last one.
    pub last: String,
}

#[derive(Debug)]
struct Told {
    at: Instant,
    count: u64,
    last: String,
}

/// Counts what each of many does, to say it in one line in a while: the first at once, then the sum.
#[derive(Debug)]
pub struct Tally {
    every: Duration,
    told: Mutex<BTreeMap<String, Told>>,
}

impl Tally {
    /// Each of them is said at once, and then not again before `every` has passed.
    #[must_use]
    pub fn new(every: Duration) -> Self {
        Self {
            every,
            told: Mutex::default(),
        }
    }

    /// Counts something that `whose` has done. What is to be said now, if anything.
    pub fn count(&self, whose: &str, what: &str) -> Option<Sum> {
        let now = Instant::now();
        let mut told = self.told.lock();
        let whose = match told.contains_key(whose) || told.len() < MOST {
            true => whose,
            false => "",
        };
        let Some(known) = told.get_mut(whose) else {
            let first = Told {
                at: now,
                count: 0,
                last: String::new(),
            };
            told.insert(whose.to_owned(), first);
            return Some(Sum {
                whose: whose.to_owned(),
                count: 1,
                last: what.to_owned(),
            });
        };
        known.count += 1;
        what.clone_into(&mut known.last);
        (now - known.at >= self.every).then(|| known.say(whose, now))
    }

    /// What was counted and not said in time; who has done nothing meanwhile is forgotten.
    pub fn due(&self) -> Vec<Sum> {
        let now = Instant::now();
        let mut told = self.told.lock();
        told.retain(|_, known| known.count > 0 || now - known.at < self.every);
        let due = told
            .iter_mut()
            .filter(|(_, known)| known.count > 0 && now - known.at >= self.every);
        due.map(|(whose, known)| known.say(whose, now)).collect()
    }
}

impl Told {
    fn say(&mut self, whose: &str, now: Instant) -> Sum {
        self.at = now;
        Sum {
            whose: whose.to_owned(),
            count: std::mem::take(&mut self.count),
            last: std::mem::take(&mut self.last),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_and_then_not_for_a_while() {
        let long = LogThrottle::new(Duration::from_secs(3600));
        assert!(long.may());
        assert!(!long.may());
        let always = LogThrottle::new(Duration::ZERO);
        assert!(always.may() && always.may());
    }

    #[test]
    fn the_first_is_said_and_the_others_are_summed() {
        let tally = Tally::new(Duration::from_millis(40));
        assert_eq!(tally.count("annex", "a").unwrap().count, 1);
        for _ in 0..70_000 {
            let said = tally.count("annex", "b");
            if let Some(sum) = said {
                assert!(sum.count > 1 && sum.last == "b");
            }
        }
        assert!(tally.count("home", "c").is_some(), "each for itself");
        tally.count("annex", "d");
        std::thread::sleep(Duration::from_millis(60));
        let due = tally.due();
        assert_eq!((due.len(), due[0].last.as_str()), (1, "d"));
        assert!(tally.due().is_empty());
    }

    #[test]
    fn those_who_are_too_many_are_counted_together() {
        let tally = Tally::new(Duration::from_secs(3600));
        let said = (0..10_000).filter_map(|n| tally.count(&n.to_string(), "x"));
        assert_eq!(said.count(), MOST + 1);
    }
}

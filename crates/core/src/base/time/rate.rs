//! How often something may happen: so many at once, and one more each so often (token bucket).

use std::time::Duration;

use parking_lot::Mutex;

use crate::flow::MediaTime;

/// A limit on how often something happens. May be asked from any thread.
#[derive(Debug)]
pub struct RateLimit {
    burst: u64,
    every: Duration,
    /// What is left, and since when it has been growing.
    left: Mutex<(u64, MediaTime)>,
}

impl RateLimit {
    /// At most `burst` at once, and one more each `every` (not zero).
    #[must_use]
    pub fn new(burst: u64, every: Duration) -> Self {
        Self {
            burst,
            every: every.max(Duration::from_nanos(1)),
            left: Mutex::new((burst, MediaTime::ZERO)),
        }
    }

    /// How many of `wanted` may happen now; these count as having happened.
    pub fn take(&self, wanted: u64, now: MediaTime) -> u64 {
        let mut left = self.left.lock();
        let (before, since) = *left;
        let grown = now.since(since).as_nanos() / self.every.as_nanos();
        let grown = u64::try_from(grown).unwrap_or(u64::MAX);
        let had = before.saturating_add(grown).min(self.burst);
        // A full bucket does not save up time; another keeps the part of the next token that has passed.
        let since = match u32::try_from(grown) {
            Ok(grown) if had < self.burst => since + self.every * grown,
            _ => now.max(since),
        };
        let taken = wanted.min(had);
        *left = (had - taken, since);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_one_by_one() {
        let limit = RateLimit::new(3, Duration::from_secs(10));
        let at = MediaTime::from_secs_f64;
        assert_eq!(limit.take(5, at(0.0)), 3);
        assert_eq!(limit.take(1, at(9.9)), 0);
        assert_eq!(limit.take(1, at(10.1)), 1);
        assert_eq!(limit.take(1, at(19.9)), 0, "the next one is due at 20 s");
        assert_eq!(limit.take(1, at(20.0)), 1);
        assert_eq!(limit.take(9, at(1_000.0)), 3, "no more than the burst");
        assert_eq!(limit.take(9, at(999.0)), 0, "time never goes back");
    }

    #[test]
    fn over_a_long_time_the_rate_holds() {
        let limit = RateLimit::new(4, Duration::from_millis(700));
        let taken: u64 = (0..10_000)
            .map(|step| limit.take(2, MediaTime::from_secs_f64(f64::from(step) * 0.05)))
            .sum();
        // 500 s.
        assert!((714..=719).contains(&taken), "{taken}");
    }
}

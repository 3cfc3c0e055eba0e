//! Lines of the log that anybody can cause: each is written at most once in a while.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Says yes at most once in a while.
#[derive(Debug)]
pub struct Seldom {
    every: Duration,
    last: Mutex<Option<Instant>>,
}

impl Seldom {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_and_then_not_for_a_while() {
        let long = Seldom::new(Duration::from_secs(3600));
        assert!(long.may());
        assert!(!long.may());
        let always = Seldom::new(Duration::ZERO);
        assert!(always.may() && always.may());
    }
}

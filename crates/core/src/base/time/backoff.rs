//! How long to wait before trying again: doubling with full jitter, up to a ceiling (crate `backon`).

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// A sequence of waits that starts over after a success.
#[derive(Debug)]
pub struct Backoff {
    builder: ExponentialBuilder,
    current: ExponentialBackoff,
}

impl Backoff {
    /// Waits between about `first` and `most`.
    #[must_use]
    pub fn new(first: Duration, most: Duration) -> Self {
        let builder = ExponentialBuilder::new()
            .with_min_delay(first)
            .with_max_delay(most)
            .with_jitter()
            .without_max_times();
        Self {
            builder,
            current: builder.build(),
        }
    }

    /// The next wait.
    pub fn wait(&mut self) -> Duration {
        self.current
            .next()
            .expect("a back-off without a limit of tries always has a next wait")
    }

    /// Starts over.
    pub fn reset(&mut self) {
        self.current = self.builder.build();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_its_ceiling_and_starts_over() {
        let (first, most) = (Duration::from_millis(100), Duration::from_secs(2));
        let mut backoff = Backoff::new(first, most);
        let waits: Vec<_> = (0..20).map(|_| backoff.wait()).collect();
        assert!(waits[0] >= first && waits[0] <= first * 2);
        assert!(waits[19] >= most && waits[19] <= most * 2);
        backoff.reset();
        assert!(backoff.wait() <= first * 2);
    }
}

//! The pace of the link: how fast bytes may leave, for all receivers together.
//!
//! In: how many bytes somebody wants to send. Out: the moment to send them. It knows nothing of what they are. Text passes at once and
//! what else wants to leave waits for it (leaky bucket as a meter: ITU-T I.371, generic cell rate algorithm); other things come in pieces
//! of at most [`Pacer::piece`] bytes, one at a time, so that text never waits behind more than one of them.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

use crate::config::BitRate;

/// Largest piece on a paced link.
const PIECE: usize = 4 * 1024;
/// Without a pace pieces only serve to count what has left.
const FREE_PIECE: usize = 64 * 1024;
/// Timers are not finer than this: so much of the link's time may be caught up with.
const SLACK: Duration = Duration::from_millis(20);
/// Text that has run so far ahead of the link waits as well.
const TEXT_AHEAD: Duration = Duration::from_secs(1);
/// What TCP, IP and TLS add to a stream of data, in thirty-seconds.
const FRAMING: u64 = 1;
/// Below this rate one upload at a time is enough to fill the link.
const THIN: u64 = 1_000_000;

/// Bytes a second for the whole box. Shared by all receivers.
#[derive(Debug)]
pub struct Pacer {
    /// Bits a second; none: as fast as the link carries.
    rate: Option<u64>,
    /// When the link will have carried everything so far.
    busy_until: Mutex<Instant>,
    turn: tokio::sync::Mutex<()>,
}

impl Pacer {
    /// A pace of `rate`; none: no pace at all.
    #[must_use]
    pub fn new(rate: Option<BitRate>) -> Arc<Self> {
        Arc::new(Self {
            rate: rate.map(|rate| rate.0.max(1)),
            busy_until: Mutex::new(Instant::now()),
            turn: tokio::sync::Mutex::default(),
        })
    }

    /// In what pieces a body leaves, in bytes.
    #[must_use]
    pub fn piece(&self) -> usize {
        self.rate.map_or(FREE_PIECE, |_| PIECE)
    }

    /// Whether several uploads at once would only slow each other down.
    #[must_use]
    pub fn thin(&self) -> bool {
        self.rate.is_some_and(|rate| rate < THIN)
    }

    /// How long a body of `bytes` takes when nothing else leaves.
    #[must_use]
    pub fn time_for(&self, bytes: u64) -> Duration {
        let Some(rate) = self.rate else {
            return Duration::ZERO;
        };
        let bits = (bytes + bytes * FRAMING / 32) as f64 * 8.0;
        Duration::from_secs_f64(bits / rate as f64)
    }

    /// Takes the link for `bytes`; returns when they may start.
    fn reserve(&self, bytes: u64) -> Instant {
        let now = Instant::now();
        let mut busy = self.busy_until.lock();
        let start = (*busy).max(now.checked_sub(SLACK).unwrap_or(now));
        *busy = start + self.time_for(bytes);
        start
    }

    /// Waits until `bytes` of a body may leave: one piece, as [`Pacer::piece`] says.
    pub async fn piece_may_leave(&self, bytes: usize) {
        if self.rate.is_none() {
            return;
        }
        let _turn = self.turn.lock().await;
        sleep_until(self.reserve(bytes as u64)).await;
    }

    /// Counts text that leaves now.
    pub fn text_leaves(&self, bytes: u64) {
        if self.rate.is_some() {
            self.reserve(bytes);
        }
    }

    /// Waits until the link has nearly caught up with the text that has left.
    pub async fn text_may_leave(&self) {
        if self.rate.is_none() {
            return;
        }
        let busy = *self.busy_until.lock();
        sleep_until(busy.checked_sub(TEXT_AHEAD).unwrap_or(busy)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of text in each second.
    const TEXT: u64 = 500;

    #[tokio::test(start_paused = true)]
    async fn the_rate_is_kept_and_text_passes() {
        let pacer = Pacer::new(Some(BitRate(64_000)));
        let began = Instant::now();
        let body = async {
            let mut sent = 0;
            while began.elapsed() < Duration::from_secs(60) {
                pacer.piece_may_leave(PIECE).await;
                sent += PIECE as u64;
            }
            sent
        };
        let text = async {
            let mut longest = Duration::ZERO;
            for _ in 0..59 {
                tokio::time::sleep(Duration::from_secs(1)).await;
                let asked = Instant::now();
                pacer.text_may_leave().await;
                pacer.text_leaves(TEXT);
                longest = longest.max(asked.elapsed());
            }
            longest
        };
        let (sent, longest) = tokio::join!(body, text);
        let wire = (sent + 59 * TEXT) * 33 / 32;
        // 60 s at 8 kB/s, and one piece more at the end.
        assert!((470_000..=490_000).contains(&wire), "{wire} bytes");
        assert!(longest < Duration::from_millis(600), "{longest:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn many_texts_at_once_keep_the_rate_too() {
        let pacer = Pacer::new(Some(BitRate(64_000)));
        let began = Instant::now();
        for _ in 0..1_000 {
            pacer.text_may_leave().await;
            pacer.text_leaves(TEXT);
        }
        let took = began.elapsed().as_secs();
        assert!((60..=65).contains(&took), "{took} s for 500 kB at 8 kB/s");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_rate_nothing_waits() {
        let pacer = Pacer::new(None);
        let began = Instant::now();
        pacer.text_leaves(1 << 40);
        pacer.text_may_leave().await;
        pacer.piece_may_leave(1 << 30).await;
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}

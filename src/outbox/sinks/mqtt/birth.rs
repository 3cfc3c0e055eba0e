//! Home Assistant has started: it may have missed what was announced.
//!
//! In: messages on the topics where it says so. Out: the moment at which announcements are to be sent again. Anybody who may write
//! there could use up a data plan this way, so it happens only so often.

use std::time::Duration;

use tokio::time::Instant;

use crate::{flow::SiteId, wire::Discovery};

/// What Home Assistant says.
const ONLINE: &[u8] = b"online";
/// From one answer to the next, at least.
const EVERY: Duration = Duration::from_secs(30);
/// It asks for some time between its word and the answers, different for each who answers: at least this ...
const AT_ONCE: Duration = Duration::from_millis(500);
/// ... and up to so much more.
const SPREAD_MS: u64 = 2_000;

/// Listens for Home Assistant's start.
pub(super) struct Birth {
    topics: Vec<String>,
    delay: Duration,
    due: Option<Instant>,
    answered: Option<Instant>,
}

impl Birth {
    /// For a Home Assistant that looks below `prefix`; none: there is nothing to announce, and nobody is listened to.
    pub(super) fn new(site: &SiteId, prefix: Option<&str>) -> Self {
        let spread = site.as_str().bytes().fold(0, |sum: u64, byte| {
            sum.wrapping_mul(31).wrapping_add(u64::from(byte))
        });
        Self {
            topics: prefix.map(Discovery::births).unwrap_or_default(),
            delay: AT_ONCE + Duration::from_millis(spread % SPREAD_MS),
            due: None,
            answered: None,
        }
    }

    /// Where to listen.
    pub(super) fn topics(&self) -> &[String] {
        &self.topics
    }

    /// Takes notice of a message. True when it was one of Home Assistant's, whatever it says.
    pub(super) fn heard(&mut self, topic: &str, payload: &[u8]) -> bool {
        if !self.topics.iter().any(|own| own == topic) {
            return false;
        }
        if payload == ONLINE && self.due.is_none() {
            let soon = Instant::now() + self.delay;
            let allowed = self.answered.map(|at| at + EVERY);
            self.due = Some(allowed.map_or(soon, |at| at.max(soon)));
        }
        true
    }

    /// Waits until there is to be an answer.
    pub(super) async fn is_due(&self) {
        match self.due {
            Some(due) => tokio::time::sleep_until(due).await,
            None => std::future::pending().await,
        }
    }

    /// It is being answered.
    pub(super) fn answered(&mut self) {
        self.due = None;
        self.answered = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: &str = "homeassistant/status";

    fn birth(site: &str) -> Birth {
        Birth::new(&site.parse().unwrap(), Some("homeassistant"))
    }

    async fn answered_after(birth: &mut Birth) -> Duration {
        let began = Instant::now();
        birth.is_due().await;
        birth.answered();
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_start_is_answered_soon_and_a_flood_only_so_often() {
        let mut birth = birth("home");
        assert!(!birth.heard("lares/home/command", b"online"));
        assert!(birth.heard(TOPIC, b"offline"));
        assert!(birth.due.is_none());
        assert!(birth.heard(TOPIC, b"online"));
        let soon = answered_after(&mut birth).await;
        assert!(
            soon >= AT_ONCE && soon < Duration::from_millis(2_501),
            "{soon:?}"
        );
        for _ in 0..100 {
            birth.heard(TOPIC, b"online");
        }
        let later = answered_after(&mut birth).await;
        assert!(later >= EVERY, "{later:?}");
        assert!(birth.due.is_none(), "a hundred words, one answer");
    }

    #[test]
    fn sites_do_not_all_answer_at_once_and_who_announces_nothing_does_not_listen() {
        assert_ne!(birth("home").delay, birth("home-2").delay);
        let mut deaf = Birth::new(&"home".parse().unwrap(), None);
        assert!(deaf.topics().is_empty() && !deaf.heard(TOPIC, b"online"));
    }
}

//! How a session is kept alive: which request, and when. Pure; learns from one session for the next.
//!
//! A camera ends a session that sends no request within its time-out, also while it sends pictures. By which request is
//! best it says itself (`Public`), and not always truly: where one is refused, or makes the camera hang up, or does not
//! count, another is tried.

use std::time::Duration;

/// Of a session whose camera names none (RFC 2326, 12.37).
const TIMEOUT: Duration = Duration::from_secs(60);
/// Routers forget connections too.
const MOST: Duration = Duration::from_secs(30);
const LEAST: Duration = Duration::from_millis(500);
/// A camera that closes so soon after a request closes because of it.
const BECAUSE: Duration = Duration::from_secs(2);

/// Requests, in the order in which they are tried where the camera offers them.
const METHODS: [&str; 3] = ["GET_PARAMETER", "OPTIONS", "SET_PARAMETER"];

/// What keeps the sessions of one camera alive.
#[derive(Debug, Default)]
pub(super) struct KeepAlive {
    /// How many methods have proved to be of no use.
    failed: usize,
    offered: [bool; METHODS.len()],
    timeout: Option<Duration>,
}

impl KeepAlive {
    /// Takes in what the camera offers: the value of `Public`.
    pub(super) fn offered(&mut self, public: Option<&str>) {
        let words = |method: &str| {
            let public = public.unwrap_or_default();
            public
                .split([',', ' '])
                .any(|word| word.trim().eq_ignore_ascii_case(method))
        };
        self.offered = METHODS.map(words);
    }

    /// Takes in the `Session` header of the answer to SETUP.
    pub(super) fn session(&mut self, header: &str) {
        // Some put blanks or quotation marks around the number.
        let mut value = header.to_ascii_lowercase();
        value.retain(|c| !c.is_whitespace() && c != '"');
        let seconds = value.split("timeout=").nth(1).map(|text| {
            let digits = text.split(|c: char| !c.is_ascii_digit()).next();
            digits.unwrap_or_default().parse().unwrap_or(0u64)
        });
        self.timeout = seconds
            .filter(|s| (1..86_400).contains(s))
            .map(Duration::from_secs);
    }

    /// The request to send.
    pub(super) fn method(&self) -> &'static str {
        let offered = METHODS.iter().zip(self.offered);
        let order = offered
            .clone()
            .filter(|(method, offered)| *offered || **method == "OPTIONS");
        let rest = offered.filter(|(method, offered)| !offered && **method != "OPTIONS");
        let order: Vec<_> = order.chain(rest).map(|(method, _)| *method).collect();
        order[self.failed % order.len()]
    }

    /// How long after one request the next is due.
    pub(super) fn every(&self) -> Duration {
        (self.timeout.unwrap_or(TIMEOUT) / 2).clamp(LEAST, MOST)
    }

    /// The camera has refused the request.
    pub(super) fn refused(&mut self) {
        self.failed += 1;
    }

    /// The camera has closed a session that stood for `lasted`, the last request `since` ago. Whether another request may
    /// help.
    pub(super) fn closed(&mut self, lasted: Duration, since: Option<Duration>) -> bool {
        let Some(since) = since else {
            return false;
        };
        let timeout = self.timeout.unwrap_or(TIMEOUT);
        // With a margin: cameras look now and then.
        let timed_out = lasted >= timeout.mul_f32(0.9) && lasted <= timeout.mul_f32(2.2);
        let helps = since < BECAUSE || timed_out;
        if helps {
            self.failed += 1;
        }
        // Each method has had its turn: it is something else.
        helps && self.failed < METHODS.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_is_offered_is_tried_first() {
        let mut alive = KeepAlive::default();
        assert_eq!(alive.method(), "OPTIONS");
        alive.offered(Some("OPTIONS, DESCRIBE, SETUP, get_parameter,PLAY"));
        let mut tried = Vec::new();
        for _ in 0..4 {
            tried.push(alive.method());
            alive.refused();
        }
        assert_eq!(
            tried,
            ["GET_PARAMETER", "OPTIONS", "SET_PARAMETER", "GET_PARAMETER"]
        );
    }

    #[test]
    fn a_session_is_kept_at_half_its_time() {
        let mut alive = KeepAlive::default();
        for (header, every) in [
            ("12345678", 30.0),
            ("1;timeout=20", 10.0),
            ("1; Timeout=4 ", 2.0),
            ("1 ; timeout = 8", 4.0),
            ("1;timeout=\"6\"", 3.0),
            ("1;timeout=0", 30.0),
            ("1;timeout=99999999999", 30.0),
            ("1;timeout=1", 0.5),
        ] {
            alive.session(header);
            assert_eq!(alive.every().as_secs_f64(), every, "{header}");
        }
    }

    #[test]
    fn a_request_that_does_not_keep_it_gives_way() {
        let mut alive = KeepAlive::default();
        alive.offered(Some("OPTIONS"));
        alive.session("1;timeout=8");
        assert!(!alive.closed(9 * SECOND, None), "none was sent");
        assert!(
            !alive.closed(30 * SECOND, Some(3 * SECOND)),
            "something else"
        );
        assert!(alive.closed(9 * SECOND, Some(4 * SECOND)));
        assert_eq!(alive.method(), "GET_PARAMETER");
        assert!(alive.closed(3 * SECOND, Some(SECOND)));
        assert!(!alive.closed(3 * SECOND, Some(SECOND)), "all were tried");
    }
}

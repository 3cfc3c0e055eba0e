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
/// A session that ends earlier than this does not end by a time-out.
const LEAST_UNSPOKEN: Duration = Duration::from_secs(3);
/// Ages of sessions differ by so much at least: cameras look now and then.
const SECOND: Duration = Duration::from_secs(1);

/// Requests, in the order in which they are tried where the camera offers them.
const METHODS: [&str; 3] = ["GET_PARAMETER", "OPTIONS", "SET_PARAMETER"];

/// What keeps the sessions of one camera alive.
#[derive(Debug, Default)]
pub(in crate::ingest::rtsp) struct KeepAlive {
    /// How many methods have proved to be of no use.
    failed: usize,
    offered: [bool; METHODS.len()],
    timeout: Option<Duration>,
    unspoken: Unspoken,
}

/// A time-out that the camera does not announce, or not truly: it closes sessions before the first request is due.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Unspoken {
    #[default]
    Unknown,
    /// One session ended at this age.
    Suspected(Duration),
    /// Two did. Requests come twice in that time.
    Learnt(Duration),
    /// They did not help: it ends sessions for another reason.
    Wrong,
}

impl KeepAlive {
    /// Takes in what the camera offers: the value of `Public`.
    pub(in crate::ingest::rtsp) fn offered(&mut self, public: Option<&str>) {
        let words = |method: &str| {
            let public = public.unwrap_or_default();
            public
                .split([',', ' '])
                .any(|word| word.trim().eq_ignore_ascii_case(method))
        };
        self.offered = METHODS.map(words);
    }

    /// Takes in the `Session` header of the answer to SETUP.
    pub(in crate::ingest::rtsp) fn session(&mut self, header: &str) {
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
    pub(in crate::ingest::rtsp) fn method(&self) -> &'static str {
        let offered = METHODS.iter().zip(self.offered);
        let order = offered
            .clone()
            .filter(|(method, offered)| *offered || **method == "OPTIONS");
        let rest = offered.filter(|(method, offered)| !offered && **method != "OPTIONS");
        let order: Vec<_> = order.chain(rest).map(|(method, _)| *method).collect();
        order[self.failed % order.len()]
    }

    /// How long after one request the next is due.
    pub(in crate::ingest::rtsp) fn every(&self) -> Duration {
        let announced = self.timeout.unwrap_or(TIMEOUT);
        let timeout = match self.unspoken {
            Unspoken::Learnt(timeout) => announced.min(timeout),
            _ => announced,
        };
        (timeout / 2).clamp(LEAST, MOST)
    }

    /// The camera has refused the request.
    pub(in crate::ingest::rtsp) fn refused(&mut self) {
        self.failed += 1;
    }

    /// The camera has closed a session that stood for `lasted`, the last request `since` ago. Whether another request may
    /// help.
    pub(in crate::ingest::rtsp) fn closed(
        &mut self,
        lasted: Duration,
        since: Option<Duration>,
    ) -> bool {
        if self.too_early(lasted, since.is_some()) {
            return true;
        }
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

    /// A session has ended at the age `lasted`; `asked`: a request had been sent. Whether the next one is asked earlier
    /// because of it.
    fn too_early(&mut self, lasted: Duration, asked: bool) -> bool {
        self.unspoken = match self.unspoken {
            Unspoken::Suspected(age) if !asked && alike(age, lasted) => {
                Unspoken::Learnt(age.min(lasted))
            }
            Unspoken::Unknown | Unspoken::Suspected(_) if asked => Unspoken::Unknown,
            // What ends at once has another reason.
            Unspoken::Unknown | Unspoken::Suspected(_) if lasted < LEAST_UNSPOKEN => {
                Unspoken::Unknown
            }
            Unspoken::Unknown | Unspoken::Suspected(_) => Unspoken::Suspected(lasted),
            Unspoken::Learnt(age) if alike(age, lasted) => Unspoken::Wrong,
            Unspoken::Learnt(_) | Unspoken::Wrong => return false,
        };
        matches!(self.unspoken, Unspoken::Learnt(_))
    }
}

/// Whether two sessions ended at the same age, as far as cameras and networks keep time.
fn alike(one: Duration, other: Duration) -> bool {
    one.abs_diff(other) <= (one / 8).max(SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_time_out_that_is_not_announced_is_learnt_from_two_sessions() {
        let mut alive = KeepAlive::default();
        alive.session("1");
        assert_eq!(alive.every(), 30 * SECOND);
        assert!(!alive.closed(10 * SECOND, None), "that may be anything");
        assert!(alive.closed(Duration::from_millis(10_400), None));
        assert_eq!(alive.every(), 5 * SECOND);
        // It stands for a day, then the camera restarts: what was learnt stays.
        assert!(!alive.closed(80_000 * SECOND, Some(3 * SECOND)));
        assert_eq!(alive.every(), 5 * SECOND);
        // One that announces a shorter one is believed.
        alive.session("1;timeout=4");
        assert_eq!(alive.every(), 2 * SECOND);
    }

    #[test]
    fn what_is_no_time_out_is_not_learnt_and_what_did_not_help_is_given_up() {
        let mut alive = KeepAlive::default();
        for lasted in [1, 1, 8, 15, 8, 200] {
            assert!(!alive.closed(lasted * SECOND, None), "{lasted}");
        }
        assert_eq!(alive.every(), 30 * SECOND);
        // A camera that restarts each 12 seconds, whatever it is asked.
        assert!(!alive.closed(12 * SECOND, None));
        assert!(alive.closed(12 * SECOND, None));
        assert!(!alive.closed(12 * SECOND, Some(5 * SECOND)));
        assert_eq!(alive.every(), 30 * SECOND);
        for _ in 0..10 {
            assert!(!alive.closed(12 * SECOND, None), "learnt once at most");
        }
        assert_eq!(alive.every(), 30 * SECOND);
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

//! RTSP cameras as a source: one session after the other, for as long as the token lives.
//!
//! RTP comes interleaved in the TCP connection, plain or over TLS, or by UDP, of the video stream alone. What the way
//! delays, the [`timeline`](super::timeline) takes out again. A password never enters an address, a log or a state.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::{
    PacketSink, SourceState,
    session::{End, Session},
    transport::Carrier,
};
use crate::{
    base::{backoff::Backoff, clock::Clock, cpu::StageCpu},
    config::{SourceConfig, Transport},
    flow::{Problem, StreamRole},
};

/// How long a source sleeps at most before it looks whether it has to stop.
pub(super) const SLICE: Duration = Duration::from_millis(250);
/// Waits between tries: the first and the longest.
const WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// With a wrong password, twice as long at most: cameras lock accounts out.
const REFUSED_WAIT: Duration = Duration::from_secs(60);
/// A session that gave pictures for this long makes the next wait short again: a camera that restarts each minute is
/// not away for longer than it is itself.
const HEALTHY: Duration = Duration::from_secs(5);

/// One stream of one camera.
pub struct RtspSource {
    config: SourceConfig,
    role: StreamRole,
    clock: Arc<dyn Clock>,
    stages: StageCpu,
    waits: (Duration, Duration),
}

/// The sink, shared with the threads of a session.
pub(super) type SharedSink = Arc<Mutex<Box<dyn PacketSink>>>;

impl RtspSource {
    /// A source that is not connected yet. The CPU time of receiving and parsing is added to `stages`.
    #[must_use]
    pub fn new(
        config: SourceConfig,
        role: StreamRole,
        clock: Arc<dyn Clock>,
        stages: StageCpu,
    ) -> Self {
        Self {
            config,
            role,
            clock,
            stages,
            waits: WAITS,
        }
    }

    /// Waits less between tries, so that a test sees many.
    #[cfg(test)]
    pub(super) fn hurried(self, longest: Duration) -> Self {
        Self {
            waits: (longest, longest),
            ..self
        }
    }

    /// Receives until `token` is cancelled. Blocks: it belongs on a thread of its own.
    pub fn run(self, sink: Box<dyn PacketSink>, token: &CancellationToken) {
        let sink: SharedSink = Arc::new(Mutex::new(sink));
        let mut backoff = Backoff::new(self.waits.0, self.waits.1);
        let mut refused = Backoff::new(REFUSED_WAIT, REFUSED_WAIT);
        let mut carrier = Carrier::first(self.config.transport);
        // Whether the session under way tries what the one before was refused.
        let mut second_try = false;
        let mut told: Option<End> = None;
        sink.lock().state(SourceState::Connecting);
        while !token.is_cancelled() {
            let session = Session::start(
                &self.config,
                carrier,
                self.role,
                &self.clock,
                &self.stages,
                &sink,
            );
            let (end, online_for) = match session {
                Ok(session) => session.run(&self.config, token),
                Err(end) => (end, None),
            };
            if end == End::Stopped {
                return;
            }
            if online_for.is_some_and(|time| time >= HEALTHY) {
                backoff.reset();
            }
            if online_for.is_some() {
                told = None;
            }
            let other = carrier.after(&end, &self.config);
            if other != carrier && !second_try {
                debug!(?other, "the camera does not send by {carrier:?}");
                (carrier, second_try) = (other, true);
                continue;
            }
            second_try = false;
            let retry_in = match end {
                End::Refused => refused.wait(),
                _ => backoff.wait(),
            };
            let problem = self.problem(&end);
            debug!(?retry_in, "{}", problem.message);
            if told.as_ref() != Some(&end) {
                sink.lock().state(SourceState::Away { problem, retry_in });
                told = Some(end);
            }
            wait(retry_in, token);
        }
        info!("source stopped");
    }

    /// What happened as one sentence, and what to do.
    fn problem(&self, end: &End) -> Problem {
        let host = self.config.url.host_str().unwrap_or("without an address");
        let port = self
            .config
            .url
            .port()
            .unwrap_or(match self.config.url.scheme() {
                "rtsps" => 322,
                _ => 554,
            });
        let path = self.config.url.path();
        let (message, hint) = match end {
            End::Stopped => (
                format!("camera {host} is no longer watched"),
                "nothing needs to be done".to_owned(),
            ),
            End::Refused => (
                format!("camera {host} refused the user name or password"),
                "set `user` and `password` of this source to an account of the camera that may view its stream".to_owned(),
            ),
            End::NotFound => (
                format!("camera {host} has no stream at {path}"),
                "look up the address of the RTSP stream in the camera's manual or its web pages".to_owned(),
            ),
            End::Unreachable => (
                format!("camera {host} cannot be reached on port {port}"),
                "check that it is switched on and on this network, and that RTSP is enabled in its settings".to_owned(),
            ),
            End::Untrusted => (
                format!("the certificate of camera {host} is not trusted"),
                "name the authority that signed it in `ca_file` (rtsps:// also needs the package glib-networking), write the address with the name that the certificate bears, or use rtsp:// inside the home".to_owned(),
            ),
            End::Authorities { path, reason } => (
                format!("the certificates in {} cannot be read ({reason})", path.display()),
                "check ca_file: it names a file with the authority's certificate in PEM form".to_owned(),
            ),
            End::TransportRefused => (
                format!("camera {host} does not send its pictures by {}", match self.config.transport {
                    Transport::Auto => "TCP or UDP",
                    Transport::Tcp => "TCP",
                    Transport::Udp => "UDP",
                }),
                "leave out `transport`, so that either is tried, and check the camera's RTSP settings".to_owned(),
            ),
            End::Silent => (
                format!("camera {host} answers on port {port} but sends no pictures"),
                "restart the camera, and check the address of its stream".to_owned(),
            ),
            End::Stalled => (
                format!("camera {host} has stopped sending pictures"),
                "it is connected to again; if this goes on, check its power supply and network".to_owned(),
            ),
            End::Closed => (
                format!("camera {host} has ended the stream"),
                "it is connected to again; if this goes on, check how many viewers the camera allows".to_owned(),
            ),
            End::NoVideo { offered } => (
                format!("camera {host} sends no H.264 or H.265 video at {path}{}", match offered.as_str() {
                    "" => String::new(),
                    offered => format!(", only {offered}"),
                }),
                "set this stream to H.264 or H.265 in the camera's settings".to_owned(),
            ),
            End::Setup { message } => (
                message.clone(),
                "install what is missing and start again".to_owned(),
            ),
            End::Protocol => (
                format!("camera {host} does not speak RTSP as expected"),
                "check the address, and that the camera's firmware is up to date".to_owned(),
            ),
        };
        Problem { message, hint }
    }
}

/// Sleeps, but not longer than the token lives.
fn wait(time: Duration, token: &CancellationToken) {
    let until = Instant::now() + time;
    while !token.is_cancelled() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        std::thread::sleep(left.min(SLICE));
    }
}

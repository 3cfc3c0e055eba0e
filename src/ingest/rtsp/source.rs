//! A camera as a source: one session after the other, for as long as the token lives.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context as Poller, Poll},
    time::Duration,
};

use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::{
    end_reason::SessionEnd,
    lower_transport::LowerTransport,
    observer::{Observer, Window},
    protocol::keepalive::KeepAlive,
    session::{self, Context, Outcome},
};
use crate::{
    base::{
        backoff::Backoff,
        clock::Clock,
        cpu::{Stage, StageCpu},
    },
    config::SourceConfig,
    flow::StreamRole,
    ingest::{PacketSink, SourceState, setup},
};

/// Waits between tries: the first and the longest.
const WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// With a wrong password, twice as long at most: cameras lock accounts out.
const REFUSED_WAIT: Duration = Duration::from_secs(60);
/// A session that gave pictures for this long makes the next wait short again: a camera that restarts each minute is
/// not away for longer than it is itself.
const HEALTHY: Duration = Duration::from_secs(2);

/// One stream of one camera.
pub struct RtspSource {
    config: SourceConfig,
    role: StreamRole,
    clock: Arc<dyn Clock>,
    stages: StageCpu,
    waits: (Duration, Duration),
    window: Window,
}

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
            window: Window::default(),
        }
    }

    /// Has `observer` see what passes in every session.
    #[must_use]
    pub fn observed(self, observer: Arc<dyn Observer>) -> Self {
        Self {
            window: Window(Some(observer)),
            ..self
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

    /// Receives until `token` is cancelled. Holds its thread only while there is something to parse.
    pub async fn run(self, sink: Box<dyn PacketSink>, token: CancellationToken) {
        let stages = self.stages.clone();
        Metered {
            work: Box::pin(self.sessions(sink, token)),
            stages,
        }
        .await;
    }

    async fn sessions(self, mut sink: Box<dyn PacketSink>, token: CancellationToken) {
        let mut backoff = Backoff::new(self.waits.0, self.waits.1);
        let mut refused = Backoff::new(REFUSED_WAIT, REFUSED_WAIT);
        let mut lower_transport = LowerTransport::first(self.config.transport);
        let mut alive = KeepAlive::default();
        // Whether the session under way tries what the one before was refused.
        let mut second_try = false;
        let mut told: Option<SessionEnd> = None;
        // A camera is often busy for a moment only, while it ends the session before.
        let mut busy = false;
        sink.state(SourceState::Connecting);
        while !token.is_cancelled() {
            let context = Context {
                config: &self.config,
                role: self.role,
                clock: &self.clock,
                lower_transport,
                token: &token,
                window: &self.window,
            };
            let outcome = match setup::init() {
                Ok(()) => session::run(&context, &mut alive, &mut *sink).await,
                Err(error) => Outcome::from(SessionEnd::Setup {
                    message: error.to_string(),
                }),
            };
            let end = outcome.end;
            if end == SessionEnd::Stopped {
                break;
            }
            if outcome.online_for.is_some_and(|time| time >= HEALTHY) {
                backoff.reset();
            }
            if outcome.online_for.is_some() {
                (told, busy) = (None, false);
            }
            if outcome.learned {
                debug!(
                    "the camera ended a session whose keep-alive does not suit it; another is tried"
                );
                continue;
            }
            let other = lower_transport.after(&end, &self.config);
            if other != lower_transport && !second_try {
                debug!(?other, "the camera does not send by {lower_transport:?}");
                (lower_transport, second_try) = (other, true);
                continue;
            }
            second_try = false;
            let retry_in = match end {
                SessionEnd::Refused | SessionEnd::NoUser | SessionEnd::UnknownLogin { .. } => {
                    refused.wait()
                }
                _ => backoff.wait(),
            };
            let problem = end.problem(&self.config);
            debug!(?retry_in, "{}", problem.message);
            let first =
                end == SessionEnd::Busy && !std::mem::replace(&mut busy, end == SessionEnd::Busy);
            if told.as_ref() != Some(&end) && !first {
                sink.state(SourceState::Away { problem, retry_in });
                told = Some(end);
            }
            tokio::select! {
                () = token.cancelled() => {}
                () = tokio::time::sleep(retry_in) => {}
            }
        }
        info!("source stopped");
    }
}

/// Work whose CPU time counts, on whichever thread it is done.
struct Metered<F> {
    work: Pin<Box<F>>,
    stages: StageCpu,
}

impl<F: Future> Future for Metered<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<F::Output> {
        let stages = self.stages.clone();
        stages.time(Stage::Ingest, || self.work.as_mut().poll(cx))
    }
}

//! One RTSP session, from the connection to its end.

mod prepare;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use tokio::{sync::watch, time::sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::{
    dialogue::Dialogue,
    end_reason::SessionEnd,
    lower_transport::LowerTransport,
    observer::Window,
    protocol::{control_url, keepalive::KeepAlive, message::Response},
    rtp::{receive::Receiver, rtcp},
    transport::{
        batch, connect_limit,
        connection::{Broken, Incoming},
        udp::Ports,
    },
};
use crate::{base::clock::Clock, config::SourceConfig, flow::StreamRole, ingest::PacketSink};

/// A camera that has sent no picture by then is away.
const FIRST_PICTURE_WITHIN: Duration = Duration::from_secs(10);
/// How often the camera is told by RTCP that somebody listens.
const REPORT_EVERY: Duration = Duration::from_secs(5);
/// After a goodbye pictures may go on: it may have been for a session before.
const GOODBYE_WITHIN: Duration = Duration::from_secs(2);
/// A recording's end may come a little early.
const END_MARGIN: Duration = Duration::from_secs(2);

/// What a session needs to know.
pub(super) struct Context<'a> {
    pub(super) config: &'a SourceConfig,
    pub(super) role: StreamRole,
    pub(super) clock: &'a Arc<dyn Clock>,
    pub(super) lower_transport: LowerTransport,
    pub(super) token: &'a CancellationToken,
    pub(super) window: &'a Window,
}

/// How a session ended.
pub(super) struct Outcome {
    pub(super) end: SessionEnd,
    /// For how long pictures had come.
    pub(super) online_for: Option<Duration>,
    /// The next session will do something else.
    pub(super) learned: bool,
}

impl From<SessionEnd> for Outcome {
    fn from(end: SessionEnd) -> Self {
        Self {
            end,
            online_for: None,
            learned: false,
        }
    }
}

/// Receives until the session ends. `alive` is what is known about the camera's sessions.
pub(super) async fn run(
    context: &Context<'_>,
    alive: &mut KeepAlive,
    sink: &mut dyn PacketSink,
) -> Outcome {
    let mut entry = tokio::select! {
        biased;
        () = context.token.cancelled() => return SessionEnd::Stopped.into(),
        entry = connect_limit::enter(&context.config.url) => entry,
    };
    let opened = tokio::select! {
        biased;
        () = context.token.cancelled() => Err(SessionEnd::Stopped),
        opened = entry.with(Dialogue::open(context.config, context.window)) => opened,
    };
    let mut dialogue = match opened {
        Ok(dialogue) => dialogue,
        Err(end) => return end.into(),
    };
    let prepared = tokio::select! {
        biased;
        () = context.token.cancelled() => Err(SessionEnd::Stopped),
        prepared = entry.with(Session::prepare(context, &mut dialogue, alive)) => prepared,
    };
    drop(entry);
    let (mut session, outcome) = match prepared {
        Ok(mut session) => {
            let outcome = session.play(context, &mut dialogue, alive, sink).await;
            (Some(session), outcome)
        }
        Err(end) => (None, end.into()),
    };
    if outcome.end != SessionEnd::Closed {
        let uri = session
            .as_mut()
            .map(|session| std::mem::take(&mut session.uri));
        dialogue
            .teardown(&uri.unwrap_or_else(|| control_url::plain(&dialogue.camera)))
            .await;
    }
    outcome
}

/// A session that is ready to play.
struct Session {
    /// The address of the whole of it.
    uri: String,
    receiver: Receiver,
    ports: Option<Ports>,
    channel: u8,
    /// Of what is served, where it has an end.
    length: Option<Duration>,
    started: Instant,
    first: Option<Instant>,
    last: Option<Instant>,
    goodbye: Option<Instant>,
    /// The keep-alive under way, and when the last one left.
    asked: Option<u32>,
    asked_at: Option<Instant>,
    /// A fresh nonce has been answered already.
    renewed: bool,
}

impl Session {
    /// Receives until the end.
    async fn play(
        &mut self,
        context: &Context<'_>,
        dialogue: &mut Dialogue,
        alive: &mut KeepAlive,
        sink: &mut dyn PacketSink,
    ) -> Outcome {
        for (channel, data) in std::mem::take(&mut dialogue.early) {
            self.data(context, channel, data, sink);
        }
        let look = (context.config.stall_timeout / 4)
            .min(alive.every() / 2)
            .clamp(Duration::from_millis(100), Duration::from_secs(2));
        let mut next_look = Instant::now() + look;
        let mut next_alive = Instant::now() + alive.every();
        let mut next_report = Instant::now() + REPORT_EVERY;
        let mut attention = sink.attention();
        let mut next_batch = None;
        let stop = context.token.cancelled();
        tokio::pin!(stop);
        let end = loop {
            let reorder = self.ports.as_ref().and_then(Ports::deadline);
            let wake = [reorder, next_batch]
                .into_iter()
                .flatten()
                .fold(next_look, Instant::min);
            tokio::select! {
                biased;
                () = &mut stop => break SessionEnd::Stopped,
                turn = dialogue.link.turn() => {
                    // What came before the end is not lost with it.
                    let heard = self.hear(context, dialogue, alive, sink);
                    if let Err(end) = heard.and(turn.map_err(SessionEnd::from)) {
                        break end;
                    }
                    let prompt = attention.as_ref().is_none_or(|wanted| *wanted.borrow());
                    dialogue.link.wait_for(self.receiver.mark(prompt));
                    next_batch = (dialogue.link.mark() > 1).then(|| Instant::now() + batch::LONGEST);
                }
                () = roused(&mut attention), if dialogue.link.mark() > 1 => dialogue.link.wait_for(1),
                goodbye = datagrams(&mut self.ports) => {
                    if goodbye {
                        self.goodbye = Some(Instant::now());
                    }
                    self.take_datagrams(context, sink);
                }
                () = sleep_until(wake.into()) => {
                    self.take_datagrams(context, sink);
                    let now = Instant::now();
                    if next_batch.is_some_and(|due| due <= now) {
                        next_batch = None;
                        dialogue.link.wait_for(1);
                    }
                    if now < next_look {
                        continue;
                    }
                    next_look = now + look;
                    if let Some(end) = self.overdue(context, now) {
                        break end;
                    }
                    if now >= next_report {
                        next_report = now + REPORT_EVERY;
                        self.report(dialogue).await;
                    }
                    if now >= next_alive {
                        next_alive = now + alive.every();
                        self.ask(dialogue, alive);
                    }
                }
            }
        };
        let lasted = self.started.elapsed();
        let since = self.asked_at.map(|at| at.elapsed());
        let learned = end == SessionEnd::Closed && alive.closed(lasted, since);
        Outcome {
            end: self.finished(end),
            online_for: self.first.map(|at| at.elapsed()),
            learned,
        }
    }

    /// A recording that has been played to its end has not broken off.
    fn finished(&self, end: SessionEnd) -> SessionEnd {
        match (self.length, self.first, self.last) {
            (Some(length), Some(first), Some(last))
                if matches!(end, SessionEnd::Closed | SessionEnd::Stalled)
                    && last.duration_since(first) + END_MARGIN >= length =>
            {
                SessionEnd::Finished { length }
            }
            _ => end,
        }
    }

    /// Asks for a sign of life, and gives one.
    fn ask(&mut self, dialogue: &mut Dialogue, alive: &KeepAlive) {
        self.asked = Some(dialogue.send(alive.method(), &self.uri, &[]));
        self.asked_at = Some(Instant::now());
        self.renewed = false;
    }

    async fn report(&self, dialogue: &mut Dialogue) {
        match &self.ports {
            Some(ports) => ports.report().await,
            None => {
                let report = rtcp::report();
                let length = u16::try_from(report.len()).unwrap_or(0).to_be_bytes();
                let mut frame = vec![b'$', self.channel.wrapping_add(1), length[0], length[1]];
                frame.extend(report);
                dialogue.link.send(&frame);
            }
        }
    }

    /// Whether something should have come by now.
    fn overdue(&self, context: &Context<'_>, now: Instant) -> Option<SessionEnd> {
        let since = |at: Instant| now.duration_since(at);
        if let (Some(goodbye), Some(last)) = (self.goodbye, self.last)
            && since(goodbye) > GOODBYE_WITHIN
            && since(last) > GOODBYE_WITHIN
        {
            return Some(SessionEnd::Closed);
        }
        match self.last {
            Some(last) if since(last) > context.config.stall_timeout => Some(SessionEnd::Stalled),
            None if since(self.started) > FIRST_PICTURE_WITHIN => Some(SessionEnd::Silent),
            _ => None,
        }
    }

    fn hear(
        &mut self,
        context: &Context<'_>,
        dialogue: &mut Dialogue,
        alive: &mut KeepAlive,
        sink: &mut dyn PacketSink,
    ) -> Result<(), SessionEnd> {
        loop {
            match dialogue.link.next() {
                Ok(None) => return Ok(()),
                Ok(Some(Incoming::Data(channel, data))) => {
                    self.data(context, channel, data, sink);
                }
                Ok(Some(Incoming::Request(request))) => {
                    dialogue.serve(&request);
                    if request.method == "TEARDOWN" {
                        return Err(SessionEnd::Closed);
                    }
                }
                Ok(Some(Incoming::Response(response))) => {
                    self.answered(&response, dialogue, alive)?;
                }
                // Beyond repair: a new session is.
                Err(Broken::NotRtsp | Broken::TooLong) if self.first.is_some() => {
                    return Err(SessionEnd::Closed);
                }
                Err(broken) => return Err(broken.into()),
            }
        }
    }

    /// The answer to a keep-alive, or to nothing.
    fn answered(
        &mut self,
        response: &Response,
        dialogue: &mut Dialogue,
        alive: &mut KeepAlive,
    ) -> Result<(), SessionEnd> {
        if self.asked.is_none() || response.headers.cseq() != self.asked {
            return Ok(());
        }
        self.asked = None;
        match response.status {
            401 if !self.renewed => {
                dialogue.challenged(&response.headers)?;
                self.ask(dialogue, alive);
                self.renewed = true;
            }
            // The session may live all the same; whether it does, the pictures show.
            200..=299 | 401 | 454 => {}
            refused => {
                debug!(refused, method = alive.method(), "keep-alive refused");
                alive.refused();
                if !self.renewed {
                    self.ask(dialogue, alive);
                    self.renewed = true;
                }
            }
        }
        Ok(())
    }

    fn data(
        &mut self,
        context: &Context<'_>,
        channel: u8,
        data: BytesMut,
        sink: &mut dyn PacketSink,
    ) {
        let reports = self.channel.wrapping_add(1);
        if channel != self.channel && channel != reports && self.first.is_none() {
            // Nothing else has been set up: this is the picture, on another channel than was agreed.
            self.channel = channel;
        }
        if channel == self.channel {
            self.rtp(context, data, sink);
        } else if channel == reports {
            context.window.packet(true, &data);
            if rtcp::says_goodbye(&data) {
                self.goodbye = Some(Instant::now());
            }
        }
    }

    fn take_datagrams(&mut self, context: &Context<'_>, sink: &mut dyn PacketSink) {
        while let Some(packet) = self.ports.as_mut().and_then(Ports::next) {
            self.rtp(context, packet, sink);
        }
        if let Some(ports) = &self.ports
            && let Some(state) = self
                .receiver
                .quality
                .losses(ports.arrivals(), Instant::now())
        {
            sink.state(state);
        }
    }

    fn rtp(&mut self, context: &Context<'_>, packet: BytesMut, sink: &mut dyn PacketSink) {
        context.window.packet(false, &packet);
        if self.receiver.packet(packet, context.clock.now(), sink) {
            let now = Instant::now();
            self.first.get_or_insert(now);
            self.last = Some(now);
        }
    }
}

/// Until each packet is wanted at once.
async fn roused(attention: &mut Option<watch::Receiver<bool>>) {
    let changed = match attention {
        Some(attention) => attention.wait_for(|wanted| *wanted).await.is_ok(),
        None => false,
    };
    if !changed {
        std::future::pending::<()>().await;
    }
}

async fn datagrams(ports: &mut Option<Ports>) -> bool {
    match ports {
        Some(ports) => ports.turn().await,
        None => std::future::pending().await,
    }
}

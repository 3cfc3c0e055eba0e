//! One socket, from its upgrade to its end.
//!
//! What is due goes out camera by camera, a message each, as fast as the connection takes it; nothing is kept for it. A client that
//! takes nothing, says nothing, or says too much, goes.

use std::{sync::Arc, time::Duration};

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures::{FutureExt, SinkExt, StreamExt};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until, timeout},
};

use super::{
    Place,
    messages::{self, Ask, Channel},
    visits::Seen,
    watched::{Sent, Watched},
};
use crate::{
    accounts::Session,
    base::live::{LiveView, NoLive, Wanted},
    flow::{CameraId, SiteId, StreamRole},
    pages::Page,
};

/// Who takes nothing for so long is gone.
const DEAD: Duration = Duration::from_secs(30);
/// A sign of life is asked for this often, and must come before the next but one is due.
const PING_EVERY: Duration = Duration::from_secs(20);
/// Cameras on one socket.
const MOST_CAMERAS: usize = 64;
/// Messages of a client in [`SPAN`].
const MOST_MESSAGES: u32 = 400;
const SPAN: Duration = Duration::from_secs(10);
/// Messages that are none, before the client has to go.
const MOST_RUBBISH: u32 = 8;
/// The cameras of a visit come one after the other; they are written down together.
const NOTE_AFTER: Duration = Duration::from_secs(2);
/// A close is waited for this long.
const GOODBYE: Duration = Duration::from_secs(1);

/// Codes by which a socket is closed.
const GOING_AWAY: u16 = 1001;
const POLICY: u16 = 1008;
/// Ours: the session has ended.
const SESSION_OVER: u16 = 4001;

/// Why a socket ends.
enum End {
    /// The client is gone.
    Gone,
    /// We end it, with this code and word.
    Closed(u16, &'static str),
}

pub(super) struct Viewer {
    page: Page,
    session: Session,
    /// The camera of a player that watches one.
    src: Option<String>,
    place: Place,
    wake: Arc<Notify>,
    cameras: Vec<Watched>,
    /// What is watched and not yet in the record, and since when.
    unnoted: Vec<Seen>,
    note_at: Option<Instant>,
    heard: Instant,
    span: Instant,
    messages: u32,
    rubbish: u32,
}

impl Viewer {
    pub(super) fn new(page: Page, session: Session, src: Option<String>, place: Place) -> Self {
        let now = Instant::now();
        Self {
            page,
            session,
            src,
            place,
            wake: Arc::default(),
            cameras: Vec::new(),
            unnoted: Vec::new(),
            note_at: None,
            heard: now,
            span: now,
            messages: 0,
            rubbish: 0,
        }
    }

    pub(super) async fn run(mut self, mut socket: WebSocket) {
        let (over, stop) = (self.session.over.clone(), self.page.tasks.token().clone());
        let end = tokio::select! {
            biased;
            () = over.cancelled() => End::Closed(SESSION_OVER, "session"),
            () = stop.cancelled() => End::Closed(GOING_AWAY, "stopping"),
            end = self.serve(&mut socket) => end,
        };
        self.cameras.clear();
        self.note();
        if let End::Closed(code, reason) = end {
            let reason = reason.into();
            let frame = Message::Close(Some(CloseFrame { code, reason }));
            let _ = timeout(GOODBYE, socket.send(frame)).await;
        }
    }

    async fn serve(&mut self, socket: &mut WebSocket) -> End {
        let mut ping = Instant::now() + PING_EVERY;
        loop {
            if let Err(end) = self.send(socket).await {
                return end;
            }
            let note = self.note_at.unwrap_or(ping);
            let wake = Arc::clone(&self.wake);
            tokio::select! {
                () = wake.notified() => {}
                message = socket.next() => {
                    let heard = message.ok_or(End::Gone).and_then(|heard| heard.map_err(|_| End::Gone));
                    match heard {
                        Ok(message) => if let Err(end) = self.heard(socket, message).await {
                            return end;
                        },
                        Err(end) => return end,
                    }
                }
                () = sleep_until(ping.min(note)) => {
                    let now = Instant::now();
                    if self.note_at.is_some_and(|at| at <= now) {
                        self.note();
                    }
                    if ping <= now {
                        ping = now + PING_EVERY;
                        if now.duration_since(self.heard) > 2 * PING_EVERY {
                            return End::Gone;
                        }
                        if let Err(end) = put(socket, Message::Ping(bytes::Bytes::new())).await {
                            return end;
                        }
                        if let Err(end) = flush(socket).await {
                            return end;
                        }
                    }
                }
            }
        }
    }

    /// Sends what is due of all cameras, and hears what is said meanwhile.
    async fn send(&mut self, socket: &mut WebSocket) -> Result<(), End> {
        let mut any = false;
        loop {
            let mut more = false;
            let mut at = 0;
            while let Some(camera) = self.cameras.get_mut(at) {
                match camera.next() {
                    Sent::Nothing => {}
                    Sent::Message(message) => {
                        more = true;
                        put(socket, message).await?;
                    }
                    Sent::Last(message) => {
                        self.cameras.remove(at);
                        any = true;
                        put(socket, message).await?;
                        continue;
                    }
                }
                at += 1;
            }
            any |= more;
            while let Some(message) = socket.next().now_or_never() {
                let message = message.ok_or(End::Gone)?.map_err(|_| End::Gone)?;
                self.heard(socket, message).await?;
            }
            // One who is slow may never have taken all.
            if self.note_at.is_some_and(|at| at <= Instant::now()) {
                self.note();
            }
            if !more {
                break;
            }
        }
        if any { flush(socket).await } else { Ok(()) }
    }

    async fn heard(&mut self, socket: &mut WebSocket, message: Message) -> Result<(), End> {
        self.heard = Instant::now();
        if self.heard.duration_since(self.span) > SPAN {
            self.span = self.heard;
            self.messages = 0;
        }
        self.messages += 1;
        if self.messages > MOST_MESSAGES {
            return Err(End::Closed(POLICY, "too many messages"));
        }
        let ask = match message {
            Message::Text(text) => Ask::read(&text),
            Message::Binary(_) => None,
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
            Message::Close(_) => return Err(End::Gone),
        };
        let Some(ask) = ask else {
            self.rubbish += 1;
            return match self.rubbish > MOST_RUBBISH {
                true => Err(End::Closed(POLICY, "not understood")),
                false => Ok(()),
            };
        };
        let answer = match ask {
            Ask::Single { codecs } => {
                let src = self.src.clone().unwrap_or_default();
                self.cameras.clear();
                self.watch(None, &src, StreamRole::Sub, &codecs)
            }
            Ask::Watch {
                channel,
                src,
                main,
                codecs,
            } => {
                let role = if main {
                    StreamRole::Main
                } else {
                    StreamRole::Sub
                };
                self.watch(Some(channel), &src, role, &codecs)
            }
            Ask::Unwatch { channel } => {
                self.cameras
                    .retain(|camera| camera.channel != Some(channel));
                Ok(())
            }
            Ask::Other(name) => {
                let text = messages::error(None, &name, "this box has none");
                put(socket, Message::Text(text)).await?;
                return flush(socket).await;
            }
        };
        match answer {
            Ok(()) => Ok(()),
            Err((channel, why)) => {
                let text = messages::error(channel, "mse", why.sentence());
                put(socket, Message::Text(text)).await?;
                flush(socket).await
            }
        }
    }

    fn watch(
        &mut self,
        channel: Channel,
        src: &str,
        role: StreamRole,
        codecs: &str,
    ) -> Result<(), (Channel, NoLive)> {
        self.cameras.retain(|camera| camera.channel != channel);
        let begun = self.begin(src, Wanted::from_codecs(role, codecs));
        let (seen, view) = begun.map_err(|why| (channel, why))?;
        if self.cameras.len() >= MOST_CAMERAS {
            return Err((channel, NoLive::Unknown));
        }
        self.cameras.push(Watched::new(channel, view));
        self.unnoted.push(seen);
        self.note_at
            .get_or_insert_with(|| Instant::now() + NOTE_AFTER);
        Ok(())
    }

    /// The view of the camera `src`: `SITE/CAMERA`, or a camera of this box.
    fn begin(&self, src: &str, wanted: Wanted) -> Result<(Seen, Box<dyn LiveView>), NoLive> {
        let house = &self.page.house;
        let here = house.local();
        let (site, camera) = match src.split_once('/') {
            Some((site, camera)) => (site.parse::<SiteId>().ok(), camera),
            None => (here.cloned(), src),
        };
        let camera: CameraId = camera.parse().map_err(|_| NoLive::Unknown)?;
        let Some(site) = site else {
            // No box runs here, and of which one it is is not said.
            return Err(match here {
                Some(_) => NoLive::Unknown,
                None => NoLive::Remote,
            });
        };
        if here != Some(&site) {
            return Err(match house.knows(&site, &camera) {
                true => NoLive::Remote,
                false => NoLive::Unknown,
            });
        }
        let live = self.page.live.as_ref().ok_or(NoLive::Remote)?;
        let view = live.watch(&camera, wanted, Arc::clone(&self.wake))?;
        Ok(((site, camera), view))
    }

    /// Writes down who watches what: once for a visit.
    fn note(&mut self) {
        self.note_at = None;
        let seen = std::mem::take(&mut self.unnoted);
        let now = std::time::Instant::now();
        let visits = &self.place.viewers.0.visits;
        let news = visits.news(&self.session.csrf, seen, now);
        if news.is_empty() {
            return;
        }
        let house = &self.page.house;
        let names = news.iter().map(|(site, camera)| house.name(site, camera));
        let names: Vec<String> = names.collect();
        let ids = news.iter().map(|(site, camera)| format!("{site}/{camera}"));
        let ids: Vec<String> = ids.collect();
        let who = &self.session.account.name;
        self.page
            .accounts
            .note(who, "live", &names.join(", "), &ids.join(" "));
    }
}

/// Puts a message on its way; waits while the one before has no room.
async fn put(socket: &mut WebSocket, message: Message) -> Result<(), End> {
    within(socket.feed(message)).await
}

async fn flush(socket: &mut WebSocket) -> Result<(), End> {
    within(socket.flush()).await
}

async fn within(sent: impl Future<Output = Result<(), axum::Error>>) -> Result<(), End> {
    match timeout(DEAD, sent).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(End::Gone),
    }
}

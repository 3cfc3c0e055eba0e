//! One connection: requests are answered rightly, then as the camera would.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Instant,
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::UdpSocket,
};
use tokio_util::sync::CancellationToken;

use super::{
    camera::{Carriers, Place, Reply, Source},
    message::{Answer, Heard, Reader, Request},
    sdp::Facts,
    sender::{Sender, Way},
    shared::{Session, Shared, Wire},
};

/// A connection's state.
pub(super) struct Dialogue {
    shared: Arc<Shared>,
    wire: Arc<Wire>,
    number: u64,
    token: CancellationToken,
    session: Arc<Session>,
    asked: Mutex<BTreeMap<String, u32>>,
    way: tokio::sync::Mutex<Option<Way>>,
    sending: Mutex<Option<CancellationToken>>,
}

impl Dialogue {
    pub(super) fn new(
        to: Box<dyn AsyncWrite + Send + Unpin>,
        number: u64,
        shared: Arc<Shared>,
        token: CancellationToken,
    ) -> Self {
        Self {
            shared,
            wire: Arc::new(Wire::new(to)),
            number,
            token,
            session: Arc::new(Session {
                reports: AtomicU32::new(0),
                alive: Mutex::new(Instant::now()),
            }),
            asked: Mutex::default(),
            way: tokio::sync::Mutex::default(),
            sending: Mutex::default(),
        }
    }

    /// Talks until the viewer goes or the camera has had enough.
    pub(super) async fn run(&self, from: impl AsyncRead + Unpin) {
        let mut reader = Reader::new(from);
        while let Some(heard) = reader.next().await {
            match heard {
                Heard::Packet => {
                    self.session.reports.fetch_add(1, Ordering::Relaxed);
                }
                Heard::Answer(status) => self.shared.seen.lock().answers.push(status),
                Heard::Request(request) => {
                    if !self.handle(&request).await {
                        return;
                    }
                    if self.shared.camera.deaf && request.method == "PLAY" {
                        self.token.cancelled().await;
                    }
                }
            }
        }
    }

    /// Answers; false where the connection ends here.
    async fn handle(&self, request: &Request) -> bool {
        self.shared.note(&request.method);
        let camera = &self.shared.camera;
        let place = self.place(&request.method);
        let passes = self
            .shared
            .gate
            .as_ref()
            .is_none_or(|gate| gate.lock().passes(request));
        let answer = if passes {
            if camera.alive_by.is_empty() || camera.alive_by.contains(&request.method.as_str()) {
                *self.session.alive.lock() = Instant::now();
            }
            let plain = self.right_answer(request).await;
            match &camera.source {
                Source::Clip(_) => plain,
                Source::Recording(recording) => recording.answer(request, plain, self.shared.port),
            }
        } else {
            self.shared.seen.lock().refused += 1;
            let challenges = self.shared.gate.as_ref().map(|g| g.lock().challenges());
            let refusal = Answer::new("401 Unauthorized");
            let challenges = challenges.unwrap_or_default().into_iter();
            challenges.fold(refusal, |answer, challenge| {
                answer.with(format!("WWW-Authenticate: {challenge}"))
            })
        };
        let cseq = request.header("cseq").unwrap_or("0").to_owned();
        self.carry_out((camera.answers)(request, answer, &place), request, &cseq)
            .await
    }

    fn place(&self, method: &str) -> Place {
        let mut asked = self.asked.lock();
        let before = asked.entry(method.to_owned()).or_default();
        *before += 1;
        Place {
            port: self.shared.port,
            before: *before - 1,
            connections: self.number,
        }
    }

    async fn carry_out(&self, reply: Reply, request: &Request, cseq: &str) -> bool {
        let plays = |answer: &Answer| request.method == "PLAY" && answer.is_ok();
        match reply {
            Reply::Send(answer) => {
                let sent = self.write(&answer.bytes(cseq)).await;
                if plays(&answer) {
                    self.play().await;
                }
                if request.method == "TEARDOWN" && answer.is_ok() {
                    self.stop();
                }
                sent
            }
            Reply::Late(answer, wait) => {
                if plays(&answer) {
                    self.play().await;
                }
                tokio::time::sleep(wait).await;
                self.write(&answer.bytes(cseq)).await
            }
            Reply::Bytes(bytes) => {
                let sent = self.write(&bytes).await;
                if request.method == "PLAY" {
                    self.play().await;
                }
                sent
            }
            Reply::Last(answer) => {
                self.write(&answer.bytes(cseq)).await;
                false
            }
            Reply::Silence => true,
            Reply::Close => false,
            Reply::Endless {
                head,
                filler,
                total,
            } => {
                let mut open = self.write(&head).await;
                let mut written = head.len() as u64;
                while open && written < total {
                    open = self.write(&filler).await;
                    written += filler.len() as u64;
                }
                open
            }
            Reply::Drip(answer, pause) => {
                for byte in answer.bytes(cseq) {
                    if !self.write(&[byte]).await {
                        return false;
                    }
                    tokio::time::sleep(pause).await;
                }
                true
            }
        }
    }

    async fn write(&self, bytes: &[u8]) -> bool {
        self.wire.lock().await.write_all(bytes).await.is_ok()
    }

    fn stop(&self) {
        if let Some(sending) = self.sending.lock().take() {
            sending.cancel();
        }
    }

    async fn right_answer(&self, request: &Request) -> Answer {
        let camera = &self.shared.camera;
        let ok = || Answer::new("200 OK");
        match request.method.as_str() {
            "OPTIONS" => ok().with(format!("Public: {}", camera.public)),
            "DESCRIBE" => {
                let mut answer = ok().with("Content-Type: application/sdp");
                if let Some(base) = (camera.content_base)(&request.url) {
                    answer = answer.with(format!("Content-Base: {base}"));
                }
                answer.body = self.sdp().into_bytes();
                answer
            }
            "SETUP" => self.set_up(request).await,
            "PLAY" | "PAUSE" | "GET_PARAMETER" | "SET_PARAMETER" => ok().with(self.session_line()),
            "TEARDOWN" => ok(),
            _ => Answer::new("501 Not Implemented"),
        }
    }

    fn sdp(&self) -> String {
        let camera = &self.shared.camera;
        match &camera.source {
            Source::Clip(clip) => (camera.sdp)(&Facts {
                clip,
                payload_type: camera.says_payload_type,
            }),
            Source::Recording(_) => String::new(),
        }
    }

    fn session_line(&self) -> String {
        let camera = &self.shared.camera;
        let timeout = (camera.says_timeout)(camera.timeout);
        format!("Session: 12345678{timeout}")
    }

    async fn set_up(&self, request: &Request) -> Answer {
        let camera = &self.shared.camera;
        if !(camera.accepts_setup)(&request.url) {
            return Answer::new("404 Not Found");
        }
        let asked = request.header("transport").unwrap_or_default();
        let number = |name: &str| {
            let (_, after) = asked.split_once(name)?;
            after.split(['-', ';', ',']).next()?.parse::<u16>().ok()
        };
        let tcp = number("interleaved=").filter(|_| camera.carriers != Carriers::Udp);
        let udp = number("client_port=").filter(|_| camera.carriers != Carriers::Tcp);
        let said = if let Some(channel) = tcp {
            let channel = (camera.channel)(u8::try_from(channel).unwrap_or(0));
            *self.way.lock().await = Some(Way::Tcp {
                wire: Arc::clone(&self.wire),
                channel,
            });
            format!(
                "RTP/AVP/TCP;unicast;interleaved={channel}-{}",
                channel.wrapping_add(1)
            )
        } else if let Some(port) = udp
            && let Some((way, said)) = datagrams(port).await
        {
            *self.way.lock().await = Some(way);
            said
        } else {
            return Answer::new("461 Unsupported Transport");
        };
        Answer::new("200 OK")
            .with(format!("Transport: {said}"))
            .with(self.session_line())
    }

    async fn play(&self) {
        let Some(way) = self.way.lock().await.take() else {
            return;
        };
        self.shared.seen.lock().granted += 1;
        let sending = self.token.child_token();
        *self.sending.lock() = Some(sending.clone());
        let sender = Sender {
            shared: Arc::clone(&self.shared),
            wire: Arc::clone(&self.wire),
            way,
            session: Arc::clone(&self.session),
            number: self.number,
            sdp: self.sdp(),
            connection: self.token.clone(),
        };
        let tasks = self.shared.tasks.clone();
        tasks.spawn("quirk-sender", async move {
            tokio::select! {
                () = sending.cancelled() => {}
                () = sender.run() => {}
            }
        });
    }
}

/// Two sockets for the viewer's ports, and how the camera speaks of them.
async fn datagrams(port: u16) -> Option<(Way, String)> {
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let rtp = UdpSocket::bind(local).await.ok()?;
    let rtcp = UdpSocket::bind(local).await.ok()?;
    let (a, b) = (
        rtp.local_addr().ok()?.port(),
        rtcp.local_addr().ok()?.port(),
    );
    rtp.connect((Ipv4Addr::LOCALHOST, port)).await.ok()?;
    rtcp.connect((Ipv4Addr::LOCALHOST, port.checked_add(1)?))
        .await
        .ok()?;
    let said = format!(
        "RTP/AVP;unicast;client_port={port}-{};server_port={a}-{b}",
        port + 1
    );
    Some((Way::Udp { rtp, rtcp }, said))
}

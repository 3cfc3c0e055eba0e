//! Requests and their answers: DESCRIBE, SETUP, PLAY and what keeps a session alive, with login and redirects.
//!
//! What the camera asks in between is answered, answers to nothing are passed over, and packets that come before PLAY is
//! answered are kept.

use std::time::Duration;

use bytes::BytesMut;
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::{
    end_reason::SessionEnd,
    observer::Window,
    protocol::{
        control_url,
        digest::{Login, NoAnswer},
        message::{Headers, Request, Response},
    },
    transport::{
        connection::{Broken, Connection, Incoming},
        tls::Trust,
    },
};
use crate::config::SourceConfig;

/// An answer that has not come whole by then does not come.
const ANSWER_WITHIN: Duration = Duration::from_secs(8);
/// Packets, and their bytes, that are kept before PLAY is answered.
const MOST_EARLY: usize = 4096;
const MOST_EARLY_BYTES: usize = 4 * 1024 * 1024;
/// Redirects that are followed.
const MOST_REDIRECTS: usize = 3;
/// Refusals of one request.
const MOST_REFUSALS: usize = 4;

/// The conversation with one camera.
pub(super) struct Dialogue {
    pub(super) link: Connection,
    /// Where it is, without user and password.
    pub(super) camera: Url,
    trust: Option<Trust>,
    login: Login,
    window: Window,
    cseq: u32,
    /// Id of the session, once there is one.
    pub(super) session: Option<String>,
    /// Packets that came before their time.
    pub(super) early: Vec<(u8, BytesMut)>,
    early_bytes: usize,
}

impl From<Broken> for SessionEnd {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Closed => Self::Closed,
            Broken::NotRtsp => Self::Protocol,
            Broken::TooLong => Self::TooLong,
        }
    }
}

impl Dialogue {
    /// Connects.
    pub(super) async fn open(config: &SourceConfig, window: &Window) -> Result<Self, SessionEnd> {
        let mut camera = config.url.clone();
        // An address holds no password by the configuration's contract; make sure that none gets any farther.
        let _ = camera.set_username("");
        let _ = camera.set_password(None);
        let trust = Trust::new(config)?;
        Ok(Self {
            link: Connection::open(&camera, trust.as_ref(), window).await?,
            camera,
            trust,
            login: Login::new(config.user.as_deref(), config.password.as_ref()),
            window: window.clone(),
            cseq: 0,
            session: None,
            early: Vec::new(),
            early_bytes: 0,
        })
    }

    /// Has a request sent; gives its number.
    pub(super) fn send(&mut self, method: &str, uri: &str, headers: &[(&str, &str)]) -> u32 {
        self.cseq += 1;
        let mut text = format!(
            "{method} {uri} RTSP/1.0\r\nCSeq: {}\r\nUser-Agent: Lares/{}\r\n",
            self.cseq,
            env!("CARGO_PKG_VERSION")
        );
        if let Some(session) = &self.session {
            text += &format!("Session: {session}\r\n");
        }
        if let Some(authorization) = self.login.authorization(method, uri) {
            text += &format!("Authorization: {authorization}\r\n");
        }
        for (name, value) in headers {
            text += &format!("{name}: {value}\r\n");
        }
        text += "\r\n";
        self.window.said(text.as_bytes());
        self.link.send(text.as_bytes());
        self.cseq
    }

    /// Takes in what a refusal asks for; whether only the nonce was too old.
    pub(super) fn challenged(&mut self, headers: &Headers) -> Result<bool, SessionEnd> {
        let challenges = headers.all("WWW-Authenticate");
        self.login
            .challenged(challenges)
            .map_err(|none| match none {
                NoAnswer::NoUser => SessionEnd::NoUser,
                NoAnswer::Unspoken(offered) if offered.is_empty() => SessionEnd::Refused,
                NoAnswer::Unspoken(offered) => SessionEnd::UnknownLogin { offered },
            })
    }

    /// Answers what the camera asks: politely, and without doing anything.
    pub(super) fn serve(&mut self, request: &Request) {
        let status = match request.method.as_str() {
            "OPTIONS" | "GET_PARAMETER" | "SET_PARAMETER" | "ANNOUNCE" => "200 OK",
            "REDIRECT" | "TEARDOWN" => "200 OK",
            _ => "501 Not Implemented",
        };
        let cseq = request.headers.get("CSeq").unwrap_or("0");
        let text = format!("RTSP/1.0 {status}\r\nCSeq: {cseq}\r\nPublic: OPTIONS\r\n\r\n");
        self.window.said(text.as_bytes());
        self.link.send(text.as_bytes());
    }

    async fn answer(&mut self, cseq: u32) -> Result<Response, Broken> {
        loop {
            while let Some(next) = self.link.next()? {
                match next {
                    // Cheap cameras leave the number out: then it is the one that is awaited.
                    Incoming::Response(response)
                        // What is only on the way (100 Continue) is no answer yet.
                        if response.status >= 200
                            && response.headers.cseq().is_none_or(|number| number == cseq) =>
                    {
                        return Ok(response);
                    }
                    Incoming::Response(_) => {}
                    Incoming::Request(request) => self.serve(&request),
                    Incoming::Data(channel, data) => self.keep(channel, data),
                }
            }
            self.link.turn().await?;
        }
    }

    fn keep(&mut self, channel: u8, data: BytesMut) {
        self.early_bytes += data.len();
        if self.early.len() < MOST_EARLY && self.early_bytes <= MOST_EARLY_BYTES {
            self.early.push((channel, data));
        }
    }

    /// Sends a request and waits for its answer. Answers challenges, on a new connection where the camera hangs up after
    /// each.
    pub(super) async fn call(
        &mut self,
        method: &'static str,
        uri: &str,
        headers: &[(&str, &str)],
    ) -> Result<Response, SessionEnd> {
        let mut refusals = 0;
        let mut reconnected = 0;
        let mut fresh = false;
        loop {
            let deadline = Instant::now() + ANSWER_WITHIN;
            let cseq = self.send(method, uri, headers);
            let answer = timeout_at(deadline, self.answer(cseq)).await;
            match answer {
                Err(_) => return Err(SessionEnd::Mute),
                Ok(Ok(response)) if response.http => return Err(SessionEnd::Http),
                Ok(Ok(response)) if response.status == 401 => {
                    refusals += 1;
                    let stale = self.challenged(&response.headers)?;
                    // With a nonce of this very request it is the password that is wrong.
                    if refusals >= MOST_REFUSALS || (fresh && !stale) {
                        return Err(SessionEnd::Refused);
                    }
                    fresh = true;
                }
                Ok(Ok(response)) => return Ok(response),
                Ok(Err(Broken::Closed)) if refusals > reconnected => {
                    reconnected = refusals;
                    self.link =
                        Connection::open(&self.camera, self.trust.as_ref(), &self.window).await?;
                }
                Ok(Err(Broken::Closed)) if self.cseq == 1 && self.link.silent() => {
                    return Err(SessionEnd::Mute);
                }
                Ok(Err(broken)) => return Err(broken.into()),
            }
        }
    }

    /// Asks for the description. Gives the answer and the address that was asked in the end.
    pub(super) async fn describe(&mut self) -> Result<(Response, String), SessionEnd> {
        let mut asked = control_url::plain(&self.camera);
        for _ in 0..=MOST_REDIRECTS {
            let accept = [("Accept", "application/sdp")];
            let response = self.call("DESCRIBE", &asked, &accept).await?;
            match response.status {
                200..=299 => return Ok((response, asked)),
                300..=399 => {
                    match control_url::redirect(response.headers.get("Location"), &self.camera) {
                        control_url::Redirect::Here(there) => {
                            let moved = there.port() != self.camera.port()
                                || there.scheme() != self.camera.scheme();
                            self.camera = there;
                            asked = control_url::plain(&self.camera);
                            if moved || self.link_is_closed().await {
                                self.link = Connection::open(
                                    &self.camera,
                                    self.trust.as_ref(),
                                    &self.window,
                                )
                                .await?;
                            }
                        }
                        control_url::Redirect::Elsewhere(host) => {
                            return Err(SessionEnd::Redirected { host });
                        }
                        control_url::Redirect::Nowhere => {
                            return Err(status(response.status, "DESCRIBE"));
                        }
                    }
                }
                other => return Err(status(other, "DESCRIBE")),
            }
        }
        Err(SessionEnd::Protocol)
    }

    /// Whether the camera hangs up after what it has just said.
    async fn link_is_closed(&mut self) -> bool {
        const SOON: Duration = Duration::from_millis(100);
        matches!(
            tokio::time::timeout(SOON, self.link.turn()).await,
            Ok(Err(_))
        )
    }

    /// Ends the session, and waits for the answer for a moment.
    pub(super) async fn teardown(&mut self, uri: &str) {
        /// The camera may have gone.
        const WITHIN: Duration = Duration::from_secs(1);
        if self.session.is_none() {
            return;
        }
        let cseq = self.send("TEARDOWN", uri, &[]);
        let done = async {
            loop {
                match self.link.next() {
                    Ok(Some(Incoming::Response(response)))
                        if response.headers.cseq().is_none_or(|number| number == cseq) =>
                    {
                        return;
                    }
                    Ok(Some(_)) => continue,
                    Ok(None) => {}
                    Err(_) => return,
                }
                if self.link.turn().await.is_err() {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(WITHIN, done).await;
    }
}

/// What a status other than success means.
pub(super) fn status(status: u16, method: &'static str) -> SessionEnd {
    match status {
        401 => SessionEnd::Refused,
        403 => SessionEnd::Forbidden,
        404 | 410 => SessionEnd::NotFound,
        453 | 503 => SessionEnd::Busy,
        461 => SessionEnd::TransportRefused,
        status => SessionEnd::Status { status, method },
    }
}

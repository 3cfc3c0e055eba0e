//! The HTTP client below receivers that speak it: bodies leave in pieces at the pace of the link, and what has left is counted.
//!
//! In: requests of `object_store`, or our own. Out: answers of bounded length, and through the request's [`TransferStats`] what else is
//! learnt: how much of the body has left, and for how long the receiver asks to be left alone. It never tries anything twice and
//! follows no redirect: what was meant for one receiver, with its login or signature, is for nobody else.

use std::{
    error::Error,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::stream;
use http_body_util::BodyExt;
use object_store::{
    ClientOptions,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody,
        HttpResponse, HttpService,
    },
};
use parking_lot::Mutex;
use reqwest::{StatusCode, header::HeaderMap};

use super::{EndpointError, pace::Pacer, tls};

/// A receiver that does not answer this quickly is away.
const CONNECT: Duration = Duration::from_secs(10);
/// A connection that was not used for this long is closed: many servers close theirs soon after, in the middle of a request.
const IDLE: Duration = Duration::from_secs(15);
/// Longest answer of a store that is read. Answers to uploads are short; a hostile one must not fill the memory.
const LONGEST_ANSWER: usize = 1 << 20;
/// Longest time for which a store may ask to be left alone.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// What is learnt of one upload beside its answer. Travels in the request's extensions.
#[derive(Debug, Default)]
pub struct TransferStats {
    /// Bytes of the body that have left.
    sent: AtomicU64,
    retry_after: Mutex<Option<Duration>>,
}

impl TransferStats {
    /// Bytes of the body that have left.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// For how long the store asks to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        *self.retry_after.lock()
    }
}

/// A client that trusts the system's certificates and those in `ca_file`; `refuse` makes an error of what is wrong with the
/// configuration.
pub fn client(
    ca_file: Option<&Path>,
    https_only: bool,
    refuse: &dyn Fn(String) -> EndpointError,
) -> Result<reqwest::Client, EndpointError> {
    let mut client = reqwest::Client::builder()
        .connect_timeout(CONNECT)
        .pool_idle_timeout(IDLE)
        .https_only(https_only)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("lares/", env!("CARGO_PKG_VERSION")));
    if let Some(path) = ca_file {
        let pem = tls::read_pem(path)?;
        let certificates = reqwest::Certificate::from_pem_bundle(&pem)
            .map_err(|error| refuse(error.to_string()))?;
        for certificate in certificates {
            client = client.add_root_certificate(certificate);
        }
    }
    client.build().map_err(|error| refuse(full_text(&error)))
}

/// The errors of HTTP hide below several layers.
pub fn innermost(error: &dyn Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    let text = inner.to_string();
    text.lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(200)
        .collect()
}

/// What all layers say.
pub fn full_text(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut inner = error;
    while let Some(source) = inner.source() {
        text.push_str(&source.to_string());
        inner = source;
    }
    text
}

/// An answer, as much of it as was read.
#[derive(Debug)]
pub struct Answer {
    /// The status of HTTP.
    pub status: StatusCode,
    /// All headers.
    pub headers: HeaderMap,
    /// The body, cut where it was longer than asked for.
    pub body: Bytes,
}

/// A client whose bodies keep the pace.
#[derive(Debug)]
pub struct PacedClient {
    client: reqwest::Client,
    pacer: Arc<Pacer>,
}

impl PacedClient {
    /// `client`, with bodies that leave as `pacer` allows.
    #[must_use]
    pub fn new(client: reqwest::Client, pacer: Arc<Pacer>) -> Self {
        Self { client, pacer }
    }

    /// Sends `request` with the content `body` and reads at most `longest` bytes of the answer.
    pub async fn send(
        &self,
        mut request: reqwest::Request,
        body: Bytes,
        transfer: Option<&Arc<TransferStats>>,
        longest: usize,
    ) -> Result<Answer, reqwest::Error> {
        *request.body_mut() = Some(self.body(body, transfer.cloned()));
        let mut response = self.client.execute(request).await?;
        if let Some(transfer) = transfer {
            *transfer.retry_after.lock() = retry_after(&response);
        }
        let mut answer = BytesMut::new();
        while let Some(more) = response.chunk().await? {
            let room = longest - answer.len();
            answer.extend_from_slice(&more[..more.len().min(room)]);
            if answer.len() == longest {
                break;
            }
        }
        Ok(Answer {
            status: response.status(),
            headers: std::mem::take(response.headers_mut()),
            body: answer.freeze(),
        })
    }

    /// For requests of our own.
    pub fn request(&self, method: reqwest::Method, url: url::Url) -> reqwest::RequestBuilder {
        self.client.request(method, url)
    }

    fn body(&self, bytes: Bytes, transfer: Option<Arc<TransferStats>>) -> reqwest::Body {
        if bytes.is_empty() {
            return reqwest::Body::from(bytes);
        }
        let pacer = Arc::clone(&self.pacer);
        reqwest::Body::wrap_stream(stream::unfold(bytes, move |mut left| {
            let (pacer, transfer) = (Arc::clone(&pacer), transfer.clone());
            async move {
                if left.is_empty() {
                    return None;
                }
                let piece = left.split_to(pacer.piece().min(left.len()));
                pacer.piece_may_leave(piece.len()).await;
                if let Some(transfer) = transfer {
                    let bytes = piece.len() as u64;
                    transfer.sent.fetch_add(bytes, Ordering::Relaxed);
                }
                Some((Ok::<_, std::io::Error>(piece), left))
            }
        }))
    }
}

fn failed(error: reqwest::Error) -> HttpError {
    let kind = if error.is_timeout() {
        HttpErrorKind::Timeout
    } else if error.is_connect() {
        HttpErrorKind::Connect
    } else {
        HttpErrorKind::Unknown
    };
    // An address may hold a signature.
    HttpError::new(kind, error.without_url())
}

async fn whole(body: HttpRequestBody) -> Result<Bytes, HttpError> {
    Ok(body.collect().await?.to_bytes())
}

/// Seconds, as almost every store writes them; a date would need a clock that agrees with the store's.
fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    let text = response.headers().get(reqwest::header::RETRY_AFTER)?;
    let seconds = text.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_PAUSE))
}

#[async_trait]
impl HttpService for PacedClient {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let url = parts
            .uri
            .to_string()
            .parse()
            .map_err(|error: url::ParseError| HttpError::new(HttpErrorKind::Request, error))?;
        let transfer = parts.extensions.get::<Arc<TransferStats>>();
        let mut out = reqwest::Request::new(parts.method, url);
        *out.headers_mut() = parts.headers;
        let body = whole(body).await?;
        let answer = self.send(out, body, transfer, LONGEST_ANSWER).await;
        let answer = answer.map_err(failed)?;
        let mut given = HttpResponse::new(answer.body.into());
        *given.status_mut() = answer.status;
        *given.headers_mut() = answer.headers;
        Ok(given)
    }
}

/// Hands out one client, made beforehand.
#[derive(Debug)]
pub struct Connector(HttpClient);

impl Connector {
    /// Hands out `client` each time.
    #[must_use]
    pub fn new(client: HttpClient) -> Self {
        Self(client)
    }
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(self.0.clone())
    }
}

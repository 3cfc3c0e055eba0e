//! The HTTP client below uploads: bodies leave in pieces at the pace of the link, and what has left is counted.
//!
//! In: requests of `object_store`. Out: its responses, and through the request's [`Exchange`] what the crate keeps to itself: how
//! much of the body has left, and for how long the store asks to be left alone. It never tries anything twice.

use std::{
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

use crate::outbox::pace::Pacer;

/// Longest answer of a store that is read. Answers to uploads are short; a hostile one must not fill the memory.
const LONGEST_ANSWER: usize = 1 << 20;
/// Longest time for which a store may ask to be left alone.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// What is learnt of one upload beside its answer. Travels in the request's extensions.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    /// Bytes of the body that have left.
    sent: AtomicU64,
    retry_after: Mutex<Option<Duration>>,
}

impl Exchange {
    /// Bytes of the body that have left.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// For how long the store asks to be left alone.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        *self.retry_after.lock()
    }
}

/// A client whose bodies keep the pace.
#[derive(Debug)]
pub(super) struct PacedClient {
    client: reqwest::Client,
    pacer: Arc<Pacer>,
}

impl PacedClient {
    pub(super) fn new(client: reqwest::Client, pacer: Arc<Pacer>) -> Self {
        Self { client, pacer }
    }

    fn body(&self, bytes: Bytes, exchange: Option<Arc<Exchange>>) -> reqwest::Body {
        if bytes.is_empty() {
            return reqwest::Body::from(bytes);
        }
        let pacer = Arc::clone(&self.pacer);
        reqwest::Body::wrap_stream(stream::unfold(bytes, move |mut left| {
            let (pacer, exchange) = (Arc::clone(&pacer), exchange.clone());
            async move {
                if left.is_empty() {
                    return None;
                }
                let piece = left.split_to(pacer.piece().min(left.len()));
                pacer.piece_may_leave(piece.len()).await;
                if let Some(exchange) = exchange {
                    let bytes = piece.len() as u64;
                    exchange.sent.fetch_add(bytes, Ordering::Relaxed);
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
        let exchange = parts.extensions.get::<Arc<Exchange>>().cloned();
        let mut out = reqwest::Request::new(parts.method, url);
        *out.headers_mut() = parts.headers;
        *out.body_mut() = Some(self.body(whole(body).await?, exchange.clone()));

        let mut response = self.client.execute(out).await.map_err(failed)?;
        if let Some(exchange) = exchange {
            *exchange.retry_after.lock() = retry_after(&response);
        }
        let mut answer = BytesMut::new();
        while let Some(more) = response.chunk().await.map_err(failed)? {
            let room = LONGEST_ANSWER - answer.len();
            answer.extend_from_slice(&more[..more.len().min(room)]);
            if answer.len() == LONGEST_ANSWER {
                break;
            }
        }
        let mut given = HttpResponse::new(answer.freeze().into());
        *given.status_mut() = response.status();
        std::mem::swap(given.headers_mut(), response.headers_mut());
        Ok(given)
    }
}

/// Hands out one client, made beforehand.
#[derive(Debug)]
pub(super) struct PacedConnector(HttpClient);

impl PacedConnector {
    pub(super) fn new(client: PacedClient) -> Self {
        Self(HttpClient::new(client))
    }
}

impl HttpConnector for PacedConnector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(self.0.clone())
    }
}

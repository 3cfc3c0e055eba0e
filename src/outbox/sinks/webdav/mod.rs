//! Clips and pictures to a WebDAV server (a NAS, Nextcloud, Apache, nginx).
//!
//! In: objects from the pump. Out: files under their keys below the address's folder, whole or not at all: an object is put under
//! another name and moved to its own when it is there. Folders are made once and remembered. The address's own folder is never
//! made: where it is missing, somebody has moved it, or the address is wrong.
//!
//! RFC 4918 for MKCOL and MOVE; login by HTTP Basic only.

mod refusals;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use parking_lot::Mutex;
use reqwest::{
    Method, RequestBuilder, StatusCode,
    header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue},
};
use url::Url;

use super::{
    Around, Body, Built, Delivery, Outcome, Payload, Probe, Sink, SinkKind, Takes,
    endpoint_health::EndpointHealth,
    store::{AT_ONCE, LEAST_TIME, content, time_on_top},
    wire_cost::{PACKET, Sent},
};
use crate::{
    config::{Config, Secret, UploadConfig},
    net::{
        EndpointError,
        http::{self, Answer, PacedClient, TransferStats},
        pace::Pacer,
    },
};

/// What an object is called until all of it is there. Some servers refuse names that begin with a dot or end in `.part`.
const UNFINISHED: &str = ".lares-tmp";
/// Folders that are remembered; more are asked for again.
const MOST_FOLDERS: usize = 4096;
/// Nothing in an answer matters to us beyond this.
const LONGEST_ANSWER: usize = 64 * 1024;

/// Heads of the requests that an object takes: PUT, MOVE, and a share of those for folders.
const HEADS: f64 = 700.0;
/// Packets of ours around these.
const PACKETS: f64 = 4.5;

/// Its line in the registry.
pub(super) static KIND: SinkKind = SinkKind {
    shown: "store",
    takes: Takes::Objects,
    build,
    probe,
    wire_cost,
};

/// What `[upload]` names, where it is a WebDAV server.
fn named(config: &Config) -> Option<&UploadConfig> {
    let upload = config.upload.as_ref();
    upload.filter(|upload| upload.url.scheme().starts_with("webdav"))
}

fn build(config: &Config, around: &Around<'_>) -> Built {
    let Some(upload) = named(config) else {
        return Ok(None);
    };
    Ok(Some(Arc::new(WebDavSink::new(upload, around.pacer)?)))
}

fn probe<'a>(config: &'a Config, pacer: &'a Arc<Pacer>) -> Option<Probe<'a>> {
    let upload = named(config)?;
    let probed = async move {
        let sink = WebDavSink::new(upload, pacer).map_err(|error| error.to_string())?;
        sink.probe().await?;
        Ok(format!("{} takes objects", upload.url))
    };
    Some(probed.boxed())
}

fn wire_cost(sent: &Sent<'_>) -> Option<f64> {
    let secure = sent.recipient.starts_with("webdavs://");
    if !secure && !sent.recipient.starts_with("webdav://") {
        return None;
    }
    let heads = HEADS + 2.0 * Sent::record(secure) + PACKETS * PACKET;
    Some(sent.stretched(secure) + sent.records() * heads)
}

/// A WebDAV server.
pub struct WebDavSink(Arc<Inner>);

struct Inner {
    client: PacedClient,
    /// Of the folder, with a slash at its end.
    base: Url,
    /// As in the configuration, without secrets.
    shown: String,
    user: Option<String>,
    password: Option<Secret>,
    pacer: Arc<Pacer>,
    /// Time that every upload gets.
    least_time: Duration,
    health: EndpointHealth,
    /// Folders that are there, as far as is known.
    folders: Mutex<BTreeSet<String>>,
}

/// Why a step did not work: already sorted.
struct Failed(Outcome);

impl WebDavSink {
    /// The server that `config` names, fed at the pace of `pacer`. Nothing is opened yet.
    ///
    /// # Errors
    /// When the address or the certificates are of no use.
    pub fn new(config: &UploadConfig, pacer: &Arc<Pacer>) -> Result<Self, EndpointError> {
        let refuse = |reason: String| EndpointError::Address {
            setting: "upload.url",
            url: config.url.to_string(),
            reason,
        };
        let example = || refuse("write it like webdavs://host/folder".to_owned());
        let scheme = match config.url.scheme() {
            "webdav" => "http",
            "webdavs" => "https",
            _ => return Err(example()),
        };
        let text = config.url.as_str();
        let rest = text.split_once("://").ok_or_else(example)?.1;
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let base = format!("{scheme}://{}/", rest.trim_end_matches('/'));
        let base = Url::parse(&base).map_err(|_| example())?;
        let client = http::client(config.ca_file.as_deref(), scheme == "https", &refuse)?;
        Ok(Self(Arc::new(Inner {
            client: PacedClient::new(client, Arc::clone(pacer)),
            base,
            shown: format!("{}://{}", config.url.scheme(), rest.trim_end_matches('/')),
            user: config.user.clone(),
            password: config.password.clone(),
            pacer: Arc::clone(pacer),
            least_time: LEAST_TIME,
            health: EndpointHealth::new(),
            folders: Mutex::default(),
        })))
    }

    /// With less patience than a real server deserves.
    #[cfg(test)]
    pub(crate) fn impatient(mut self, patience: Duration) -> Self {
        let inner = Arc::get_mut(&mut self.0).expect("nobody else has it yet");
        inner.least_time = patience;
        inner.health = EndpointHealth::with_pause(patience);
        self
    }

    /// Whether the server takes an object: puts a small one and deletes it again. For `lares check`.
    ///
    /// # Errors
    /// One sentence that says what to do.
    pub async fn probe(&self) -> Result<(), String> {
        let key = "v1/lares-check";
        let body = Bytes::from_static(b"lares check\n");
        match self.0.put(key, "text/plain", body, &Arc::default()).await {
            Outcome::Delivered { .. } => {
                if let Some(url) = self.0.url(key) {
                    let request = self.0.request(Method::DELETE, url);
                    let _ = self.0.ask(request, Bytes::new(), &Arc::default()).await;
                }
                Ok(())
            }
            Outcome::Retry { reason, .. } | Outcome::Reject { reason } => Err(reason),
        }
    }
}

fn method(name: &'static str) -> Method {
    Method::from_bytes(name.as_bytes()).expect("a method's name is made of letters")
}

/// A number or a tag out of an answer, short enough for the ledger.
fn header(headers: &HeaderMap, name: reqwest::header::HeaderName) -> Option<String> {
    let text = headers.get(name)?.to_str().ok()?;
    Some(text.chars().take(200).collect())
}

impl Inner {
    fn url(&self, path: &str) -> Option<Url> {
        self.base.join(path).ok()
    }

    fn request(&self, method: Method, url: Url) -> RequestBuilder {
        let request = self.client.request(method, url);
        match &self.user {
            Some(user) => {
                request.basic_auth(user, self.password.as_ref().map(|secret| secret.expose()))
            }
            None => request,
        }
    }

    async fn ask(
        &self,
        request: RequestBuilder,
        body: Bytes,
        transfer: &Arc<TransferStats>,
    ) -> Result<Answer, reqwest::Error> {
        let request = request.build()?;
        self.client
            .send(request, body, Some(transfer), LONGEST_ANSWER)
            .await
    }

    async fn put(
        &self,
        key: &str,
        content_type: &'static str,
        bytes: Bytes,
        transfer: &Arc<TransferStats>,
    ) -> Outcome {
        let length = bytes.len() as u64;
        let allowed = self.least_time + time_on_top(&self.pacer, length);
        let steps = self.steps(key, content_type, bytes, transfer);
        match tokio::time::timeout(allowed, steps).await {
            Ok(Ok(receipt)) => {
                self.health.good();
                Outcome::Delivered { receipt }
            }
            Ok(Err(Failed(outcome))) => outcome,
            Err(_) => self.health.stuck(format!(
                "{key} did not get through in {} s",
                allowed.as_secs()
            )),
        }
    }

    /// Folders, the object under another name, and its own name. Gives the receipt.
    async fn steps(
        &self,
        key: &str,
        content_type: &'static str,
        bytes: Bytes,
        transfer: &Arc<TransferStats>,
    ) -> Result<Option<String>, Failed> {
        let unfinished = format!("{key}{UNFINISHED}");
        let (Some(part), Some(whole)) = (self.url(&unfinished), self.url(key)) else {
            return Err(Failed(Outcome::Reject {
                reason: format!("{key} is no name for an object"),
            }));
        };
        self.make_folders(key, transfer).await?;
        let length = bytes.len() as u64;
        let request = self
            .request(Method::PUT, part.clone())
            .header(CONTENT_TYPE, content_type)
            .header(CONTENT_LENGTH, length);
        let put = self.answer(key, request, bytes, transfer).await?;
        if !put.status.is_success() {
            return Err(self.refused(key, "PUT", &put, transfer));
        }
        let destination = HeaderValue::from_str(whole.as_str()).map_err(|_| {
            Failed(Outcome::Reject {
                reason: format!("{key} is no name for an object"),
            })
        })?;
        let request = self
            .request(method("MOVE"), part)
            .header("Destination", destination)
            .header("Overwrite", "T");
        let moved = self.answer(key, request, Bytes::new(), transfer).await?;
        if !moved.status.is_success() || moved.status == StatusCode::MULTI_STATUS {
            return Err(self.refused(key, "MOVE", &moved, transfer));
        }
        let tag = header(&moved.headers, ETAG).or_else(|| header(&put.headers, ETAG));
        match tag {
            Some(tag) => Ok(Some(tag)),
            None => self.measure(key, whole, length, transfer).await,
        }
    }

    /// Asks a server that gives no tag how long the object is that it has now.
    async fn measure(
        &self,
        key: &str,
        url: Url,
        length: u64,
        transfer: &Arc<TransferStats>,
    ) -> Result<Option<String>, Failed> {
        let request = self.request(Method::HEAD, url);
        let answer = self.answer(key, request, Bytes::new(), transfer).await?;
        if !answer.status.is_success() {
            // Some let write what they do not let read.
            return Ok(None);
        }
        if let Some(tag) = header(&answer.headers, ETAG) {
            return Ok(Some(tag));
        }
        let there = header(&answer.headers, CONTENT_LENGTH);
        let there: Option<u64> = there.and_then(|text| text.parse().ok());
        match there {
            Some(there) if there != length => Err(Failed(self.health.stuck(format!(
                "the store {} has {there} bytes of {key}, not {length}",
                self.shown
            )))),
            Some(_) => Ok(Some(format!("{length} bytes"))),
            None => Ok(None),
        }
    }

    /// Makes the folders of `key` that are not known to be there, from the top down.
    async fn make_folders(&self, key: &str, transfer: &Arc<TransferStats>) -> Result<(), Failed> {
        let slashes = key.match_indices('/').map(|(at, _)| &key[..=at]);
        for folder in slashes {
            if self.folders.lock().contains(folder) {
                continue;
            }
            let Some(url) = self.url(folder) else {
                continue;
            };
            let request = self.request(method("MKCOL"), url);
            let answer = self.answer(key, request, Bytes::new(), transfer).await?;
            let there = answer.status.is_success() || exists(&answer);
            let lost = matches!(answer.status.as_u16(), 404 | 409);
            if lost && folder.matches('/').count() == 1 {
                return Err(Failed(self.health.needs_a_person(format!(
                    "the store {} has no such folder: create it, or correct upload.url",
                    self.shown
                ))));
            }
            if !there {
                return Err(self.refused(key, "MKCOL", &answer, transfer));
            }
            let mut folders = self.folders.lock();
            if folders.len() >= MOST_FOLDERS {
                folders.clear();
            }
            folders.insert(folder.to_owned());
        }
        Ok(())
    }

    async fn answer(
        &self,
        key: &str,
        request: RequestBuilder,
        body: Bytes,
        transfer: &Arc<TransferStats>,
    ) -> Result<Answer, Failed> {
        let answer = self.ask(request, body, transfer).await;
        answer.map_err(|error| Failed(self.failed(key, &error.without_url())))
    }
}

/// Whether an answer to MKCOL says that the folder is there: 405 as RFC 4918 has it. nginx and Apache say so too, but 405 with a list of
/// methods that does not hold even PUT or PROPFIND comes from what is no WebDAV server.
fn exists(answer: &Answer) -> bool {
    if answer.status != StatusCode::METHOD_NOT_ALLOWED {
        return false;
    }
    header(&answer.headers, ALLOW).is_none_or(|methods| {
        let methods = methods.to_ascii_uppercase();
        methods.is_empty() || methods.contains("PROPFIND") || methods.contains("PUT")
    })
}

impl Sink for WebDavSink {
    fn name(&self) -> &'static str {
        "upload"
    }

    fn takes(&self) -> Takes {
        Takes::Objects
    }

    fn recipient(&self) -> String {
        self.0.shown.clone()
    }

    fn at_once(&self) -> usize {
        if self.0.pacer.thin() { 1 } else { AT_ONCE }
    }

    fn ready(&self) -> BoxFuture<'_, ()> {
        self.0.health.ready()
    }

    fn deliver(&self, delivery: Delivery) -> BoxFuture<'static, Outcome> {
        let inner = Arc::clone(&self.0);
        let transfer = delivery.delivery_id.reservation.transfer;
        async move {
            let (key, content_type, body): (String, &'static str, Body) = match delivery.payload {
                Payload::Object {
                    key,
                    content_type,
                    body,
                } => (key, content_type, body),
                Payload::Alert { .. } => {
                    return Outcome::Reject {
                        reason: "a store takes no alerts".to_owned(),
                    };
                }
            };
            match content(body).await {
                Ok(bytes) => inner.put(&key, content_type, bytes, &transfer).await,
                Err(reason) => Outcome::Reject { reason },
            }
        }
        .boxed()
    }

    fn problem(&self) -> Option<String> {
        self.0.health.problem()
    }
}

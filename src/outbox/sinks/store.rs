//! Clips and pictures to an S3 store or to a folder (a disk, a NAS), by `object_store`.
//!
//! Each failure becomes one readable sentence and a decision: try this object again, wait for the whole store, or give
//! the object up. The crate's own retries are off: the outbox knows better what else could go meanwhile.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use object_store::{
    Attribute, Attributes, Error, ObjectStore, ObjectStoreExt, PutOptions, client::HttpClient,
    local::LocalFileSystem, path::Path as Key,
};
use sha2::{Digest, Sha256};

use super::{
    Around, Body, Built, Delivery, Outcome, Payload, Probe, Sink, SinkKind, Takes,
    endpoint_health::{EndpointHealth, later},
    wire_cost::{PACKET, Sent},
};
use crate::{
    config::{Config, UploadConfig},
    net::{
        EndpointError,
        http::{PacedClient, TransferStats, full_text, innermost},
        name_is_unknown,
        pace::Pacer,
        s3, tls,
    },
};

/// Uploads at once: enough to hide the round trips of a far store, few enough for a thin link.
pub(super) const AT_ONCE: usize = 3;
/// Time that every upload gets ...
pub(super) const LEAST_TIME: Duration = Duration::from_secs(30);
/// ... and bytes a second that the thinnest useful link carries on top.
const THINNEST_LINK: u64 = 4_000;
/// On a paced link an upload shares it with text and with the other uploads: so many times its own time is still no failure.
const PATIENCE_WITH_OTHERS: u32 = 8;

/// Request line and signed headers of an upload to S3.
const S3_HEAD: f64 = 800.0;
/// Packets of ours around an upload: the acknowledgement of the answer, and a share of opening and closing connections.
const S3_PACKETS: f64 = 2.5;

/// Its line in the registry.
pub(super) static KIND: SinkKind = SinkKind {
    shown: "store",
    takes: Takes::Objects,
    build,
    probe,
    wire_cost,
};

/// What `[upload]` names, where it is no WebDAV server.
fn named(config: &Config) -> Option<&UploadConfig> {
    let upload = config.upload.as_ref();
    upload.filter(|upload| !upload.url.scheme().starts_with("webdav"))
}

fn build(config: &Config, around: &Around<'_>) -> Built {
    let Some(upload) = named(config) else {
        return Ok(None);
    };
    Ok(Some(Arc::new(StoreSink::new(upload, around.pacer)?)))
}

fn probe<'a>(config: &'a Config, pacer: &'a Arc<Pacer>) -> Option<Probe<'a>> {
    let upload = named(config)?;
    let probed = async move {
        let sink = StoreSink::new(upload, pacer).map_err(|error| error.to_string())?;
        sink.probe().await?;
        Ok(format!("{} takes objects", upload.url))
    };
    Some(probed.boxed())
}

/// A folder has no overhead here: what a NAS's own protocol adds is not known.
fn wire_cost(sent: &Sent<'_>) -> Option<f64> {
    let recipient = sent.recipient;
    if !recipient.starts_with("s3://") {
        return None;
    }
    let secure = recipient.contains(" at https://") || recipient.ends_with(" at Amazon S3");
    let heads = S3_HEAD + Sent::record(secure) + S3_PACKETS * PACKET;
    Some(sent.stretched(secure) + sent.records() * heads)
}

/// A store of objects.
pub struct StoreSink(Arc<Inner>);

struct Inner {
    store: Box<dyn ObjectStore>,
    /// Before each key; empty or ending in a slash.
    prefix: String,
    target: Target,
    pacer: Arc<Pacer>,
    /// Time that every upload gets.
    least_time: Duration,
    health: EndpointHealth,
}

enum Target {
    S3 { bucket: String, endpoint: String },
    Folder(PathBuf),
}

impl StoreSink {
    /// The store that `config` names, fed at the pace of `pacer` (a folder is not: it is in the house). Nothing is opened yet.
    ///
    /// # Errors
    /// When the address or the certificates are of no use.
    pub fn new(config: &UploadConfig, pacer: &Arc<Pacer>) -> Result<Self, EndpointError> {
        let refuse = |reason| s3::refusal(config, reason);
        let (store, prefix, target): (Box<dyn ObjectStore>, _, _) = match config.url.scheme() {
            "file" => {
                let folder = config
                    .url
                    .to_file_path()
                    .map_err(|()| refuse("write it like file:///mnt/nas/lares".to_owned()))?;
                let store = LocalFileSystem::new().with_fsync(true);
                (Box::new(store), String::new(), Target::Folder(folder))
            }
            "s3" => {
                let paced = |client| PacedClient::new(client, Arc::clone(pacer));
                let (store, bucket, prefix) =
                    s3::open(config, &refuse, |client| HttpClient::new(paced(client)))?;
                let endpoint = config
                    .endpoint
                    .as_ref()
                    .map_or("Amazon S3".to_owned(), |url| url.to_string());
                (Box::new(store), prefix, Target::S3 { bucket, endpoint })
            }
            other => {
                return Err(refuse(format!(
                    "\"{other}\" is unknown: write s3://bucket/folder or file:///folder"
                )));
            }
        };
        Ok(Self(Arc::new(Inner {
            store,
            prefix,
            target,
            pacer: Arc::clone(pacer),
            least_time: LEAST_TIME,
            health: EndpointHealth::new(),
        })))
    }

    /// With less patience than a real store deserves.
    #[cfg(test)]
    pub(crate) fn impatient(mut self, patience: Duration) -> Self {
        let inner = Arc::get_mut(&mut self.0).expect("nobody else has it yet");
        inner.least_time = patience;
        inner.health = EndpointHealth::with_pause(patience);
        self
    }

    /// Whether the store takes an object: puts a small one and deletes it again. For `lares check`.
    ///
    /// # Errors
    /// One sentence that says what to do.
    pub async fn probe(&self) -> Result<(), String> {
        let key = "v1/lares-check";
        let body = Bytes::from_static(b"lares check\n");
        match self.0.put(key, "text/plain", body, &Arc::default()).await {
            Outcome::Delivered { .. } => {
                if let Ok(path) = self.0.path(key) {
                    let _ = self.0.store.delete(&path).await;
                }
                Ok(())
            }
            Outcome::Retry { reason, .. } | Outcome::Reject { reason } => Err(reason),
        }
    }
}

impl Inner {
    fn path(&self, key: &str) -> Result<Key, object_store::path::Error> {
        match &self.target {
            Target::S3 { .. } => Key::parse(format!("{}{key}", self.prefix)),
            Target::Folder(folder) => Key::from_absolute_path(folder.join(key)),
        }
    }

    async fn send(
        &self,
        key: &str,
        content_type: &'static str,
        body: Body,
        transfer: &Arc<TransferStats>,
    ) -> Outcome {
        let bytes = match content(body).await {
            Ok(bytes) => bytes,
            Err(reason) => return Outcome::Reject { reason },
        };
        self.put(key, content_type, bytes, transfer).await
    }

    async fn put(
        &self,
        key: &str,
        content_type: &'static str,
        bytes: Bytes,
        transfer: &Arc<TransferStats>,
    ) -> Outcome {
        if let Target::Folder(folder) = &self.target
            && !folder.is_dir()
        {
            // A NAS that is not mounted: making the folder would fill the disk below it.
            return self.health.away(format!(
                "the upload folder {} is not there: create it, or mount the disk or NAS that holds it",
                folder.display()
            ));
        }
        let path = match self.path(key) {
            Ok(path) => path,
            Err(error) => {
                return Outcome::Reject {
                    reason: format!("{key} is no name for an object ({error})"),
                };
            }
        };
        let mut options = PutOptions::default();
        if matches!(self.target, Target::S3 { .. }) {
            options.attributes = Attributes::from_iter([(Attribute::ContentType, content_type)]);
            options.extensions.insert(Arc::clone(transfer));
        }
        let bytes_out = bytes.len() as u64;
        let allowed = self.least_time + time_on_top(&self.pacer, bytes_out);
        let put = self.store.put_opts(&path, bytes.into(), options);
        match tokio::time::timeout(allowed, put).await {
            Ok(Ok(done)) => {
                self.health.good();
                Outcome::Delivered {
                    receipt: done.e_tag,
                }
            }
            Ok(Err(error)) => self.failed(key, &error, transfer.retry_after()),
            Err(_) => self.health.stuck(format!(
                "{key} did not get through in {} s",
                allowed.as_secs()
            )),
        }
    }

    /// Sorts a failure.
    fn failed(&self, key: &str, error: &Error, retry_after: Option<Duration>) -> Outcome {
        let Target::S3 { bucket, endpoint } = &self.target else {
            return self.folder_failed(error);
        };
        if let Some(why) = tls::distrust(error, "upload", "endpoint") {
            let reason = format!("the store {endpoint} could not be trusted: {why}");
            return self.health.needs_a_person(reason);
        }
        let text = full_text(error);
        match error {
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
                if text.contains("RequestTimeTooSkewed") {
                    return self.health.needs_a_person(format!(
                        "the store {endpoint} refuses uploads because this box's clock is wrong: let it synchronise (NTP)"
                    ));
                }
                self.health.needs_a_person(format!(
                    "the store {endpoint} refuses {key} in bucket \"{bucket}\": check upload.access_key, \
                     upload.secret_key_file and that this key may write there"
                ))
            }
            Error::NotFound { .. } => self.health.needs_a_person(format!(
                "the store {endpoint} has no bucket \"{bucket}\": create it, or correct upload.url"
            )),
            _ if asks_to_wait(&text) => self.health.busy(
                retry_after,
                format!("the store {endpoint} is too busy to take more now"),
            ),
            _ if text.contains("status code:") => later(format!(
                "the store {endpoint} did not take {key} ({})",
                innermost(error)
            )),
            _ => {
                let cause = innermost(error);
                let advice = if name_is_unknown(&cause) {
                    ": check the network's DNS and the name in upload.endpoint"
                } else {
                    ""
                };
                self.health.away(format!(
                    "the store {endpoint} cannot be reached or does not answer properly ({cause}){advice}"
                ))
            }
        }
    }

    fn folder_failed(&self, error: &Error) -> Outcome {
        let Target::Folder(folder) = &self.target else {
            return self.health.away(error.to_string());
        };
        let folder = folder.display();
        let cause = innermost(error);
        self.health.away(format!(
            "the upload folder {folder} cannot be written ({cause}): check that it has room and that this user may write there"
        ))
    }
}

/// Time for an upload of `bytes` on top of what every upload gets.
pub(super) fn time_on_top(pacer: &Pacer, bytes: u64) -> Duration {
    Duration::from_secs(bytes / THINNEST_LINK) + pacer.time_for(bytes) * PATIENCE_WITH_OTHERS
}

fn asks_to_wait(text: &str) -> bool {
    [
        "SlowDown",
        "503 Service Unavailable",
        "429 Too Many Requests",
    ]
    .iter()
    .any(|sign| text.contains(sign))
}

/// The content to be sent. A file must still be what was written down about it.
pub(super) async fn content(body: Body) -> Result<Bytes, String> {
    match body {
        Body::Bytes(bytes) => Ok(bytes),
        Body::File {
            path,
            bytes,
            sha256,
        } => read(&path, bytes, sha256).await,
    }
}

async fn read(path: &Path, bytes: u64, sha256: [u8; 32]) -> Result<Bytes, String> {
    let content = tokio::fs::read(path)
        .await
        .map_err(|error| format!("{} cannot be read ({error})", path.display()))?;
    let found: [u8; 32] = Sha256::digest(&content).into();
    if content.len() as u64 != bytes || found != sha256 {
        return Err(format!(
            "{} has changed on disk since it was written",
            path.display()
        ));
    }
    Ok(content.into())
}

impl Sink for StoreSink {
    fn name(&self) -> &'static str {
        "upload"
    }

    fn takes(&self) -> Takes {
        Takes::Objects
    }

    fn recipient(&self) -> String {
        match &self.0.target {
            Target::S3 { bucket, endpoint } => {
                format!("s3://{bucket}/{} at {endpoint}", self.0.prefix)
            }
            Target::Folder(folder) => format!("folder {}", folder.display()),
        }
    }

    fn at_once(&self) -> usize {
        if self.0.pacer.thin() { 1 } else { AT_ONCE }
    }

    fn metered(&self) -> bool {
        matches!(self.0.target, Target::S3 { .. })
    }

    fn ready(&self) -> BoxFuture<'_, ()> {
        self.0.health.ready()
    }

    fn deliver(&self, delivery: Delivery) -> BoxFuture<'static, Outcome> {
        let inner = Arc::clone(&self.0);
        let transfer = delivery.delivery_id.reservation.transfer;
        async move {
            match delivery.payload {
                Payload::Object {
                    key,
                    content_type,
                    body,
                } => inner.send(&key, content_type, body, &transfer).await,
                Payload::Alert { .. } => Outcome::Reject {
                    reason: "a store takes no alerts".to_owned(),
                },
            }
        }
        .boxed()
    }

    fn problem(&self) -> Option<String> {
        self.0.health.problem()
    }
}

//! S3 over the folder: protocol and signatures by the crate `s3s`, and on top of it who may do what.
//!
//! In: requests of `object_store`, boto3 and players with presigned addresses. Out: objects. A site reads and writes below
//! `v1/<site>/` of the one bucket and sees nothing else. An object is visible when its length and its checksums fit, not before.

use std::{
    io,
    sync::{Arc, LazyLock},
    time::Duration,
};

use async_trait::async_trait;
use axum::{
    Router,
    body::Body,
    extract::Request,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use futures::TryStreamExt;
use s3s::{
    S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result,
    auth::{S3Auth, SecretKey},
    config::{S3Config, S3ConfigProvider},
    dto::{
        DeleteObjectInput, DeleteObjectOutput, ETag, GetObjectInput, GetObjectOutput,
        HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput, ListObjectsV2Input,
        ListObjectsV2Output, Object, PutObjectInput, PutObjectOutput, StreamingBlob, Timestamp,
    },
    s3_error,
    service::{S3Service, S3ServiceBuilder},
};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::{
    Facts, Folder, Shares,
    promise::{Promise, sums_fit},
    signature,
};
use crate::{
    base::{
        clock::Clock,
        log_throttle::{Sum, Tally},
    },
    flow::ClockState,
    keys::Keys,
    net::server::{Peer, Standing},
    parts::{Part, Parts},
    wire::keys::ObjectKey,
};

/// The one bucket.
const BUCKET: &str = "lares";
/// Largest object. Segments are about 512 kB; one second of a camera of 60 Mbit/s has 7.5 MB.
const LARGEST: u64 = 64_000_000;
/// Most keys in one listing.
const LISTED: i32 = 1000;
/// A request's date may be off by so many seconds.
const MOST_SKEW: u32 = 15 * 60;
/// Refusals of one address are told at most this often.
const TELL_EVERY: Duration = Duration::from_secs(60);
/// Bytes read at once.
const PIECE: usize = 64 * 1024;

/// The endpoint, for a server.
pub(crate) fn endpoint(
    folder: Folder,
    keys: Arc<Keys>,
    shares: Shares,
    clock: Arc<dyn Clock>,
    parts: Parts,
) -> Router {
    let mut builder = S3ServiceBuilder::new(Store {
        folder,
        shares,
        parts,
    });
    builder.set_auth(Door { keys });
    builder.set_config(Arc::new(Settings::new(clock)));
    let service = builder.build();
    let tally = Arc::new(Tally::new(TELL_EVERY));
    Router::new().fallback(move |request: Request| {
        let (service, tally) = (service.clone(), Arc::clone(&tally));
        async move {
            // Without what may hold a signature.
            let asked = format!("{} {}", request.method(), request.uri().path());
            let peer = request.extensions().get().copied();
            let response = match signature::check(&request) {
                Err(refusal) => refusal.into_response(),
                Ok(()) => answer(&service, request).await,
            };
            tell(&tally, &asked, peer, response.status());
            response
        }
    })
}

async fn answer(service: &S3Service, request: Request) -> Response {
    let request = request.map(s3s::Body::http_body_unsync);
    match service.call(request).await {
        Ok(response) => response.map(Body::new),
        Err(error) => {
            tracing::debug!(?error, "a request to the store was not understood");
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::BAD_REQUEST;
            response
        }
    }
}

/// Says in the log that requests were refused: the first of an address at once, then how many they were. What is not there,
/// or has not changed, is no refusal.
fn tell(tally: &Tally, asked: &str, peer: Option<Peer>, status: StatusCode) {
    let refused = matches!(status.as_u16(), 400 | 401 | 403 | 405 | 411 | 413);
    let from = peer.map(|Peer(address)| address.ip().to_string());
    let sum = refused
        .then(|| {
            let asked: String = asked.chars().take(160).collect();
            tally.count(&from.unwrap_or_default(), &format!("{status}, {asked}"))
        })
        .flatten();
    for sum in sum.into_iter().chain(tally.due()) {
        let Sum { whose, count, last } = sum;
        tracing::warn!(
            from = whose,
            requests = count,
            "the store refused a request ({last}); further ones of this address are told together, once a minute"
        );
    }
}

/// How far a request's date may be off: a quarter of an hour, or any where this machine does not know the time itself.
struct Settings {
    clock: Arc<dyn Clock>,
    strict: Arc<S3Config>,
    timeless: Arc<S3Config>,
}

impl Settings {
    fn new(clock: Arc<dyn Clock>) -> Self {
        let with = |skew| {
            let mut config = S3Config::default();
            // Nothing of what we take has XML or a form in its body.
            config.xml_max_body_size = 64 * 1024;
            config.post_object_max_file_size = 0;
            config.form_max_fields_size = 0;
            config.presigned_url_max_skew_time_secs = skew;
            Arc::new(config)
        };
        Self {
            clock,
            strict: with(MOST_SKEW),
            timeless: with(u32::MAX),
        }
    }
}

impl S3ConfigProvider for Settings {
    fn snapshot(&self) -> Arc<S3Config> {
        Arc::clone(match self.clock.state() {
            ClockState::Good => &self.strict,
            ClockState::Unsure => &self.timeless,
        })
    }
}

struct Door {
    keys: Arc<Keys>,
}

#[async_trait]
impl S3Auth for Door {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        match self.keys.site(access_key) {
            Some(secret) => Ok(SecretKey::from(secret.expose())),
            None => Err(s3_error!(InvalidAccessKeyId)),
        }
    }
}

struct Store {
    folder: Folder,
    shares: Shares,
    parts: Parts,
}

impl Store {
    /// Whether there is room for an object of `length`. Log, health report and page hear when there is none, and when there is again
    /// for whatever may come.
    fn has_room(&self, length: u64) -> io::Result<bool> {
        let room = self.folder.room()?;
        if room < length {
            let full = "the hub's disk is full: uploads wait at the boxes until there is room";
            self.parts.set(Part::Room, Some(full.to_owned()));
        } else if room >= LARGEST {
            self.parts.set(Part::Room, None);
        }
        Ok(room >= length)
    }
}

fn internal(error: io::Error) -> S3Error {
    // Each request may meet it, and a box asks again and again.
    static TOLD: LazyLock<Tally> = LazyLock::new(|| Tally::new(TELL_EVERY));
    if let Some(Sum { count, last, .. }) = TOLD.count("store", &error.to_string()) {
        tracing::error!(count, "the hub's store cannot use its folder: {last}");
    }
    S3Error::internal_error(error)
}

/// The site that has signed `request`.
fn site<T>(request: &S3Request<T>) -> S3Result<&str> {
    match &request.credentials {
        Some(credentials) => {
            if let Some(standing) = request.extensions.get::<Standing>() {
                standing.known();
            }
            Ok(&credentials.access_key)
        }
        None => Err(s3_error!(AccessDenied, "sign the request")),
    }
}

/// The key, where `site` may use it.
fn key_of(site: &str, bucket: &str, key: &str) -> S3Result<ObjectKey> {
    in_bucket(bucket)?;
    let key: ObjectKey = key
        .parse()
        .map_err(|error| S3Error::with_source(S3ErrorCode::InvalidArgument, Box::new(error)))?;
    if key.site.as_str() != site {
        return Err(s3_error!(AccessDenied, "this key is for its own site"));
    }
    Ok(key)
}

fn in_bucket(bucket: &str) -> S3Result<()> {
    if bucket == BUCKET {
        Ok(())
    } else {
        Err(s3_error!(NoSuchBucket))
    }
}

fn tag(facts: &Facts) -> ETag {
    ETag::Strong(facts.etag.clone())
}

#[async_trait]
impl S3 for Store {
    async fn head_bucket(
        &self,
        request: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        site(&request)?;
        in_bucket(&request.input.bucket)?;
        Ok(S3Response::new(HeadBucketOutput::default()))
    }

    async fn put_object(
        &self,
        request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let key = key_of(site(&request)?, &request.input.bucket, &request.input.key)?;
        let signed = request.headers.get("x-amz-content-sha256");
        let signed = signed.and_then(|value| value.to_str().ok());
        let mut promise = Promise::of(&request.input, signed);
        let trailer = request.trailing_headers;
        let mut input = request.input;
        if promise.length.is_some_and(|length| length > LARGEST) {
            return Err(s3_error!(EntityTooLarge));
        }
        let length = promise.length.unwrap_or(LARGEST);
        if !self.has_room(length).map_err(internal)? {
            return Err(s3_error!(ServiceUnavailable, "the disk of the hub is full"));
        }
        if !self.shares.may_grow(&key.site) {
            return Err(s3_error!(
                SlowDown,
                "this site has used up its share of the hub: its oldest clips go first, try again"
            ));
        }
        let mut body = input.body.take().ok_or_else(|| s3_error!(IncompleteBody))?;
        let mut incoming = self.folder.begin().await.map_err(internal)?;
        let (mut sha256, mut length) = (Sha256::new(), 0);
        while let Some(piece) = body
            .try_next()
            .await
            .map_err(|error| S3Error::with_source(S3ErrorCode::IncompleteBody, error))?
        {
            length += piece.len() as u64;
            if length > LARGEST {
                return Err(s3_error!(EntityTooLarge));
            }
            sha256.update(&piece);
            promise.asked.update(&piece);
            incoming.write(&piece).await.map_err(internal)?;
        }
        if promise.length.is_some_and(|promised| promised != length) {
            return Err(s3_error!(IncompleteBody));
        }
        let sums = promise.asked.finalize();
        let trailer = trailer.and_then(|trailer| trailer.take());
        let whole = promise
            .sha256
            .is_none_or(|promised| promised.eq_ignore_ascii_case(&hex::encode(sha256.finalize())));
        if !whole || !sums_fit(&input, trailer.as_ref(), &sums) {
            return Err(s3_error!(BadDigest));
        }
        let facts = incoming.keep(&key).await.map_err(internal)?;
        self.shares.grew(&key.site, length);
        Ok(S3Response::new(PutObjectOutput {
            e_tag: Some(tag(&facts)),
            checksum_crc32: sums.checksum_crc32,
            checksum_crc32c: sums.checksum_crc32c,
            checksum_crc64nvme: sums.checksum_crc64nvme,
            checksum_sha1: sums.checksum_sha1,
            checksum_sha256: sums.checksum_sha256,
            ..PutObjectOutput::default()
        }))
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let key = key_of(site(&request)?, &request.input.bucket, &request.input.key)?;
        let facts = self.folder.facts(&key).map_err(internal)?;
        let facts = facts.ok_or_else(|| s3_error!(NoSuchKey))?;
        Ok(S3Response::new(HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: Some(facts.bytes.cast_signed()),
            content_type: Some(key.item.content_type().to_owned()),
            e_tag: Some(tag(&facts)),
            last_modified: Some(Timestamp::from(facts.changed)),
            ..HeadObjectOutput::default()
        }))
    }

    async fn get_object(
        &self,
        request: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let key = key_of(site(&request)?, &request.input.bucket, &request.input.key)?;
        let (file, facts) = self
            .folder
            .read(&key)
            .map_err(internal)?
            .ok_or_else(|| s3_error!(NoSuchKey))?;
        let wanted = match &request.input.range {
            Some(range) => range.check(facts.bytes)?,
            None => 0..facts.bytes,
        };
        let mut file = tokio::fs::File::from_std(file);
        file.seek(io::SeekFrom::Start(wanted.start))
            .await
            .map_err(internal)?;
        let length = wanted.end - wanted.start;
        let pieces = tokio_util::io::ReaderStream::with_capacity(file.take(length), PIECE);
        Ok(S3Response::new(GetObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            body: Some(StreamingBlob::wrap(pieces)),
            content_length: Some(length.cast_signed()),
            content_range: request
                .input
                .range
                .map(|_| format!("bytes {}-{}/{}", wanted.start, wanted.end - 1, facts.bytes)),
            content_type: Some(key.item.content_type().to_owned()),
            e_tag: Some(tag(&facts)),
            last_modified: Some(Timestamp::from(facts.changed)),
            ..GetObjectOutput::default()
        }))
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let key = key_of(site(&request)?, &request.input.bucket, &request.input.key)?;
        self.folder.delete(&key).map_err(internal)?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let own = format!("v1/{}/", site(&request)?);
        let input = request.input;
        in_bucket(&input.bucket)?;
        let prefix = input.prefix.clone().unwrap_or_default();
        if !prefix.starts_with(&own) {
            return Err(s3_error!(
                AccessDenied,
                "list below your own site: give its prefix"
            ));
        }
        if input
            .delimiter
            .as_ref()
            .is_some_and(|text| !text.is_empty())
        {
            return Err(s3_error!(NotImplemented, "list without a delimiter"));
        }
        let after = input
            .continuation_token
            .as_ref()
            .or(input.start_after.as_ref());
        let most = input.max_keys.unwrap_or(LISTED).clamp(0, LISTED);
        let (keys, more) = self
            .folder
            .list(
                &prefix,
                after.map_or("", |after| after),
                most.unsigned_abs() as usize,
            )
            .map_err(internal)?;
        let mut contents = Vec::with_capacity(keys.len());
        for key in &keys {
            // One that has been deleted since is none.
            let Some(facts) = self.folder.facts(key).map_err(internal)? else {
                continue;
            };
            contents.push(Object {
                key: Some(key.to_string()),
                size: Some(facts.bytes.cast_signed()),
                e_tag: Some(tag(&facts)),
                last_modified: Some(Timestamp::from(facts.changed)),
                ..Object::default()
            });
        }
        Ok(S3Response::new(ListObjectsV2Output {
            key_count: i32::try_from(contents.len()).ok(),
            contents: Some(contents),
            continuation_token: input.continuation_token,
            is_truncated: Some(more),
            max_keys: Some(most),
            name: Some(input.bucket),
            next_continuation_token: keys.last().filter(|_| more).map(ToString::to_string),
            prefix: Some(prefix),
            start_after: input.start_after,
            ..ListObjectsV2Output::default()
        }))
    }
}

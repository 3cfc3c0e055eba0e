//! Connections to an S3 store.
//!
//! In: address, keys and certificates of `[upload]`. Out: a store that asks for nothing twice. Nothing is opened yet.

use std::sync::Arc;

use object_store::{
    ObjectStore, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
    client::HttpClient,
    path::Path as Key,
};

use super::{
    EndpointError,
    http::{self, Connector},
};
use crate::config::UploadConfig;

/// What is wrong with the address of `config`.
pub fn refusal(config: &UploadConfig, reason: String) -> EndpointError {
    EndpointError::Address {
        setting: "upload.url",
        url: config.url.to_string(),
        reason,
    }
}

/// The S3 store that `config` names, for who reads what was uploaded; and what stands before each key.
///
/// # Errors
/// When the address or the certificates are of no use.
pub fn to_read(config: &UploadConfig) -> Result<(Arc<dyn ObjectStore>, String), EndpointError> {
    let (store, _, prefix) = open(config, &|reason| refusal(config, reason), HttpClient::new)?;
    Ok((Arc::new(store), prefix))
}

/// The folder that the path of an address means, without slashes around it.
fn decoded(path: &str) -> Result<String, String> {
    Key::from_url_path(path)
        .map(|key| key.to_string())
        .map_err(|error| format!("its folder cannot be part of a key ({error})"))
}

/// An S3 store that asks through what `connect` makes of a client; its bucket, and what stands before each key.
pub fn open(
    config: &UploadConfig,
    refuse: &dyn Fn(String) -> EndpointError,
    connect: impl FnOnce(reqwest::Client) -> HttpClient,
) -> Result<(AmazonS3, String, String), EndpointError> {
    let bucket = config
        .url
        .host_str()
        .filter(|host| !host.is_empty())
        .ok_or_else(|| refuse("write it like s3://bucket/folder".to_owned()))?;
    let mut prefix = decoded(config.url.path()).map_err(refuse)?;
    if !prefix.is_empty() {
        prefix.push('/');
    }
    let allows_http = config
        .endpoint
        .as_ref()
        .is_some_and(|endpoint| endpoint.scheme() == "http");
    let client = http::client(config.ca_file.as_deref(), !allows_http, refuse)?;
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(&config.region)
        .with_retry(RetryConfig {
            max_retries: 0,
            ..RetryConfig::default()
        });
    if let Some(endpoint) = &config.endpoint {
        // Stores at home rarely have a name for each bucket, so the bucket goes into the path.
        builder = builder
            .with_allow_http(allows_http)
            .with_endpoint(endpoint.as_str().trim_end_matches('/'))
            .with_virtual_hosted_style_request(false);
    }
    match (&config.access_key, &config.secret_key) {
        (Some(access), Some(secret)) => {
            builder = builder
                .with_access_key_id(access)
                .with_secret_access_key(secret.expose());
        }
        (None, None) => builder = builder.with_skip_signature(true),
        _ => {
            return Err(refuse(
                "upload.access_key and upload.secret_key_file go together: set both or none"
                    .to_owned(),
            ));
        }
    }
    let store = builder
        .with_http_connector(Connector::new(connect(client)))
        .build()
        .map_err(|error| refuse(error.to_string()))?;
    Ok((store, bucket.to_owned(), prefix))
}

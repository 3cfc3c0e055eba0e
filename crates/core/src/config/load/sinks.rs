//! The sections `[webhook]`, `[ntfy]` and `[upload]`: who gets alerts beside the broker, and who gets clips.

use std::{collections::BTreeMap, path::PathBuf};

use serde::Serialize;
use url::Url;

use super::{
    endpoint::url_with_scheme,
    reader::{Section, defaults},
};
use crate::{
    config::{Config, Secret, keys},
    flow::{CameraId, IncidentState, Language},
};

impl Config {
    /// What people call the cameras.
    #[must_use]
    pub fn camera_names(&self) -> BTreeMap<CameraId, String> {
        let cameras = self.cameras.iter();
        cameras
            .map(|camera| (camera.id.clone(), camera.name.clone()))
            .collect()
    }
}

/// An address that alerts are posted to, signed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WebhookConfig {
    /// `https://host/path`, or `http://` at home. The path may hold a token: it is shown nowhere.
    #[serde(serialize_with = "keys::shown")]
    pub url: Url,
    /// What the signature is made with; the receiver has the same.
    pub secret: Secret,
    /// PEM file of certificates to trust beside the system's.
    pub ca_file: Option<PathBuf>,
}

/// A topic of an ntfy server, which shows alerts on phones.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NtfyConfig {
    /// `https://ntfy.sh/TOPIC`. Anybody who knows the topic can read it: it is shown nowhere.
    #[serde(serialize_with = "keys::shown")]
    pub url: Url,
    /// Access token.
    pub token: Option<Secret>,
    /// User, where there is no token.
    pub user: Option<String>,
    /// Password.
    pub password: Option<Secret>,
    /// In which language.
    pub language: Language,
    /// What is worth a message.
    pub when: Vec<IncidentState>,
    /// 1 (least) to 5 (most) of a message that somebody came.
    pub priority: u8,
    /// Further tags beside the one for what came.
    pub tags: Vec<String>,
    /// What a tap on the message opens.
    #[serde(serialize_with = "keys::shown_or_none")]
    pub click: Option<Url>,
    /// PEM file of certificates to trust beside the system's.
    pub ca_file: Option<PathBuf>,
}

/// Where clips and pictures go.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UploadConfig {
    /// `s3://bucket/prefix`, `webdavs://host/folder`, or `file:///folder` for a disk or a NAS.
    #[serde(serialize_with = "keys::shown")]
    pub url: Url,
    /// S3 endpoint where it is not Amazon's.
    #[serde(serialize_with = "keys::shown_or_none")]
    pub endpoint: Option<Url>,
    /// S3 region.
    pub region: String,
    /// S3 access key.
    pub access_key: Option<String>,
    /// S3 secret key.
    pub secret_key: Option<Secret>,
    /// WebDAV user.
    pub user: Option<String>,
    /// WebDAV password.
    pub password: Option<Secret>,
    /// PEM file of certificates to trust beside the system's.
    pub ca_file: Option<PathBuf>,
}

impl UploadConfig {
    /// The folder that `url` names.
    #[must_use]
    pub fn folder(url: Url) -> Self {
        Self {
            url,
            endpoint: None,
            region: defaults("upload", |section| section.text_or_default("region")),
            access_key: None,
            secret_key: None,
            user: None,
            password: None,
            ca_file: None,
        }
    }
}

/// A short secret can be found by trying.
const SHORTEST_SECRET: usize = 16;

pub(in crate::config) fn webhook(section: Section<'_>) -> Option<WebhookConfig> {
    let url = url_with_scheme(&section, "url", "https://HOST/PATH");
    let secret = section.secret("secret");
    let named = section.has("secret_file") || section.has("secret_env");
    if !named {
        section.problem(
            "secret_file",
            "is missing: put a long random text into a file (openssl rand -hex 32) and give it to the receiver too",
        );
    }
    if secret
        .as_ref()
        .is_some_and(|secret| secret.expose().len() < SHORTEST_SECRET)
    {
        let key = if section.has("secret_file") {
            "secret_file"
        } else {
            "secret_env"
        };
        section.problem(
            key,
            format!("holds less than {SHORTEST_SECRET} characters: make a longer one (openssl rand -hex 32)"),
        );
    }
    let ca_file = section.path("ca_file");
    section.done();
    Some(WebhookConfig {
        url: url?,
        secret: secret?,
        ca_file,
    })
}

pub(in crate::config) fn ntfy(section: Section<'_>) -> Option<NtfyConfig> {
    let url = url_with_scheme(&section, "url", "https://ntfy.sh/TOPIC");
    let topic = url.as_ref().map(|url| url.path().trim_matches('/'));
    if topic.is_some_and(|topic| topic.is_empty() || topic.contains('/')) {
        section.problem(
            "url",
            "does not end in one topic: write https://ntfy.sh/TOPIC",
        );
    }
    let token = section.secret("token");
    let user = section.text("user");
    let password = section.secret("password");
    let has_token = section.has("token_file") || section.has("token_env");
    let has_password = section.has("password_file") || section.has("password_env");
    if has_token && (user.is_some() || has_password) {
        section.problem("user", "is given beside a token: keep one of the two");
    } else if user.is_some() != has_password {
        let key = if user.is_some() {
            "password_file"
        } else {
            "user"
        };
        section.problem(
            key,
            "is missing: a login needs user and password_file or password_env",
        );
    }
    let language = section.language("language");
    let when = when(&section);
    let priority = section.number("priority") as u8;
    let tags = section.words("tags");
    let click = section
        .has("click")
        .then(|| url_with_scheme(&section, "click", "https://HOST/PATH"))
        .flatten();
    let ca_file = section.path("ca_file");
    section.done();
    Some(NtfyConfig {
        url: url?,
        token,
        user,
        password,
        language,
        when,
        priority,
        tags,
        click,
        ca_file,
    })
}

/// In the order of an incident's life, however they are written.
fn when(section: &Section<'_>) -> Vec<IncidentState> {
    const STATES: [IncidentState; 3] = [
        IncidentState::Began,
        IncidentState::Updated,
        IncidentState::Ended,
    ];
    let find = |word: &str| STATES.into_iter().find(|state| state.as_str() == word);
    let chosen = section.known_words("when", find);
    if section.is_empty_list("when") {
        section.problem("when", "is empty: write [\"began\"], or leave it out");
    }
    let chosen = STATES.into_iter().filter(|state| chosen.contains(state));
    chosen.collect()
}

pub(in crate::config) fn upload(section: Section<'_>) -> Option<UploadConfig> {
    let url = url_with_scheme(
        &section,
        "url",
        "s3://BUCKET/PREFIX, webdavs://HOST/FOLDER or file:///FOLDER",
    );
    let endpoint = section
        .has("endpoint")
        .then(|| url_with_scheme(&section, "endpoint", "https://HOST:PORT"))
        .flatten();
    let access_key = section.text("access_key");
    let secret_key = section.secret("secret_key");
    let secret_named = section.has("secret_key_file") || section.has("secret_key_env");
    if access_key.is_some() != secret_named {
        let key = if secret_named {
            "access_key"
        } else {
            "secret_key_file"
        };
        section.problem(
            key,
            "is missing: an S3 login needs access_key and secret_key_file or secret_key_env",
        );
    }
    let user = section.text("user");
    let password = section.secret("password");
    let webdav = url.as_ref().map(|url| url.scheme().starts_with("webdav"));
    let s3_keys = [
        "endpoint",
        "access_key",
        "secret_key_file",
        "secret_key_env",
    ];
    for (keys, of_webdav, address) in [
        (
            &["user", "password_file", "password_env"][..],
            true,
            "webdavs://",
        ),
        (&s3_keys[..], false, "s3://"),
    ] {
        for key in keys.iter().filter(|key| section.has(key)) {
            if webdav.is_some_and(|webdav| webdav != of_webdav) {
                section.problem(key, format!("goes with {address} only: take it out"));
            }
        }
    }
    let region = section.text_or_default("region");
    let ca_file = section.path("ca_file");
    section.done();
    Some(UploadConfig {
        url: url?,
        endpoint,
        region,
        access_key,
        secret_key,
        user,
        password,
        ca_file,
    })
}

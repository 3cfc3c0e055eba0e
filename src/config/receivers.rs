//! The sections `[webhook]` and `[ntfy]`: who else gets alerts.

use std::{collections::BTreeMap, path::PathBuf};

use serde::Serialize;
use url::Url;

use super::{Config, Secret, keys, load::url_with_scheme, read::Section};
use crate::flow::{CameraId, IncidentState};

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
    /// `https://ntfy.sh/TOPIC`. Whoever knows the topic can read it: it is shown nowhere.
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

/// A language that people are written to in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    #[default]
    En,
    /// French.
    Fr,
}

/// A short secret can be found by trying.
const SHORTEST_SECRET: usize = 16;

pub(super) fn webhook(section: Section<'_>) -> Option<WebhookConfig> {
    let url = url_with_scheme(&section, "url", &["https", "http"], "https://HOST/PATH");
    let secret = section.secret("secret_file", "secret_env");
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

pub(super) fn ntfy(section: Section<'_>) -> Option<NtfyConfig> {
    let url = url_with_scheme(&section, "url", &["https", "http"], "https://ntfy.sh/TOPIC");
    let topic = url.as_ref().map(|url| url.path().trim_matches('/'));
    if topic.is_some_and(|topic| topic.is_empty() || topic.contains('/')) {
        section.problem(
            "url",
            "does not end in one topic: write https://ntfy.sh/TOPIC",
        );
    }
    let token = section.secret("token_file", "token_env");
    let user = section.text("user");
    let password = section.secret("password_file", "password_env");
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
    let languages = [("en", Language::En), ("fr", Language::Fr)];
    let language = section.choice("language", &languages, Language::default());
    let when = when(&section);
    let priority = section
        .number("priority", 1.0, 5.0)
        .map_or(4, |priority| priority as u8);
    let tags = section.words("tags").unwrap_or_default();
    let click = section
        .has("click")
        .then(|| url_with_scheme(&section, "click", &["https", "http"], "https://HOST/PATH"))
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

fn when(section: &Section<'_>) -> Vec<IncidentState> {
    if !section.has("when") {
        return vec![IncidentState::Began];
    }
    let words = section.words("when").unwrap_or_default();
    let states = [
        IncidentState::Began,
        IncidentState::Updated,
        IncidentState::Ended,
    ];
    for word in &words {
        if !states.iter().any(|state| state.as_str() == word) {
            section.problem(
                "when",
                format!("\"{word}\" is not known: choose among \"began\", \"updated\", \"ended\""),
            );
        }
    }
    let chosen: Vec<_> = states
        .into_iter()
        .filter(|state| words.iter().any(|word| word == state.as_str()))
        .collect();
    if words.is_empty() {
        section.problem("when", "is empty: write [\"began\"], or leave it out");
    }
    chosen
}

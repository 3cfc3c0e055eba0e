//! From text to a [`Config`]: which key becomes what, and what one key asks of another.

mod cameras;
mod endpoint;
pub(super) mod hub;
mod points;
mod quantities;
mod reader;
mod recording;
pub(super) mod sinks;
mod unknown;
mod zones;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use toml::de::{DeTable, DeValue};

use super::{
    BudgetConfig, ByteSize, Config, ConfigProblem, Environment, KeepConfig, LogConfig,
    ModelsConfig, MqttConfig, OutboxConfig, WebConfig, models_dir, problem::Reading,
    units::duration_text,
};
use crate::flow::SiteId;
use endpoint::url_with_scheme;
use reader::Section;
pub(super) use reader::defaults;

/// The version of the configuration that this program writes.
pub(super) const VERSION: f64 = 2.0;
/// An older one that it reads too, by its own names.
pub(super) const FIRST_VERSION: f64 = 1.0;

/// A configuration that cannot be used, with everything that is wrong with it.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error(
        "cannot read the configuration {}: {source}. Give its path with --config, or start from deploy/lares.sample.toml",
        path.display()
    )]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It can be read, but not used.
    #[error("the configuration {} has {} problem(s):\n{}", path.display(), problems.len(), list(problems))]
    Problems {
        /// Which file.
        path: PathBuf,
        /// All of them, in the order of the file.
        problems: Vec<ConfigProblem>,
    },
}

fn list(problems: &[ConfigProblem]) -> String {
    let lines: Vec<_> = problems
        .iter()
        .map(|problem| format!("  - {problem}"))
        .collect();
    lines.join("\n")
}

impl Config {
    /// Reads and checks the file at `path`.
    ///
    /// # Errors
    /// When it cannot be read, or with all the problems that were found in it.
    pub fn load(path: &Path, environment: &Environment) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let config = Self::parse(&text, folder, environment);
        let config = config.map_err(|problems| ConfigError::Problems {
            path: path.to_owned(),
            problems,
        })?;
        Ok(Self {
            file: Some(path.to_owned()),
            ..config
        })
    }

    /// Reads and checks `text`; relative paths in it start at `folder`.
    ///
    /// # Errors
    /// All the problems that were found.
    pub fn parse(
        text: &str,
        folder: &Path,
        environment: &Environment,
    ) -> Result<Self, Vec<ConfigProblem>> {
        let reading = Reading::new(text, environment, folder);
        let parsed = match DeTable::parse(text) {
            Ok(table) => table,
            Err(error) => {
                let at = error.span().map(|span| span.start);
                reading.problem(
                    String::new(),
                    at,
                    format!("is not TOML: {}", error.message()),
                );
                return Err(reading.into_problems());
            }
        };
        let version = version(parsed.get_ref());
        let first = version == Some(FIRST_VERSION);
        let section = Section::root(&reading, parsed.get_ref(), first);
        let config = root(section, version, environment);
        let problems = reading.into_problems();
        if problems.is_empty() {
            Ok(config)
        } else {
            Err(problems)
        }
    }

    /// What runs without a configuration file: defaults and one camera at `url`.
    ///
    /// # Errors
    /// What is wrong with the address.
    pub fn for_camera(url: &str, environment: &Environment) -> Result<Self, Vec<ConfigProblem>> {
        let text = format!(
            "version = 2\n[[cameras]]\nurl = {}\n",
            toml::Value::from(url)
        );
        Self::parse(&text, Path::new(""), environment)
    }
}

/// The version that `table` says it has.
fn version(table: &DeTable<'_>) -> Option<f64> {
    match table.get("version")?.get_ref() {
        DeValue::Integer(number) => number.as_str().parse().ok(),
        DeValue::Float(number) => number.as_str().parse().ok(),
        _ => None,
    }
}

fn root(section: Section<'_>, version: Option<f64>, environment: &Environment) -> Config {
    match version {
        Some(FIRST_VERSION | VERSION) => {}
        Some(newer) if newer > VERSION => section.problem(
            "version",
            format!("{newer} is newer than this program, which reads {VERSION}: update Lares"),
        ),
        _ if section.has("version") => {
            section.problem(
                "version",
                format!("is not known: write version = {VERSION}"),
            );
        }
        _ => section.problem(
            "version",
            format!("is missing: write version = {VERSION} at the top"),
        ),
    }
    let data_dir = section
        .path("data_dir")
        .unwrap_or_else(|| default_data_dir(environment));
    let mqtt = section.has("mqtt").then(|| mqtt(section.section("mqtt")));
    let upload = section
        .has("upload")
        .then(|| sinks::upload(section.section("upload")));
    let others = hub::Others {
        mqtt: mqtt.as_ref(),
        upload: upload.as_ref(),
    };
    let hub = section
        .has("hub")
        .then(|| hub::hub(section.section("hub"), &data_dir, &others))
        .flatten();
    let site = section.parsed::<SiteId>("site");
    let home = hub.as_ref().map(|hub| {
        // The box's own site may be named among the others.
        let others = hub
            .sites
            .iter()
            .filter(|other| site.as_ref() != Some(other));
        AtHome {
            retention: hub.retention,
            quota: ByteSize(hub.quota.0 / (others.count() as u64 + 1)),
        }
    });
    let config = Config {
        file: None,
        site,
        cameras: cameras::cameras(&section, hub.is_some()),
        hub,
        data_dir,
        models: models(section.section("models")),
        mqtt: mqtt.flatten(),
        webhook: section
            .has("webhook")
            .then(|| sinks::webhook(section.section("webhook")))
            .flatten(),
        ntfy: section
            .has("ntfy")
            .then(|| sinks::ntfy(section.section("ntfy")))
            .flatten(),
        upload: upload.flatten(),
        outbox: outbox(
            section.section("outbox"),
            section.section("data_plan"),
            home,
        ),
        web: web(section.section("web")),
        log: log(section.section("log")),
        shutdown_timeout: section.duration("shutdown_timeout"),
    };
    section.done();
    config
}

/// `/var/lib/lares` for root, else `$XDG_DATA_HOME/lares` or `~/.local/share/lares`.
fn default_data_dir(environment: &Environment) -> PathBuf {
    let set = |name: &str| environment.get(name).filter(|value| !value.is_empty());
    if rustix::process::geteuid().is_root() {
        PathBuf::from("/var/lib/lares")
    } else if let Some(data) = set("XDG_DATA_HOME") {
        Path::new(data).join("lares")
    } else if let Some(home) = set("HOME") {
        Path::new(home).join(".local/share/lares")
    } else {
        PathBuf::from("lares-data")
    }
}

pub(super) fn models(section: Section<'_>) -> ModelsConfig {
    let config = ModelsConfig {
        dir: section.path("dir").unwrap_or_else(models_dir),
        motion: section.text_or_default("motion"),
        person: section.text_or_default("person"),
        onnxruntime: section.path("onnxruntime"),
        threads: section.number("threads") as usize,
    };
    section.done();
    config
}

fn mqtt(section: Section<'_>) -> Option<MqttConfig> {
    let url = url_with_scheme(&section, "url", "mqtt://HOST:1883 or mqtts://HOST:8883");
    // The rest is read in any case, so that a wrong address hides no other problem.
    let placeholder = || url::Url::parse("mqtt://localhost").expect("a constant address");
    let config = broker(&section, url.clone().unwrap_or_else(placeholder));
    if config.client_cert.is_some() != config.client_key.is_some() {
        let missing = match config.client_cert {
            Some(_) => "client_key_file",
            None => "client_cert",
        };
        section.problem(
            missing,
            "is missing: a certificate of this box needs client_cert and client_key_file",
        );
    }
    let plain = url.as_ref().is_some_and(|url| url.scheme() == "mqtt");
    if config.client_cert.is_some() && plain {
        section.problem(
            "client_cert",
            "is shown over TLS only: write mqtts:// in url",
        );
    }
    section.done();
    url.map(|_| config)
}

/// Everything of `[mqtt]`, for the broker at `url`.
pub(super) fn broker(section: &Section<'_>, url: url::Url) -> MqttConfig {
    MqttConfig {
        url,
        user: section.text("user"),
        password: section.secret("password"),
        ca_file: section.path("ca_file"),
        client_cert: section.path("client_cert"),
        client_key: section.path("client_key_file"),
        keep_alive: section.duration("keep_alive"),
        health_interval: section.duration("health_interval"),
        discovery: section.flag("discovery"),
        discovery_prefix: topic(section, "discovery_prefix"),
        discovery_language: section.language("discovery_language"),
        here: false,
    }
}

/// The prefix of topics, without a slash at its ends.
fn topic(section: &Section<'_>, key: &str) -> String {
    let text = section.text_or_default(key);
    let sound = (1..=64).contains(&text.len())
        && !text.starts_with(['/', '$'])
        && !text.ends_with('/')
        && !text.contains(['+', '#'])
        && !text.contains(char::is_control);
    if !sound {
        section.problem(
            key,
            "is not a valid topic prefix: write it like \"homeassistant\", without +, # and without / at its ends",
        );
    }
    text
}

/// How long the hub in this program keeps evidence, and how much of its quota is this box's share.
#[derive(Debug, Clone, Copy)]
pub(super) struct AtHome {
    retention: Duration,
    quota: ByteSize,
}

/// So much of the quota of clips and images may be images, where the hub in this program sets it.
const IMAGES: u64 = 10;

pub(super) fn outbox(
    section: Section<'_>,
    data_plan: Section<'_>,
    home: Option<AtHome>,
) -> OutboxConfig {
    // What is written here counts; else there is one rule for all evidence at home.
    let unless = |key| home.filter(|_| !section.has(key));
    let retention =
        unless("retention").map_or_else(|| section.duration("retention"), |home| home.retention);
    let quota = unless("quota").map_or_else(|| section.bytes("quota"), |home| home.quota);
    let images = home.filter(|_| !section.has("image_quota")).map_or_else(
        || section.bytes("image_quota"),
        |_| ByteSize(quota.0 / IMAGES),
    );
    let most = duration_text(retention);
    let keep = |retention_key, quota| KeepConfig {
        retention: section
            .duration_up_to(retention_key, &most)
            .unwrap_or(retention),
        quota,
    };
    let config = OutboxConfig {
        retention,
        quota,
        clips: keep(
            "clip_retention",
            section.maybe_bytes("clip_quota").unwrap_or(quota),
        ),
        pictures: keep("image_retention", images),
        alert_quota: section.bytes("alert_quota"),
        purpose: section.text_or_default("purpose"),
        budget: budget(data_plan),
        #[cfg(feature = "crash-test")]
        witness: None,
    };
    section.done();
    config
}

pub(super) fn budget(section: Section<'_>) -> BudgetConfig {
    let config = BudgetConfig {
        rate: section.rate("rate"),
        per_day: section.maybe_bytes("per_day"),
        per_month: section.maybe_bytes("per_month"),
        month_starts: section.number("month_starts") as i8,
    };
    section.done();
    config
}

pub(super) fn web(section: Section<'_>) -> WebConfig {
    let text = section.text_or_default("listen");
    let listen = match text.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_loopback() => Some(address),
        Ok(_) => {
            section.problem(
                "listen",
                "is not on loopback, where anyone on the network could read it: use 127.0.0.1:PORT and a reverse proxy with a password",
            );
            None
        }
        Err(_) => {
            if text != "off" {
                section.problem(
                    "listen",
                    "should be an address such as \"127.0.0.1:8088\", or \"off\"",
                );
            }
            None
        }
    };
    let server_names = section.words("server_names");
    section.done();
    WebConfig {
        listen,
        server_names,
    }
}

pub(super) fn log(section: Section<'_>) -> LogConfig {
    let config = LogConfig {
        level: section.text_or_default("level"),
        json: section.choice("format", &[("text", false), ("json", true)]),
    };
    section.done();
    config
}

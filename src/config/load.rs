//! From text to a [`Config`]: every key, its default, its range, and what one key asks of another.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use toml::de::DeTable;

use super::{
    BitRate, BudgetConfig, ByteSize, Config, ConfigProblem, Environment, KeepConfig, LogConfig,
    ModelsConfig, MqttConfig, OutboxConfig, WebConfig, cameras,
    endpoint::url_with_scheme,
    hub,
    read::{Reading, Section},
    receivers,
    units::{DAY, HOUR, MINUTE, SECOND},
};
use crate::flow::{Language, SiteId};

/// The version of the configuration that this program reads.
const VERSION: f64 = 1.0;

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
        let config = root(Section::root(&reading, parsed.get_ref()), environment);
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
            "version = 1\n[[cameras]]\nurl = {}\n",
            toml::Value::from(url)
        );
        Self::parse(&text, Path::new(""), environment)
    }
}

fn root(section: Section<'_>, environment: &Environment) -> Config {
    match section.number("version", 0.0, 1e6) {
        Some(VERSION) => {}
        Some(newer) if newer > VERSION => section.problem(
            "version",
            format!("{newer} is newer than this program, which reads {VERSION}: update Lares"),
        ),
        Some(_) => section.problem("version", "is not known: write version = 1"),
        None if section.has("version") => {}
        None => section.problem("version", "is missing: write version = 1 at the top"),
    }
    let data_dir = section
        .path("data_dir")
        .unwrap_or_else(|| default_data_dir(environment));
    let mqtt = section.has("mqtt").then(|| mqtt(section.section("mqtt")));
    let upload = section
        .has("upload")
        .then(|| receivers::upload(section.section("upload")));
    let others = hub::Others {
        mqtt: mqtt.as_ref(),
        upload: upload.as_ref(),
    };
    let hub = section
        .has("hub")
        .then(|| hub::hub(section.section("hub"), &data_dir, &others))
        .flatten();
    let config = Config {
        file: None,
        site: section.parsed::<SiteId>("site"),
        cameras: cameras::cameras(&section, hub.is_some()),
        hub,
        data_dir,
        models: models(section.section("models")),
        mqtt: mqtt.flatten(),
        webhook: section
            .has("webhook")
            .then(|| receivers::webhook(section.section("webhook")))
            .flatten(),
        ntfy: section
            .has("ntfy")
            .then(|| receivers::ntfy(section.section("ntfy")))
            .flatten(),
        upload: upload.flatten(),
        outbox: outbox(section.section("outbox"), section.section("budget")),
        web: web(section.section("web")),
        log: log(section.section("log")),
        stop_grace: section.duration("stop_grace", SECOND * 10, SECOND, MINUTE * 5),
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

fn models(section: Section<'_>) -> ModelsConfig {
    let defaults = ModelsConfig::default();
    let config = ModelsConfig {
        dir: section.path("dir").unwrap_or(defaults.dir),
        motion: section.text("motion").unwrap_or(defaults.motion),
        person: section.text("person").unwrap_or(defaults.person),
        onnxruntime: section.path("onnxruntime"),
        threads: section
            .number("threads", 1.0, 16.0)
            .map_or(defaults.threads, |threads| threads as usize),
    };
    section.done();
    config
}

fn mqtt(section: Section<'_>) -> Option<MqttConfig> {
    let url = url_with_scheme(
        &section,
        "url",
        &["mqtt", "mqtts"],
        "mqtt://HOST:1883 or mqtts://HOST:8883",
    );
    let user = section.text("user");
    let password = section.secret("password_file", "password_env");
    let ca_file = section.path("ca_file");
    let (client_cert, client_key) = (section.path("client_cert"), section.path("client_key_file"));
    if client_cert.is_some() != client_key.is_some() {
        let key = if client_cert.is_some() {
            "client_key_file"
        } else {
            "client_cert"
        };
        section.problem(
            key,
            "is missing: a certificate of this box needs client_cert and client_key_file",
        );
    }
    if client_cert.is_some() && url.as_ref().is_some_and(|url| url.scheme() == "mqtt") {
        section.problem(
            "client_cert",
            "is shown over TLS only: write mqtts:// in url",
        );
    }
    let keep_alive = section.duration("keep_alive", MINUTE * 2, SECOND * 5, HOUR);
    let health_every = section.duration("health_every", HOUR, SECOND * 10, DAY);
    let discovery = section.flag("discovery", true);
    let discovery_prefix = topic(&section, "discovery_prefix");
    let languages = [("en", Language::En), ("fr", Language::Fr)];
    let discovery_language = section.choice("discovery_language", &languages, Language::En);
    section.done();
    let usual = MqttConfig::without_login(url?);
    Some(MqttConfig {
        user,
        password,
        ca_file,
        client_cert,
        client_key,
        keep_alive,
        health_every,
        discovery,
        discovery_prefix: discovery_prefix.unwrap_or(usual.discovery_prefix),
        discovery_language,
        ..usual
    })
}

/// The beginning of topics, without a slash at its ends.
fn topic(section: &Section<'_>, key: &'static str) -> Option<String> {
    let text = section.text(key)?;
    let sound = (1..=64).contains(&text.len())
        && !text.starts_with(['/', '$'])
        && !text.ends_with('/')
        && !text.contains(['+', '#'])
        && !text.contains(char::is_control);
    if !sound {
        section.problem(
            key,
            "is no beginning of a topic: write it like \"homeassistant\", without +, # and without / at its ends",
        );
    }
    sound.then_some(text)
}

fn outbox(section: Section<'_>, budget: Section<'_>) -> OutboxConfig {
    let defaults = OutboxConfig::default();
    let retention = section.duration("retention", defaults.retention, HOUR, DAY * 30);
    let quota = section.parsed("quota").unwrap_or(defaults.quota);
    let keep = |retention_key, quota_key, default: ByteSize| KeepConfig {
        retention: section.duration(retention_key, retention, HOUR, retention.max(HOUR)),
        quota: section.parsed(quota_key).unwrap_or(default),
    };
    let config = OutboxConfig {
        retention,
        quota,
        clips: keep("clip_retention", "clip_quota", quota),
        pictures: keep(
            "picture_retention",
            "picture_quota",
            defaults.pictures.quota,
        ),
        alert_quota: section
            .parsed("alert_quota")
            .unwrap_or(defaults.alert_quota),
        purpose: section.text("purpose").unwrap_or(defaults.purpose),
        budget: data_plan(budget),
        #[cfg(feature = "crash-test")]
        witness: None,
    };
    let least = |key, value: ByteSize, least, text: &str| {
        // One that is not there has its default from another key, which is told of itself.
        if value < ByteSize::mb(least) && section.has(key) {
            section.problem(
                key,
                format!("is too small {text}: choose \"{least} MB\" or more"),
            );
        }
    };
    least("quota", config.quota, 20, "to hold a clip");
    least("clip_quota", config.clips.quota, 20, "to hold a clip");
    least(
        "picture_quota",
        config.pictures.quota,
        1,
        "to hold the pictures of a day",
    );
    least(
        "alert_quota",
        config.alert_quota,
        1,
        "to hold the alerts of a day",
    );
    section.done();
    config
}

/// Below this not even a day's alerts and pictures get through.
const LEAST_BYTES: ByteSize = ByteSize::mb(1);
/// Below this a picture takes minutes.
const LEAST_RATE: BitRate = BitRate(8_000);

fn data_plan(section: Section<'_>) -> BudgetConfig {
    let config = BudgetConfig {
        rate: section.parsed("rate"),
        per_day: section.parsed("per_day"),
        per_month: section.parsed("per_month"),
        month_starts: section
            .number("month_starts", 1.0, 28.0)
            .map_or(BudgetConfig::default().month_starts, |day| day as i8),
    };
    if config.rate.is_some_and(|rate| rate.0 < LEAST_RATE.0) {
        section.problem(
            "rate",
            "is too slow for pictures: choose \"8 kbit/s\" or more",
        );
    }
    for (key, bytes) in [("per_day", config.per_day), ("per_month", config.per_month)] {
        if bytes.is_some_and(|bytes| bytes < LEAST_BYTES) {
            section.problem(key, "is too small for pictures: choose \"1 MB\" or more");
        }
    }
    section.done();
    config
}

fn web(section: Section<'_>) -> WebConfig {
    let mut listen = WebConfig::default().listen;
    if let Some(text) = section.text("listen") {
        listen = match text.as_str() {
            "off" => None,
            address => match address.parse::<SocketAddr>() {
                Ok(address) if address.ip().is_loopback() => Some(address),
                Ok(_) => {
                    section.problem(
                        "listen",
                        "is not on loopback, where anyone on the network could read it: use 127.0.0.1:PORT and a reverse proxy with a password",
                    );
                    listen
                }
                Err(_) => {
                    section.problem(
                        "listen",
                        "should be an address such as \"127.0.0.1:8088\", or \"off\"",
                    );
                    listen
                }
            },
        };
    }
    let names = section.words("names").unwrap_or_default();
    section.done();
    WebConfig { listen, names }
}

fn log(section: Section<'_>) -> LogConfig {
    let config = LogConfig {
        level: section
            .text("level")
            .unwrap_or_else(|| LogConfig::default().level),
        json: section.choice("format", &[("text", false), ("json", true)], false),
    };
    section.done();
    config
}

//! The configuration: the tree with its defaults, the units it is written in, and the check that finds all problems at once.
//!
//! In: the text of `lares.toml` and the environment. Out: a [`Config`] that is known to be sound.
//! Never opens a camera, a socket or a model: `lares check` does that with the rooms themselves.
//! Imports `flow` and `base` only.

pub mod address;
mod areas;
mod camera;
mod keys;
mod load;
mod migrate;
mod problem;
pub mod registry;
mod units;

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

pub use areas::{Areas, AreasError, ZoneArea, version as areas_version};
pub use camera::{
    CameraConfig, ClipConfig, DecoderChoice, DetectConfig, IncidentConfig, LineConfig,
    LineDirection, RecordedStreams, RecordingConfig, RoiPolicy, SourceConfig, Transport,
    ZoneConfig,
};
pub use load::ConfigError;
pub use load::hub::HubConfig;
pub use load::sinks::{NtfyConfig, UploadConfig, WebhookConfig};
pub use migrate::{MigrateError, Migrated, migrate};
pub use problem::ConfigProblem;
pub use units::{BitRate, ByteSize, Secret, parse_duration};

use serde::Serialize;

use crate::flow::{Language, SiteId};

/// Environment variables, as a seam for tests.
pub type Environment = BTreeMap<String, String>;

/// The process's environment, as far as it is text.
#[must_use]
pub fn environment() -> Environment {
    std::env::vars_os()
        .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// Everything that `lares run` needs to know.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Config {
    /// The file that it was read from; none: it came from the command line.
    #[serde(skip)]
    pub file: Option<PathBuf>,
    /// The household; made at first start and kept in `data_dir` where absent.
    pub site: Option<SiteId>,
    /// Where clips, the outbox and the site's id live.
    pub data_dir: PathBuf,
    /// Cameras, at least one.
    pub cameras: Vec<CameraConfig>,
    /// Models and the inference library.
    pub models: ModelsConfig,
    /// Broker for alerts; where none of these three is set, alerts stay in the outbox.
    pub mqtt: Option<MqttConfig>,
    /// Address that alerts are posted to.
    pub webhook: Option<WebhookConfig>,
    /// Topic that shows alerts on phones.
    pub ntfy: Option<NtfyConfig>,
    /// Where clips go; none: they stay on disk.
    pub upload: Option<UploadConfig>,
    /// Outbox and disk.
    pub outbox: OutboxConfig,
    /// The agent's own HTTP.
    pub web: WebConfig,
    /// The hub in this program; none: another program receives.
    pub hub: Option<HubConfig>,
    /// Log.
    pub log: LogConfig,
    /// How long stopping in good order may take.
    pub shutdown_timeout: Duration,
}

/// Models.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelsConfig {
    /// Folder of models and cards.
    pub dir: PathBuf,
    /// Card of the motion model.
    pub motion: String,
    /// Card of the person model.
    pub person: String,
    /// The ONNX Runtime library; none: `ORT_DYLIB_PATH`, then `vendor/`, then the system's.
    pub onnxruntime: Option<PathBuf>,
    /// Threads of one look.
    pub threads: usize,
}

/// Broker for alerts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MqttConfig {
    /// `mqtt://host:port` or `mqtts://host:port`; never holds a password.
    #[serde(serialize_with = "keys::shown")]
    pub url: url::Url,
    /// User.
    pub user: Option<String>,
    /// Password.
    pub password: Option<Secret>,
    /// PEM file of certificates to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// PEM file with this box's own certificate, for a broker that asks for one.
    pub client_cert: Option<PathBuf>,
    /// PEM file with its key.
    pub client_key: Option<PathBuf>,
    /// Keep-alive.
    pub keep_alive: Duration,
    /// A health report is sent at least this often.
    pub health_interval: Duration,
    /// Home Assistant is told what there is, so that it sets it up by itself.
    pub discovery: bool,
    /// Where Home Assistant looks for that.
    pub discovery_prefix: String,
    /// The language in which it calls things.
    pub discovery_language: Language,
    /// It is the broker of the hub in this program: what goes there does not leave the box.
    #[serde(skip)]
    pub here: bool,
}

impl MqttConfig {
    /// A broker at `url` that asks for no login.
    #[must_use]
    pub fn without_login(url: url::Url) -> Self {
        load::defaults("mqtt", |section| load::broker(&section, url))
    }
}

/// Outbox and disk.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OutboxConfig {
    /// Clips, pictures and rows are deleted when they are this old (at most 30 days).
    pub retention: Duration,
    /// Most bytes of clips and pictures on disk.
    pub quota: ByteSize,
    /// Of these, what holds for headers and segments.
    pub clips: KeepConfig,
    /// Of these, what holds for pictures.
    pub pictures: KeepConfig,
    /// Most bytes of alerts in the database; only those that have arrived are deleted earlier.
    pub alert_quota: ByteSize,
    /// Purpose written in each alert, for the household's records.
    pub purpose: String,
    /// What may leave.
    pub budget: BudgetConfig,
    /// A pipe that is told of each committed row; no key sets it, it is for the crash test.
    #[serde(skip)]
    #[cfg(feature = "crash-test")]
    pub witness: Option<PathBuf>,
}

/// A data plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BudgetConfig {
    /// Speed at which things leave; none: as fast as the link carries.
    pub rate: Option<BitRate>,
    /// Most bytes a day.
    pub per_day: Option<ByteSize>,
    /// Most bytes a month.
    pub per_month: Option<ByteSize>,
    /// Day on which the plan's month begins, 1..=28.
    pub month_starts: i8,
}

impl BudgetConfig {
    /// Whether bytes are counted against anything.
    #[must_use]
    pub fn limited(&self) -> bool {
        self.per_day.is_some() || self.per_month.is_some()
    }
}

impl Default for BudgetConfig {
    fn default() -> Self {
        load::defaults("data_plan", load::budget)
    }
}

/// How much is kept of one kind of file, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct KeepConfig {
    /// Deleted when this old; not longer than the retention of all.
    pub retention: Duration,
    /// Most bytes on disk.
    pub quota: ByteSize,
}

/// The agent's own HTTP: health and metrics.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WebConfig {
    /// Where to listen; none: nowhere.
    pub listen: Option<SocketAddr>,
    /// Names by which the machine may be asked, beside addresses and its own name.
    pub server_names: Vec<String>,
}

/// Log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LogConfig {
    /// Filter, such as `info` or `lares=debug`.
    pub level: String,
    /// JSON lines instead of text.
    pub json: bool,
}

/// Where the models lie, wherever the program is run from: in the current folder; in a working tree beside the program (programs lie in
/// `target/PROFILE`, tests one deeper); or where a package puts them.
fn models_dir() -> PathBuf {
    const HERE: &str = "models";
    let program = std::env::current_exe().ok();
    let above = program
        .iter()
        .flat_map(|program| program.ancestors().skip(1).take(4));
    let beside = above.flat_map(|dir| [dir.join(HERE), dir.join("share/lares/models")]);
    std::iter::once(PathBuf::from(HERE))
        .chain(beside)
        .chain([PathBuf::from("/usr/share/lares/models")])
        .find(|dir| dir.join("motion.toml").is_file())
        .unwrap_or_else(|| PathBuf::from(HERE))
}

impl Default for ModelsConfig {
    fn default() -> Self {
        load::defaults("models", load::models)
    }
}

impl Default for OutboxConfig {
    fn default() -> Self {
        load::defaults("", |top| {
            load::outbox(top.section("outbox"), top.section("data_plan"), None)
        })
    }
}

impl Default for WebConfig {
    fn default() -> Self {
        load::defaults("web", load::web)
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        load::defaults("log", load::log)
    }
}

#[cfg(test)]
mod tests;

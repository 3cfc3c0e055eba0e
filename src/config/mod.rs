//! The configuration: the tree with its defaults, the units it is written in, and the check that finds all problems at once.
//!
//! In: the text of `lares.toml` and the environment. Out: a [`Config`] that is known to be sound.
//! Never opens a camera, a socket or a model: `lares check` does that with the rooms themselves.
//! Imports `flow` and `base` only.

mod areas;
mod cameras;
mod hub;
mod keys;
mod load;
mod places;
mod read;
mod receivers;
mod units;

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

pub use areas::{Areas, AreasError, ZoneArea, version as areas_version};
pub use load::ConfigError;
pub use read::ConfigProblem;
pub use receivers::{NtfyConfig, UploadConfig, WebhookConfig};
pub use units::{BitRate, ByteSize, Secret, parse_duration};

use serde::Serialize;

use crate::flow::{CameraId, Label, Language, Mode, NormPoint, Polygon, SiteId};

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
    pub stop_grace: Duration,
}

/// One camera.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CameraConfig {
    /// Permanent id.
    pub id: CameraId,
    /// Name for people.
    pub name: String,
    /// The watched stream.
    pub source: SourceConfig,
    /// A second stream of full quality, kept for clips.
    pub main: Option<SourceConfig>,
    /// Mode at first start.
    pub mode: Mode,
    /// Longest time between two looks while asleep.
    pub wake_within: Duration,
    /// What decodes.
    pub decoder: DecoderChoice,
    /// What to look for, motion and where.
    pub detect: DetectConfig,
    /// When incidents end and what is recorded.
    pub incident: IncidentConfig,
    /// Clip cutting.
    pub clip: ClipConfig,
    /// Painted black on each picture straight after decoding.
    pub privacy_mask: Vec<Polygon>,
}

/// What decodes a camera's pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum DecoderChoice {
    /// Hardware where there is some that has passed a trial, else the processor.
    #[default]
    Auto,
    /// The processor.
    Software,
}

/// How a camera's pictures travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum Transport {
    /// By TCP; by UDP where the camera refuses TCP.
    #[default]
    Auto,
    /// Inside the RTSP connection: nothing is lost or out of order.
    Tcp,
    /// As datagrams: a network that loses some loses pictures.
    Udp,
}

/// Where a stream comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SourceConfig {
    /// `rtsp://` or `rtsps://` address, or a file's path as `file:///...`; never holds a password.
    #[serde(serialize_with = "keys::shown")]
    pub url: url::Url,
    /// User for the camera.
    pub user: Option<String>,
    /// Password for the camera.
    pub password: Option<Secret>,
    /// A stream that stays silent for this long counts as stalled.
    pub stall_after: Duration,
    /// How its pictures travel. Over TLS they never go by UDP.
    pub transport: Transport,
    /// The authorities that a certificate of `rtsps://` is checked against, in PEM; none: the system's.
    pub ca_file: Option<PathBuf>,
}

/// What to look for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DetectConfig {
    /// Classes that make incidents.
    pub labels: Vec<Label>,
    /// Looks a second while awake, at most.
    pub looks_per_second: f64,
    /// Score from which one look is a sighting; none: the model card's.
    pub score: Option<f32>,
    /// Height of the smallest person that is looked for, share of the picture's height, 0..1.
    pub smallest_person: f32,
    /// Where the person model looks.
    pub look: LookPolicy,
    /// Close-ups of small persons, a second, at most; 0: none.
    pub close_ups_per_second: f64,
    /// How long a scene must be quiet before decoding stops.
    pub awake_hold: Duration,
    /// Motion in here wakes nothing and persons in here count for nothing.
    pub motion_mask: Vec<Polygon>,
    /// Named places. Where there is one with `required`, only visits that enter such a zone are reported.
    pub zones: Vec<ZoneConfig>,
    /// Named lines.
    pub lines: Vec<LineConfig>,
}

/// Where the person model looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum LookPolicy {
    /// At the whole picture, and closer where somebody would be too small.
    #[default]
    Auto,
    /// At the whole picture only.
    Whole,
    /// At a square around each thing that moves or is followed.
    Regions,
}

/// A named place in the picture.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ZoneConfig {
    /// Name in alerts.
    pub name: String,
    /// Where feet must stand.
    pub area: Polygon,
    /// Only visits that enter a required zone (or cross a required line) are reported.
    pub required: bool,
    /// From this stay on it is loitering; none: nobody loiters here.
    pub loiter: Option<Duration>,
}

/// A named line in the picture that feet may cross.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LineConfig {
    /// Name in alerts.
    pub name: String,
    /// Its two ends.
    pub ends: [NormPoint; 2],
    /// Which crossings count.
    pub direction: LineDirection,
    /// Only visits that cross a required line (or enter a required zone) are reported.
    pub required: bool,
}

/// Which way over a line, as seen by somebody who stands at its first end and looks at its second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum LineDirection {
    /// Either way.
    Both,
    /// From the left side to the right.
    ToRight,
    /// From the right side to the left.
    ToLeft,
}

/// The life of an incident.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IncidentConfig {
    /// It ends this long after its last track left through the picture's edge.
    pub end_after_left: Duration,
    /// It ends this long after its last track was lost inside the picture.
    pub end_after_lost: Duration,
    /// Recording stops after this long ...
    pub record_max: Duration,
    /// ... and resumes for this long when a new track appears.
    pub record_resume: Duration,
}

/// The clip.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClipConfig {
    /// What is kept from before the incident's start, at least.
    pub pre_roll: Duration,
    /// What is kept after its end.
    pub post_roll: Duration,
    /// Most bytes of the pre-roll ring, for each stream.
    pub pre_roll_bytes: ByteSize,
    /// A segment is cut at the first keyframe after this long ...
    pub segment_target: Duration,
    /// ... or, keyframe or not, after this long ...
    pub segment_max: Duration,
    /// ... or about this many bytes.
    pub segment_bytes: ByteSize,
    /// An H.265 camera's clips are encoded as H.264 too, for browsers that play nothing else.
    pub preview: bool,
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
    pub health_every: Duration,
    /// Home Assistant is told what there is, so that it sets it up by itself.
    pub discovery: bool,
    /// Where Home Assistant looks for that.
    pub discovery_prefix: String,
    /// The language in which it calls things.
    pub discovery_language: Language,
}

impl MqttConfig {
    /// A broker at `url` that asks for no login.
    #[must_use]
    pub fn without_login(url: url::Url) -> Self {
        Self {
            url,
            user: None,
            password: None,
            ca_file: None,
            client_cert: None,
            client_key: None,
            keep_alive: Duration::from_secs(120),
            health_every: Duration::from_secs(3600),
            discovery: true,
            discovery_prefix: "homeassistant".to_owned(),
            discovery_language: Language::En,
        }
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
        Self {
            rate: None,
            per_day: None,
            per_month: None,
            month_starts: 1,
        }
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
}

/// The hub.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HubConfig {
    /// Where its files live.
    pub dir: PathBuf,
    /// Where the page listens.
    pub listen: SocketAddr,
    /// Where boxes upload to.
    pub store_listen: SocketAddr,
    /// Where boxes send their alerts to.
    pub broker_listen: SocketAddr,
    /// Further boxes, beside the one that the hub runs in.
    pub sites: Vec<SiteId>,
    /// Names by which browsers may ask for the page, beside addresses and the machine's own name.
    pub names: Vec<String>,
    /// Incidents are deleted when they are this old.
    pub retention: Duration,
    /// Most bytes of uploads.
    pub quota: ByteSize,
}

impl HubConfig {
    /// Defaults, with files in `dir`.
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        let loopback = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Self {
            dir,
            listen: loopback(8080),
            store_listen: loopback(9000),
            broker_listen: loopback(1883),
            sites: Vec::new(),
            names: Vec::new(),
            retention: Duration::from_secs(30 * 24 * 3600),
            quota: ByteSize::mb(20_000),
        }
    }
}

/// Log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LogConfig {
    /// Filter, such as `info` or `lares=debug`.
    pub level: String,
    /// JSON lines instead of text.
    pub json: bool,
}

impl Default for DetectConfig {
    fn default() -> Self {
        Self {
            labels: vec![Label::Person],
            looks_per_second: 5.0,
            score: None,
            smallest_person: 0.08,
            look: LookPolicy::Auto,
            close_ups_per_second: 1.9,
            awake_hold: Duration::from_secs(6),
            motion_mask: Vec::new(),
            zones: Vec::new(),
            lines: Vec::new(),
        }
    }
}

impl DetectConfig {
    /// Foreground from which a look counts as motion, as a share of the picture: a third of what the smallest person
    /// covers in a picture of 4:3 (the rest is hidden, or as dark as the ground).
    #[must_use]
    pub fn least_motion(&self) -> f32 {
        const WIDTH_TO_HEIGHT: f32 = 0.4;
        const FOUND: f32 = 1.0 / 3.0;
        FOUND * WIDTH_TO_HEIGHT * self.smallest_person * self.smallest_person / (4.0 / 3.0)
    }

    /// From one look to the next while something moves.
    #[must_use]
    pub fn look_interval(&self) -> Duration {
        Duration::from_secs_f64(1.0 / self.looks_per_second.max(0.1))
    }
}

impl Default for IncidentConfig {
    fn default() -> Self {
        Self {
            end_after_left: Duration::from_secs(2),
            end_after_lost: Duration::from_secs(10),
            record_max: Duration::from_secs(60),
            record_resume: Duration::from_secs(20),
        }
    }
}

impl Default for ClipConfig {
    fn default() -> Self {
        Self {
            pre_roll: Duration::from_secs(5),
            post_roll: Duration::from_secs(5),
            pre_roll_bytes: ByteSize::mb(24),
            segment_target: Duration::from_secs(2),
            segment_max: Duration::from_secs(4),
            segment_bytes: ByteSize::kb(512),
            preview: true,
        }
    }
}

impl Default for ModelsConfig {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("models"),
            motion: "motion".to_owned(),
            person: "person".to_owned(),
            onnxruntime: None,
            threads: 1,
        }
    }
}

impl Default for OutboxConfig {
    fn default() -> Self {
        let retention = Duration::from_secs(7 * 24 * 3600);
        let keep = |quota| KeepConfig { retention, quota };
        Self {
            retention,
            quota: ByteSize::mb(2_000),
            clips: keep(ByteSize::mb(2_000)),
            pictures: keep(ByteSize::mb(200)),
            alert_quota: ByteSize::mb(50),
            purpose: "home security".to_owned(),
            budget: BudgetConfig::default(),
            witness: None,
        }
    }
}

impl Default for WebConfig {
    fn default() -> Self {
        Self {
            listen: Some(SocketAddr::from(([127, 0, 0, 1], 8088))),
        }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            json: false,
        }
    }
}

#[cfg(test)]
mod tests;

/// Environment variables, as a seam for tests.
pub type Environment = BTreeMap<String, String>;

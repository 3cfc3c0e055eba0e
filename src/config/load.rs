//! From text to a [`Config`]: every key, its default, its range, and what one key asks of another.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use toml::de::DeTable;
use url::Url;

use super::{
    ByteSize, CameraConfig, ClipConfig, Config, ConfigProblem, DetectConfig, Environment,
    IncidentConfig, LogConfig, ModelsConfig, MqttConfig, OutboxConfig, Secret, SourceConfig,
    UploadConfig, WebConfig, ZoneConfig,
    read::{Reading, Section},
};
use crate::flow::{CameraId, Label, Mode, SiteId};

/// The version of the configuration that this program reads.
const VERSION: f64 = 1.0;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

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
        Self::parse(&text, folder, environment).map_err(|problems| ConfigError::Problems {
            path: path.to_owned(),
            problems,
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
    let config = Config {
        site: section.parsed::<SiteId>("site"),
        data_dir: section
            .path("data_dir")
            .unwrap_or_else(|| default_data_dir(environment)),
        cameras: cameras(&section),
        models: models(section.section("models")),
        mqtt: section
            .has("mqtt")
            .then(|| mqtt(section.section("mqtt")))
            .flatten(),
        upload: section
            .has("upload")
            .then(|| upload(section.section("upload")))
            .flatten(),
        outbox: outbox(section.section("outbox")),
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

fn cameras(root: &Section<'_>) -> Vec<CameraConfig> {
    let sections = root.sections("cameras");
    if sections.is_empty() {
        root.problem(
            "cameras",
            "no camera: add [[cameras]] with url = \"rtsp://...\"",
        );
    }
    let mut ids = BTreeSet::new();
    let mut out = Vec::new();
    for (index, section) in sections.into_iter().enumerate() {
        let fallback: CameraId = format!("camera{}", index + 1)
            .parse()
            .expect("\"camera\" and a number is a valid id");
        let given = section.has("id");
        let id = section.parsed::<CameraId>("id").unwrap_or(fallback);
        if !ids.insert(id.clone()) {
            let key = if given { "id" } else { "url" };
            section.problem(
                key,
                format!("two cameras have the id \"{id}\": give each its own"),
            );
        }
        out.extend(camera(section, id));
    }
    out
}

fn camera(section: Section<'_>, id: CameraId) -> Option<CameraConfig> {
    let login = Login {
        user: section.text("user"),
        password: section.secret("password_file", "password_env"),
        stall_after: section.duration("stall_after", SECOND * 10, SECOND, MINUTE * 10),
    };
    if !section.has("url") {
        section.problem(
            "url",
            "is missing: the camera's address, such as \"rtsp://192.168.1.20/stream2\"",
        );
    }
    let source = source(&section, "url", &login);
    let main = self::source(&section, "main_url", &login);
    let defaults = ClipConfig::default();
    let clip_section = section.section("clip");
    let seconds = |key, default, most| clip_section.duration(key, default, Duration::ZERO, most);
    let clip = ClipConfig {
        pre_roll: seconds("pre_roll", defaults.pre_roll, MINUTE),
        post_roll: seconds("post_roll", defaults.post_roll, MINUTE),
        pre_roll_bytes: clip_section
            .parsed("pre_roll_bytes")
            .unwrap_or(defaults.pre_roll_bytes),
        segment_target: clip_section.duration(
            "segment_target",
            defaults.segment_target,
            SECOND,
            MINUTE,
        ),
        segment_max: clip_section.duration("segment_max", defaults.segment_max, SECOND, MINUTE),
        segment_bytes: clip_section
            .parsed("segment_bytes")
            .unwrap_or(defaults.segment_bytes),
    };
    if clip.segment_max < clip.segment_target {
        clip_section.problem(
            "segment_max",
            "is shorter than segment_target: make it at least as long",
        );
    }
    if clip.segment_bytes < ByteSize::kb(32) {
        clip_section.problem("segment_bytes", "is too small: choose \"32 kB\" or more");
    }
    clip_section.done();
    let name = section.text("name").unwrap_or_else(|| id.to_string());
    let mode = section.choice(
        "mode",
        &[("armed", Mode::Armed), ("disarmed", Mode::Disarmed)],
        Mode::Armed,
    );
    let wake_within = section.duration("wake_within", SECOND * 2, MS * 200, SECOND * 50);
    let detect = detect(&section);
    let incident = incident(section.section("incident"));
    let privacy_mask = section.polygons("privacy_mask");
    section.done();
    // Everything has been read by now, so that one problem hides no other.
    Some(CameraConfig {
        id,
        name,
        source: source?,
        main,
        mode,
        wake_within,
        detect,
        incident,
        clip,
        privacy_mask,
    })
}

struct Login {
    user: Option<String>,
    password: Option<Secret>,
    stall_after: Duration,
}

/// A stream's address. A user and password in it are taken out, so that no log or page can show them.
fn source(section: &Section<'_>, key: &'static str, login: &Login) -> Option<SourceConfig> {
    let text = section.text(key)?;
    let mut url = match Url::parse(&text) {
        Ok(url) => url,
        Err(error) => {
            section.problem(
                key,
                format!("is not an address ({error}): write rtsp://HOST:PORT/PATH"),
            );
            return None;
        }
    };
    match url.scheme() {
        "rtsp" | "rtsps" if url.host().is_some() => {}
        "rtsp" | "rtsps" => {
            section.problem(key, "has no host: write rtsp://HOST:PORT/PATH");
            return None;
        }
        other => {
            section.problem(
                key,
                format!("\"{other}\" is not supported: use rtsp:// or rtsps:// (files go through lares replay)"),
            );
            return None;
        }
    }
    let decode = |text: &str| {
        url::form_urlencoded::parse(format!("x={}", text.replace('+', "%2B")).as_bytes())
            .next()
            .map(|(_, value)| value.into_owned())
    };
    let user = Some(url.username())
        .filter(|user| !user.is_empty())
        .and_then(decode);
    let password = url.password().and_then(decode).map(Secret::new);
    if user.is_some() && login.user.is_some() {
        section.problem(
            key,
            "holds a user name beside the key \"user\": keep one of the two",
        );
    }
    // Cannot fail: the address has a host.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    Some(SourceConfig {
        url,
        user: user.or_else(|| login.user.clone()),
        password: password.or_else(|| login.password.clone()),
        stall_after: login.stall_after,
    })
}

fn detect(camera: &Section<'_>) -> DetectConfig {
    let section = camera.section("detect");
    let defaults = DetectConfig::default();
    let mut labels = Vec::new();
    for word in section.words("labels").unwrap_or_default() {
        match word.parse::<Label>() {
            Ok(label) => labels.push(label),
            Err(()) => {
                let known: Vec<_> = Label::ALL.iter().map(|label| label.as_str()).collect();
                section.problem(
                    "labels",
                    format!("\"{word}\" is not known: choose from {}", known.join(", ")),
                );
            }
        }
    }
    let config = DetectConfig {
        labels: if labels.is_empty() {
            defaults.labels
        } else {
            labels
        },
        looks_per_second: section
            .number("looks_per_second", 0.5, 30.0)
            .unwrap_or(defaults.looks_per_second),
        score: section
            .number("score", 0.05, 0.99)
            .map(|score| score as f32),
        motion_area: section
            .number("motion_area", 0.0, 1.0)
            .map_or(defaults.motion_area, |area| area as f32),
        awake_hold: section.duration("awake_hold", defaults.awake_hold, SECOND, MINUTE * 10),
        motion_mask: section.polygons("motion_mask"),
        zones: zones(camera),
    };
    section.done();
    config
}

fn zones(camera: &Section<'_>) -> Vec<ZoneConfig> {
    let mut names = BTreeSet::new();
    let mut out = Vec::new();
    for section in camera.sections("zones") {
        let name = section.text("name");
        let area = section.polygon("area");
        if name.is_none() {
            section.problem("name", "is missing: give the zone a name");
        }
        if !section.has("area") {
            section.problem("area", "is missing: give the zone a polygon");
        }
        if name
            .as_ref()
            .is_some_and(|name| !names.insert(name.clone()))
        {
            section.problem("name", "is used twice: give each zone its own name");
        }
        let required = section.flag("required", false);
        if let (Some(name), Some(area)) = (name, area) {
            out.push(ZoneConfig {
                name,
                area,
                required,
            });
        }
        section.done();
    }
    out
}

fn incident(section: Section<'_>) -> IncidentConfig {
    let defaults = IncidentConfig::default();
    let read = |key, default| section.duration(key, default, MS * 500, HOUR);
    let config = IncidentConfig {
        end_after_left: read("end_after_left", defaults.end_after_left),
        end_after_lost: read("end_after_lost", defaults.end_after_lost),
        record_max: read("record_max", defaults.record_max),
        record_resume: read("record_resume", defaults.record_resume),
    };
    section.done();
    config
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
    let keep_alive = section.duration("keep_alive", MINUTE * 2, SECOND * 5, HOUR);
    section.done();
    Some(MqttConfig {
        url: url?,
        user,
        password,
        ca_file,
        keep_alive,
    })
}

fn upload(section: Section<'_>) -> Option<UploadConfig> {
    let url = url_with_scheme(
        &section,
        "url",
        &["s3", "file"],
        "s3://BUCKET/PREFIX or file:///FOLDER",
    );
    let endpoint = section
        .has("endpoint")
        .then(|| {
            url_with_scheme(
                &section,
                "endpoint",
                &["http", "https"],
                "https://HOST:PORT",
            )
        })
        .flatten();
    let access_key = section.text("access_key");
    let secret_key = section.secret("secret_key_file", "secret_key_env");
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
    let region = section
        .text("region")
        .unwrap_or_else(|| "us-east-1".to_owned());
    let ca_file = section.path("ca_file");
    section.done();
    Some(UploadConfig {
        url: url?,
        endpoint,
        region,
        access_key,
        secret_key,
        ca_file,
    })
}

fn url_with_scheme(
    section: &Section<'_>,
    key: &'static str,
    schemes: &[&str],
    example: &str,
) -> Option<Url> {
    if !section.has(key) {
        section.problem(key, format!("is missing: write {example}"));
        return None;
    }
    let text = section.text(key)?;
    let url = Url::parse(&text).ok().filter(|url| {
        schemes.contains(&url.scheme()) && (url.scheme() == "file" || url.host().is_some())
    });
    let Some(url) = url else {
        section.problem(key, format!("is not such an address: write {example}"));
        return None;
    };
    if url.password().is_some() || !url.username().is_empty() {
        section.problem(key, "holds a password: put it in its own key, which reads it from a file or the environment");
        return None;
    }
    Some(url)
}

fn outbox(section: Section<'_>) -> OutboxConfig {
    let defaults = OutboxConfig::default();
    let config = OutboxConfig {
        retention: section.duration("retention", defaults.retention, HOUR, DAY * 30),
        quota: section.parsed("quota").unwrap_or(defaults.quota),
        purpose: section.text("purpose").unwrap_or(defaults.purpose),
    };
    if config.quota < ByteSize::mb(20) {
        section.problem(
            "quota",
            "is too small to hold a clip: choose \"20 MB\" or more",
        );
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
    section.done();
    WebConfig { listen }
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

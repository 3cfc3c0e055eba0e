//! The `[[cameras]]` of a configuration.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use url::{Host, Url};

use super::{
    reader::{Section, defaults},
    recording, zones,
};
use crate::{
    config::{
        CameraConfig, ClipConfig, DecoderChoice, DetectConfig, IncidentConfig, RoiPolicy, Secret,
        SourceConfig, Transport,
    },
    flow::{CameraId, Label, Mode, Turn},
};

/// The cameras; at least one, unless there is a hub for those of other boxes.
pub(super) fn cameras(root: &Section<'_>, has_hub: bool) -> Vec<CameraConfig> {
    let sections = root.sections("cameras");
    if sections.is_empty() && !has_hub {
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
    let access = access(&section);
    if !section.has("url") {
        section.problem(
            "url",
            "is missing: the camera's address, such as \"rtsp://192.168.1.20/stream2\"",
        );
    }
    let source = source(&section, "url", &access);
    let main = self::source(&section, "main_url", &access);
    let clip = clip(section.section("clip"));
    let name = section.text("name").unwrap_or_else(|| id.to_string());
    let modes = [("armed", Mode::Armed), ("disarmed", Mode::Disarmed)];
    let mode = section.choice("mode", &modes);
    let max_idle_interval = section.duration("max_idle_interval");
    let decoder = section.choice(
        "decoder",
        &[
            ("auto", DecoderChoice::Auto),
            ("software", DecoderChoice::Software),
        ],
    );
    let rotate = rotate(&section);
    let detect = detect(&section);
    let incident = incident(section.section("incident"));
    let privacy_mask = section.polygons("privacy_mask");
    let recording = recording::recording(&section, !privacy_mask.is_empty());
    section.done();
    // Everything has been read by now, so that one problem hides no other.
    Some(CameraConfig {
        id,
        name,
        source: source?,
        main,
        mode,
        max_idle_interval,
        decoder,
        rotate,
        detect,
        incident,
        clip,
        recording,
        privacy_mask,
    })
}

/// How a camera that hangs on its side, or upside down, is turned.
fn rotate(section: &Section<'_>) -> Turn {
    Turn::clockwise(section.number("rotate") as u32).unwrap_or_else(|| {
        section.problem(
            "rotate",
            "turns by quarters: write 90, 180 or 270 (degrees, clockwise)",
        );
        Turn::NONE
    })
}

/// How both streams of a camera are reached.
struct Access {
    user: Option<String>,
    password: Option<Secret>,
    stall_timeout: Duration,
    transport: Transport,
    ca_file: Option<PathBuf>,
}

fn access(section: &Section<'_>) -> Access {
    Access {
        user: section.text("user"),
        password: section.secret("password"),
        stall_timeout: section.duration("stall_timeout"),
        transport: section.choice(
            "transport",
            &[
                ("auto", Transport::Auto),
                ("tcp", Transport::Tcp),
                ("udp", Transport::Udp),
            ],
        ),
        ca_file: section.path("ca_file"),
    }
}

impl Access {
    fn to(&self, url: Url) -> SourceConfig {
        SourceConfig {
            url,
            user: self.user.clone(),
            password: self.password.clone(),
            stall_timeout: self.stall_timeout,
            transport: self.transport,
            ca_file: self.ca_file.clone(),
        }
    }
}

impl SourceConfig {
    /// A stream at `url` that asks for no login, with defaults for everything else.
    #[must_use]
    pub fn open(url: Url) -> Self {
        defaults("cameras", |section| access(&section).to(url))
    }
}

/// What is said of an address that a login with special characters has torn apart. It repeats nothing of the address.
const TORN: &str = "cannot be read: the user name or the password in it holds a character with a meaning of its own in addresses, such as \
    # / ? or @. Write these as %23 %2F %3F %40, or take the login out of the address and give it with user and password_file";

/// Whether a login with special characters has torn `url` apart: "#", "/" and "?" end the host, and what belongs behind the "@" is then
/// elsewhere. RTSP knows no fragment, and a host before a stray "@" has no domain.
fn is_torn(url: &Url) -> bool {
    let stray = [url.path(), url.query().unwrap_or_default()]
        .iter()
        .any(|part| part.contains('@'));
    let bare_word = matches!(url.host(), Some(Host::Domain(host)) if !host.contains('.'));
    url.fragment().is_some() || stray && bare_word && url.username().is_empty()
}

/// A stream's address. A user and password in it are taken out, so that no log or page can show them.
fn source(section: &Section<'_>, key: &str, access: &Access) -> Option<SourceConfig> {
    let text = section.text(key)?;
    let mut url = match Url::parse(&text) {
        Ok(url) if is_torn(&url) => {
            section.problem(key, TORN);
            return None;
        }
        Ok(url) => url,
        // What is wrong may be a piece of a password: it is not repeated.
        Err(_) if text.starts_with("rtsp") && text.contains('@') => {
            section.problem(key, TORN);
            return None;
        }
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
    if url.scheme() == "rtsps" && access.transport == Transport::Udp {
        section.problem(
            "transport",
            "\"udp\" would send the pictures of rtsps:// unencrypted: write \"tcp\", or leave it out",
        );
    }
    if user.is_some() && access.user.is_some() {
        section.problem(
            key,
            "holds a user name beside the key \"user\": keep one of the two",
        );
    }
    // Cannot fail: the address has a host.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    let source = access.to(url);
    Some(SourceConfig {
        user: user.or_else(|| source.user.clone()),
        password: password.or_else(|| source.password.clone()),
        ..source
    })
}

fn detect(camera: &Section<'_>) -> DetectConfig {
    let section = camera.section("detect");
    let mut labels = section.known_words("labels", |word| word.parse::<Label>().ok());
    if labels.is_empty() {
        labels.push(Label::Person);
    }
    let config = DetectConfig {
        labels,
        detect_fps: section.number("detect_fps"),
        min_score: section.maybe_number("min_score").map(|score| score as f32),
        min_height: section.number("min_height") as f32,
        roi: section.choice(
            "roi",
            &[
                ("auto", RoiPolicy::Auto),
                ("whole", RoiPolicy::Whole),
                ("regions", RoiPolicy::Regions),
            ],
        ),
        max_crops_per_second: section.number("max_crops_per_second"),
        idle_after: section.duration("idle_after"),
        motion_mask: section.polygons("motion_mask"),
        zones: zones::zones(camera),
        lines: zones::lines(camera),
    };
    section.done();
    config
}

fn incident(section: Section<'_>) -> IncidentConfig {
    let config = IncidentConfig {
        end_after_left: section.duration("end_after_left"),
        end_after_lost: section.duration("end_after_lost"),
        record_max: section.duration("record_max"),
        record_resume: section.duration("record_resume"),
    };
    section.done();
    config
}

fn clip(section: Section<'_>) -> ClipConfig {
    let config = ClipConfig {
        pre_roll: section.duration("pre_roll"),
        post_roll: section.duration("post_roll"),
        pre_roll_bytes: section.bytes("pre_roll_bytes"),
        segment_target: section.duration("segment_target"),
        segment_max: section.duration("segment_max"),
        segment_bytes: section.bytes("segment_bytes"),
        preview: section.flag("preview"),
    };
    if config.segment_max < config.segment_target {
        section.problem(
            "segment_max",
            "is shorter than segment_target: make it at least as long",
        );
    }
    section.done();
    config
}

impl Default for DetectConfig {
    fn default() -> Self {
        defaults("cameras", |section| detect(&section))
    }
}

impl Default for IncidentConfig {
    fn default() -> Self {
        defaults("cameras.incident", incident)
    }
}

impl Default for ClipConfig {
    fn default() -> Self {
        defaults("cameras.clip", clip)
    }
}

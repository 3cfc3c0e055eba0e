//! The `[[cameras]]` of a configuration.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use url::{Host, Url};

use super::{
    ByteSize, CameraConfig, ClipConfig, DecoderChoice, DetectConfig, IncidentConfig, LookPolicy,
    Secret, SourceConfig, Transport,
    camera::STALL_AFTER,
    places,
    read::Section,
    units::{HOUR, MINUTE, MS, SECOND},
};
use crate::flow::{CameraId, Label, Mode, Turn};

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
    let access = Access {
        user: section.text("user"),
        password: section.secret("password_file", "password_env"),
        stall_after: section.duration("stall_after", STALL_AFTER, SECOND, MINUTE * 10),
        transport: section.choice(
            "transport",
            &[
                ("auto", Transport::Auto),
                ("tcp", Transport::Tcp),
                ("udp", Transport::Udp),
            ],
            Transport::Auto,
        ),
        ca_file: section.path("ca_file"),
    };
    if !section.has("url") {
        section.problem(
            "url",
            "is missing: the camera's address, such as \"rtsp://192.168.1.20/stream2\"",
        );
    }
    let source = source(&section, "url", &access);
    let main = self::source(&section, "main_url", &access);
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
        preview: clip_section.flag("preview", defaults.preview),
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
    let decoder = section.choice(
        "decoder",
        &[
            ("auto", DecoderChoice::Auto),
            ("software", DecoderChoice::Software),
        ],
        DecoderChoice::Auto,
    );
    let rotate = rotate(&section);
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
        decoder,
        rotate,
        detect,
        incident,
        clip,
        privacy_mask,
    })
}

/// How a camera that hangs on its side, or upside down, is turned.
fn rotate(section: &Section<'_>) -> Turn {
    let Some(degrees) = section.number("rotate", 0.0, 270.0) else {
        return Turn::NONE;
    };
    Turn::clockwise(degrees as u32)
        .filter(|_| degrees.fract() == 0.0)
        .unwrap_or_else(|| {
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
    stall_after: Duration,
    transport: Transport,
    ca_file: Option<PathBuf>,
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
fn source(section: &Section<'_>, key: &'static str, access: &Access) -> Option<SourceConfig> {
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
    Some(SourceConfig {
        url,
        user: user.or_else(|| access.user.clone()),
        password: password.or_else(|| access.password.clone()),
        stall_after: access.stall_after,
        transport: access.transport,
        ca_file: access.ca_file.clone(),
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
        smallest_person: section
            .number("smallest_person", 0.02, 0.8)
            .map_or(defaults.smallest_person, |height| height as f32),
        look: section.choice(
            "look",
            &[
                ("auto", LookPolicy::Auto),
                ("whole", LookPolicy::Whole),
                ("regions", LookPolicy::Regions),
            ],
            defaults.look,
        ),
        close_ups_per_second: section
            .number("close_ups_per_second", 0.0, 30.0)
            .unwrap_or(defaults.close_ups_per_second),
        awake_hold: section.duration("awake_hold", defaults.awake_hold, SECOND, MINUTE * 10),
        motion_mask: section.polygons("motion_mask"),
        zones: places::zones(camera),
        lines: places::lines(camera),
    };
    section.done();
    config
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

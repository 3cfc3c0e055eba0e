//! Descriptions (SDP) without names, numbers and addresses, and with their form.

use super::{REMOVED, address, split_ending, word};

/// Attributes of a description that stay as they are.
const ATTRIBUTES: &[&str] = &[
    "rtpmap",
    "range",
    "framerate",
    "framesize",
    "cliprect",
    "x-dimensions",
    "x-framerate",
    "recvonly",
    "sendonly",
    "sendrecv",
    "inactive",
    "ptime",
    "maxptime",
    "rtcp-mux",
];
/// Beginnings of names of format parameters that stay.
const PARAMETERS: &[&str] = &[
    "packetization-mode",
    "profile-",
    "sprop-",
    "tier-",
    "level-",
    "interop-",
    "tx-mode",
    "max-",
    "width",
    "height",
    "config",
    "quality",
];
/// A description without names, numbers and addresses. What is no description goes as a whole.
pub(super) fn description(body: &str) -> String {
    if body.is_empty() {
        return String::new();
    }
    let described = body
        .lines()
        .any(|line| line.starts_with("m=") || line.starts_with("v="));
    if !described {
        return "x".repeat(body.len().min(1000));
    }
    let lines = body.split_inclusive('\n').map(|line| {
        let (text, ending) = split_ending(line);
        format!("{}{ending}", described_line(text))
    });
    lines.collect()
}

fn described_line(line: &str) -> String {
    let (kind, value) = line.split_once('=').unwrap_or((line, ""));
    let numbers = |text: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || " /.:-".contains(c);
        text.len() <= 100 && text.chars().all(plain)
    };
    match kind {
        _ if line.trim_matches(['\0', ' ', '\u{feff}']).is_empty() => line.to_owned(),
        "v" | "m" | "b" if numbers(value) => line.to_owned(),
        // Empty values have ended sessions before.
        _ if value.is_empty() && kind.len() == 1 && line.ends_with('=') => line.to_owned(),
        "o" => "o=- 0 0 IN IP4 0.0.0.0".to_owned(),
        "s" => "s=Session".to_owned(),
        "c" => "c=IN IP4 0.0.0.0".to_owned(),
        "t" => "t=0 0".to_owned(),
        "a" => attribute(value),
        "i" | "u" | "e" | "p" | "r" | "z" | "k" => format!("{kind}={REMOVED}"),
        _ => REMOVED.to_owned(),
    }
}

fn attribute(value: &str) -> String {
    let (name, text) = value.split_once(':').unwrap_or((value, ""));
    let known = name.to_ascii_lowercase();
    match known.as_str() {
        "control" => format!("a={name}:{}", address(text.trim())),
        "fmtp" if harmless_format(text) => format!("a={name}:{}", format_parameters(text)),
        known if ATTRIBUTES.contains(&known) && harmless_format(text) => format!("a={value}"),
        _ if text.is_empty() && value.ends_with(':') => format!("a={}:", word(name)),
        _ => format!("a={}:{REMOVED}", word(name)),
    }
}

/// Format parameters are numbers, words and base64.
fn harmless_format(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || " /.:-+=;,_*!()".contains(c);
    !text.contains("://") && text.len() <= 2000 && text.chars().all(plain)
}

/// Known parameters stay as they are written; of others their names.
fn format_parameters(text: &str) -> String {
    let parameter = |parameter: &str| {
        let name = parameter.split('=').next().unwrap_or_default();
        // The first stands behind the number of the format.
        let name = name
            .rsplit(' ')
            .find(|word| !word.is_empty())
            .unwrap_or_default();
        let known = name.to_ascii_lowercase();
        match PARAMETERS.iter().any(|start| known.starts_with(start)) || !parameter.contains('=') {
            true => parameter.to_owned(),
            false => format!("{}={REMOVED}", word(name)),
        }
    };
    text.split(';').map(parameter).collect::<Vec<_>>().join(";")
}

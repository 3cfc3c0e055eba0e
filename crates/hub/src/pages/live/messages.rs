//! What is said over the socket in text: JSON, in go2rtc's words where it has words.

use axum::extract::ws::Utf8Bytes;
use serde::Deserialize;
use serde_json::json;

use crate::base::live::Standing;

/// What a client asks.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// To watch the camera of the socket's address, as go2rtc's clients do.
    Single {
        /// What the browser plays.
        codecs: String,
    },
    /// To watch a camera on a channel of the client's choice.
    Watch {
        channel: u16,
        src: String,
        main: bool,
        codecs: String,
    },
    /// To watch it no more.
    Unwatch { channel: u16 },
    /// Something that go2rtc can do and this cannot: `webrtc/offer` and others.
    Other(String),
}

#[derive(Deserialize)]
struct Raw {
    r#type: String,
    #[serde(default)]
    value: serde_json::Value,
    src: Option<String>,
    channel: Option<u16>,
    quality: Option<String>,
}

/// Longest name of something unknown that is repeated.
const LONGEST_NAME: usize = 32;

impl Ask {
    /// None where it is none of the protocol's messages.
    pub(super) fn read(text: &str) -> Option<Self> {
        let raw: Raw = serde_json::from_str(text).ok()?;
        let codecs = raw.value.as_str().unwrap_or_default().to_owned();
        match (raw.r#type.as_str(), raw.channel) {
            ("mse", _) => Some(Self::Single { codecs }),
            ("watch", Some(channel)) => Some(Self::Watch {
                channel,
                src: raw.src?,
                main: match raw.quality.as_deref() {
                    None | Some("sub") => false,
                    Some("main") => true,
                    Some(_) => return None,
                },
                codecs,
            }),
            ("unwatch", Some(channel)) => Some(Self::Unwatch { channel }),
            ("watch" | "unwatch", None) => None,
            (other, _) => Some(Self::Other(other.chars().take(LONGEST_NAME).collect())),
        }
    }
}

/// Which watch a message is about: a channel, or the only one.
pub(super) type Channel = Option<u16>;

fn message(kind: &str, channel: Channel, value: Option<&str>) -> Utf8Bytes {
    let mut message = json!({"type": kind});
    if let Some(channel) = channel {
        message["channel"] = channel.into();
    }
    if let Some(value) = value {
        message["value"] = value.into();
    }
    message.to_string().into()
}

/// What comes next needs this.
pub(super) fn format(channel: Channel, codecs: &str) -> Utf8Bytes {
    let mime = format!("video/mp4; codecs=\"{codecs}\"");
    message("mse", channel, Some(&mime))
}

/// What follows is of now.
pub(super) fn caught_up(channel: Channel) -> Utf8Bytes {
    message("live", channel, None)
}

/// Whether there are pictures to come.
pub(super) fn standing(channel: Channel, standing: Standing) -> Utf8Bytes {
    message("state", channel, Some(standing.as_str()))
}

/// There is nothing to come. go2rtc's clients look for the name of what they asked in front.
pub(super) fn error(channel: Channel, asked: &str, sentence: &str) -> Utf8Bytes {
    let value = match channel {
        Some(_) => sentence.to_owned(),
        None => format!("{asked}: {sentence}"),
    };
    message("error", channel, Some(&value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_say_is_read_and_rubbish_is_nothing() {
        let single = r#"{"type":"mse","value":"avc1.640029,mp4a.40.2"}"#;
        let codecs = "avc1.640029,mp4a.40.2".to_owned();
        assert_eq!(Ask::read(single), Some(Ask::Single { codecs }));
        let watch =
            r#"{"type":"watch","channel":7,"src":"home/door","quality":"main","value":"avc1"}"#;
        assert_eq!(
            Ask::read(watch),
            Some(Ask::Watch {
                channel: 7,
                src: "home/door".to_owned(),
                main: true,
                codecs: "avc1".to_owned()
            })
        );
        let unwatch = r#"{"type":"unwatch","channel":7}"#;
        assert_eq!(Ask::read(unwatch), Some(Ask::Unwatch { channel: 7 }));
        let offer = r#"{"type":"webrtc/offer","value":{"sdp":"v=0"}}"#;
        assert_eq!(Ask::read(offer), Some(Ask::Other("webrtc/offer".into())));
        for rubbish in [
            "",
            "{}",
            "[]",
            "\u{0}",
            r#"{"type":7}"#,
            r#"{"type":"watch","src":"door"}"#,
            r#"{"type":"watch","channel":70000,"src":"door"}"#,
            r#"{"type":"watch","channel":-1,"src":"door"}"#,
            r#"{"type":"watch","channel":1}"#,
            r#"{"type":"watch","channel":1,"src":"door","quality":"best"}"#,
            r#"{"type":"unwatch"}"#,
        ] {
            assert_eq!(Ask::read(rubbish), None, "{rubbish}");
        }
    }

    #[test]
    fn answers_are_those_of_go2rtc_where_there_is_one_camera() {
        let mime = r#"{"type":"mse","value":"video/mp4; codecs=\"avc1.64001f\""}"#;
        assert_eq!(format(None, "avc1.64001f").as_str(), mime);
        assert_eq!(
            error(None, "mse", "no").as_str(),
            r#"{"type":"error","value":"mse: no"}"#
        );
        assert_eq!(
            error(Some(3), "mse", "no").as_str(),
            r#"{"channel":3,"type":"error","value":"no"}"#
        );
    }
}

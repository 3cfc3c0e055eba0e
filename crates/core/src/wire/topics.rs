//! MQTT topics of a site, and what its receivers may ask of the box.

use serde::{Deserialize, Serialize};

use crate::flow::{CameraId, IncidentId, Mode, SiteId};

/// Builds the topics of one site and understands what arrives on those it listens to.
#[derive(Debug, Clone)]
pub struct Topics {
    prefix: String,
}

/// A request on the `command` topic, such as `{"command":"resend","from":812}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "lowercase")]
pub enum Command {
    /// Send every alert with a number from `from` to `to` once more.
    Resend {
        /// First number wanted.
        from: u64,
        /// Last number wanted; none: the newest.
        #[serde(default)]
        to: Option<u64>,
    },
    /// Try again what was parked: of one incident, or of all where none is named.
    Retry {
        /// Which incident.
        #[serde(default)]
        incident: Option<IncidentId>,
    },
}

/// What a message to the box asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// A camera's mode is to change.
    SetMode {
        /// Which camera.
        camera: CameraId,
        /// To what.
        mode: Mode,
        /// Who asks for it, where the message says so: an account's id, never a person's name.
        account: Option<String>,
    },
    /// Something for the outbox.
    Command(Command),
}

/// Why a message to the box was not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// Bad payload on `mode/set`.
    #[error(
        "the mode \"{0}\" is unknown: send armed or disarmed, or {{\"mode\":\"armed\",\"account\":\"<id>\"}}"
    )]
    Mode(String),
    /// Bad payload on `command`.
    #[error(
        "the command was not understood ({0}): send {{\"command\":\"resend\",\"from\":812}} or \
         {{\"command\":\"retry\",\"incident\":\"<id>\"}}"
    )]
    Command(String),
    /// Longer than any command is.
    #[error("a command of {0} bytes was not looked at: send at most 4096")]
    TooLong(usize),
    /// Not a topic of ours.
    #[error("the topic \"{0}\" takes no commands")]
    Topic(String),
}

/// Longest payload that is looked at, in bytes.
const LONGEST: usize = 4096;

/// Longest id of an account.
const LONGEST_ACCOUNT: usize = 64;

/// Bad payloads are quoted, but never in full length.
fn excerpt(payload: &[u8]) -> String {
    plain(&String::from_utf8_lossy(payload), 40)
}

/// At most `most` characters of a text that somebody else wrote, on one line.
fn plain(text: &str, most: usize) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(most)
        .collect()
}

impl Topics {
    /// Topics below `lares/<site>`.
    #[must_use]
    pub fn new(site: &SiteId) -> Self {
        Self {
            prefix: format!("lares/{site}"),
        }
    }

    fn of(&self, camera: &CameraId, what: &str) -> String {
        format!("{}/{camera}/{what}", self.prefix)
    }

    /// Whether the box is there: `online`, or `offline` by its last will. Retained.
    #[must_use]
    pub fn status(&self) -> String {
        format!("{}/status", self.prefix)
    }

    /// How the box is doing, as JSON. Retained.
    #[must_use]
    pub fn health(&self) -> String {
        format!("{}/health", self.prefix)
    }

    /// Where [`Command`]s arrive.
    #[must_use]
    pub fn command(&self) -> String {
        format!("{}/command", self.prefix)
    }

    /// `online`, `offline` or `suspended`. Retained.
    #[must_use]
    pub fn camera_status(&self, camera: &CameraId) -> String {
        self.of(camera, "status")
    }

    /// Alerts. QoS 1, not retained.
    #[must_use]
    pub fn incident(&self, camera: &CameraId) -> String {
        self.of(camera, "incident")
    }

    /// Newest picture, JPEG. Not retained.
    #[must_use]
    pub fn snapshot(&self, camera: &CameraId) -> String {
        self.of(camera, "snapshot")
    }

    /// `ON` while a person is in view. Retained.
    #[must_use]
    pub fn person(&self, camera: &CameraId) -> String {
        self.of(camera, "person")
    }

    /// `ON` while something moves. Retained.
    #[must_use]
    pub fn motion(&self, camera: &CameraId) -> String {
        self.of(camera, "motion")
    }

    /// The mode in force. Retained.
    #[must_use]
    pub fn mode(&self, camera: &CameraId) -> String {
        self.of(camera, "mode")
    }

    /// What brokers keep of `camera`.
    #[must_use]
    pub fn retained_of(&self, camera: &CameraId) -> [String; 4] {
        [
            self.camera_status(camera),
            self.mode(camera),
            self.person(camera),
            self.motion(camera),
        ]
    }

    /// Where a new mode is asked for.
    #[must_use]
    pub fn mode_set(&self, camera: &CameraId) -> String {
        self.of(camera, "mode/set")
    }

    /// What the box subscribes to.
    #[must_use]
    pub fn subscriptions(&self) -> [String; 2] {
        [format!("{}/+/mode/set", self.prefix), self.command()]
    }

    /// What a message asks for.
    ///
    /// # Errors
    /// When topic or payload are not understood; the message says what to send instead.
    pub fn parse(&self, topic: &str, payload: &[u8]) -> Result<Incoming, CommandError> {
        let unknown = || CommandError::Topic(excerpt(topic.as_bytes()));
        if payload.len() > LONGEST {
            return Err(CommandError::TooLong(payload.len()));
        }
        if topic == self.command() {
            return serde_json::from_slice(payload)
                .map(Incoming::Command)
                .map_err(|error| CommandError::Command(plain(&error.to_string(), 160)));
        }
        let camera = topic
            .strip_prefix(&self.prefix)
            .and_then(|rest| rest.strip_prefix('/'))
            .and_then(|rest| rest.strip_suffix("/mode/set"))
            .and_then(|camera| camera.parse().ok())
            .ok_or_else(unknown)?;
        let (mode, account) =
            mode_of(payload).ok_or_else(|| CommandError::Mode(excerpt(payload)))?;
        Ok(Incoming::SetMode {
            camera,
            mode,
            account,
        })
    }
}

/// Reads `armed`, or `{"mode":"armed","account":"panel-2"}`.
fn mode_of(payload: &[u8]) -> Option<(Mode, Option<String>)> {
    #[derive(Deserialize)]
    struct Named {
        mode: String,
        account: Option<String>,
    }
    let text = std::str::from_utf8(payload).ok()?.trim();
    if !text.starts_with('{') {
        return Some((text.parse().ok()?, None));
    }
    let named: Named = serde_json::from_str(text).ok()?;
    let is_id = |account: &String| {
        (1..=LONGEST_ACCOUNT).contains(&account.len())
            && account
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    let fits = named.account.as_ref().is_none_or(is_id);
    fits.then(|| Some((named.mode.parse().ok()?, named.account)))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topics() -> Topics {
        Topics::new(&"home".parse().unwrap())
    }

    #[test]
    fn topics_of_the_contract() {
        let (t, c) = (topics(), "door".parse().unwrap());
        let all = [
            t.status(),
            t.health(),
            t.command(),
            t.camera_status(&c),
            t.incident(&c),
            t.snapshot(&c),
            t.person(&c),
            t.motion(&c),
            t.mode(&c),
            t.mode_set(&c),
        ];
        insta::assert_snapshot!(
            all.iter()
                .chain(&t.subscriptions())
                .cloned()
                .collect::<Vec<_>>()
                .join("\n")
        );
    }

    #[test]
    fn commands_are_understood() {
        let t = topics();
        let parse = |topic: &str, payload: &str| t.parse(topic, payload.as_bytes());
        assert_eq!(
            parse("lares/home/door/mode/set", "disarmed\n"),
            Ok(Incoming::SetMode {
                camera: "door".parse().unwrap(),
                mode: Mode::Disarmed,
                account: None
            })
        );
        assert_eq!(
            parse(
                "lares/home/door/mode/set",
                r#"{"mode":"armed","account":"alarm-panel.2"}"#
            ),
            Ok(Incoming::SetMode {
                camera: "door".parse().unwrap(),
                mode: Mode::Armed,
                account: Some("alarm-panel.2".to_owned())
            })
        );
        assert_eq!(
            parse(
                "lares/home/command",
                r#"{"command":"resend","from":812,"why":"gap"}"#
            ),
            Ok(Incoming::Command(Command::Resend {
                from: 812,
                to: None
            }))
        );
        assert_eq!(
            parse(
                "lares/home/command",
                r#"{"command":"resend","from":812,"to":830}"#
            ),
            Ok(Incoming::Command(Command::Resend {
                from: 812,
                to: Some(830)
            }))
        );
        assert_eq!(
            parse("lares/home/command", r#"{"command":"retry"}"#),
            Ok(Incoming::Command(Command::Retry { incident: None }))
        );
    }

    #[test]
    fn what_is_not_understood_says_what_to_send() {
        let t = topics();
        let refused = [
            ("lares/home/door/mode/set", "on"),
            ("lares/home/door/mode/set", ""),
            (
                "lares/home/door/mode/set",
                r#"{"mode":"armed","account":"Mrs Smith"}"#,
            ),
            ("lares/home/command", "resend"),
            ("lares/home/command", r#"{"command":"resend"}"#),
            ("lares/home/command", r#"{"command":"resend","from":-1}"#),
            ("lares/home/command", r#"{"command":"format"}"#),
            ("lares/home/Door/mode/set", "armed"),
            ("lares/elsewhere/door/mode/set", "armed"),
        ]
        .map(|(topic, payload)| t.parse(topic, payload.as_bytes()).unwrap_err().to_string());
        insta::assert_snapshot!(refused.join("\n"));
    }

    #[test]
    fn what_others_wrote_is_quoted_short_and_on_one_line() {
        let t = topics();
        let name = r"a\u000a\u001b[31m".repeat(300);
        let refused = [
            (t.command(), format!("{{\"command\":\"{name}\"}}")),
            (t.command(), "x".repeat(5_000)),
            (
                "lares/home/door/mode/set".to_owned(),
                "\u{1b}[31m\n".repeat(99),
            ),
            ("lares/\n".repeat(1_000), String::new()),
        ];
        for (topic, payload) in refused {
            let text = t.parse(&topic, payload.as_bytes()).unwrap_err().to_string();
            assert!(
                text.len() < 400 && !text.contains(char::is_control),
                "{text:?}"
            );
        }
    }
}

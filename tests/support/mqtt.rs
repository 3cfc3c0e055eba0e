//! A receiver of alerts and a sender of commands: mosquitto's own clients.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use lares::testing::broker::Broker;
use serde_json::Value;

use super::{
    home::{CAMERA, SITE},
    output_of,
    process::Process,
    wait_for,
};

/// A user of a broker.
#[derive(Clone)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: String,
}

/// A message, as it came.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// Arrival, in seconds of Unix time.
    pub(crate) at: f64,
    /// The broker had kept it.
    pub(crate) retained: bool,
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
}

impl Message {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.payload).into_owned()
    }
}

/// An alert, with its arrival in seconds of Unix time.
#[derive(Debug, Clone)]
pub(crate) struct Alert {
    pub(crate) at: f64,
    pub(crate) json: Value,
}

impl Alert {
    pub(crate) fn n(&self) -> u64 {
        self.json["n"].as_u64().unwrap()
    }

    pub(crate) fn seq(&self) -> u64 {
        self.json["seq"].as_u64().unwrap()
    }

    pub(crate) fn id(&self) -> &str {
        self.json["id"].as_str().unwrap()
    }

    pub(crate) fn state(&self) -> &str {
        self.json["state"].as_str().unwrap()
    }

    pub(crate) fn clip_state(&self) -> &str {
        self.json["clip"]["state"].as_str().unwrap()
    }

    /// Nothing more will come of this incident.
    pub(crate) fn is_last(&self) -> bool {
        self.state() == "ended" && self.clip_state() == "complete"
    }
}

/// A topic of the household.
pub(crate) fn topic(rest: &str) -> String {
    format!("lares/{SITE}/{rest}")
}

/// A topic of its camera.
pub(crate) fn camera_topic(rest: &str) -> String {
    topic(&format!("{CAMERA}/{rest}"))
}

fn client(program: &str, broker: &Broker, login: &Login) -> Command {
    let mut command = Command::new(program);
    command.args([
        "-V",
        "mqttv5",
        "-h",
        "localhost",
        "-p",
        &broker.port().to_string(),
    ]);
    if broker.url().starts_with("mqtts:") {
        command.arg("--cafile").arg(broker.ca_file());
    }
    command.args(["-u", &login.user, "-P", &login.password]);
    command
}

/// Sends one message; `flags` such as `-r`.
pub(crate) fn publish(broker: &Broker, login: &Login, flags: &[&str], topic: &str, payload: &str) {
    output_of(
        client("mosquitto_pub", broker, login)
            .args(flags)
            .args(["-t", topic, "-m", payload]),
    );
}

/// Writes down every message of the broker.
pub(crate) struct Subscriber {
    process: Process,
    record: PathBuf,
}

impl Subscriber {
    /// Subscribes to everything; returns when messages arrive. The record is a file in `dir`.
    pub(crate) fn start(broker: &Broker, login: &Login, dir: &Path) -> Self {
        let record = dir.join("messages");
        let mut command = client("mosquitto_sub", broker, login);
        command.args(["-q", "1", "-t", "#", "-F", "%U %r %t %x"]);
        let this = Self {
            process: Process::start(&mut command, &record),
            record,
        };
        wait_for("subscription", Duration::from_secs(10), || {
            publish(broker, login, &[], "test/ready", "?");
            (!this.messages().is_empty()).then_some(())
        });
        this
    }

    /// All messages so far, in order of arrival.
    pub(crate) fn messages(&self) -> Vec<Message> {
        let record = fs::read_to_string(&self.record).unwrap();
        // What follows the last line end is still being written.
        let whole = record.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(parse).collect()
    }

    /// Texts that came on a topic.
    pub(crate) fn texts(&self, topic: &str) -> Vec<String> {
        let messages = self.messages().into_iter();
        messages
            .filter(|m| m.topic == topic)
            .map(|m| m.text())
            .collect()
    }

    /// Alerts of the camera.
    pub(crate) fn alerts(&self) -> Vec<Alert> {
        let topic = camera_topic("incident");
        let messages = self.messages().into_iter();
        messages
            .filter(|m| m.topic == topic)
            .map(|m| Alert {
                at: m.at,
                json: serde_json::from_slice(&m.payload).unwrap(),
            })
            .collect()
    }

    /// The first alert that is `wanted`, when it comes.
    pub(crate) fn alert(
        &self,
        what: &str,
        within: Duration,
        wanted: impl Fn(&Alert) -> bool,
    ) -> Alert {
        wait_for(what, within, || {
            self.alerts().into_iter().find(|alert| wanted(alert))
        })
    }

    /// Waits until the newest text on a topic is `text`.
    pub(crate) fn newest(&self, topic: &str, text: &str, within: Duration) {
        wait_for(&format!("\"{text}\" on {topic}"), within, || {
            (self.texts(topic).last().map(String::as_str) == Some(text)).then_some(())
        });
    }
}

fn parse(line: &str) -> Message {
    let mut parts = line.splitn(4, ' ');
    let mut next = || {
        parts
            .next()
            .unwrap_or_else(|| panic!("not a message: {line}"))
    };
    let (at, retained, topic, payload) = (next(), next(), next(), next());
    Message {
        at: at.parse().unwrap(),
        retained: retained == "1",
        topic: topic.to_owned(),
        payload: hex::decode(payload).unwrap(),
    }
}

/// Asserts that numbers have no gap and that each incident's changes come in order.
pub(crate) fn assert_in_order(alerts: &[Alert]) {
    let numbers: Vec<_> = alerts.iter().map(Alert::n).collect();
    let expected: Vec<_> = (1..=alerts.len() as u64).collect();
    assert_eq!(numbers, expected, "numbers have gaps or are out of order");
    for (index, alert) in alerts.iter().enumerate() {
        let before = alerts[..index].iter().rev().find(|a| a.id() == alert.id());
        match before {
            Some(before) => assert!(alert.seq() > before.seq(), "seq does not rise: {alerts:#?}"),
            None => assert_eq!(
                alert.state(),
                "began",
                "the first alert of an incident: {alert:#?}"
            ),
        }
    }
}

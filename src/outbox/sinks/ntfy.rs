//! Alerts to people's phones by ntfy: a title and a sentence in plain words.
//!
//! In: alerts from the pump. Out: messages published as JSON (docs.ntfy.sh/publish), so that accents need no header's encoding. Text
//! only: the picture follows the alert by another way.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt, ready};
use jiff::{Timestamp, ZonedDateTime, tz::TimeZone};
use reqwest::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{
    Outcome, Parcel, Payload, Sink, Takes, Wants,
    post::{ON_TOP, Post, Reply, receipt, words},
};
use crate::{
    base::zone,
    config::NtfyConfig,
    flow::{CameraId, ClockState, IncidentState, Label, Language, WallTime},
    net::{EndpointError, http::Exchange, pace::Pacer},
    wire::IncidentMessage,
};

/// Priority of what only completes an earlier message, at most: such a one makes no sound.
const QUIET: u8 = 2;
/// The least priority that there is.
const LEAST: u8 = 1;

/// A topic of an ntfy server.
pub struct NtfySink(Arc<Inner>);

struct Inner {
    post: Post,
    config: NtfyConfig,
    /// Where messages are published, whatever their topic.
    root: Url,
    topic: String,
    /// What people call the cameras.
    names: BTreeMap<CameraId, String>,
    zone: TimeZone,
}

/// What is published.
#[derive(Debug, Serialize)]
struct Message<'a> {
    topic: &'a str,
    title: &'a str,
    message: &'a str,
    priority: u8,
    tags: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    click: Option<&'a str>,
}

/// What we want to know of the answer.
#[derive(Debug, Deserialize)]
struct Published {
    id: String,
}

impl NtfySink {
    /// The topic that `config` names; `names`: what people call the cameras. Nothing is opened yet.
    ///
    /// # Errors
    /// When the certificates are of no use.
    pub fn new(
        config: &NtfyConfig,
        names: BTreeMap<CameraId, String>,
        pacer: &Arc<Pacer>,
    ) -> Result<Self, EndpointError> {
        let mut root = config.url.clone();
        root.set_path("/");
        root.set_query(None);
        root.set_fragment(None);
        let topic = config.url.path().trim_matches('/').to_owned();
        // Anybody who knows a topic can read it: only the server is shown.
        let ca_file = config.ca_file.as_deref();
        let post = Post::new("ntfy", "ntfy.url", &root, root.to_string(), ca_file, pacer)?;
        Ok(Self(Arc::new(Inner {
            post,
            config: config.clone(),
            root,
            topic,
            names,
            zone: zone::house().zone.clone(),
        })))
    }

    /// With less patience than a real server deserves.
    #[cfg(test)]
    pub(crate) fn impatient(mut self, patience: std::time::Duration) -> Self {
        let inner = Arc::get_mut(&mut self.0).expect("nobody else has it yet");
        inner.post.impatient(patience);
        self
    }

    /// Whether the server takes messages: publishes one of the least priority. For `lares check`.
    ///
    /// # Errors
    /// One sentence that says what to do.
    pub async fn probe(&self) -> Result<(), String> {
        let (title, text) = match self.0.config.language {
            Language::En => ("Lares", "Alerts will arrive here."),
            Language::Fr => ("Lares", "Les alertes arriveront ici."),
        };
        let body = self.0.json(title, text, LEAST, None);
        match self.0.send(body, &Arc::default()).await {
            Outcome::Delivered { .. } => Ok(()),
            Outcome::Retry { reason, .. } | Outcome::Reject { reason } => Err(reason),
        }
    }
}

impl Inner {
    fn json(&self, title: &str, message: &str, priority: u8, tag: Option<&str>) -> Bytes {
        let tags = self.config.tags.iter().map(String::as_str);
        let tags = tag.into_iter().chain(tags).collect();
        let message = Message {
            topic: &self.topic,
            title,
            message,
            priority,
            tags,
            click: self.config.click.as_ref().map(Url::as_str),
        };
        let json = serde_json::to_vec(&message).expect("plain data always serialises");
        json.into()
    }

    fn compose(&self, alert: &IncidentMessage) -> Bytes {
        let name = self.names.get(&alert.camera);
        let name = name.map_or(alert.camera.as_str(), String::as_str);
        let (title, text) = text(alert, name, self.config.language, &self.zone);
        let priority = match alert.state {
            IncidentState::Began => self.config.priority,
            _ => self.config.priority.min(QUIET),
        };
        self.json(&title, &text, priority, Some(tag(alert.label)))
    }

    async fn send(&self, body: Bytes, exchange: &Arc<Exchange>) -> Outcome {
        let mut request = self
            .post
            .request(&self.root)
            .header(CONTENT_TYPE, "application/json");
        if let Some(token) = &self.config.token {
            request = request.bearer_auth(token.expose());
        } else if let Some(user) = &self.config.user {
            let password = self.config.password.as_ref();
            request = request.basic_auth(user, password.map(|secret| secret.expose()));
        }
        let answer = match self.post.send(request, body, exchange).await {
            Reply::Sorted(outcome) => return outcome,
            Reply::Taken(answer) => {
                let published = serde_json::from_slice::<Published>(&answer.body).ok();
                let id = published.and_then(|published| receipt(&published.id));
                return Outcome::Delivered {
                    receipt: Some(id.unwrap_or_else(|| answer.status.as_str().to_owned())),
                };
            }
            Reply::Refused(answer) => answer,
        };
        let (shown, status) = (self.post.shown(), answer.status);
        match status.as_u16() {
            401 | 403 => self.post.standing().needs_a_person(format!(
                "the ntfy {shown} does not let this box publish there: check ntfy.token_file, or ntfy.user and ntfy.password_file"
            )),
            _ => Outcome::Reject {
                reason: format!(
                    "the ntfy {shown} refuses the message ({status}{}): check ntfy.url, then \"lares outbox retry\"",
                    Some(words(&answer.body))
                        .filter(|words| !words.is_empty())
                        .map_or_else(String::new, |words| format!(": {words}"))
                ),
            },
        }
    }
}

/// ntfy shows these tags as small pictures.
fn tag(label: Label) -> &'static str {
    match label {
        Label::Person => "bust_in_silhouette",
        Label::Bicycle => "bike",
        Label::Car => "car",
        Label::Cat => "cat",
        Label::Dog => "dog",
    }
}

fn noun(label: Label, language: Language) -> &'static str {
    match (language, label) {
        (Language::En, Label::Person) => "A person",
        (Language::En, Label::Bicycle) => "A bicycle",
        (Language::En, Label::Car) => "A car",
        (Language::En, Label::Cat) => "A cat",
        (Language::En, Label::Dog) => "A dog",
        (Language::Fr, Label::Person) => "Une personne",
        (Language::Fr, Label::Bicycle) => "Un vélo",
        (Language::Fr, Label::Car) => "Une voiture",
        (Language::Fr, Label::Cat) => "Un chat",
        (Language::Fr, Label::Dog) => "Un chien",
    }
}

/// The same in French as one that has been told of, and that it has gone.
fn definite(label: Label) -> (&'static str, &'static str) {
    match label {
        Label::Person => ("La personne", "partie"),
        Label::Bicycle => ("Le vélo", "parti"),
        Label::Car => ("La voiture", "partie"),
        Label::Cat => ("Le chat", "parti"),
        Label::Dog => ("Le chien", "parti"),
    }
}

const MONTHS: [[&str; 12]; 2] = [
    [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
    [
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ],
];

fn zoned(at: WallTime, zone: &TimeZone) -> ZonedDateTime {
    let instant = Timestamp::from_millisecond(at.0).unwrap_or_default();
    instant.to_zoned_datetime(zone.clone())
}

fn clock(at: &ZonedDateTime, language: Language) -> String {
    match language {
        Language::En => format!("{:02}:{:02}", at.hour(), at.minute()),
        Language::Fr => format!("{}\u{a0}h\u{a0}{:02}", at.hour(), at.minute()),
    }
}

fn date(at: &ZonedDateTime, language: Language) -> String {
    let month = MONTHS[language as usize][usize::from(at.month().unsigned_abs().clamp(1, 12)) - 1];
    format!("{} {month}", at.day())
}

/// Title and message of an alert, in the time of the house.
fn text(
    alert: &IncidentMessage,
    name: &str,
    language: Language,
    zone: &TimeZone,
) -> (String, String) {
    let what = noun(alert.label, language);
    let start = zoned(alert.start, zone);
    let end = zoned(alert.end.unwrap_or(alert.start), zone);
    let [from, to] = [&start, &end].map(|at| clock(at, language));
    let day = date(&start, language);
    let (mut title, mut message) = match (language, alert.state) {
        (Language::En, IncidentState::Began) => (
            format!("{what} at {name}"),
            format!("Seen at {from} on {day}."),
        ),
        (Language::En, IncidentState::Updated) => (
            format!("Still there: {what} at {name}"),
            format!("Since {from} on {day}."),
        ),
        (Language::En, IncidentState::Ended) => (
            format!("Gone: {what} at {name}"),
            format!("From {from} to {to} on {day}."),
        ),
        (Language::Fr, IncidentState::Began) => (
            format!(
                "{}\u{a0}: {name}",
                if alert.label == Label::Person {
                    "Quelqu’un"
                } else {
                    what
                }
            ),
            format!("À {from}, le {day}."),
        ),
        (Language::Fr, IncidentState::Updated) => (
            format!("Toujours là\u{a0}: {}, {name}", what.to_lowercase()),
            format!("Depuis {from}, le {day}."),
        ),
        (Language::Fr, IncidentState::Ended) => (
            {
                let (who, gone) = definite(alert.label);
                format!("{who} est {gone}\u{a0}: {name}")
            },
            format!("De {from} à {to}, le {day}."),
        ),
    };
    if !alert.zones.is_empty() {
        let zones = alert.zones.join(", ");
        message.push_str(&match language {
            Language::En => format!(" In: {zones}."),
            Language::Fr => format!(" Zone\u{a0}: {zones}."),
        });
    }
    if alert.clock != ClockState::Good {
        message.push_str(match language {
            Language::En => " The box's clock may be wrong.",
            Language::Fr => " L’horloge du boîtier n’est peut-être pas à l’heure.",
        });
    }
    if alert.test {
        title = match language {
            Language::En => format!("Test: {title}"),
            Language::Fr => format!("Essai\u{a0}: {title}"),
        };
    }
    (title, message)
}

impl Sink for NtfySink {
    fn name(&self) -> &'static str {
        "ntfy"
    }

    fn takes(&self) -> Takes {
        Takes::Alerts
    }

    fn wants(&self) -> Wants {
        Wants {
            states: self.0.config.when.clone(),
            once: true,
        }
    }

    fn on_top(&self) -> u64 {
        ON_TOP
    }

    fn recipient(&self) -> String {
        format!("ntfy {}", self.0.post.shown())
    }

    fn at_once(&self) -> usize {
        1
    }

    fn ready(&self) -> BoxFuture<'_, ()> {
        self.0.post.ready()
    }

    fn deliver(&self, parcel: Parcel) -> BoxFuture<'static, Outcome> {
        let Payload::Alert { json, .. } = parcel.payload else {
            let reason = "ntfy takes no objects".to_owned();
            return ready(Outcome::Reject { reason }).boxed();
        };
        let inner = Arc::clone(&self.0);
        let exchange = parcel.ticket.charge.exchange;
        async move {
            match IncidentMessage::from_json(&json) {
                Ok(alert) => inner.send(inner.compose(&alert), &exchange).await,
                Err(error) => Outcome::Reject {
                    reason: format!("the alert cannot be put into words ({error})"),
                },
            }
        }
        .boxed()
    }

    fn problem(&self) -> Option<String> {
        self.0.post.standing().problem()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(state: &str) -> IncidentMessage {
        let json = format!(
            r#"{{"v":1,"n":1,"id":"01990000-0000-7000-8000-000000000001","seq":1,"state":"{state}","end_reason":null,"site":"home","camera":"front-door","label":"person","start":1770000000123,"end":1770000200000,"sent":1770000002000,"clock":"good","score":0.91,"zones":["gate"],"tracks":1,"mode":"armed","thumbnail":null,"clip":{{"key":null,"state":"none","segments":0,"bytes":0}}}}"#
        );
        IncidentMessage::from_json(json.as_bytes()).unwrap()
    }

    #[test]
    fn alerts_are_put_into_plain_words_in_the_time_of_the_house() {
        let paris = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let say = |state, language| {
            let (title, message) = text(&alert(state), "Front door", language, &paris);
            format!("{title} | {message}")
        };
        let all: Vec<_> = [Language::En, Language::Fr]
            .into_iter()
            .flat_map(|language| ["began", "updated", "ended"].map(|state| say(state, language)))
            .collect();
        assert_eq!(
            all,
            [
                "A person at Front door | Seen at 03:40 on 2 February. In: gate.",
                "Still there: A person at Front door | Since 03:40 on 2 February. In: gate.",
                "Gone: A person at Front door | From 03:40 to 03:43 on 2 February. In: gate.",
                "Quelqu’un\u{a0}: Front door | À 3\u{a0}h\u{a0}40, le 2 février. Zone\u{a0}: gate.",
                "Toujours là\u{a0}: une personne, Front door | Depuis 3\u{a0}h\u{a0}40, le 2 février. Zone\u{a0}: gate.",
                "La personne est partie\u{a0}: Front door | De 3\u{a0}h\u{a0}40 à 3\u{a0}h\u{a0}43, le 2 février. Zone\u{a0}: gate.",
            ]
        );
        let mut test = alert("began");
        test.test = true;
        test.clock = ClockState::Unsure;
        let (title, message) = text(&test, "Porte", Language::Fr, &paris);
        assert_eq!(title, "Essai\u{a0}: Quelqu’un\u{a0}: Porte");
        assert!(message.ends_with("peut-être pas à l’heure."), "{message}");
    }
}

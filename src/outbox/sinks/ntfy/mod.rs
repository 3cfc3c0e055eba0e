//! Alerts to people's phones by ntfy: a title and a sentence in plain words.
//!
//! In: alerts from the pump. Out: messages published as JSON (docs.ntfy.sh/publish), so that accents need no header's encoding. Text
//! only: the picture follows the alert by another way.

mod wording;

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt, ready};
use jiff::tz::TimeZone;
use reqwest::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use url::Url;

use self::wording::{tag, text};
use super::{
    Around, Built, Delivery, Outcome, Payload, Probe, Sink, SinkKind, Takes, Wants,
    http_post::{self, HttpPost, ON_TOP, Reply, receipt, words},
};
use crate::{
    base::zone,
    config::{Config, NtfyConfig},
    flow::{CameraId, IncidentId, IncidentState, Language},
    net::{EndpointError, http::TransferStats, pace::Pacer},
    wire::IncidentMessage,
};

/// Priority of what only completes an earlier message, at most: such a one makes no sound.
const QUIET: u8 = 2;
/// The least priority that there is.
const LEAST: u8 = 1;

/// Its name, which is that of its section too.
const NAME: &str = "ntfy";

/// Its line in the registry.
pub(super) static KIND: SinkKind = SinkKind {
    shown: NAME,
    takes: Takes::Alerts,
    build,
    probe,
    wire_cost: |sent| http_post::wire_cost(NAME, sent),
};

fn build(config: &Config, around: &Around<'_>) -> Built {
    let Some(ntfy) = &config.ntfy else {
        return Ok(None);
    };
    let sink = NtfySink::new(ntfy, config.camera_names(), around.pacer)?;
    Ok(Some(Arc::new(sink)))
}

fn probe<'a>(config: &'a Config, pacer: &'a Arc<Pacer>) -> Option<Probe<'a>> {
    let ntfy = config.ntfy.as_ref()?;
    let probed = async move {
        let sink = NtfySink::new(ntfy, config.camera_names(), pacer);
        sink.map_err(|error| error.to_string())?.probe().await?;
        Ok("it took a message: look at your phone".to_owned())
    };
    Some(probed.boxed())
}

/// A topic of an ntfy server.
pub struct NtfySink(Arc<Inner>);

struct Inner {
    post: HttpPost,
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
    click: Option<String>,
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
        let post = HttpPost::new(NAME, "ntfy.url", &root, root.to_string(), ca_file, pacer)?;
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
        let body = self.0.json(title, text, LEAST, None, None);
        match self.0.send(body, &Arc::default()).await {
            Outcome::Delivered { .. } => Ok(()),
            Outcome::Retry { reason, .. } | Outcome::Reject { reason } => Err(reason),
        }
    }
}

impl Inner {
    fn json(
        &self,
        title: &str,
        message: &str,
        priority: u8,
        tag: Option<&str>,
        about: Option<IncidentId>,
    ) -> Bytes {
        let tags = self.config.tags.iter().map(String::as_str);
        let tags = tag.into_iter().chain(tags).collect();
        let message = Message {
            topic: &self.topic,
            title,
            message,
            priority,
            tags,
            click: self.config.click.as_ref().map(|page| click(page, about)),
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
        self.json(
            &title,
            &text,
            priority,
            Some(tag(alert.label)),
            Some(alert.id),
        )
    }

    async fn send(&self, body: Bytes, transfer: &Arc<TransferStats>) -> Outcome {
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
        let answer = match self.post.send(request, body, transfer).await {
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
            401 | 403 => self.post.health().needs_a_person(format!(
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

/// What a tap opens: on the hub's page the incident itself. An address that names a place on its page already is left as it is.
fn click(page: &Url, about: Option<IncidentId>) -> String {
    let mut address = page.clone();
    if let Some(incident) = about
        && address.fragment().is_none()
    {
        address.set_fragment(Some(&format!("/incident/{incident}")));
    }
    address.into()
}

impl Sink for NtfySink {
    fn name(&self) -> &'static str {
        NAME
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

    fn deliver(&self, delivery: Delivery) -> BoxFuture<'static, Outcome> {
        let Payload::Alert { json, .. } = delivery.payload else {
            let reason = "ntfy takes no objects".to_owned();
            return ready(Outcome::Reject { reason }).boxed();
        };
        let inner = Arc::clone(&self.0);
        let transfer = delivery.delivery_id.reservation.transfer;
        async move {
            match IncidentMessage::from_json(&json) {
                Ok(alert) => inner.send(inner.compose(&alert), &transfer).await,
                Err(error) => Outcome::Reject {
                    reason: format!("the alert cannot be put into words ({error})"),
                },
            }
        }
        .boxed()
    }

    fn problem(&self) -> Option<String> {
        self.0.post.health().problem()
    }
}

#[cfg(test)]
mod tests {
    use super::{wording::tests::alert, *};

    #[test]
    fn a_tap_opens_the_incident_itself() {
        let id = alert("began").id;
        let of = |page: &str| click(&page.parse().unwrap(), Some(id));
        let own = "#/incident/01990000-0000-7000-8000-000000000001";
        assert_eq!(
            of("https://cams.example"),
            format!("https://cams.example/{own}")
        );
        assert_eq!(
            of("https://nas.example/lares/"),
            format!("https://nas.example/lares/{own}")
        );
        // What names a place already is left alone; a trial message is about nothing.
        assert_eq!(
            of("https://x.example/#/record"),
            "https://x.example/#/record"
        );
        let page = "https://cams.example/".parse().unwrap();
        assert_eq!(click(&page, None), "https://cams.example/");
    }
}

//! Alerts by HTTP: one request for each, and what its answer means.
//!
//! In: a request with its content. Out: an [`Outcome`], and the answer where it is a good one. Text passes the pace of the link at
//! once and is counted there. What the receivers have in common is here; what they are sent is in `webhook` and `ntfy`.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture};
use reqwest::{
    RequestBuilder, StatusCode,
    header::{HeaderMap, LOCATION},
};
use url::Url;

use super::{
    Outcome,
    endpoint_health::EndpointHealth,
    wire_cost::{PACKET, Sent},
};
use crate::net::{
    EndpointError,
    http::{self, Answer, PacedClient, TransferStats, innermost},
    name_is_unknown,
    pace::Pacer,
    tls,
};

/// How long a receiver may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Nothing in an answer matters to us beyond this.
const LONGEST_ANSWER: usize = 16 * 1024;
/// What a request by HTTPS costs on the wire beyond an MQTT message: mostly the handshake, because connections are not kept from one
/// visit to the next.
pub(super) const ON_TOP: u64 = 3_000;

/// Request line and headers of an alert by HTTP ...
const HEAD: f64 = 350.0;
/// ... packets of ours around it, with those that open and close its connection ...
const PACKETS: f64 = 6.0;
/// ... and what a TLS handshake sends.
const HANDSHAKE: f64 = 450.0;

/// About how many bytes alerts to the receiver `name` were on the wire; none where they went to another.
pub(super) fn wire_cost(name: &str, sent: &Sent<'_>) -> Option<f64> {
    let address = sent.recipient.strip_prefix(name)?.strip_prefix(' ')?;
    let secure = address.starts_with("https://");
    let handshake = if secure { HANDSHAKE } else { 0.0 };
    let heads = HEAD + Sent::record(secure) + handshake + PACKETS * PACKET;
    Some(sent.stretched(secure) + sent.records() * heads)
}

/// Where alerts are posted.
pub(super) struct HttpPost {
    client: PacedClient,
    /// Its section in the configuration, which is also its name.
    section: &'static str,
    /// Without anything secret, to be shown.
    shown: String,
    pacer: Arc<Pacer>,
    patience: Duration,
    health: EndpointHealth,
}

/// What a request came to, where it is neither delivered nor sorted yet.
pub(super) enum Reply {
    /// A status from 200 to 299.
    Taken(Answer),
    /// A status that means the same to all receivers, or no answer.
    Sorted(Outcome),
    /// A status from 400 to 499 that the receiver has to explain.
    Refused(Answer),
}

impl HttpPost {
    pub(super) fn new(
        section: &'static str,
        setting: &'static str,
        url: &Url,
        shown: String,
        ca_file: Option<&std::path::Path>,
        pacer: &Arc<Pacer>,
    ) -> Result<Self, EndpointError> {
        let refuse = |reason: String| EndpointError::Address {
            setting,
            url: shown.clone(),
            reason,
        };
        let client = http::client(ca_file, url.scheme() == "https", &refuse)?;
        Ok(Self {
            // Text waits for no turn of its own: see `deliver`.
            client: PacedClient::new(client, Pacer::new(None)),
            section,
            shown,
            pacer: Arc::clone(pacer),
            patience: PATIENCE,
            health: EndpointHealth::new(),
        })
    }

    /// With less patience than a real receiver deserves.
    #[cfg(test)]
    pub(super) fn impatient(&mut self, patience: Duration) {
        self.patience = patience;
        self.health = EndpointHealth::with_pause(patience);
    }

    pub(super) fn health(&self) -> &EndpointHealth {
        &self.health
    }

    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    pub(super) fn request(&self, url: &Url) -> RequestBuilder {
        self.client.request(reqwest::Method::POST, url.clone())
    }

    /// Completes when the next one may leave.
    pub(super) fn ready(&self) -> BoxFuture<'_, ()> {
        async move {
            self.health.ready().await;
            self.pacer.text_may_leave().await;
        }
        .boxed()
    }

    /// Sends `body` and sorts what every receiver means by its answer.
    pub(super) async fn send(
        &self,
        request: RequestBuilder,
        body: Bytes,
        transfer: &Arc<TransferStats>,
    ) -> Reply {
        let request = match request
            .header(reqwest::header::CONTENT_LENGTH, body.len())
            .build()
        {
            Ok(request) => request,
            Err(error) => return Reply::Sorted(self.failed(&error.without_url())),
        };
        self.pacer.text_leaves(body.len() as u64);
        let answer = self
            .client
            .send(request, body, Some(transfer), LONGEST_ANSWER);
        let answer = match tokio::time::timeout(self.patience, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Reply::Sorted(self.failed(&error.without_url())),
            Err(_) => {
                let reason = format!(
                    "the {} {} did not answer within {} s",
                    self.section,
                    self.shown,
                    self.patience.as_secs()
                );
                return Reply::Sorted(self.health.away(reason));
            }
        };
        if answer.status.is_success() {
            self.health.good();
            return Reply::Taken(answer);
        }
        match self.sorted(answer.status, &answer.headers, transfer) {
            Some(outcome) => Reply::Sorted(outcome),
            None => Reply::Refused(answer),
        }
    }

    fn sorted(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        transfer: &Arc<TransferStats>,
    ) -> Option<Outcome> {
        let (section, shown) = (self.section, &self.shown);
        Some(match status.as_u16() {
            408 | 425 => self
                .health
                .away(format!("the {section} {shown} was too slow ({status})")),
            429 | 503 => self.health.busy(
                transfer.retry_after(),
                format!("the {section} {shown} is too busy to take more now ({status})"),
            ),
            400..=499 => return None,
            300..=399 => {
                // What is signed or needs a login is for one receiver alone.
                let to = headers
                    .get(LOCATION)
                    .and_then(|to| Url::parse(to.to_str().ok()?).ok());
                let to = to.and_then(|to| to.host_str().map(|host| format!(" to {host}")));
                self.health.needs_a_person(format!(
                    "the {section} {shown} sends alerts on{}, which is not followed: write the address itself in {section}.url",
                    to.unwrap_or_default()
                ))
            }
            _ => self.health.away(format!(
                "the {section} {shown} did not take the alert ({status})"
            )),
        })
    }

    fn failed(&self, error: &reqwest::Error) -> Outcome {
        let (section, shown) = (self.section, &self.shown);
        if let Some(why) = tls::distrust(error, section, "url") {
            return self
                .health
                .needs_a_person(format!("the {section} {shown} could not be trusted: {why}"));
        }
        let cause = innermost(error);
        let advice = if name_is_unknown(&cause) {
            format!(": check the network's DNS and the name in {section}.url")
        } else {
            String::new()
        };
        self.health.away(format!(
            "the {section} {shown} cannot be reached or does not answer properly ({cause}){advice}"
        ))
    }
}

/// Some words of an answer, for a sentence in the log: the first line, and nothing that a terminal would obey.
pub(super) fn words(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(200)]);
    let line = text.lines().next().unwrap_or_default().trim();
    line.chars().filter(|c| !c.is_control()).collect()
}

/// What a receiver calls its copy, as far as it can stand in the ledger.
pub(super) fn receipt(text: &str) -> Option<String> {
    let fits = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    fits.then(|| text.to_owned())
}

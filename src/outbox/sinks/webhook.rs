//! Alerts to an address of the household's own, signed.
//!
//! In: alerts from the pump. Out: a POST of the same document that the broker gets, with `Lares-Signature`, so that who receives it can
//! tell a forged request by its code, and one that was sent before by its time and number (docs/contracts.md). One at a time, so that
//! numbers come in order as long as nothing fails.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt, ready};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use sha2::Sha256;
use url::Url;

use super::{
    Around, Built, Delivery, Outcome, Payload, Probe, Sink, SinkKind, Takes,
    http_post::{self, HttpPost, ON_TOP, Reply, receipt, words},
};
use crate::{
    base::clock::{Clock, SystemClock},
    config::{Config, Secret, WebhookConfig},
    flow::WallTime,
    net::{EndpointError, http::TransferStats, pace::Pacer},
};

/// The header with time, number and code.
const SIGNATURE: &str = "Lares-Signature";
/// A receiver may name its copy in this header of its answer.
const RECEIPT: &str = "Lares-Receipt";

/// Its name, which is that of its section too.
const NAME: &str = "webhook";

/// Its line in the registry.
pub(super) static KIND: SinkKind = SinkKind {
    shown: NAME,
    takes: Takes::Alerts,
    build,
    probe,
    wire_cost: |sent| http_post::wire_cost(NAME, sent),
};

fn build(config: &Config, around: &Around<'_>) -> Built {
    let Some(webhook) = &config.webhook else {
        return Ok(None);
    };
    Ok(Some(Arc::new(WebhookSink::new(webhook, around.pacer)?)))
}

fn probe<'a>(config: &'a Config, pacer: &'a Arc<Pacer>) -> Option<Probe<'a>> {
    let webhook = config.webhook.as_ref()?;
    let probed = async move {
        let sink = WebhookSink::new(webhook, pacer).map_err(|error| error.to_string())?;
        sink.probe(SystemClock::start().wall()).await?;
        Ok("it takes signed requests".to_owned())
    };
    Some(probed.boxed())
}

/// Where alerts are posted.
pub struct WebhookSink(Arc<Inner>);

struct Inner {
    post: HttpPost,
    url: Url,
    secret: Secret,
}

/// What stands in [`SIGNATURE`]: seconds since 1970, the number, and the code over both and the content.
fn signature(secret: &Secret, sent: WallTime, n: u64, body: &[u8]) -> String {
    let t = sent.0.div_euclid(1000);
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
        .expect("HMAC takes keys of any length");
    mac.update(format!("{t}.{n}.").as_bytes());
    mac.update(body);
    format!(
        "t={t},n={n},v1={}",
        hex::encode(mac.finalize().into_bytes())
    )
}

/// An address to show: the path may hold a token, so only its beginning is shown.
fn shown(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url
        .port()
        .map_or_else(String::new, |port| format!(":{port}"));
    format!("{}://{host}{port}/", url.scheme())
}

impl WebhookSink {
    /// The receiver that `config` names. Nothing is opened yet.
    ///
    /// # Errors
    /// When the certificates are of no use.
    pub fn new(config: &WebhookConfig, pacer: &Arc<Pacer>) -> Result<Self, EndpointError> {
        let post = HttpPost::new(
            NAME,
            "webhook.url",
            &config.url,
            shown(&config.url),
            config.ca_file.as_deref(),
            pacer,
        )?;
        Ok(Self(Arc::new(Inner {
            post,
            url: config.url.clone(),
            secret: config.secret.clone(),
        })))
    }

    /// With less patience than a real receiver deserves.
    #[cfg(test)]
    pub(crate) fn impatient(mut self, patience: std::time::Duration) -> Self {
        let inner = Arc::get_mut(&mut self.0).expect("nobody else has it yet");
        inner.post.impatient(patience);
        self
    }

    /// Whether the receiver takes a signed request: sends `{"v":1,"type":"check"}` with the number 0. For `lares check`.
    ///
    /// # Errors
    /// One sentence that says what to do.
    pub async fn probe(&self, now: WallTime) -> Result<(), String> {
        let body = Bytes::from_static(b"{\"v\":1,\"type\":\"check\"}");
        match self.0.send(0, now, body, &Arc::default()).await {
            Outcome::Delivered { .. } => Ok(()),
            Outcome::Retry { reason, .. } | Outcome::Reject { reason } => Err(reason),
        }
    }
}

impl Inner {
    async fn send(
        &self,
        n: u64,
        sent: WallTime,
        body: Bytes,
        transfer: &Arc<TransferStats>,
    ) -> Outcome {
        let signature = HeaderValue::from_str(&signature(&self.secret, sent, n, &body))
            .expect("digits and letters");
        let request = self
            .post
            .request(&self.url)
            .header(CONTENT_TYPE, "application/json")
            .header(SIGNATURE, signature);
        let answer = match self.post.send(request, body, transfer).await {
            Reply::Sorted(outcome) => return outcome,
            Reply::Taken(answer) => {
                let named = answer.headers.get(RECEIPT);
                let named = named.and_then(|value| receipt(value.to_str().ok()?));
                return Outcome::Delivered {
                    receipt: Some(named.unwrap_or_else(|| answer.status.as_str().to_owned())),
                };
            }
            Reply::Refused(answer) => answer,
        };
        let (shown, status) = (self.post.shown(), answer.status);
        match status.as_u16() {
            // It has this number already: our last try arrived, and its answer did not.
            409 => {
                self.post.health().good();
                Outcome::Delivered {
                    receipt: Some(status.as_str().to_owned()),
                }
            }
            // All others would be refused as well.
            401 | 403 => self.post.health().needs_a_person(format!(
                "the webhook {shown} refuses the signature ({status}): check that both sides have the secret of webhook.secret_file, \
                 and both clocks"
            )),
            _ => Outcome::Reject {
                reason: format!(
                    "the webhook {shown} refuses the alert ({status}{}): check webhook.url and what receives there, then \"lares outbox retry\"",
                    Some(words(&answer.body))
                        .filter(|words| !words.is_empty())
                        .map_or_else(String::new, |words| format!(": {words}"))
                ),
            },
        }
    }
}

impl Sink for WebhookSink {
    fn name(&self) -> &'static str {
        NAME
    }

    fn takes(&self) -> Takes {
        Takes::Alerts
    }

    fn on_top(&self) -> u64 {
        ON_TOP
    }

    fn recipient(&self) -> String {
        format!("webhook {}", self.0.post.shown())
    }

    fn at_once(&self) -> usize {
        1
    }

    fn ready(&self) -> BoxFuture<'_, ()> {
        self.0.post.ready()
    }

    fn deliver(&self, delivery: Delivery) -> BoxFuture<'static, Outcome> {
        let Payload::Alert { n, sent, json, .. } = delivery.payload else {
            let reason = "a webhook takes no objects".to_owned();
            return ready(Outcome::Reject { reason }).boxed();
        };
        let inner = Arc::clone(&self.0);
        let transfer = delivery.delivery_id.reservation.transfer;
        async move { inner.send(n, sent, json, &transfer).await }.boxed()
    }

    fn problem(&self) -> Option<String> {
        self.0.post.health().problem()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_contract() {
        // printf '1770000002.812.{"v":1}' | openssl dgst -sha256 -hmac 'key'
        let text = signature(
            &Secret::new("key"),
            WallTime(1_770_000_002_999),
            812,
            b"{\"v\":1}",
        );
        let code = text.strip_prefix("t=1770000002,n=812,v1=").unwrap();
        assert_eq!(code, EXPECTED, "{text}");
    }

    const EXPECTED: &str = "8f85465aa3bdbef15d78a8d0da03ee319313990a0c8cf127c1d79f3f88dcacb8";

    #[test]
    fn a_token_in_the_path_is_not_shown() {
        let url = Url::parse("https://hooks.example:8443/in/s3cr3t-token?key=1").unwrap();
        assert_eq!(shown(&url), "https://hooks.example:8443/");
    }
}

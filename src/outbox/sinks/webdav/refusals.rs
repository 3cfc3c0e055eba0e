//! What a WebDAV server says when it does not take something: one sentence each, and what to do then.

use std::sync::Arc;

use reqwest::header::{HeaderMap, LOCATION, WWW_AUTHENTICATE};
use url::Url;

use super::{Failed, Inner, header};
use crate::{
    net::{
        http::{Answer, TransferStats, innermost},
        name_is_unknown, tls,
    },
    outbox::sinks::{Outcome, endpoint_health::later},
};

impl Inner {
    /// Sorts a failure below HTTP.
    pub(super) fn failed(&self, key: &str, error: &reqwest::Error) -> Outcome {
        let shown = &self.shown;
        if let Some(why) = tls::distrust(error, "upload", "url") {
            return self
                .health
                .needs_a_person(format!("the store {shown} could not be trusted: {why}"));
        }
        let cause = innermost(error);
        if error.is_builder() {
            return Outcome::Reject {
                reason: format!("{key} cannot be sent ({cause})"),
            };
        }
        let advice = if name_is_unknown(&cause) {
            ": check the network's DNS and the name in upload.url"
        } else {
            ""
        };
        self.health.away(format!(
            "the store {shown} cannot be reached or does not answer properly ({cause}){advice}"
        ))
    }

    /// Sorts an answer that is none of those hoped for, to the step `step` of an upload.
    pub(super) fn refused(
        &self,
        key: &str,
        step: &str,
        answer: &Answer,
        transfer: &Arc<TransferStats>,
    ) -> Failed {
        let (shown, status) = (&self.shown, answer.status);
        let health = &self.health;
        let outcome = match status.as_u16() {
            401 => health.needs_a_person(self.login_refused(&answer.headers)),
            403 => health.needs_a_person(format!(
                "the store {shown} does not let this user write {key}: give upload.user the right to write there"
            )),
            404 | 409 => {
                // Somebody has deleted a folder that was there.
                self.folders.lock().clear();
                later(format!("a folder of {key} is not in the store {shown} any more"))
            }
            405 | 501 => health.needs_a_person(format!(
                "the store {shown} does not know {step}: it is no WebDAV server, or upload.url is not the address of its WebDAV"
            )),
            413 => Outcome::Reject {
                reason: format!(
                    "the store {shown} takes nothing as large as {key}: raise its limit, then \"lares outbox retry\""
                ),
            },
            423 => later(format!(
                "{key} is locked in the store {shown}: close whatever has it open there"
            )),
            429 | 503 => health.busy(
                transfer.retry_after(),
                format!("the store {shown} is too busy to take more now"),
            ),
            507 => health.needs_a_person(format!(
                "the store {shown} is full: make room there, or raise this user's quota"
            )),
            300..=399 => health.needs_a_person(format!(
                "the store {shown} sends uploads elsewhere{}: write that address in upload.url",
                header(&answer.headers, LOCATION).map_or_else(String::new, |to| format!(" ({})", bare(&to)))
            )),
            502 if step == "MOVE" => health.needs_a_person(format!(
                "the store {shown} does not know its own address in \"Destination\" ({status}): let the proxy before it pass that header with the address that upload.url names"
            )),
            _ => later(format!("the store {shown} did not take {key} ({step}: {status})")),
        };
        Failed(outcome)
    }

    fn login_refused(&self, headers: &HeaderMap) -> String {
        let shown = &self.shown;
        let mut offers = headers
            .get_all(WWW_AUTHENTICATE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .map(str::to_ascii_lowercase)
            .peekable();
        let some = offers.peek().is_some();
        let basic = offers.any(|offer| offer.contains("basic"));
        if some && !basic {
            return format!(
                "the store {shown} offers no Basic login, and Lares knows no other (Digest, for one): switch Basic on there, and use webdavs://"
            );
        }
        match self.user {
            Some(_) => format!(
                "the store {shown} refuses user and password: check upload.user and upload.password_file"
            ),
            None => format!(
                "the store {shown} asks for a login: set upload.user and upload.password_file"
            ),
        }
    }
}

/// An address without what may be secret in it.
fn bare(address: &str) -> String {
    match Url::parse(address) {
        Ok(mut url) => {
            let _ = url.set_password(None);
            let _ = url.set_username("");
            url.set_query(None);
            url.set_fragment(None);
            url.to_string()
        }
        Err(_) => address.split('?').next().unwrap_or_default().to_owned(),
    }
}

//! Alerts for the hub in this program, where `[mqtt]` names another broker than the hub's: the page shows the box's own visits,
//! whatever becomes of that broker.
//!
//! In: alerts from the outbox, with numbers of their own. Out: the hub's index. Nothing leaves the box.

use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture};

use crate::{
    hub::Near,
    outbox::sinks::{HERE, NEAR, Outcome, Parcel, Payload, Scope, Sink, Takes},
};

/// The receiver.
pub(super) struct OwnHub(pub(super) Near);

impl OwnHub {
    fn take(&self, json: &Bytes) -> Outcome {
        match self.0.alert(json) {
            Ok(()) => Outcome::Delivered { receipt: None },
            Err(error) => Outcome::Retry {
                scope: Scope::Parcel,
                after: None,
                reason: error.to_string(),
            },
        }
    }
}

impl Sink for OwnHub {
    fn name(&self) -> &'static str {
        NEAR
    }

    fn takes(&self) -> Takes {
        Takes::Alerts
    }

    fn recipient(&self) -> String {
        HERE.to_owned()
    }

    fn at_once(&self) -> usize {
        1
    }

    fn metered(&self) -> bool {
        false
    }

    fn ready(&self) -> BoxFuture<'_, ()> {
        futures::future::ready(()).boxed()
    }

    fn deliver(&self, parcel: Parcel) -> BoxFuture<'static, Outcome> {
        // The worker is a thread of its own: the index may be written here.
        let outcome = match &parcel.payload {
            Payload::Alert { json, .. } => self.take(json),
            Payload::Object { .. } => Outcome::Reject {
                reason: "the hub in this program takes alerts alone".to_owned(),
            },
        };
        futures::future::ready(outcome).boxed()
    }

    fn problem(&self) -> Option<String> {
        None
    }
}

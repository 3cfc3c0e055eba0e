//! Alerts for the hub in this program: the page shows the box's own visits, whatever broker `[mqtt]` names.
//!
//! In: alerts from the outbox, with numbers of their own. Out: the hub's index. Nothing leaves the box, and no object is copied: the
//! page reads those of the outbox. While the index cannot be written, alerts wait in the outbox.

use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture};
use parking_lot::Mutex;

use crate::{
    hub::{HubError, Near},
    outbox::sinks::{Delivery, HERE, NEAR, Outcome, Payload, Scope, Sink, Takes},
};

/// The receiver.
pub(super) struct OwnHub {
    near: Near,
    /// What became of the last one.
    problem: Mutex<Option<String>>,
}

impl OwnHub {
    pub(super) fn new(near: Near) -> Self {
        Self {
            near,
            problem: Mutex::default(),
        }
    }

    fn take(&self, json: &Bytes) -> Outcome {
        let taken = self.near.alert(json);
        *self.problem.lock() = taken.as_ref().err().map(ToString::to_string);
        match taken {
            Ok(()) => Outcome::Delivered { receipt: None },
            // One that cannot be read now never can.
            Err(HubError::Document(error)) => Outcome::Reject {
                reason: HubError::Document(error).to_string(),
            },
            Err(error) => Outcome::Retry {
                scope: Scope::Sink,
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

    fn deliver(&self, delivery: Delivery) -> BoxFuture<'static, Outcome> {
        // The worker is a thread of its own: the index may be written here.
        let outcome = match &delivery.payload {
            Payload::Alert { json, .. } => self.take(json),
            Payload::Object { .. } => Outcome::Reject {
                reason: "the hub in this program takes alerts alone".to_owned(),
            },
        };
        futures::future::ready(outcome).boxed()
    }

    fn problem(&self) -> Option<String> {
        self.problem.lock().clone()
    }
}

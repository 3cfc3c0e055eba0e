//! Receivers. Each takes one kind of thing and answers for every single one: it arrived, try again, or never.
//!
//! In: a [`Delivery`] from the pump. Out: an [`Outcome`]. A sink keeps no queue of its own and never touches the database:
//! what it has not answered for is still in the outbox.
//!
//! A receiver that the configuration can name is one file with a [`SinkKind`], and one line in [`registry`]: its connection,
//! `lares check`, and what the ledger reckons for the network follow from that.

mod discovery_queue;
mod endpoint_health;
mod http_post;
mod live;
mod mqtt;
mod ntfy;
pub mod registry;
mod store;
mod webdav;
mod webhook;
pub(crate) mod wire_cost;

use std::{path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::sync::{mpsc, watch};

pub use live::LiveState;
pub use mqtt::{
    BrokerContext, BrokerRecords, HubCommand, MqttSink, kept_health, probe as probe_broker,
};
pub use ntfy::NtfySink;
pub use store::StoreSink;
pub use webdav::WebDavSink;
pub use webhook::WebhookSink;

use self::wire_cost::Sent;
pub(crate) use super::ledger::HERE;
use super::{budget::TrafficClass, queue::LaneKey};
use crate::{
    base::tasks::Tasks,
    config::Config,
    flow::{CameraId, IncidentState, WallTime},
    net::{EndpointError, http::TransferStats, pace::Pacer},
};

/// Name of the broker among receivers: it is the only one that can ask for alerts again.
pub(crate) const MQTT: &str = "mqtt";

/// Name of the hub in this program among receivers, where it is not the broker's.
pub(crate) const NEAR: &str = "hub";

/// Why a sink could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// Its address or certificates cannot be used.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// No thread.
    #[error("a thread cannot be started: {0}. Give this user more processes (ulimit -u)")]
    Thread(std::io::Error),
}

/// Which rows a sink is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Alerts.
    Alerts,
    /// Pictures, segments, playlists, `incident.json`.
    Objects,
}

/// Which alerts a receiver wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wants {
    /// Alerts of incidents in these states.
    pub states: Vec<IncidentState>,
    /// Of `began` and `ended` the first one of a visit is enough: what comes later tells of clip and picture.
    pub once: bool,
}

impl Default for Wants {
    /// All of them.
    fn default() -> Self {
        Self {
            states: vec![
                IncidentState::Began,
                IncidentState::Updated,
                IncidentState::Ended,
            ],
            once: false,
        }
    }
}

/// The content of an object.
#[derive(Debug, Clone)]
pub enum Body {
    /// Made for this sending.
    Bytes(Bytes),
    /// A file, which must still be what it was when it was written.
    File {
        /// Where.
        path: PathBuf,
        /// Its length.
        bytes: u64,
        /// Its SHA-256.
        sha256: [u8; 32],
    },
}

/// What is to be delivered.
#[derive(Debug, Clone)]
pub enum Payload {
    /// An alert.
    Alert {
        /// Of which camera.
        camera: CameraId,
        /// Its number at this receiver.
        n: u64,
        /// When it was handed over for sending, as the document says.
        sent: WallTime,
        /// The document.
        json: Bytes,
    },
    /// An object of the store.
    Object {
        /// Its key.
        key: String,
        /// MIME type.
        content_type: &'static str,
        /// Content.
        body: Body,
    },
}

/// One delivery.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub(crate) delivery_id: DeliveryId,
    /// What.
    pub payload: Payload,
}

/// Where a delivery came from, to be handed back with the outcome.
#[derive(Debug, Clone)]
pub(crate) struct DeliveryId {
    pub(crate) key: LaneKey,
    pub(crate) row: i64,
    pub(crate) version: i64,
    pub(crate) bytes: u64,
    pub(crate) reservation: QuotaReservation,
}

/// What a delivery takes from the data plan.
#[derive(Debug, Clone)]
pub(crate) struct QuotaReservation {
    pub(crate) what: TrafficClass,
    /// Bytes on the wire, reserved beforehand; 0 where nothing is limited.
    pub(crate) reserved: u64,
    /// How much of it has really left.
    pub(crate) transfer: Arc<TransferStats>,
}

impl Default for QuotaReservation {
    fn default() -> Self {
        Self {
            what: TrafficClass::Text,
            reserved: 0,
            transfer: Arc::default(),
        }
    }
}

impl Delivery {
    /// Payload bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.delivery_id.bytes
    }
}

/// Whom a failure concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// This delivery alone; others may go on.
    Delivery,
    /// The receiver as a whole: nothing else is tried before the wait is over.
    Sink,
}

/// The receiver's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It has it.
    Delivered {
        /// Its acknowledgement, such as an ETag.
        receipt: Option<String>,
    },
    /// Not now.
    Retry {
        /// Whom this concerns.
        scope: Scope,
        /// When to try again; none: the worker's own back-off.
        after: Option<Duration>,
        /// One sentence.
        reason: String,
    },
    /// Never: a person has to look.
    Reject {
        /// One sentence.
        reason: String,
    },
}

/// A receiver.
pub trait Sink: Send + Sync + 'static {
    /// Short name in log and metrics.
    fn name(&self) -> &'static str;
    /// Which rows it is for.
    fn takes(&self) -> Takes;
    /// Which alerts it wants, where it takes alerts.
    fn wants(&self) -> Wants {
        Wants::default()
    }
    /// Bytes on the wire that each alert costs beyond what an MQTT message would, for the data plan.
    fn on_top(&self) -> u64 {
        0
    }
    /// Who gets it, for the ledger: an address without secrets; [`HERE`] where nothing leaves this box.
    fn recipient(&self) -> String;
    /// How many deliveries may be on their way at once.
    fn at_once(&self) -> usize;
    /// Whether what it gets goes over the link that the data plan is about.
    fn metered(&self) -> bool {
        true
    }
    /// Completes when a delivery makes sense (at once, for a receiver without a connection).
    fn ready(&self) -> BoxFuture<'_, ()>;
    /// Delivers. What must be sent in the order of the calls is queued before this returns.
    fn deliver(&self, delivery: Delivery) -> BoxFuture<'static, Outcome>;
    /// What is wrong with the connection now, in one sentence.
    fn problem(&self) -> Option<String>;
}

/// What a receiver is connected with, beside the configuration.
pub struct Around<'a> {
    /// What runs for as long as the receiver.
    pub tasks: &'a Tasks,
    /// What a connection to a broker asks of the outbox.
    pub broker: &'a BrokerContext,
    /// Values of the moment, for a broker.
    pub live: &'a LiveState,
    /// Where what a receiver asks of the box goes.
    pub commands: &'a mpsc::Sender<HubCommand>,
    /// Whether a broker of the hub in this program listens; none: the broker is another's.
    pub broker_up: Option<&'a watch::Receiver<bool>>,
    /// The pace of the link.
    pub pacer: &'a Arc<Pacer>,
}

/// A receiver that was connected; none where the configuration has none of the kind.
pub type Built = Result<Option<Arc<dyn Sink>>, SinkError>;

/// Tries a receiver: what works, or what to do, in one sentence.
pub type Probe<'a> = BoxFuture<'a, Result<String, String>>;

/// A kind of receiver that the configuration can name.
pub struct SinkKind {
    /// What `lares check` calls it.
    pub shown: &'static str,
    /// What it takes.
    pub takes: Takes,
    /// Connects it; none where the configuration has none. A receiver that is away is no error.
    pub build: fn(&Config, &Around<'_>) -> Built,
    /// Tries it, for `lares check`; none where the configuration has none.
    pub probe: for<'a> fn(&'a Config, &'a Arc<Pacer>) -> Option<Probe<'a>>,
    /// About how many bytes something was on the wire; none where the recipient is of another kind.
    pub(crate) wire_cost: fn(&Sent<'_>) -> Option<f64>,
}

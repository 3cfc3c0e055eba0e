//! Alerts, and the state of the moment, to an MQTT 5 broker.
//!
//! In: alerts from the pump, [`LiveState`], and what receivers ask for. Out: QoS 1 messages whose PUBACKs answer the pump,
//! retained state, and [`HubCommand`]s. Each connection is a client of its own: nothing but the outbox resends, so nothing
//! must survive a connection. The broker keeps the session for an hour, so that a command given during a short cut arrives.

mod answers;
mod birth;
mod context;
mod limits;
mod link;
mod overhead;
mod witness;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use argon2::Argon2;
use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture};
use parking_lot::Mutex;
use rumqttc::v5::{
    AsyncClient, Event, Incoming as Packet, MqttOptions,
    mqttbytes::{QoS, v5::LastWill},
};
use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, oneshot, watch};

pub use self::{
    context::{BrokerContext, BrokerRecords},
    witness::kept_health,
};

use self::link::Link;
use super::{
    Around, Built, Delivery, HERE, LiveState, MQTT, Outcome, Payload, Probe, Scope, Sink,
    SinkError, SinkKind, Takes,
    wire_cost::{PACKET, Sent},
};
use crate::{
    base::tasks::Tasks,
    config::{Config, MqttConfig},
    flow::{CameraId, IncidentId, Mode, SiteId},
    net::{
        EndpointError,
        mqtt::{connection, sort},
        pace::Pacer,
    },
    wire::{Command, Discovery, Incoming, Topics},
};

/// Alerts sent and not acknowledged.
const IN_FLIGHT: usize = 16;
/// Packet identifiers in use; far more than in flight, so that a late PUBACK never meets a new message.
const PACKET_IDS: u16 = 128;
/// Largest packet that a broker may send us: a command with its topic. The broker keeps larger ones to itself, so that nobody
/// can use up the household's data plan that way.
const LARGEST_IN: u32 = 8 * 1024;
/// Bytes of our name at the broker that nobody can guess.
const CLIENT_BYTES: usize = 8;
/// How long the broker keeps our session after a cut, in seconds.
const SESSION_KEPT: u32 = 3600;

/// What a receiver asks of the box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HubCommand {
    /// Change a camera's mode.
    SetMode {
        /// Which camera.
        camera: CameraId,
        /// To what.
        mode: Mode,
        /// Who asks for it, where the message says so.
        account: Option<String>,
    },
    /// Send alerts again, from this number on.
    Resend {
        /// First number wanted.
        from: u64,
        /// Last one; none: the newest.
        to: Option<u64>,
    },
    /// Try parked things again: of one incident, or all.
    Retry {
        /// Which incident.
        incident: Option<IncidentId>,
    },
}

impl From<Incoming> for HubCommand {
    fn from(incoming: Incoming) -> Self {
        match incoming {
            Incoming::SetMode {
                camera,
                mode,
                account,
            } => Self::SetMode {
                camera,
                mode,
                account,
            },
            Incoming::Command(Command::Resend { from, to }) => Self::Resend { from, to },
            Incoming::Command(Command::Retry { incident }) => Self::Retry { incident },
        }
    }
}

/// An alert on its way, and who waits for its PUBACK.
struct Publication {
    topic: String,
    json: Bytes,
    answer: oneshot::Sender<Outcome>,
}

/// The broker.
pub struct MqttSink {
    topics: Topics,
    address: String,
    publications: mpsc::Sender<Publication>,
    pacer: Arc<Pacer>,
    connected: watch::Receiver<bool>,
    problem: Arc<Mutex<Option<String>>>,
    /// It is the broker of the hub in this program.
    here: bool,
}

impl MqttSink {
    /// Connects to the broker that `config` names, now and whenever the connection is lost, until `tasks` stop. What
    /// receivers ask for goes to `commands`; pace and data plan are those of `of`.
    ///
    /// # Errors
    /// When the address or the certificates are of no use. A broker that is away is not an error.
    pub fn start(
        tasks: &Tasks,
        config: &MqttConfig,
        of: &BrokerContext,
        live: LiveState,
        commands: mpsc::Sender<HubCommand>,
    ) -> Result<Self, SinkError> {
        Self::start_when(tasks, config, of, live, commands, None)
    }

    /// The same, but connects only while `up` says that the broker is there: on the port of a broker of ours that has not
    /// started there may be a stranger, who gets neither login nor alerts.
    ///
    /// # Errors
    /// When the address or the certificates are of no use.
    pub fn start_when(
        tasks: &Tasks,
        config: &MqttConfig,
        of: &BrokerContext,
        live: LiveState,
        commands: mpsc::Sender<HubCommand>,
        up: Option<watch::Receiver<bool>>,
    ) -> Result<Self, SinkError> {
        let site = &of.site;
        let topics = Topics::new(site);
        let (mut options, address) = options(config, &Self::name_at_broker(config, site))?;
        options.set_last_will(LastWill::new(
            topics.status(),
            "offline",
            QoS::AtLeastOnce,
            true,
            None,
        ));
        let (publications, queue) = mpsc::channel(IN_FLIGHT);
        let (connected, is_connected) = watch::channel(false);
        let problem = Arc::new(Mutex::new(Some(format!("connecting to {address}"))));
        let discovery = config.discovery.then_some(config.discovery_prefix.as_str());
        let link = Link {
            options,
            up,
            topics: topics.clone(),
            address: address.clone(),
            live,
            records: of.records.clone(),
            pacer: Arc::clone(&of.pacer),
            commands,
            here: config.here,
            limit: limits::CommandLimit::new(),
            birth: birth::Birth::new(site, discovery),
            discovery_rights: Discovery::rights(&config.discovery_prefix, site),
            announcing: false,
            refused: false,
            subscribing: VecDeque::new(),
            connected,
            problem: Arc::clone(&problem),
            stop: tasks.token().clone(),
            told: None,
            cut_short: 0,
        };
        // A thread of its own: what may leave is asked of the outbox, whose database waits for the disk.
        let runtime = tasks.runtime().clone();
        tasks
            .thread("mqtt", move || runtime.block_on(link.run(queue)))
            .map_err(SinkError::Thread)?;
        Ok(Self {
            topics,
            address,
            publications,
            pacer: Arc::clone(&of.pacer),
            connected: is_connected,
            problem,
            here: config.here,
        })
    }

    /// Our name at the broker. Who knows the name of a client can throw it off any broker, so a part of it is made of the login,
    /// in a way that does not give it away. A second box with the same site and login has the same name, and both are told.
    pub(in crate::outbox) fn name_at_broker(config: &MqttConfig, site: &SiteId) -> String {
        let (Some(user), Some(password)) = (&config.user, &config.password) else {
            return format!("lares-{site}");
        };
        let salt = Sha256::digest(format!("lares client {site} {user}"));
        let mut secret = [0; CLIENT_BYTES];
        match Argon2::default().hash_password_into(password.expose().as_bytes(), &salt, &mut secret)
        {
            Ok(()) => format!("lares-{site}-{}", hex::encode(secret)),
            Err(error) => {
                tracing::debug!(%error, "the name at the broker has no secret part");
                format!("lares-{site}")
            }
        }
    }
}

/// Its line in the registry.
pub(super) static KIND: SinkKind = SinkKind {
    shown: "broker",
    takes: Takes::Alerts,
    build,
    probe: probe_configured,
    wire_cost,
};

fn build(config: &Config, around: &Around<'_>) -> Built {
    let Some(mqtt) = &config.mqtt else {
        return Ok(None);
    };
    let (live, commands) = (around.live.clone(), around.commands.clone());
    let up = around.broker_up.cloned();
    let sink = MqttSink::start_when(around.tasks, mqtt, around.broker, live, commands, up)?;
    Ok(Some(Arc::new(sink)))
}

fn probe_configured<'a>(config: &'a Config, _: &'a Arc<Pacer>) -> Option<Probe<'a>> {
    let mqtt = config.mqtt.as_ref()?;
    let probed = async move {
        probe(mqtt).await?;
        Ok(format!("{} takes messages", mqtt.url))
    };
    Some(probed.boxed())
}

fn wire_cost(sent: &Sent<'_>) -> Option<f64> {
    let secure = sent.recipient.starts_with("mqtts://");
    if !secure && !sent.recipient.starts_with("mqtt://") {
        return None;
    }
    let record = Sent::record(secure);
    let heads = if sent.live {
        // Heads of MQTT are in its bytes.
        sent.sum.count as f64 * (PACKET + record)
    } else {
        // One packet with the alert, one that acknowledges the PUBACK.
        sent.records() * (overhead::ALERT + record + 2.0 * PACKET)
    };
    Some(sent.stretched(secure) + heads)
}

/// Tries address, login and certificates once, under a name of its own: a running agent does not notice, and nothing is
/// published.
///
/// # Errors
/// One sentence that says what to do.
pub async fn probe(config: &MqttConfig) -> Result<(), String> {
    const PATIENCE: Duration = Duration::from_secs(10);
    let (mut options, address) =
        options(config, "lares-check").map_err(|error| error.to_string())?;
    options
        .set_clean_start(true)
        .set_session_expiry_interval(None);
    let (client, mut events) = AsyncClient::new(options, 1);
    let connected = async {
        loop {
            match events.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(_))) => break Ok(()),
                Ok(_) => {}
                Err(error) => break Err(sort(&address, &error).reason),
            }
        }
    };
    let result = tokio::time::timeout(PATIENCE, connected)
        .await
        .unwrap_or_else(|_| Err(format!("the broker {address} does not answer")));
    let _ = client.try_disconnect();
    result
}

impl Sink for MqttSink {
    fn name(&self) -> &'static str {
        MQTT
    }

    fn takes(&self) -> Takes {
        Takes::Alerts
    }

    fn recipient(&self) -> String {
        if self.here {
            return HERE.to_owned();
        }
        self.address.clone()
    }

    fn metered(&self) -> bool {
        !self.here
    }

    fn at_once(&self) -> usize {
        IN_FLIGHT
    }

    fn ready(&self) -> BoxFuture<'_, ()> {
        let mut connected = self.connected.clone();
        async move {
            if connected.wait_for(|up| *up).await.is_err() {
                // The link has ended for good: nothing will ever be ready again.
                futures::future::pending::<()>().await;
            }
            self.pacer.text_may_leave().await;
        }
        .boxed()
    }

    fn deliver(&self, delivery: Delivery) -> BoxFuture<'static, Outcome> {
        let Payload::Alert { camera, json, .. } = delivery.payload else {
            let reason = "a broker takes no objects".to_owned();
            return futures::future::ready(Outcome::Reject { reason }).boxed();
        };
        let (answer, answered) = oneshot::channel();
        let bytes = json.len() as u64;
        let publication = Publication {
            topic: self.topics.incident(&camera),
            json,
            answer,
        };
        let lost = || Outcome::Retry {
            scope: Scope::Delivery,
            after: Some(Duration::ZERO),
            reason: "the connection to the broker was lost".to_owned(),
        };
        // The connection may have been lost while the alert was picked.
        if !*self.connected.borrow() {
            return futures::future::ready(lost()).boxed();
        }
        // Queued now, not when the future is first polled: alerts must leave in the order of their numbers.
        match self.publications.try_send(publication) {
            Ok(()) => {
                self.pacer.text_leaves(bytes);
                async move { answered.await.unwrap_or_else(|_| lost()) }.boxed()
            }
            Err(_) => async move {
                tokio::time::sleep(Duration::from_millis(100)).await;
                lost()
            }
            .boxed(),
        }
    }

    fn problem(&self) -> Option<String> {
        self.problem.lock().clone()
    }
}

fn options(config: &MqttConfig, name: &str) -> Result<(MqttOptions, String), EndpointError> {
    let (mut options, address) = connection(config, name)?;
    options
        .set_clean_start(false)
        .set_session_expiry_interval(Some(SESSION_KEPT))
        .set_max_packet_size(Some(LARGEST_IN))
        .set_outgoing_inflight_upper_limit(PACKET_IDS);
    Ok((options, address))
}

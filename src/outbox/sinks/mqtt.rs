//! Alerts, and the state of the moment, to an MQTT 5 broker.
//!
//! In: alerts from the pump, [`LiveState`], and what receivers ask for. Out: QoS 1 messages whose PUBACKs answer the pump,
//! retained state, and [`HubCommand`]s. Each connection is a client of its own: nothing but the outbox resends, so nothing
//! must survive a connection. The broker keeps the session for an hour, so that a command given during a short cut arrives.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures::{FutureExt, Stream, StreamExt, future::BoxFuture, stream};
use parking_lot::Mutex;
use rumqttc::{
    Outgoing, TlsConfiguration, Transport,
    v5::{
        AsyncClient, ConnectionError, Event, EventLoop, MqttOptions, StateError,
        TlsError as TlsFailure,
        mqttbytes::{
            QoS,
            v5::{ConnAck, ConnectReturnCode, LastWill, Packet, PubAck, PubAckReason, Publish},
        },
    },
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{LiveState, Outcome, Parcel, Payload, Scope, Sink, SinkError, Takes, tls};
use crate::{
    base::{backoff::Backoff, tasks::Tasks},
    config::MqttConfig,
    flow::{CameraId, IncidentId, Mode, SiteId},
    wire::{Command, Incoming, Topics},
};

/// Alerts sent and not acknowledged.
const IN_FLIGHT: usize = 16;
/// Packet identifiers in use; far more than in flight, so that a late PUBACK never meets a new message.
const PACKET_IDS: u16 = 128;
/// Requests to the client that it has not taken yet. Live values of many cameras come in one burst.
const REQUESTS: usize = 256;
/// Largest message we take. Commands are small; a broker's retained oddities are not ours to store.
const LARGEST_IN: u32 = 256 * 1024;
const SESSION_KEPT: u32 = 3600;
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// A wrong password needs a person: there is no hurry, and some brokers lock out who hammers at the door.
const NEEDS_A_PERSON: Duration = Duration::from_secs(60);
/// A connection that lived this long was a good one.
const GOOD_AFTER: Duration = Duration::from_secs(10);
/// How long saying goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);
/// Keep-alives below this are refused by the client.
const SHORTEST_KEEP_ALIVE: Duration = Duration::from_secs(5);

/// What a receiver asks of the box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HubCommand {
    /// Change a camera's mode.
    SetMode {
        /// Which camera.
        camera: CameraId,
        /// To what.
        mode: Mode,
    },
    /// Send alerts again, from this number on.
    Resend {
        /// First number wanted.
        from: u64,
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
            Incoming::SetMode { camera, mode } => Self::SetMode { camera, mode },
            Incoming::Command(Command::Resend { from }) => Self::Resend { from },
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
    connected: watch::Receiver<bool>,
    problem: Arc<Mutex<Option<String>>>,
}

impl MqttSink {
    /// Connects to the broker that `config` names, now and whenever the connection is lost, until `tasks` stop. What
    /// receivers ask for goes to `commands`.
    ///
    /// # Errors
    /// When the address or the certificates are of no use. A broker that is away is not an error.
    pub fn start(
        tasks: &Tasks,
        config: &MqttConfig,
        site: &SiteId,
        live: LiveState,
        commands: mpsc::Sender<HubCommand>,
    ) -> Result<Self, SinkError> {
        let topics = Topics::new(site);
        let (options, address) = options(config, site, &topics)?;
        let (publications, queue) = mpsc::channel(IN_FLIGHT);
        let (connected, is_connected) = watch::channel(false);
        let problem = Arc::new(Mutex::new(Some(format!("connecting to {address}"))));
        let link = Link {
            options,
            topics: topics.clone(),
            address: address.clone(),
            live,
            commands,
            connected,
            problem: Arc::clone(&problem),
            stop: tasks.token().clone(),
            told: None,
            cut_short: 0,
        };
        tasks.spawn("mqtt", link.run(queue));
        Ok(Self {
            topics,
            address,
            publications,
            connected: is_connected,
            problem,
        })
    }
}

impl Sink for MqttSink {
    fn name(&self) -> &'static str {
        "mqtt"
    }

    fn takes(&self) -> Takes {
        Takes::Alerts
    }

    fn recipient(&self) -> String {
        self.address.clone()
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
        }
        .boxed()
    }

    fn deliver(&self, parcel: Parcel) -> BoxFuture<'static, Outcome> {
        let Payload::Alert { camera, json, .. } = parcel.payload else {
            let reason = "a broker takes no objects".to_owned();
            return futures::future::ready(Outcome::Reject { reason }).boxed();
        };
        let (answer, answered) = oneshot::channel();
        let publication = Publication {
            topic: self.topics.incident(&camera),
            json,
            answer,
        };
        let lost = || Outcome::Retry {
            scope: Scope::Parcel,
            after: Some(Duration::ZERO),
            reason: "the connection to the broker was lost".to_owned(),
        };
        // Queued now, not when the future is first polled: alerts must leave in the order of their numbers.
        match self.publications.try_send(publication) {
            Ok(()) => async move { answered.await.unwrap_or_else(|_| lost()) }.boxed(),
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

fn options(
    config: &MqttConfig,
    site: &SiteId,
    topics: &Topics,
) -> Result<(MqttOptions, String), SinkError> {
    let refuse = |reason: &str| SinkError::Address {
        setting: "mqtt.url",
        url: config.url.to_string(),
        reason: reason.to_owned(),
    };
    let tls = match config.url.scheme() {
        "mqtt" => false,
        "mqtts" => true,
        _ => {
            return Err(refuse(
                "write it like mqtt://host:1883 or mqtts://host:8883",
            ));
        }
    };
    let host = config
        .url
        .host_str()
        .filter(|host| !host.is_empty())
        .ok_or_else(|| refuse("the host is missing: write it like mqtt://host:1883"))?;
    let port = config.url.port().unwrap_or(if tls { 8883 } else { 1883 });
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let mut options =
        MqttOptions::new(format!("lares-{site}"), if tls { bare } else { host }, port);
    options
        .set_keep_alive(config.keep_alive.max(SHORTEST_KEEP_ALIVE))
        .set_clean_start(false)
        .set_session_expiry_interval(Some(SESSION_KEPT))
        .set_max_packet_size(Some(LARGEST_IN))
        .set_outgoing_inflight_upper_limit(PACKET_IDS)
        .set_last_will(LastWill::new(
            topics.status(),
            "offline",
            QoS::AtLeastOnce,
            true,
            None,
        ));
    let mut network = rumqttc::NetworkOptions::new();
    network.set_tcp_nodelay(true);
    options.set_network_options(network);
    if let Some(user) = &config.user {
        let password = config
            .password
            .as_ref()
            .map_or("", |secret| secret.expose());
        options.set_credentials(user, password);
    }
    if tls {
        let client = tls::client(config.ca_file.as_deref())?;
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(client)));
    }
    Ok((options, format!("{}://{host}:{port}", config.url.scheme())))
}

/// Why a connection ended.
struct End {
    reason: String,
    /// Trying again soon makes no sense.
    needs_a_person: bool,
    /// It was made, and the broker ended it without a word.
    closed_by_broker: bool,
}

/// Keeps a connection to the broker.
struct Link {
    options: MqttOptions,
    topics: Topics,
    address: String,
    live: LiveState,
    commands: mpsc::Sender<HubCommand>,
    connected: watch::Sender<bool>,
    problem: Arc<Mutex<Option<String>>>,
    stop: CancellationToken,
    /// What the log has said was wrong, until a connection has proved good.
    told: Option<String>,
    /// Connections that the broker closed soon after they were made, one after the other.
    cut_short: u32,
}

impl Link {
    async fn run(mut self, mut queue: mpsc::Receiver<Publication>) {
        let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
        let stop = self.stop.clone();
        loop {
            let (client, events) = AsyncClient::new(self.options.clone(), REQUESTS);
            let began = Instant::now();
            let end = self.connection(&client, events, &mut queue).await;
            self.connected.send_replace(false);
            // Whoever waits for an answer learns that there will be none.
            while queue.try_recv().is_ok() {}
            let Some(mut end) = end else { return };
            if began.elapsed() >= GOOD_AFTER {
                backoff.reset();
                self.told = None;
                self.cut_short = 0;
            }
            if end.closed_by_broker {
                self.cut_short += 1;
            }
            // The client library cannot read mosquitto's reason for this, so it is told from what it looks like.
            if self.cut_short >= 2 {
                end.reason = format!(
                    "the broker {} closes each connection soon after it was made: is a second Lares running with the \
                     same site?",
                    self.address
                );
            }
            *self.problem.lock() = Some(end.reason.clone());
            if self.told.as_ref() != Some(&end.reason) {
                tracing::warn!(
                    broker = self.address,
                    "{}; alerts wait in the outbox and leave when it is back",
                    end.reason
                );
                self.told = Some(end.reason);
            }
            let wait = if end.needs_a_person {
                NEEDS_A_PERSON
            } else {
                backoff.wait()
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// One connection, from the TCP handshake to its end; none when we were asked to stop.
    async fn connection(
        &mut self,
        client: &AsyncClient,
        events: EventLoop,
        queue: &mut mpsc::Receiver<Publication>,
    ) -> Option<End> {
        // As a stream, a poll that was begun is gone on with, whatever else happens in between: dropping one half-way
        // could tear a packet.
        let events = stream::unfold(events, |mut events| async move {
            let event = events.poll().await;
            Some((event, events))
        });
        tokio::pin!(events);
        let stop = self.stop.clone();
        let first = tokio::select! {
            () = stop.cancelled() => return None,
            event = events.next() => event,
        };
        let largest = match first {
            Some(Ok(Event::Incoming(Packet::ConnAck(ack)))) => largest_out(&ack),
            Some(Ok(_)) => return Some(self.end("the broker does not speak MQTT 5".to_owned())),
            Some(Err(error)) => return Some(self.sort(&error)),
            None => return None,
        };
        self.greet(client);
        let mut sent: VecDeque<oneshot::Sender<Outcome>> = VecDeque::new();
        let mut in_flight: HashMap<u16, oneshot::Sender<Outcome>> = HashMap::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => {
                    self.goodbye(client, &mut events, &mut sent, &mut in_flight).await;
                    return None;
                }
                event = events.next() => match event {
                    Some(Ok(event)) => self.happened(event, &mut sent, &mut in_flight),
                    Some(Err(error)) => return Some(self.sort(&error)),
                    None => return None,
                },
                Some(publication) = queue.recv() => {
                    let Publication { topic, json, answer } = publication;
                    if client.try_publish(topic, QoS::AtLeastOnce, false, json).is_ok() {
                        sent.push_back(answer);
                    }
                }
                () = self.live.changed() => self.publish_live(client, largest),
            }
        }
    }

    /// First things on a new connection.
    fn greet(&mut self, client: &AsyncClient) {
        for topic in self.topics.subscriptions() {
            let _ = client.try_subscribe(topic, QoS::AtLeastOnce);
        }
        let _ = client.try_publish(self.topics.status(), QoS::AtMostOnce, true, "online");
        self.live.all_again();
        *self.problem.lock() = None;
        if self.cut_short >= 2 {
            tracing::debug!(broker = self.address, "connected once more");
        } else {
            tracing::info!(broker = self.address, "connected to the broker");
        }
        self.connected.send_replace(true);
    }

    fn publish_live(&self, client: &AsyncClient, largest: usize) {
        for (topic, value) in self.live.take() {
            // Larger than the broker takes: sending it would end the connection.
            if topic.len() + value.payload.len() + 16 > largest {
                tracing::debug!(
                    topic,
                    bytes = value.payload.len(),
                    "too large for the broker"
                );
                continue;
            }
            let _ = client.try_publish(topic, QoS::AtMostOnce, value.retain, value.payload);
        }
    }

    fn happened(
        &self,
        event: Event,
        sent: &mut VecDeque<oneshot::Sender<Outcome>>,
        in_flight: &mut HashMap<u16, oneshot::Sender<Outcome>>,
    ) {
        match event {
            // QoS 0 has no packet identifier; what has one is an alert, and alerts leave in order.
            Event::Outgoing(Outgoing::Publish(id)) if id != 0 => {
                if let Some(answer) = sent.pop_front() {
                    in_flight.insert(id, answer);
                }
            }
            Event::Incoming(Packet::PubAck(ack)) => {
                if let Some(answer) = in_flight.remove(&ack.pkid) {
                    let _ = answer.send(self.answer_of(&ack));
                }
            }
            Event::Incoming(Packet::Publish(message)) => self.asked(&message),
            _ => {}
        }
    }

    fn answer_of(&self, ack: &PubAck) -> Outcome {
        let address = &self.address;
        let refused = |after, reason| Outcome::Retry {
            scope: Scope::Sink,
            after,
            reason,
        };
        match ack.reason {
            PubAckReason::Success | PubAckReason::NoMatchingSubscribers => {
                Outcome::Delivered { receipt: None }
            }
            PubAckReason::NotAuthorized => refused(
                Some(NEEDS_A_PERSON),
                format!(
                    "the broker {address} does not let this user publish alerts: give mqtt.user the right to write {}/#",
                    self.topics.status().trim_end_matches("/status")
                ),
            ),
            PubAckReason::QuotaExceeded => {
                refused(None, format!("the broker {address} has no room for more"))
            }
            PubAckReason::TopicNameInvalid | PubAckReason::PayloadFormatInvalid => {
                Outcome::Reject {
                    reason: format!("the broker {address} refuses the alert ({:?})", ack.reason),
                }
            }
            reason => refused(
                None,
                format!("the broker {address} could not take an alert ({reason:?})"),
            ),
        }
    }

    fn asked(&self, message: &Publish) {
        let topic = String::from_utf8_lossy(&message.topic);
        if message.retain {
            // It was meant for some moment in the past: acting on it at each connection would undo later decisions.
            tracing::warn!(%topic, "a retained command was ignored: send commands without the retain flag");
            return;
        }
        match self.topics.parse(&topic, &message.payload) {
            Ok(incoming) => {
                if self.commands.try_send(incoming.into()).is_err() {
                    tracing::warn!(%topic, "a command was dropped: too many at once");
                }
            }
            Err(error) => tracing::warn!(%topic, "{error}"),
        }
    }

    /// Says offline in good order, and waits a moment for the last answers.
    async fn goodbye(
        &self,
        client: &AsyncClient,
        events: &mut (impl Stream<Item = Result<Event, ConnectionError>> + Unpin),
        sent: &mut VecDeque<oneshot::Sender<Outcome>>,
        in_flight: &mut HashMap<u16, oneshot::Sender<Outcome>>,
    ) {
        let last_answers = async {
            while !(sent.is_empty() && in_flight.is_empty()) {
                match events.next().await {
                    Some(Ok(event)) => self.happened(event, sent, in_flight),
                    _ => return,
                }
            }
            let _ = client.try_publish(self.topics.status(), QoS::AtMostOnce, true, "offline");
            let _ = client.try_disconnect();
            while let Some(Ok(event)) = events.next().await {
                if event == Event::Outgoing(Outgoing::Disconnect) {
                    return;
                }
            }
        };
        let _ = timeout(GOODBYE, last_answers).await;
    }

    fn end(&self, reason: String) -> End {
        End {
            reason,
            needs_a_person: false,
            closed_by_broker: false,
        }
    }

    /// One sentence for each way in which a connection ends.
    fn sort(&self, error: &ConnectionError) -> End {
        let address = &self.address;
        let person = |reason| End {
            reason,
            needs_a_person: true,
            closed_by_broker: false,
        };
        match error {
            ConnectionError::ConnectionRefused(
                ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized,
            ) => person(format!(
                "the broker {address} refuses user and password: check mqtt.user and mqtt.password"
            )),
            ConnectionError::ConnectionRefused(
                ConnectReturnCode::UnsupportedProtocolVersion
                | ConnectReturnCode::RefusedProtocolVersion,
            ) => person(format!(
                "the broker {address} does not speak MQTT 5: update it or use another"
            )),
            ConnectionError::ConnectionRefused(code) => self.end(format!(
                "the broker {address} refuses the connection ({code:?})"
            )),
            ConnectionError::Tls(TlsFailure::Io(error))
                if error.kind() != std::io::ErrorKind::InvalidData =>
            {
                self.end(format!("the broker {address} cannot be reached ({error})"))
            }
            ConnectionError::Tls(error) => person(format!(
                "the broker {address} could not be trusted ({}): check mqtt.ca_file and the name in mqtt.url",
                innermost(error)
            )),
            ConnectionError::Timeout(_) => {
                self.end(format!("the broker {address} does not answer"))
            }
            ConnectionError::Io(error) => {
                self.end(format!("the broker {address} cannot be reached ({error})"))
            }
            ConnectionError::MqttState(StateError::ConnectionAborted) => End {
                closed_by_broker: true,
                ..self.end(format!("the broker {address} closed the connection"))
            },
            ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, .. }) => self
                .end(format!(
                    "the broker {address} ended the connection ({reason_code:?})"
                )),
            ConnectionError::MqttState(StateError::AwaitPingResp) => {
                self.end(format!("the broker {address} does not answer any more"))
            }
            other => self.end(format!(
                "the connection to the broker {address} was lost ({other})"
            )),
        }
    }
}

/// Largest message that the broker takes, in bytes.
fn largest_out(ack: &ConnAck) -> usize {
    ack.properties
        .as_ref()
        .and_then(|properties| properties.max_packet_size)
        .map_or(usize::MAX, |bytes| bytes as usize)
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

//! The connection to the broker: made, kept, lost, made again.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Weak},
    time::Duration,
};

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use parking_lot::Mutex;
use rumqttc::{
    Outgoing,
    v5::{
        AsyncClient, ConnectionError, Event, EventLoop, MqttOptions,
        mqttbytes::{
            QoS,
            v5::{Filter, Packet},
        },
    },
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    BrokerRecords, HubCommand, LiveState, Outcome, Publication,
    birth::Birth,
    limits::{CommandLimit, Patience, largest_out},
    overhead::{
        CONNECT, CONNECT_PACKETS, DISCONNECT, ON_THE_WIRE, PUBLISH_HEAD, SUBSCRIBE_HEAD,
        TLS_HANDSHAKE,
    },
};
use crate::{
    base::backoff::Backoff,
    net::{
        mqtt::{End, end, sort},
        pace::Pacer,
    },
    outbox::budget::TrafficClass,
    wire::Topics,
};

/// Requests to the client that it has not taken yet. On a new connection the live values of all cameras come at once.
const REQUESTS: usize = 1024;
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// A wrong password needs a person: there is no hurry, and some brokers lock out who hammers at the door.
pub(super) const NEEDS_A_PERSON: Duration = Duration::from_secs(60);
/// A connection that lived this long was a good one.
const GOOD_AFTER: Duration = Duration::from_secs(10);
/// How long saying goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// Keeps a connection to the broker.
pub(super) struct Link {
    pub(super) options: MqttOptions,
    /// Whether the broker is there to be connected to, where that is known.
    pub(super) up: Option<watch::Receiver<bool>>,
    pub(super) topics: Topics,
    pub(super) address: String,
    pub(super) live: LiveState,
    /// It is the broker of the hub in this program: nothing of it counts in the data plan.
    pub(super) here: bool,
    /// Knows whether the data plan has room for the state of the moment.
    pub(super) records: Weak<dyn BrokerRecords>,
    pub(super) pacer: Arc<Pacer>,
    pub(super) commands: mpsc::Sender<HubCommand>,
    pub(super) limit: CommandLimit,
    pub(super) birth: Birth,
    /// What this user must have the right to write so that Home Assistant hears of the site.
    pub(super) discovery_rights: String,
    /// An announcement is on its way.
    pub(super) announcing: bool,
    /// The log has said that announcements are refused.
    pub(super) refused: bool,
    /// Subscriptions that the broker has not answered yet, in their order.
    pub(super) subscribing: VecDeque<String>,
    pub(super) connected: watch::Sender<bool>,
    pub(super) problem: Arc<Mutex<Option<String>>>,
    pub(super) stop: CancellationToken,
    /// What the log has said was wrong, until a connection has proved good.
    pub(super) told: Option<String>,
    /// Connections that the broker closed soon after they were made, one after the other.
    pub(super) cut_short: u32,
}

/// What a PUBACK that is still to come answers.
pub(super) enum Awaited {
    /// An alert, whose row waits.
    Alert(oneshot::Sender<Outcome>),
    /// A report of the moment: the next connection says it anew.
    Report,
    /// An announcement, as it was sent.
    Announcement(String, Bytes),
}

impl Link {
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Publication>) {
        let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
        let stop = self.stop.clone();
        loop {
            if !self.broker_is_up().await {
                return;
            }
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
            if end.closed_by_broker && self.cut_short >= 2 {
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
            // One that was handed over in the moment of the cut would overtake those that were lost with the connection.
            while queue.try_recv().is_ok() {}
        }
    }

    /// Waits until the broker is there; false when we were asked to stop.
    async fn broker_is_up(&mut self) -> bool {
        let Some(up) = &mut self.up else {
            return true;
        };
        if !*up.borrow() {
            *self.problem.lock() = Some(format!(
                "the hub's broker {} has not started: see what the hub says",
                self.address
            ));
        }
        tokio::select! {
            () = self.stop.cancelled() => false,
            up = up.wait_for(|up| *up) => up.is_ok(),
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
        if !matches!(first, None | Some(Err(ConnectionError::Io(_)))) {
            let secure = self.address.starts_with("mqtts:");
            let handshake = if secure { TLS_HANDSHAKE } else { 0 };
            self.live.sent(CONNECT_PACKETS, CONNECT + handshake);
        }
        let (largest, session_kept) = match first {
            Some(Ok(Event::Incoming(Packet::ConnAck(ack)))) => {
                (largest_out(&ack), ack.session_present)
            }
            Some(Ok(_)) => return Some(end("the broker does not speak MQTT 5".to_owned())),
            Some(Err(error)) => return Some(sort(&self.address, &error)),
            None => return None,
        };
        self.greet(client, session_kept);
        let mut sent: VecDeque<Awaited> = VecDeque::new();
        let mut in_flight: HashMap<u16, Awaited> = HashMap::new();
        let mut patience = Patience::new(self.options.keep_alive());
        loop {
            patience.now(sent.len() + in_flight.len());
            tokio::select! {
                () = stop.cancelled() => {
                    self.goodbye(client, &mut events, &mut sent, &mut in_flight).await;
                    return None;
                }
                event = events.next() => match event {
                    Some(Ok(event)) => self.happened(event, &mut sent, &mut in_flight),
                    Some(Err(error)) => return Some(sort(&self.address, &error)),
                    None => return None,
                },
                Some(publication) = queue.recv() => {
                    let Publication { topic, json, answer } = publication;
                    if client.try_publish(topic, QoS::AtLeastOnce, false, json).is_ok() {
                        sent.push_back(Awaited::Alert(answer));
                    }
                }
                () = self.live.changed() => self.publish_live(client, largest, &mut sent),
                () = self.birth.is_due() => {
                    self.birth.answered();
                    self.live.announce_again();
                }
                () = patience.is_over() => {
                    return Some(end(format!(
                        "the broker {} takes alerts but acknowledges none",
                        self.address
                    )));
                }
            }
        }
    }

    /// First things on a new connection.
    fn greet(&mut self, client: &AsyncClient, session_kept: bool) {
        let own = self.topics.subscriptions();
        self.subscribing = own.iter().chain(self.birth.topics()).cloned().collect();
        for topic in &self.subscribing {
            // With the flag kept, a retained command is known as such also when it comes while we are connected, or
            // out of the session that the broker kept for us.
            self.live.sent(2, topic.len() as u64 + SUBSCRIBE_HEAD);
            let mut filter = Filter::new(topic, QoS::AtLeastOnce);
            filter.preserve_retain = true;
            let _ = client.try_subscribe_many([filter]);
        }
        self.say_status(client, "online");
        self.announcing = false;
        self.live.connected(session_kept);
        *self.problem.lock() = None;
        if self.cut_short >= 2 {
            tracing::debug!(broker = self.address, "connected once more");
        } else {
            tracing::info!(broker = self.address, "connected to the broker");
        }
        self.connected.send_replace(true);
    }

    fn say_status(&self, client: &AsyncClient, word: &'static str) {
        let topic = self.topics.status();
        self.live
            .sent(1, (topic.len() + word.len()) as u64 + PUBLISH_HEAD);
        let _ = client.try_publish(topic, QoS::AtMostOnce, true, word);
    }

    fn publish_live(&mut self, client: &AsyncClient, largest: usize, sent: &mut VecDeque<Awaited>) {
        for (topic, value) in self.live.take() {
            let acknowledged = value.acknowledged;
            let queued = self.publish(
                client,
                largest,
                topic,
                value.payload,
                value.retain,
                acknowledged,
            );
            if queued && acknowledged {
                // Its PUBACK comes among those of the alerts.
                sent.push_back(Awaited::Report);
            }
        }
        // One at a time: on a slow link an alert waits behind one of them at most.
        while !self.announcing
            && let Some((topic, document)) = self.live.take_announcement()
        {
            if self.publish(client, largest, topic.clone(), document.clone(), true, true) {
                sent.push_back(Awaited::Announcement(topic, document));
                self.announcing = true;
            }
        }
    }

    /// Hands one message beside alerts to the client, where broker and data plan have room for it.
    fn publish(
        &self,
        client: &AsyncClient,
        largest: usize,
        topic: String,
        payload: Bytes,
        retain: bool,
        acknowledged: bool,
    ) -> bool {
        // Larger than the broker takes: sending it would end the connection.
        if topic.len() + payload.len() + 16 > largest {
            tracing::debug!(topic, bytes = payload.len(), "too large for the broker");
            return false;
        }
        let bytes = (topic.len() + payload.len()) as u64 + PUBLISH_HEAD;
        // What is retained is text; what is not is a picture.
        let what = if retain {
            TrafficClass::Text
        } else {
            TrafficClass::Still
        };
        let may = self.here
            || self
                .records
                .upgrade()
                .is_none_or(|records| records.live_may_leave(what, bytes + ON_THE_WIRE));
        if !may {
            tracing::debug!(topic, "left out: the data plan has no room for it");
            return false;
        }
        let (qos, packets) = match acknowledged {
            true => (QoS::AtLeastOnce, 2),
            false => (QoS::AtMostOnce, 1),
        };
        let queued = client.try_publish(topic, qos, retain, payload).is_ok();
        if queued {
            self.pacer.text_leaves(bytes);
            self.live.sent(packets, bytes);
        }
        queued
    }

    /// Says offline in good order, and waits a moment for the last answers.
    async fn goodbye(
        &mut self,
        client: &AsyncClient,
        events: &mut (impl Stream<Item = Result<Event, ConnectionError>> + Unpin),
        sent: &mut VecDeque<Awaited>,
        in_flight: &mut HashMap<u16, Awaited>,
    ) {
        let last_answers = async {
            while !(sent.is_empty() && in_flight.is_empty()) {
                match events.next().await {
                    Some(Ok(event)) => self.happened(event, sent, in_flight),
                    _ => return,
                }
            }
            self.say_status(client, "offline");
            self.live.sent(1, DISCONNECT);
            let _ = client.try_disconnect();
            while let Some(Ok(event)) = events.next().await {
                if event == Event::Outgoing(Outgoing::Disconnect) {
                    return;
                }
            }
        };
        let _ = timeout(GOODBYE, last_answers).await;
    }
}

//! The hub's ear at the broker: what boxes say goes into index and house, and what the page wants goes to the boxes.
//!
//! In: messages of all sites. Out: rows, news, `resend` for numbers that are missing, and a line in the log when a box falls
//! silent. What is not understood is counted and told once in a while, never a reason to stop.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bytes::Bytes;
use rumqttc::v5::{
    AsyncClient, Event, EventLoop, Incoming, MqttOptions,
    mqttbytes::{
        QoS,
        v5::{Filter, Publish},
    },
};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{house::House, index::Index};
use crate::{
    base::{backoff::Backoff, clock::Clock, seldom::Seldom},
    flow::{CameraId, Mode, SiteId},
    outbox::sinks::why_it_ended,
    wire::{Command, Health, IncidentMessage, Topics},
};

/// The broker keeps what arrives for us while we are away, for this many seconds.
const SESSION_KEPT: u32 = 14 * 24 * 3600;
/// Largest message: a picture.
const LARGEST: u32 = 4_100_000;
/// Largest document that is read.
const LARGEST_DOCUMENT: usize = 256 * 1024;
/// Messages that the client may hold for us.
const REQUESTS: usize = 256;
/// How often missing numbers are asked for.
const ASK_EVERY: Duration = Duration::from_secs(60);
/// A gap may close by itself: what was sent first may arrive last.
const FIRST_ASK: Duration = Duration::from_secs(5);
/// What is not understood is told at most this often.
pub(super) const GRUMBLE_EVERY: Duration = Duration::from_secs(60);
/// What boxes say below their site, and how surely it must arrive.
const TOPICS: [(&str, QoS); 8] = [
    ("+/incident", QoS::AtLeastOnce),
    ("status", QoS::AtLeastOnce),
    ("health", QoS::AtLeastOnce),
    ("+/status", QoS::AtMostOnce),
    ("+/mode", QoS::AtMostOnce),
    ("+/person", QoS::AtMostOnce),
    ("+/motion", QoS::AtMostOnce),
    ("+/snapshot", QoS::AtMostOnce),
];

/// What the page asks of a box.
#[derive(Debug, Clone)]
pub(super) struct SetMode {
    pub(super) site: SiteId,
    pub(super) camera: CameraId,
    pub(super) mode: Mode,
    /// Who asks, where there are accounts.
    pub(super) account: Option<String>,
}

/// Listens until it is stopped.
pub(super) struct Listener {
    pub(super) options: MqttOptions,
    /// The broker, for people.
    pub(super) address: String,
    pub(super) index: Arc<Index>,
    pub(super) house: House,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) requests: mpsc::Receiver<SetMode>,
    pub(super) stop: CancellationToken,
    pub(super) grumbles: Seldom,
    /// Boxes that have been asked, on this connection, for what came after the last number known.
    pub(super) caught_up: BTreeSet<SiteId>,
}

impl Listener {
    /// Listens until it is stopped.
    pub(super) async fn run(mut self) {
        self.options
            .set_clean_start(false)
            .set_session_expiry_interval(Some(SESSION_KEPT))
            .set_max_packet_size(Some(LARGEST));
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(20));
        loop {
            let began = Instant::now();
            let (client, events) = AsyncClient::new(self.options.clone(), REQUESTS);
            let Some(reason) = self.connection(&client, events).await else {
                let _ = client.try_disconnect();
                return;
            };
            for site in self.house.there() {
                self.house.online(&site, false);
            }
            if began.elapsed() > ASK_EVERY {
                backoff.reset();
            }
            tracing::warn!("the hub does not hear its broker ({reason}); it tries again");
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = sleep(backoff.wait()) => {}
            }
        }
    }

    /// One connection; why it ended, none when we were asked to stop.
    async fn connection(&mut self, client: &AsyncClient, mut events: EventLoop) -> Option<String> {
        let stop = self.stop.clone();
        let mut ask = interval(ASK_EVERY);
        ask.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ask.reset_after(FIRST_ASK);
        loop {
            // `poll` may be dropped between packets only: it is the one that is waited for until it has something.
            let event = {
                let poll = events.poll();
                tokio::pin!(poll);
                loop {
                    tokio::select! {
                        () = stop.cancelled() => return None,
                        event = &mut poll => break event,
                        Some(request) = self.requests.recv() => ask_mode(client, request),
                        _ = ask.tick() => self.ask(client),
                    }
                }
            };
            match event {
                Ok(Event::Incoming(Incoming::ConnAck(_))) => {
                    self.caught_up.clear();
                    let _ = client.try_subscribe_many(self.filters());
                    tracing::info!("the hub listens to its broker");
                }
                Ok(Event::Incoming(Incoming::Publish(message))) => {
                    if self.heard(&message) {
                        ask.reset_after(FIRST_ASK);
                    }
                }
                Ok(_) => {}
                Err(error) => return Some(why_it_ended(&self.address, &error)),
            }
        }
    }

    /// Topics of the sites that this hub is for: another broker may carry others.
    fn filters(&self) -> Vec<Filter> {
        let sites = self.house.sites();
        let of_site = |site: &SiteId| {
            TOPICS.map(|(below, qos)| Filter::new(format!("lares/{site}/{below}"), qos))
        };
        sites.iter().flat_map(of_site).collect()
    }

    /// Takes a message in; true when it may have left a gap.
    fn heard(&mut self, message: &Publish) -> bool {
        let Ok(topic) = std::str::from_utf8(&message.topic) else {
            return false;
        };
        let parts: Vec<_> = topic.split('/').collect();
        let understood = match parts[..] {
            ["lares", site, "status"] => {
                let there = self.box_status(site, &message.payload);
                return there.unwrap_or_else(|| {
                    self.grumble(topic, "it cannot be read");
                    false
                });
            }
            ["lares", site, "health"] => self.box_health(site, message),
            ["lares", site, camera, "incident"] => {
                return match self.incident(site, camera, &message.payload) {
                    Ok(gap) => gap,
                    Err(reason) => {
                        self.grumble(topic, &reason);
                        false
                    }
                };
            }
            ["lares", site, camera, "snapshot"] => ids(site, camera).map(|(site, camera)| {
                self.house
                    .picture(&site, &camera, Bytes::copy_from_slice(&message.payload));
            }),
            ["lares", site, camera, what] => ids(site, camera).and_then(|(site, camera)| {
                let word = std::str::from_utf8(&message.payload).ok()?;
                (word.len() <= 16).then(|| self.house.word(&site, &camera, what, word))
            }),
            _ => None,
        };
        if understood.is_none() {
            self.grumble(topic, "it cannot be read");
        }
        false
    }

    /// True when a box is there that has not been asked yet.
    fn box_status(&self, site: &str, payload: &[u8]) -> Option<bool> {
        let site: SiteId = site.parse().ok()?;
        let online = payload == b"online";
        self.house.online(&site, online);
        Some(online && !self.caught_up.contains(&site))
    }

    fn box_health(&self, site: &str, message: &Publish) -> Option<()> {
        if message.payload.len() > LARGEST_DOCUMENT {
            return None;
        }
        let health: Health = serde_json::from_slice(&message.payload).ok()?;
        (health.site.as_str() == site).then(|| {
            self.house
                .health(health, !message.retain, self.clock.wall())
        })
    }

    fn incident(&self, site: &str, camera: &str, payload: &[u8]) -> Result<bool, String> {
        if payload.len() > LARGEST_DOCUMENT {
            return Err("it is too large".to_owned());
        }
        let message = IncidentMessage::from_json(payload).map_err(|error| error.to_string())?;
        // The broker holds each site to its own topics; the document must not say something else.
        if message.site.as_str() != site || message.camera.as_str() != camera {
            return Err("it is of another camera than its topic".to_owned());
        }
        let gap = match self.index.take(&message) {
            Ok(news) => {
                let site = message.site.clone();
                if news {
                    self.house.incident(message);
                }
                self.index.missing(&site).map(|gaps| !gaps.is_empty())
            }
            Err(error) => Err(error),
        };
        gap.or_else(|error| {
            tracing::error!(%error, "an incident could not be written down; it is asked for again");
            Ok(true)
        })
    }

    /// Says what was not understood, now and then.
    fn grumble(&mut self, topic: &str, reason: &str) {
        if self.grumbles.may() {
            let topic: String = topic.chars().take(80).collect();
            let reason: String = reason.chars().take(160).collect();
            tracing::warn!(
                topic,
                "a message was not understood ({reason}); it was left out"
            );
        }
    }

    /// Asks each box that is there for what is missing, and looks who has fallen silent.
    fn ask(&mut self, client: &AsyncClient) {
        let there = self.house.there();
        for site in self.house.fallen_silent(std::time::Instant::now()) {
            tracing::warn!(%site, "the box has not said in time how it is doing: is it without power or network?");
        }
        for site in there {
            match self.ask_site(client, &site) {
                Ok(()) => drop(self.caught_up.insert(site)),
                Err(error) => tracing::error!(%error, "the index cannot be read"),
            }
        }
    }

    fn ask_site(&self, client: &AsyncClient, site: &SiteId) -> Result<(), super::HubError> {
        let topic = Topics::new(site).command();
        let send = |from, to| {
            let command = Command::Resend { from, to };
            let payload = serde_json::to_vec(&command).unwrap_or_default();
            let _ = client.try_publish(&topic, QoS::AtLeastOnce, false, payload);
        };
        // What a broker that forgets has lost while we were away leaves no gap until the next alert comes.
        if !self.caught_up.contains(site) {
            send(self.index.highest(site)? + 1, None);
        }
        for gap in self.index.missing(site)? {
            if self.index.asked(site, gap)? {
                tracing::warn!(
                    %site, from = gap.first, to = gap.last,
                    "the box no longer has these alerts; their clips are in the store as far as they were sent"
                );
            } else {
                send(gap.first, Some(gap.last));
            }
        }
        Ok(())
    }
}

fn ids(site: &str, camera: &str) -> Option<(SiteId, CameraId)> {
    Some((site.parse().ok()?, camera.parse().ok()?))
}

fn ask_mode(client: &AsyncClient, request: SetMode) {
    let topic = Topics::new(&request.site).mode_set(&request.camera);
    let payload = match &request.account {
        None => request.mode.as_str().to_owned(),
        Some(account) => serde_json::json!({"mode": request.mode, "account": account}).to_string(),
    };
    let _ = client.try_publish(topic, QoS::AtLeastOnce, false, payload);
}

//! The hub's ear at the broker: what boxes say goes into index and house, and what the page wants goes to the boxes.
//!
//! In: messages of all sites. Out: rows, news, `resend` for numbers that are missing, and a line in the log when a box falls
//! silent. What is not understood, out of range or more than one site may send is left out, counted and told once a minute,
//! never a reason to stop. It runs on a thread of its own: rows are written while it waits.
//!
//! | file | what it knows |
//! |---|---|
//! | `heard` | what a message means |
//! | `share` | how much one site may say |
//! | `ask` | what is asked of boxes |

mod ask;
mod heard;
mod share;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use rumqttc::v5::{
    AsyncClient, Event, EventLoop, Incoming, MqttOptions,
    mqttbytes::{
        QoS,
        v5::{Filter, SubAck, SubscribeReasonCode},
    },
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;

use self::share::Shares;
use super::{
    house::House,
    index::Index,
    parts::{Part, Parts},
};
use crate::{
    base::{backoff::Backoff, clock::Clock, log_throttle::Tally},
    flow::{CameraId, Mode, SiteId},
    net::mqtt::why_it_ended,
};

/// The broker keeps what arrives for us while we are away, for this many seconds.
const SESSION_KEPT: u32 = 14 * 24 * 3600;
/// Largest message: a picture.
const LARGEST: u32 = 4_100_000;
/// Messages that the client may hold for us.
const REQUESTS: usize = 256;
/// How often missing numbers are asked for.
const ASK_EVERY: Duration = Duration::from_secs(60);
/// A gap may close by itself: what was sent first may arrive last.
const FIRST_ASK: Duration = Duration::from_secs(5);
/// What is not understood of one site is told at most this often.
const TELL_EVERY: Duration = Duration::from_secs(60);
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
/// What is never retained by a box that behaves: of these the hub is told whether they are.
const NEVER_RETAINED: [&str; 2] = ["+/incident", "+/snapshot"];

/// What the page asks of a box.
#[derive(Debug, Clone)]
pub(super) struct SetMode {
    pub(super) site: SiteId,
    pub(super) camera: CameraId,
    pub(super) mode: Mode,
    /// Who asks, where there are accounts.
    pub(super) account: Option<String>,
}

/// What a listener works with.
pub(super) struct Listens {
    pub(super) options: MqttOptions,
    /// The broker, for people.
    pub(super) address: String,
    /// Whether the broker is there to be connected to.
    pub(super) up: watch::Receiver<bool>,
    /// Whether the broker is the hub's own, in which it keeps order.
    pub(super) own: bool,
    pub(super) index: Arc<Index>,
    pub(super) house: House,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) requests: mpsc::Receiver<SetMode>,
    pub(super) parts: Parts,
    pub(super) stop: CancellationToken,
}

/// Listens until it is stopped.
pub(super) struct Listener {
    with: Listens,
    refusals: Tally,
    shares: Shares,
    /// Boxes that have been asked, on this connection, for what came after the last number known.
    caught_up: BTreeSet<SiteId>,
    /// Of which index they were asked.
    generation: u64,
}

impl Listener {
    pub(super) fn new(with: Listens) -> Self {
        Self {
            refusals: Tally::new(TELL_EVERY),
            shares: Shares::new(with.house.sites()),
            caught_up: BTreeSet::new(),
            generation: with.index.generation(),
            with,
        }
    }

    /// Listens until it is stopped.
    pub(super) async fn run(mut self) {
        self.with
            .options
            .set_clean_start(false)
            .set_session_expiry_interval(Some(SESSION_KEPT))
            .set_max_packet_size(Some(LARGEST));
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(20));
        let stop = self.with.stop.clone();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                up = self.with.up.wait_for(|up| *up) => if up.is_err() {
                    return;
                },
            }
            let began = Instant::now();
            let (client, events) = AsyncClient::new(self.with.options.clone(), REQUESTS);
            let Some(reason) = self.connection(&client, events).await else {
                let _ = client.try_disconnect();
                return;
            };
            for site in self.with.house.there() {
                self.with.house.online(&site, false);
            }
            if began.elapsed() > ASK_EVERY {
                backoff.reset();
            }
            let problem = format!("the hub does not hear its broker ({reason}); it tries again");
            self.with.parts.set(Part::Listener, Some(problem));
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(backoff.wait()) => {}
            }
        }
    }

    /// One connection; why it ended, none when we were asked to stop.
    async fn connection(&mut self, client: &AsyncClient, mut events: EventLoop) -> Option<String> {
        let stop = self.with.stop.clone();
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
                        Some(request) = self.with.requests.recv() => ask::mode(client, request),
                        _ = ask.tick() => self.ask(client),
                    }
                }
            };
            match event {
                Ok(Event::Incoming(Incoming::ConnAck(_))) => {
                    self.caught_up.clear();
                    let filters = self.filters();
                    // Where the only box is in this program and heard there, there is nothing to ask for.
                    if filters.is_empty() {
                        self.with.parts.set(Part::Listener, None);
                    } else {
                        let _ = client.try_subscribe_many(filters);
                    }
                }
                Ok(Event::Incoming(Incoming::SubAck(ack))) => self.subscribed(&ack),
                Ok(Event::Incoming(Incoming::Publish(message))) => {
                    if self.heard(client, &message) {
                        ask.reset_after(FIRST_ASK);
                    }
                }
                Ok(_) => {}
                Err(error) => return Some(why_it_ended(&self.with.address, &error)),
            }
        }
    }

    /// Topics of the sites that this hub is for: another broker may carry others.
    fn filters(&self) -> Vec<Filter> {
        let mut filters = Vec::new();
        for site in self.with.house.sites() {
            for (below, qos) in TOPICS {
                let mut filter = Filter::new(format!("lares/{site}/{below}"), qos);
                filter.nolocal = true;
                filter.preserve_retain = NEVER_RETAINED.contains(&below);
                filters.push(filter);
            }
            if self.with.own {
                let topic = format!("{}/{site}/+/config", heard::DISCOVERY);
                let mut filter = Filter::new(topic, QoS::AtMostOnce);
                filter.nolocal = true;
                filters.push(filter);
            }
        }
        filters
    }

    /// The broker has answered to the subscription. One that refuses would leave a hub that hears nothing and says so to nobody.
    fn subscribed(&self, ack: &SubAck) {
        let problem = refused(&ack.return_codes).map(|reason| {
            format!(
                "the broker {} does not let the hub read what its boxes send ({reason}): give its user the right to read \
                 lares/SITE/# of each site",
                self.with.address
            )
        });
        if problem.is_none() {
            tracing::info!("the hub listens to its broker");
        }
        self.with.parts.set(Part::Listener, problem);
    }
}

/// Why a subscription was refused, of one topic at least.
fn refused(codes: &[SubscribeReasonCode]) -> Option<String> {
    codes
        .iter()
        .find(|code| !matches!(code, SubscribeReasonCode::Success(_)))
        .map(|code| format!("{code:?}"))
}

#[cfg(test)]
mod tests;

//! The state of the moment: only its newest value counts, and it is never queued.
//!
//! In: values by topic, from any thread, and announcements. Out, to the MQTT sink: what changed, and on a new connection
//! everything that is retained. A value that changed three times while the broker was away is sent once. A listener in this
//! program hears each change at once.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::discovery_queue::DiscoveryQueue;
use crate::{
    flow::{CameraId, CameraState, Mode, SiteId},
    wire::{Health, Topics},
};

/// What to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LiveValue {
    pub(super) payload: Bytes,
    pub(super) retain: bool,
    /// The broker is to acknowledge it (QoS 1).
    pub(super) acknowledged: bool,
    unsent: bool,
}

/// Hears each value, on its topic.
type Listener = Box<dyn Fn(&str, &Bytes) + Send + Sync>;

struct Inner {
    topics: Topics,
    values: Mutex<BTreeMap<String, LiveValue>>,
    announced: DiscoveryQueue,
    changed: Notify,
    listener: OnceLock<Listener>,
    /// Packets and bytes that the broker got beside alerts, since they were last asked for.
    packets: AtomicU64,
    bytes: AtomicU64,
}

/// Newest values by topic. Cheap to clone.
#[derive(Clone)]
pub struct LiveState(Arc<Inner>);

fn on_off(on: bool) -> Bytes {
    Bytes::from_static(if on { b"ON" } else { b"OFF" })
}

impl LiveState {
    /// Nothing known yet.
    #[must_use]
    pub fn new(site: &SiteId) -> Self {
        Self(Arc::new(Inner {
            topics: Topics::new(site),
            values: Mutex::default(),
            announced: DiscoveryQueue::default(),
            changed: Notify::new(),
            listener: OnceLock::new(),
            packets: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }))
    }

    fn put(&self, topic: String, payload: Bytes, retain: bool) {
        self.put_as(topic, payload, retain, false);
    }

    fn put_as(&self, topic: String, payload: Bytes, retain: bool, acknowledged: bool) {
        let mut values = self.0.values.lock();
        // A retained value that has not changed is there already; a picture is always a new one.
        if retain && values.get(&topic).is_some_and(|old| old.payload == payload) {
            return;
        }
        let value = LiveValue {
            payload,
            retain,
            acknowledged,
            unsent: true,
        };
        let heard = self.0.listener.get().map(|listener| {
            let (topic, payload) = (topic.clone(), value.payload.clone());
            move || listener(&topic, &payload)
        });
        values.insert(topic, value);
        drop(values);
        if let Some(tell) = heard {
            tell();
        }
        self.0.changed.notify_one();
    }

    /// Tells `listener` each retained value that is known, and from now on each change. There is one listener: a second one is
    /// not heard of. It must be quick, and must not call back.
    pub fn also_to(&self, listener: impl Fn(&str, &Bytes) + Send + Sync + 'static) {
        let values = self.0.values.lock();
        for (topic, value) in values.iter().filter(|(_, value)| value.retain) {
            listener(topic, &value.payload);
        }
        let _ = self.0.listener.set(Box::new(listener));
    }

    /// Whether pictures come from a camera.
    pub fn camera_status(&self, camera: &CameraId, state: CameraState) {
        let payload = Bytes::from_static(state.as_str().as_bytes());
        self.put(self.0.topics.camera_status(camera), payload, true);
    }

    /// Whether a person is in view.
    pub fn person(&self, camera: &CameraId, on: bool) {
        self.put(self.0.topics.person(camera), on_off(on), true);
    }

    /// Whether something moves.
    pub fn motion(&self, camera: &CameraId, on: bool) {
        self.put(self.0.topics.motion(camera), on_off(on), true);
    }

    /// The mode in force.
    pub fn mode(&self, camera: &CameraId, mode: Mode) {
        let payload = Bytes::from_static(mode.as_str().as_bytes());
        self.put(self.0.topics.mode(camera), payload, true);
    }

    /// A picture of now. JPEG; not retained, so that a broker keeps none.
    pub fn snapshot(&self, camera: &CameraId, jpeg: Bytes) {
        self.put(self.0.topics.snapshot(camera), jpeg, false);
    }

    /// How the box is doing. Acknowledged, because who waits for it takes its absence for a fault.
    pub fn health(&self, health: &Health) {
        self.put_as(self.0.topics.health(), health.to_json().into(), true, true);
    }

    /// A document that the broker keeps for whoever comes, on a topic of others such as Home Assistant's. They leave in the
    /// order in which they came.
    pub fn announce(&self, topic: String, document: String) {
        self.0.announced.put(topic, document.into());
        self.0.changed.notify_one();
    }

    /// Takes back what was once announced on `topic`.
    pub fn withdraw(&self, topic: String) {
        self.0.announced.put(topic, Bytes::new());
        self.0.changed.notify_one();
    }

    /// Counts what was sent beside alerts: MQTT packets with their heads, and packets that only acknowledge.
    pub fn sent(&self, packets: u64, bytes: u64) {
        self.0.packets.fetch_add(packets, Ordering::Relaxed);
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Packets and bytes that were sent beside alerts since the last call.
    #[must_use]
    pub fn take_sent(&self) -> (u64, u64) {
        (
            self.0.packets.swap(0, Ordering::Relaxed),
            self.0.bytes.swap(0, Ordering::Relaxed),
        )
    }

    /// A new connection: the broker may be a new one, or may have forgotten. Every retained value is to be sent again, and
    /// where our session was not kept also what was announced.
    pub(super) fn connected(&self, session_kept: bool) {
        for value in self.0.values.lock().values_mut() {
            value.unsent |= value.retain;
        }
        self.0.announced.connected(session_kept);
        self.0.changed.notify_one();
    }

    /// What was announced is to be sent again.
    pub(super) fn announce_again(&self) {
        self.0.announced.all_again();
        self.0.changed.notify_one();
    }

    /// The next announcement; counts as sent. Who sends it waits for its acknowledgement before asking for another.
    pub(super) fn take_announcement(&self) -> Option<(String, Bytes)> {
        self.0.announced.next()
    }

    /// The broker has answered to an announcement. True when it was one that took something back.
    pub(super) fn announced(&self, topic: &str, document: &Bytes) -> bool {
        let withdrawn = self.0.announced.arrived(topic, document);
        // The next one may leave.
        self.0.changed.notify_one();
        withdrawn
    }

    /// What is to be sent now; counts as sent.
    pub(super) fn take(&self) -> Vec<(String, LiveValue)> {
        let mut values = self.0.values.lock();
        let taken: Vec<_> = values
            .iter_mut()
            .filter_map(|(topic, value)| {
                std::mem::take(&mut value.unsent).then(|| (topic.clone(), value.clone()))
            })
            .collect();
        values.retain(|_, value| value.retain);
        taken
    }

    /// Completes when something is to be sent.
    pub(super) async fn changed(&self) {
        self.0.changed.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_here_hears_each_change_and_what_was_known_before() {
        let live = LiveState::new(&"home".parse().unwrap());
        let door: CameraId = "door".parse().unwrap();
        live.mode(&door, Mode::Armed);
        live.snapshot(&door, Bytes::from_static(b"not retained"));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let kept = heard.clone();
        live.also_to(move |topic, payload| {
            kept.lock()
                .push(format!("{topic} {}", String::from_utf8_lossy(payload)));
        });
        live.person(&door, true);
        live.person(&door, true);
        live.snapshot(&door, Bytes::from_static(b"jpeg"));
        let expected = ["mode armed", "person ON", "snapshot jpeg"];
        assert_eq!(
            *heard.lock(),
            expected.map(|word| format!("lares/home/door/{word}"))
        );
        assert_eq!(live.take().len(), 3, "the broker gets them all the same");
    }

    #[test]
    fn only_the_newest_value_counts() {
        let live = LiveState::new(&"home".parse().unwrap());
        let door: CameraId = "door".parse().unwrap();
        live.person(&door, true);
        live.person(&door, false);
        live.snapshot(&door, Bytes::from_static(b"one"));
        live.snapshot(&door, Bytes::from_static(b"two"));
        let taken = live.take();
        let texts: Vec<_> = taken
            .iter()
            .map(|(topic, v)| (topic.as_str(), &v.payload[..], v.retain))
            .collect();
        assert_eq!(
            texts,
            [
                ("lares/home/door/person", &b"OFF"[..], true),
                ("lares/home/door/snapshot", &b"two"[..], false)
            ]
        );
        live.person(&door, false);
        assert!(live.take().is_empty(), "unchanged");
        live.connected(true);
        assert_eq!(live.take().len(), 1, "a sent picture is not sent again");
    }
}

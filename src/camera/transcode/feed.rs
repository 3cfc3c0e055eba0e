//! The record job's end of the transcoder: which packets it needs, and when.
//!
//! In: every packet of the watched stream, and what happens to its incidents. Out: items for the transcoder, and nothing
//! while no clip is open. The last seconds wait here in a ring, for the beginning of a clip; their data is shared with the
//! recorder's.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use super::{Item, Step, TranscodeQueue, Transcoder};
use crate::{
    config::ClipConfig,
    flow::{IncidentId, MediaTime, Packet},
    recording::{ClipEvent, Ring},
};

/// Packets are given for this long after a clip's last picture, so that all of it has come out of decoder and encoder.
const MARGIN: Duration = Duration::from_secs(3);
/// A stream that has fallen silent brings no packet after the clip's last picture: it is over then all the same.
const SILENCE: Duration = Duration::from_secs(10);

/// Where items go.
pub(in crate::camera) enum Route {
    /// To a job of its own.
    Queue(Arc<TranscodeQueue>),
    /// To the transcoder at once: replay.
    Inline(Box<Transcoder>),
}

/// What the record job does for clips that are encoded again.
pub(in crate::camera) struct Transcode {
    route: Route,
    ring: Ring,
    /// Clips that need packets, with the time of their last picture once it is known.
    open: BTreeMap<IncidentId, Option<MediaTime>>,
}

impl Transcode {
    /// Keeps as much of the stream as `clip` says.
    pub(in crate::camera) fn new(route: Route, clip: &ClipConfig) -> Self {
        Self {
            route,
            ring: Ring::new(clip),
            open: BTreeMap::new(),
        }
    }

    /// Takes in the watched stream's next packet.
    pub(in crate::camera) fn packet(&mut self, packet: &Packet) -> Vec<ClipEvent> {
        self.ring.push(packet);
        self.open
            .retain(|_, until| until.is_none_or(|until| packet.time <= until + MARGIN));
        if self.open.is_empty() {
            return Vec::new();
        }
        self.put(Item::Packet {
            packet: packet.clone(),
            lead: false,
        })
    }

    /// Begins the clip of `incident`, as a recorder does.
    pub(in crate::camera) fn start(
        &mut self,
        incident: IncidentId,
        dir: PathBuf,
        start: MediaTime,
    ) -> Vec<ClipEvent> {
        let fresh = self.open.is_empty();
        self.open.insert(incident, None);
        let lead: Vec<Packet> = self.ring.since(start).cloned().collect();
        let mut events = self.put(Item::Step(Step::Start {
            incident,
            dir,
            start,
            fresh,
        }));
        for packet in lead {
            events.extend(self.put(Item::Packet { packet, lead: true }));
        }
        events
    }

    /// Goes on recording for `incident`, or stops for now after the last picture up to `at`.
    pub(in crate::camera) fn record(
        &mut self,
        incident: IncidentId,
        recording: bool,
        at: MediaTime,
    ) -> Vec<ClipEvent> {
        if !self.open.contains_key(&incident) {
            return Vec::new();
        }
        let (start, until) = (at, at);
        self.put(Item::Step(if recording {
            Step::Resume { incident, start }
        } else {
            Step::Pause { incident, until }
        }))
    }

    /// Closes the clip of `incident` once it has the last picture up to `until`.
    pub(in crate::camera) fn end(
        &mut self,
        incident: IncidentId,
        until: MediaTime,
    ) -> Vec<ClipEvent> {
        let Some(open) = self.open.get_mut(&incident) else {
            return Vec::new();
        };
        *open = Some(until);
        self.put(Item::Step(Step::End { incident, until }))
    }

    /// Time passes.
    pub(in crate::camera) fn tick(&mut self, now: MediaTime) -> Vec<ClipEvent> {
        self.open
            .retain(|_, until| until.is_none_or(|until| now.since(until) <= SILENCE));
        match &mut self.route {
            Route::Inline(transcoder) => transcoder.tick(now),
            Route::Queue(_) => Vec::new(),
        }
    }

    /// Disarmed: nothing is kept, and no later clip reaches back before arming.
    pub(in crate::camera) fn clear(&mut self) -> Vec<ClipEvent> {
        self.open.clear();
        self.ring.clear();
        if let Route::Queue(queue) = &self.route {
            queue.disarmed();
        }
        self.put(Item::Step(Step::Clear))
    }

    /// There will be no more.
    pub(in crate::camera) fn finish(&mut self) -> Vec<ClipEvent> {
        match &mut self.route {
            Route::Inline(transcoder) => transcoder.finish(),
            Route::Queue(queue) => {
                queue.close();
                Vec::new()
            }
        }
    }

    fn put(&mut self, item: Item) -> Vec<ClipEvent> {
        match &mut self.route {
            Route::Inline(transcoder) => transcoder.take(item),
            Route::Queue(queue) => {
                queue.put(item);
                Vec::new()
            }
        }
    }
}

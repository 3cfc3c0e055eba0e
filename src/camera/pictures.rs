//! Which picture an incident is shown by: the best view so far, taken from the stream of full quality where one of its
//! keyframes lies close enough. One keyframe is decoded per picture, nothing more of that stream.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use super::view::View;
use crate::{
    base::cpu::StageCpu,
    config::CameraConfig,
    flow::{Frame, IncidentId, MediaTime, Packet, Polygon},
    ingest::{Decoder, Feed},
};

/// A picture replaces the one before only where it is better by this factor, so that few are sent.
const CLEARLY_BETTER: f32 = 1.25;
/// A better picture waits this long after the one before; the last one of an incident does not wait.
const APART: Duration = Duration::from_secs(4);
/// A keyframe of the stream of full quality shows the same moment as a view this far from it.
const SAME_MOMENT: Duration = Duration::from_millis(250);
/// What full quality is worth.
const SHARPER: f32 = 1.5;
/// Keyframes kept of the stream of full quality.
const KEYS: usize = 4;

/// The picture of one open incident.
#[derive(Default)]
struct Shown {
    quality: f32,
    since: MediaTime,
    /// The best view since the picture was taken, and the keyframe that shows it better.
    better: Option<(View, Option<Packet>, f32)>,
}

/// Chooses pictures.
pub(super) struct Pictures {
    open: BTreeMap<IncidentId, Shown>,
    keys: VecDeque<Packet>,
    decoder: Option<Decoder>,
    mask: Vec<Polygon>,
    stages: StageCpu,
}

impl Pictures {
    pub(super) fn new(config: &CameraConfig, stages: StageCpu) -> Self {
        Self {
            open: BTreeMap::new(),
            keys: VecDeque::new(),
            decoder: None,
            mask: config.privacy_mask.clone(),
            stages,
        }
    }

    pub(super) fn began(&mut self, incident: IncidentId) {
        self.open.entry(incident).or_default();
    }

    /// Keeps a keyframe of the stream of full quality.
    pub(super) fn main_keyframe(&mut self, packet: &Packet) {
        if self.keys.len() == KEYS {
            self.keys.pop_front();
        }
        self.keys.push_back(packet.clone());
    }

    /// Takes in a view; answers with a picture where it is time for one.
    pub(super) fn view(&mut self, view: View) -> Option<View> {
        let shown = self.open.get_mut(&view.incident)?;
        let key = self
            .keys
            .iter()
            .find(|key| apart(key.time, view.frame.time) <= SAME_MOMENT);
        let quality = view.quality * if key.is_some() { SHARPER } else { 1.0 };
        let best = shown
            .better
            .as_ref()
            .map_or(shown.quality, |(_, _, q)| q.max(shown.quality));
        if quality > best * CLEARLY_BETTER {
            shown.better = Some((view, key.cloned(), quality));
        }
        self.due()
    }

    /// The last better picture of an incident that is over, if there is one.
    pub(super) fn ended(&mut self, incident: IncidentId) -> Option<View> {
        let (view, key, _) = self.open.remove(&incident)?.better?;
        Some(self.sharpened(view, key))
    }

    /// The next picture that has waited long enough; the first one of an incident does not wait.
    fn due(&mut self) -> Option<View> {
        let shown = self.open.values_mut().find(|shown| {
            let waited = |view: &View| view.frame.time.since(shown.since) >= APART;
            shown
                .better
                .as_ref()
                .is_some_and(|(view, _, _)| shown.quality == 0.0 || waited(view))
        })?;
        let (view, key, quality) = shown.better.take()?;
        shown.quality = quality;
        shown.since = view.frame.time;
        Some(self.sharpened(view, key))
    }

    /// The same view in full quality, where it can be decoded.
    fn sharpened(&mut self, view: View, key: Option<Packet>) -> View {
        match key.and_then(|key| self.decode(&key)) {
            Some(frame) => View { frame, ..view },
            None => view,
        }
    }

    fn decode(&mut self, key: &Packet) -> Option<Frame> {
        if self
            .decoder
            .as_ref()
            .is_none_or(|decoder| decoder.format() != &key.format)
        {
            self.decoder = Decoder::new(&key.format, &self.mask, self.stages.clone()).ok();
        }
        let decoder = self.decoder.as_mut()?;
        decoder.restart(Feed::KeysAlone);
        decoder.decode(key).ok()?.pop()
    }

    /// Forgets everything: disarmed.
    pub(super) fn clear(&mut self) {
        self.keys.clear();
        self.open.clear();
    }
}

fn apart(a: MediaTime, b: MediaTime) -> Duration {
    a.since(b).max(b.since(a))
}

//! Which picture an incident is shown by: the best view so far, taken from the stream of full quality where one of its
//! keyframes lies close enough. One keyframe is decoded per picture, nothing more of that stream.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use crate::{
    base::cpu::StageCpu,
    camera::updates::SnapshotCandidate,
    config::DecoderChoice,
    flow::{Frame, IncidentId, Label, MediaTime, Packet, Polygon},
    ingest::{Decoder, Feed},
};

/// A picture replaces the one before only where it is better by this factor, so that few are sent.
const CLEARLY_BETTER: f32 = 1.25;
/// A better picture waits this long after the one before; the last one of an incident does not wait.
const APART: Duration = Duration::from_secs(4);
/// Receivers are told of a better picture where it is better than the one that they know of by this factor ...
const WORTH_TELLING: f32 = 1.6;
/// ... and not sooner than this after they were told the last time; the end of an incident does not wait.
const QUIET: Duration = Duration::from_secs(10);
/// A keyframe of the stream of full quality shows the same moment as a view this far from it.
const SAME_MOMENT: Duration = Duration::from_millis(250);
/// What full quality is worth.
const SHARPER: f32 = 1.5;
/// Keyframes kept of the stream of full quality.
const KEYS: usize = 4;

/// A view that is better than the picture that is shown.
struct Better {
    view: SnapshotCandidate,
    /// The keyframe that shows it in full quality.
    key: Option<Packet>,
    quality: f32,
}

/// The picture of one open incident.
#[derive(Default)]
struct Shown {
    /// What it shows.
    label: Option<Label>,
    quality: f32,
    since: MediaTime,
    /// The best view since the picture was taken.
    better: Option<Better>,
    /// Quality of the picture that receivers know of.
    known: f32,
    /// When they were last told of a better one.
    told: Option<MediaTime>,
}

impl Shown {
    /// The waiting picture, where it has waited long enough; the first one of an incident does not wait.
    fn due(&mut self, now: MediaTime) -> Option<Better> {
        let first = self.quality == 0.0;
        let due = first || now.since(self.since) >= APART;
        let better = self.better.take_if(|_| due)?;
        self.quality = better.quality;
        self.since = now;
        if first {
            // It comes with the alerts of the beginning.
            self.known = better.quality;
        }
        Some(better)
    }

    /// Whether the picture that is shown is worth one more alert. Receivers are taken to know it from then on.
    fn is_news(&mut self, now: MediaTime, over: bool) -> bool {
        let quiet = self.told.is_none_or(|told| now.since(told) >= QUIET);
        let news = self.quality > self.known * WORTH_TELLING && (quiet || over);
        if news {
            self.known = self.quality;
            self.told = Some(now);
        }
        news
    }
}

/// Chooses pictures.
pub(in crate::camera) struct Pictures {
    open: BTreeMap<IncidentId, Shown>,
    /// Incidents whose picture has become much better.
    news: Vec<IncidentId>,
    keys: VecDeque<Packet>,
    decoder: Option<Decoder>,
    mask: Vec<Polygon>,
    stages: StageCpu,
}

impl Pictures {
    /// `mask` is painted on pictures of full quality.
    pub(in crate::camera) fn new(mask: Vec<Polygon>, stages: StageCpu) -> Self {
        Self {
            open: BTreeMap::new(),
            news: Vec::new(),
            keys: VecDeque::new(),
            decoder: None,
            mask,
            stages,
        }
    }

    pub(in crate::camera) fn began(&mut self, incident: IncidentId) {
        self.open.entry(incident).or_default();
    }

    /// Keeps a keyframe of the stream of full quality.
    pub(in crate::camera) fn main_keyframe(&mut self, packet: &Packet) {
        if self.keys.len() == KEYS {
            self.keys.pop_front();
        }
        self.keys.push_back(packet.clone());
    }

    /// Takes in a view; answers with a picture where it is time for one.
    pub(in crate::camera) fn view(&mut self, view: SnapshotCandidate) -> Option<SnapshotCandidate> {
        let (incident, now) = (view.incident, view.frame.time);
        let shown = self.open.get_mut(&incident)?;
        if shown.label.replace(view.label) != Some(view.label) {
            // The incident is called after something else now: no picture of what it was called after before may stay.
            (shown.quality, shown.better) = (0.0, None);
        }
        let key = self
            .keys
            .iter()
            .find(|key| apart(key.time, now) <= SAME_MOMENT)
            .cloned();
        let quality = view.quality * if key.is_some() { SHARPER } else { 1.0 };
        let waiting = shown.better.as_ref().map_or(0.0, |better| better.quality);
        if quality > waiting.max(shown.quality) * CLEARLY_BETTER {
            shown.better = Some(Better { view, key, quality });
        }
        let due = shown.due(now);
        if shown.is_news(now, false) {
            self.news.push(incident);
        }
        due.map(|better| self.sharpened(better))
    }

    /// The last better picture of an incident that is over, if there is one.
    pub(in crate::camera) fn ended(&mut self, incident: IncidentId) -> Option<SnapshotCandidate> {
        let mut shown = self.open.remove(&incident)?;
        let at_last = shown.since + APART;
        let last = shown.due(at_last);
        if shown.is_news(at_last, true) {
            self.news.push(incident);
        }
        last.map(|better| self.sharpened(better))
    }

    /// Incidents whose picture has, since the last call, become much better than the one that receivers know of.
    pub(in crate::camera) fn take_news(&mut self) -> Vec<IncidentId> {
        std::mem::take(&mut self.news)
    }

    /// The view in full quality, where that can be decoded.
    fn sharpened(&mut self, better: Better) -> SnapshotCandidate {
        let Better { view, key, .. } = better;
        match key.and_then(|key| self.decode(&key)) {
            Some(frame) => SnapshotCandidate { frame, ..view },
            None => view,
        }
    }

    fn decode(&mut self, key: &Packet) -> Option<Frame> {
        if self
            .decoder
            .as_ref()
            .is_none_or(|decoder| decoder.format() != &key.format)
        {
            // One picture now and then: not worth a session in hardware.
            let choice = DecoderChoice::Software;
            self.decoder = Decoder::new(&key.format, choice, &self.mask, self.stages.clone()).ok();
        }
        let decoder = self.decoder.as_mut()?;
        decoder.restart(Feed::KeysAlone);
        decoder.decode(key).ok()?.pop()
    }

    /// Forgets everything: disarmed.
    pub(in crate::camera) fn clear(&mut self) {
        self.keys.clear();
        self.open.clear();
        self.news.clear();
    }
}

fn apart(a: MediaTime, b: MediaTime) -> Duration {
    a.since(b).max(b.since(a))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{flow::NormRect, testing::models::Painter};

    struct Rig {
        pictures: Pictures,
        incident: IncidentId,
        /// Times and qualities of the pictures, and times of the news.
        shown: Vec<(f64, f32)>,
        news: Vec<f64>,
    }

    impl Rig {
        fn new() -> Self {
            let mut pictures = Pictures::new(Vec::new(), StageCpu::default());
            let incident = IncidentId::new();
            pictures.began(incident);
            Self {
                pictures,
                incident,
                shown: Vec::new(),
                news: Vec::new(),
            }
        }

        fn note(&mut self, at: f64, shown: Option<SnapshotCandidate>) {
            self.shown.extend(shown.map(|view| (at, view.quality)));
            let news = self.pictures.take_news();
            assert!(news.iter().all(|incident| *incident == self.incident));
            self.news.extend(news.iter().map(|_| at));
        }

        fn view(&mut self, at: f64, quality: f32) {
            self.view_of(Label::Person, at, quality);
        }

        fn view_of(&mut self, label: Label, at: f64, quality: f32) {
            let time = MediaTime::from_secs_f64(at);
            let view = SnapshotCandidate {
                incident: self.incident,
                label,
                frame: Painter::new(16, 16).frame(time, |_, _| [100, 128, 128]),
                rect: NormRect::FULL,
                quality,
            };
            let shown = self.pictures.view(view);
            self.note(at, shown);
        }

        fn end(&mut self, at: f64) {
            let shown = self.pictures.ended(self.incident);
            self.note(at, shown);
        }
    }

    #[test]
    fn a_much_better_picture_is_news_and_a_better_one_is_not() {
        let mut rig = Rig::new();
        rig.view(0.0, 0.10);
        rig.view(1.0, 0.14);
        rig.view(5.0, 0.14);
        assert_eq!(rig.shown, [(0.0, 0.10), (5.0, 0.14)]);
        assert!(rig.news.is_empty(), "{:?}", rig.news);
        rig.view(10.0, 0.19);
        assert_eq!(rig.shown[2..], [(10.0, 0.19)]);
        assert_eq!(rig.news, [10.0], "1.9 times as good as the one they know");
        rig.end(12.0);
        assert_eq!((rig.shown.len(), rig.news.len()), (3, 1));
    }

    #[test]
    fn the_best_view_does_not_wait_for_a_still_better_one() {
        let mut rig = Rig::new();
        rig.view(0.0, 0.1);
        rig.view(2.0, 0.3);
        rig.view(3.9, 0.1);
        assert_eq!(rig.shown.len(), 1);
        rig.view(4.1, 0.1);
        assert_eq!(rig.shown[1..], [(4.1, 0.3)]);
        assert_eq!(rig.news, [4.1]);
    }

    #[test]
    fn however_somebody_comes_nearer_news_are_rare() {
        let mut rig = Rig::new();
        for look in 0..600 {
            let at = f64::from(look) * 0.2;
            rig.view(at, 0.01 * 1.05f32.powi(look));
        }
        let apart = |list: &[f64]| list.windows(2).all(|pair| pair[1] - pair[0] >= 9.99);
        assert!(apart(&rig.news), "{:?}", rig.news);
        assert!((10..=12).contains(&rig.news.len()), "{:?}", rig.news);
        assert!(rig.shown.len() <= 31, "{:?}", rig.shown);
    }

    #[test]
    fn what_was_too_soon_to_tell_is_told_later_or_at_the_end() {
        let mut rig = Rig::new();
        rig.view(0.0, 0.1);
        rig.view(4.0, 0.2);
        rig.view(8.0, 0.4);
        assert_eq!((rig.shown.len(), rig.news.as_slice()), (3, &[4.0][..]));
        rig.view(13.9, 0.1);
        rig.view(14.0, 0.1);
        assert_eq!(rig.news, [4.0, 14.0]);
        rig.view(15.0, 0.9);
        rig.end(16.0);
        assert_eq!(rig.shown[3..], [(15.0, 0.9)]);
        assert_eq!(rig.news, [4.0, 14.0, 16.0]);
    }

    #[test]
    fn a_person_takes_the_place_of_the_car_at_once_however_large_it_was() {
        let mut rig = Rig::new();
        rig.view_of(Label::Car, 0.0, 0.8);
        rig.view_of(Label::Car, 1.0, 1.2);
        rig.view_of(Label::Person, 2.0, 0.1);
        assert_eq!(rig.shown, [(0.0, 0.8), (2.0, 0.1)]);
        rig.end(3.0);
        assert_eq!(rig.shown.len(), 2, "the larger car never comes back");
    }

    #[test]
    fn an_incident_without_a_picture_has_no_news() {
        let mut rig = Rig::new();
        rig.end(5.0);
        assert!(rig.shown.is_empty() && rig.news.is_empty());
    }
}

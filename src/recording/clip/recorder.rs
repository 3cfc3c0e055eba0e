//! One stream of one camera: its packets become the clips of its incidents.
//!
//! In: packets, and incidents that start, pause, resume and end. Out: [`ClipEvent`]s, in the order in which a playlist
//! lists them, each told once its file is on disk.
//!
//! The stream is cut once, however many incidents want it. A piece belongs to the clip that has been recording longest
//! and is used by the others; a clip that reaches back into what is already cut uses those pieces, from the one that
//! starts on a keyframe on, and only what no piece holds is taken from the pre-roll ring.

mod share;

use std::{collections::VecDeque, path::PathBuf, sync::Arc, time::Duration};

use super::{
    open_clip::{Clip, Stored, Wants},
    segments::{CutRule, Piece, Segmenter},
    write_queue::WriteQueue,
};
use crate::{
    config::ClipConfig,
    flow::{IncidentId, MediaKind, MediaTime, Packet, Rendition, StreamFormat},
    recording::{
        ClipEvent,
        buffer::{
            continuity::{Runs, Unit},
            preroll::Preroll,
        },
        cmaf::fmp4,
    },
};

/// The ring keeps this much more than the pre-roll: an incident is believed, or dated back, some time after its start.
pub(in crate::recording) const BELIEF: Duration = Duration::from_secs(10);
/// A stream that sends nothing for this long has what is held written out.
const SILENCE: Duration = Duration::from_secs(5);

/// Makes the clips of one stream.
#[derive(Debug)]
pub struct Recorder {
    rendition: Rendition,
    pre_roll: Duration,
    rule: CutRule,
    runs: Runs,
    ring: Preroll,
    segmenter: Segmenter,
    /// Oldest first.
    clips: Vec<Clip>,
    /// Pieces that a new clip may still use, oldest first.
    stored: VecDeque<Stored>,
    write_queue: WriteQueue,
    format: Option<Arc<StreamFormat>>,
    /// Why the present format gives no clips.
    unsuited: bool,
    /// The newest time known.
    now: MediaTime,
    /// When the last usable packet came.
    heard: MediaTime,
}

impl Recorder {
    /// A recorder of `rendition`.
    #[must_use]
    pub fn new(rendition: Rendition, config: &ClipConfig) -> Self {
        let rule = CutRule::from(config);
        let most_bytes = config.pre_roll_bytes.0;
        Self {
            rendition,
            pre_roll: config.pre_roll,
            rule,
            runs: Runs::default(),
            ring: Preroll::new(config.pre_roll + BELIEF, most_bytes),
            segmenter: Segmenter::new(rule),
            clips: Vec::new(),
            stored: VecDeque::new(),
            write_queue: WriteQueue::new(most_bytes),
            format: None,
            unsuited: false,
            now: MediaTime::ZERO,
            heard: MediaTime::ZERO,
        }
    }

    /// Takes in the stream's next packet.
    pub fn packet(&mut self, packet: &Packet) -> Vec<ClipEvent> {
        self.now = self.now.max(packet.arrived);
        if !self
            .format
            .as_ref()
            .is_some_and(|known| Arc::ptr_eq(known, &packet.format))
        {
            self.unsuited = fmp4::init(&packet.format).is_err();
            self.format = Some(Arc::clone(&packet.format));
        }
        let mut events = Vec::new();
        if self.unsuited {
            self.runs.interrupt();
            self.refuse_all(&mut events);
        } else if let Some(unit) = self.runs.admit(packet) {
            self.heard = self.now;
            self.ring.push(unit.clone());
            self.feed(unit);
            self.forget_unusable();
        }
        self.deliver(false, events)
    }

    /// The packets since the last keyframe; their data is shared.
    #[must_use]
    pub fn since_keyframe(&self) -> Vec<Packet> {
        let key = self.ring.newest_key();
        let units = key.map(|key| self.ring.units_from(key));
        let packets = units.into_iter().flatten();
        packets.map(|unit| unit.packet.clone()).collect()
    }

    /// Begins the clip of `incident`, from the keyframe at or before `start` minus the pre-roll on. Its files go to
    /// `dir/<rendition>/`.
    pub fn start(
        &mut self,
        incident: IncidentId,
        dir: PathBuf,
        start: MediaTime,
    ) -> Vec<ClipEvent> {
        let mut events = Vec::new();
        if self.place_of(incident).is_none() {
            self.clips.push(Clip::new(incident, self.rendition, &dir));
            if self.unsuited {
                self.refuse_all(&mut events);
            } else {
                self.attach(self.clips.len() - 1, start);
            }
        }
        self.deliver(false, events)
    }

    /// Stops recording for `incident` after the last picture up to `until`; its clip stays open.
    pub fn pause(&mut self, incident: IncidentId, until: MediaTime) -> Vec<ClipEvent> {
        self.limit(incident, until, false)
    }

    /// Goes on recording for `incident`, from the keyframe at or before `start` minus the pre-roll on, or from where it
    /// was paused if that is later.
    pub fn resume(&mut self, incident: IncidentId, start: MediaTime) -> Vec<ClipEvent> {
        if let Some(place) = self
            .place_of(incident)
            .filter(|&place| !self.clips[place].ending)
        {
            if self.clips[place].recording() {
                self.clips[place].wants = Wants::All;
            } else {
                self.attach(place, start);
            }
        }
        self.deliver(false, Vec::new())
    }

    /// Closes the clip of `incident` once it has the last picture up to `until`, which may be still to come. A paused
    /// clip is closed at once.
    pub fn end(&mut self, incident: IncidentId, until: MediaTime) -> Vec<ClipEvent> {
        self.limit(incident, until, true)
    }

    /// Lets time pass: tries refused files again, and where the stream has fallen silent writes out what is held and
    /// closes what waits for nothing else.
    pub fn tick(&mut self, now: MediaTime) -> Vec<ClipEvent> {
        self.now = self.now.max(now);
        if now.since(self.heard) > SILENCE {
            self.cut(true);
            for place in (0..self.clips.len()).rev() {
                if self.clips[place].until().is_some_and(|until| until <= now) {
                    self.complete(place);
                }
            }
        }
        self.deliver(false, Vec::new())
    }

    /// Writes out what is held and closes every clip. What the disk refuses now is lost.
    pub fn finish(&mut self) -> Vec<ClipEvent> {
        self.cut(true);
        for clip in &mut self.clips {
            clip.ending = true;
        }
        while !self.clips.is_empty() {
            self.complete(0);
        }
        self.deliver(true, Vec::new())
    }

    /// Closes every clip and forgets everything: no later clip reaches back before this moment.
    pub fn clear(&mut self) -> Vec<ClipEvent> {
        let events = self.finish();
        self.ring.clear();
        self.stored.clear();
        self.segmenter.reset();
        events
    }

    /// Whether no clip is open and no file waits for the disk: time may pass unnoticed.
    #[must_use]
    pub fn at_rest(&self) -> bool {
        self.clips.is_empty() && self.write_queue.is_empty()
    }

    /// Whether no clip is open.
    #[must_use]
    pub fn idle(&self) -> bool {
        self.clips.is_empty()
    }

    fn place_of(&self, incident: IncidentId) -> Option<usize> {
        self.clips.iter().position(|clip| clip.incident == incident)
    }

    fn recording(&self) -> bool {
        self.clips.iter().any(Clip::recording)
    }

    fn limit(&mut self, incident: IncidentId, until: MediaTime, ending: bool) -> Vec<ClipEvent> {
        if let Some(place) = self.place_of(incident) {
            let clip = &mut self.clips[place];
            clip.ending |= ending;
            clip.wants = match clip.wants {
                Wants::All => Wants::Until(until),
                Wants::Until(earlier) => Wants::Until(earlier.min(until)),
                Wants::Nothing => Wants::Nothing,
            };
            if clip.satisfied() || !clip.recording() {
                self.complete(place);
            }
            self.cut(false);
        }
        self.deliver(false, Vec::new())
    }

    /// Makes the clip at `place` record from the keyframe at or before `start` minus the pre-roll on.
    fn attach(&mut self, place: usize, start: MediaTime) {
        let others = self.recording();
        let have = self.clips[place].have;
        let keyframe = self.ring.keyframe_before(start.before(self.pre_roll));
        let wanted = match (keyframe, have) {
            (Some(keyframe), Some(have)) => keyframe.max(have),
            (Some(keyframe), None) => keyframe,
            (None, _) => self.runs.next_seq(),
        };
        let open = self.segmenter.open_seq();
        let (from, feed_from) = match open {
            Some(open) if others || wanted < open || (wanted == open && keyframe.is_none()) => {
                let from = self.share(place, wanted, open, others);
                (from, open)
            }
            _ => {
                if self.clips.len() == 1 && have.is_none() && open != Some(wanted) {
                    self.segmenter.reset();
                }
                (wanted, wanted)
            }
        };
        let clip = &mut self.clips[place];
        clip.from_seq = from;
        clip.wants = Wants::All;
        if !others {
            let units: Vec<Unit> = self.ring.units_from(feed_from).cloned().collect();
            for unit in units {
                self.feed(unit);
            }
        }
    }

    fn feed(&mut self, unit: Unit) {
        if self.recording() && !self.segmenter.continues_with(&unit) {
            self.cut(true);
        }
        if self.recording() {
            self.segmenter.push(unit);
            self.cut(false);
        }
    }

    /// Stores every piece that is whole. `last`: what is held is not continued.
    fn cut(&mut self, last: bool) {
        while self.recording() {
            let stop = self.clips.iter().filter_map(Clip::until).min();
            match self.segmenter.next_piece(stop, last) {
                Some(piece) => self.store(&piece),
                None => return,
            }
        }
        self.segmenter.suspend();
    }

    fn store(&mut self, piece: &Piece) {
        let mut stored: Option<Stored> = None;
        for clip in self.clips.iter_mut().filter(|clip| clip.takes(piece)) {
            match &stored {
                Some(stored) => clip.borrow(stored, &mut self.write_queue),
                None => stored = Some(clip.store(piece, &mut self.write_queue, self.now)),
            }
        }
        self.stored.extend(stored);
        for place in (0..self.clips.len()).rev() {
            if self.clips[place].satisfied() {
                self.complete(place);
            }
        }
    }

    /// The clip at `place` has all that it will get for now.
    fn complete(&mut self, place: usize) {
        self.clips[place].wants = Wants::Nothing;
        if self.clips[place].ending {
            let clip = self.clips.remove(place);
            self.write_queue.tell(ClipEvent::Closed {
                incident: clip.incident,
                rendition: self.rendition,
                span: clip.span,
            });
        }
    }

    /// The present format gives no clips: those that have pictures are closed, the others refused.
    fn refuse_all(&mut self, events: &mut Vec<ClipEvent>) {
        self.cut(true);
        let Some(format) = &self.format else { return };
        for clip in self.clips.drain(..) {
            let (incident, rendition) = (clip.incident, self.rendition);
            match (clip.span, fmp4::init(format)) {
                (None, Err(error)) => events.push(ClipEvent::Refused {
                    incident,
                    rendition,
                    error,
                }),
                (span, _) => self.write_queue.tell(ClipEvent::Closed {
                    incident,
                    rendition,
                    span,
                }),
            }
        }
    }

    /// Drops stored pieces that lie before anything that a new clip could reach back to.
    fn forget_unusable(&mut self) {
        let oldest = self.ring.first_seq().unwrap_or(u64::MAX);
        let usable = |piece: &Stored| piece.key && piece.first_seq <= oldest;
        if let Some(first) = self.stored.iter().rposition(usable) {
            self.stored.drain(..first);
        }
    }

    /// Brings files to disk and returns what can be told.
    fn deliver(&mut self, last: bool, mut events: Vec<ClipEvent>) -> Vec<ClipEvent> {
        for lost in self.write_queue.run(self.now, last, &mut events) {
            self.stored.retain(|piece| piece.media.path != lost.path);
            if lost.kind == MediaKind::Init {
                for clip in &mut self.clips {
                    clip.lost_header(&lost.path);
                }
            }
        }
        events
    }
}

#[cfg(test)]
mod tests;

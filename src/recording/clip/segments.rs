//! Where a clip is cut, and the decode times of its pictures.
//!
//! In: units in decode order, which know their presentation times only. Out: [`Piece`]s, each the content of one media
//! segment. Pure: no clock, no files.
//!
//! **Decode times.** In a run that starts at a keyframe the sorted presentation times are decode times: the n-th
//! picture in decode order is given the n-th smallest presentation time, and the composition offset, which may be
//! negative, takes it back to its own. At a cut the next piece's first decode time must be known, that is, which
//! presentation time comes n-th among all pictures of the run, those not yet seen included. It is known once
//! - more than [`DEEPEST_REORDER`] pictures follow the cut: H.264 and H.265 let at most that many pictures precede
//!   another in decode order and follow it in output order, so no picture to come can be earlier; or
//! - a keyframe at or after the cut is followed by a picture that is shown after it: leading pictures of an open GOP come
//!   before such trailing ones, and everything else to come is shown later (ISO/IEC 23008-2, 8.1.3).
//!
//! So the cut waits for a few pictures, while the units are held here. A stream that breaks those rules still gives every
//! picture at its exact time, with decode times that rise strictly and pieces that join.
//!
//! **Cuts.** The first of a run starts on a keyframe; its leading pictures, which refer to what came before it, are left
//! out. A cut falls on the first keyframe from `target` on. Where none comes until `longest` or `bytes`, it falls between two
//! pictures such that all before are shown before all after, so that pieces do not overlap in presentation either. A
//! cut can also be asked for at a time, where a clip ends.

use std::sync::Arc;
use std::time::Duration;

use crate::{
    config::ClipConfig,
    flow::{MediaTime, StreamFormat},
    recording::{
        buffer::continuity::Unit,
        cmaf::fmp4::{Sample, ticks},
    },
};

/// Largest reorder depth that H.264 (`max_num_reorder_frames`) and H.265 (`sps_max_num_reorder_pics`) allow.
const DEEPEST_REORDER: usize = 16;
/// Share of `target` by which a keyframe may be early: a camera's two seconds are sometimes 1.98.
const TARGET_SLACK: u32 = 10;
/// How long the last picture of a run of one lasts where nothing tells.
const UNKNOWN_DURATION: Duration = Duration::from_millis(100);

/// When to cut.
#[derive(Debug, Clone, Copy)]
pub(in crate::recording) struct CutRule {
    /// At the first keyframe from here on ...
    pub(in crate::recording) target: Duration,
    /// ... or after this long without one ...
    pub(in crate::recording) longest: Duration,
    /// ... or about this many bytes.
    pub(in crate::recording) bytes: u64,
}

impl From<&ClipConfig> for CutRule {
    fn from(config: &ClipConfig) -> Self {
        Self {
            target: config.segment_target,
            longest: config.segment_max,
            bytes: config.segment_bytes.0,
        }
    }
}

/// The content of one media segment.
#[derive(Debug, Clone)]
pub(in crate::recording) struct Piece {
    /// Which unbroken sequence it belongs to: pieces of the same chain join without a gap.
    pub(in crate::recording) chain: u64,
    /// What its samples need.
    pub(in crate::recording) format: Arc<StreamFormat>,
    /// It starts on a keyframe.
    pub(in crate::recording) key: bool,
    /// Number of its first unit ...
    pub(in crate::recording) first_seq: u64,
    /// ... and of the first after it.
    pub(in crate::recording) next_seq: u64,
    /// When it begins on the box's time line.
    pub(in crate::recording) start: MediaTime,
    /// When it ends: where the next one of its chain begins.
    pub(in crate::recording) end: MediaTime,
    /// Decode time of its first sample, in ticks from the clip's zero.
    pub(in crate::recording) decode_time: u64,
    /// Its pictures in decode order.
    pub(in crate::recording) samples: Vec<Sample>,
}

/// The time line of a chain of pieces.
#[derive(Debug)]
struct Chain {
    /// Number of its first unit.
    id: u64,
    run: u64,
    next_seq: u64,
    first_at: MediaTime,
    /// Ticks from the clip's zero at `first_at`.
    base: i64,
}

impl Chain {
    fn ticks(&self, at: MediaTime) -> i64 {
        self.base + ticks(at - self.first_at)
    }
}

/// Holds units until it is known where they are cut.
#[derive(Debug)]
pub(in crate::recording) struct Segmenter {
    rule: CutRule,
    held: Vec<Unit>,
    /// Presentation times that no picture has yet as its decode time, sorted; as many as there are held units.
    free: Vec<MediaTime>,
    chain: Option<Chain>,
    zero: Option<MediaTime>,
    /// Ticks at which the last piece ended.
    floor: i64,
}

enum Cut {
    Before(usize),
    NotYet,
}

impl Segmenter {
    pub(in crate::recording) fn new(rule: CutRule) -> Self {
        Self {
            rule,
            held: Vec::new(),
            free: Vec::new(),
            chain: None,
            zero: None,
            floor: 0,
        }
    }

    /// Whether `unit` comes straight after what was pushed last.
    pub(in crate::recording) fn continues_with(&self, unit: &Unit) -> bool {
        self.chain
            .as_ref()
            .is_some_and(|chain| chain.run == unit.run && chain.next_seq == unit.seq)
    }

    /// Number of the first unit that is in no piece yet; none before the first.
    pub(in crate::recording) fn open_seq(&self) -> Option<u64> {
        let first_held = self.held.first().map(|unit| unit.seq);
        first_held.or(self.chain.as_ref().map(|chain| chain.next_seq))
    }

    /// Whether what is held starts on a keyframe.
    pub(in crate::recording) fn open_on_key(&self) -> bool {
        self.held.first().is_some_and(|unit| unit.packet.key)
    }

    /// Takes in a unit. One that does not continue the chain begins a new one: take the rest out with
    /// [`Self::next_piece`] before. It is left out where it cannot be decoded.
    pub(in crate::recording) fn push(&mut self, unit: Unit) {
        if !self.continues_with(&unit) {
            self.suspend();
            self.chain = None;
            if !unit.packet.key {
                return;
            }
            let zero = *self.zero.get_or_insert(unit.at);
            self.chain = Some(Chain {
                id: unit.seq,
                run: unit.run,
                next_seq: unit.seq,
                first_at: unit.at,
                // A clock that stepped back must not make decode times fall.
                base: ticks(unit.at - zero).max(self.floor),
            });
        }
        let Some(chain) = &mut self.chain else { return };
        chain.next_seq = unit.seq + 1;
        if unit.at < chain.first_at {
            return; // a leading picture of the chain's first keyframe
        }
        let place = self.free.partition_point(|&time| time <= unit.at);
        self.free.insert(place, unit.at);
        self.held.push(unit);
    }

    /// The next piece that is whole. `stop`: cut after the last picture up to this time as well. `last`: nothing more
    /// will come, give out what is held.
    pub(in crate::recording) fn next_piece(
        &mut self,
        stop: Option<MediaTime>,
        last: bool,
    ) -> Option<Piece> {
        match self.cut(stop, last) {
            Cut::Before(place) => Some(self.take(place)),
            Cut::NotYet if last && !self.held.is_empty() => Some(self.take(self.held.len())),
            Cut::NotYet => None,
        }
    }

    /// Forgets what is held. The chain can go on with the first forgotten unit.
    pub(in crate::recording) fn suspend(&mut self) {
        if let (Some(chain), Some(first)) = (&mut self.chain, self.held.first()) {
            chain.next_seq = first.seq;
        }
        self.held.clear();
        self.free.clear();
    }

    /// Starts over with a new zero; no chain goes on.
    pub(in crate::recording) fn reset(&mut self) {
        self.suspend();
        self.chain = None;
        self.zero = None;
        self.floor = 0;
    }

    fn cut(&self, stop: Option<MediaTime>, last: bool) -> Cut {
        let Some(&start) = self.free.first() else {
            return Cut::NotYet;
        };
        let early = self.rule.target - self.rule.target / TARGET_SLACK;
        let mut bytes = 0;
        // Where a cut was wanted first, once that is so.
        let mut wanted: Option<usize> = None;
        for place in 1..self.held.len() {
            let unit = &self.held[place];
            bytes += self.held[place - 1].packet.data.len() as u64;
            let so_far = unit.at.since(start);
            let keyframe = unit.packet.key && (so_far >= early || wanted.is_some());
            if !keyframe
                && wanted.is_none()
                && so_far < self.rule.longest
                && bytes < self.rule.bytes
                && stop.is_none_or(|stop| unit.at <= stop)
            {
                continue;
            }
            if !last && !self.settled(place) {
                return Cut::NotYet;
            }
            let first_wanted = *wanted.get_or_insert(place);
            if keyframe || self.clean(place) || place - first_wanted >= DEEPEST_REORDER {
                return Cut::Before(place);
            }
        }
        Cut::NotYet
    }

    /// Whether no picture to come can be shown before one that is known to follow `place`.
    fn settled(&self, place: usize) -> bool {
        let following = &self.held[place..];
        if following.len() > DEEPEST_REORDER {
            return true;
        }
        let keyframe = following.iter().position(|unit| unit.packet.key);
        keyframe.is_some_and(|key| {
            let shown = following[key].at;
            following[key..].iter().any(|unit| unit.at > shown)
        })
    }

    /// Whether everything before `place` is shown before everything from it on.
    fn clean(&self, place: usize) -> bool {
        let (before, after) = self.held.split_at(place);
        let last = before.iter().map(|unit| unit.at).max();
        let first = after.iter().map(|unit| unit.at).min();
        last < first
    }

    fn take(&mut self, count: usize) -> Piece {
        let units: Vec<Unit> = self.held.drain(..count).collect();
        let times: Vec<MediaTime> = self.free.drain(..count).collect();
        let end = match self.free.first() {
            Some(&next) => next,
            None => times[count - 1] + last_duration(&units, &times),
        };
        let chain = self.chain.as_ref().expect("held units are of a chain");

        let mut decode = Vec::with_capacity(count + 1);
        let mut floor = self.floor;
        for &time in times.iter().chain([&end]) {
            let at = chain.ticks(time).max(floor);
            decode.push(at);
            floor = at + 1;
        }
        self.floor = decode[count];
        let samples = units
            .iter()
            .enumerate()
            .map(|(i, unit)| Sample {
                duration: u32::try_from(decode[i + 1] - decode[i]).unwrap_or(u32::MAX),
                composition: saturating(chain.ticks(unit.at) - decode[i]),
                key: unit.packet.key,
                droppable: unit.packet.droppable,
                data: unit.packet.data.clone(),
            })
            .collect();
        Piece {
            chain: chain.id,
            format: Arc::clone(&units[0].packet.format),
            key: units[0].packet.key,
            first_seq: units[0].seq,
            next_seq: self.held.first().map_or(chain.next_seq, |unit| unit.seq),
            start: times[0],
            end,
            decode_time: u64::try_from(decode[0]).expect("decode times start at zero or above"),
            samples,
        }
    }
}

/// How long the picture lasts that is shown last: as it says itself, or else as long as the one before.
fn last_duration(units: &[Unit], times: &[MediaTime]) -> Duration {
    let shown_last = units.iter().max_by_key(|unit| unit.at);
    let own = shown_last.and_then(|unit| unit.packet.duration);
    own.filter(|duration| !duration.is_zero())
        .unwrap_or_else(|| match times {
            [.., before, last] if last > before => last.since(*before),
            _ => UNKNOWN_DURATION,
        })
}

fn saturating(ticks: i64) -> i32 {
    i32::try_from(ticks).unwrap_or(if ticks < 0 { i32::MIN } else { i32::MAX })
}

#[cfg(test)]
mod tests;

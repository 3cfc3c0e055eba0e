//! Presentation times for units that come without, or with the times at which they are decoded. Pure.
//!
//! Raw streams and AVI have no presentation times, and some cameras stamp RTP packets in the order of coding although they send
//! B-frames. The slice headers say which picture is shown before which ([`picture_order`](super::picture_order)); the k-th picture that is shown gets the
//! k-th of the stamps, as a player does (H.264, C.4.5.3, the "bumping" process; H.265, C.5.2). Units stay in decode order; one is held
//! until its time is known, which takes as many pictures as the stream reorders.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use super::{
    parameter_sets::MOST_REORDERED,
    picture_order::{Counter, Place},
    unit::Unit,
};
use crate::flow::{MediaTime, StreamFormat};

/// For a stream that says neither when a picture is shown nor for how long.
const USUAL_DURATION: Duration = Duration::from_millis(40);
/// A live stream that declares reordering is held back at its start for so many units at most, and so long.
const LIVE_UNITS: usize = 5;
const LIVE_TIME: Duration = Duration::from_secs(1);
/// More units than this are held for none: a damaged count must not keep the rest waiting.
const MOST_HELD: usize = 64;
/// Stamps of a running stream have to contradict the places so many times in a row: one may be a jump of the camera's clock.
const DOUBTS: u32 = 2;

/// Puts presentation times on the units of one stream.
pub(super) struct PresentationOrder {
    window: Window,
    counter: Counter,
    format: Option<Arc<StreamFormat>>,
    state: State,
    held: VecDeque<Held>,
    /// Stamps in decode order, of units without a time.
    stamps: VecDeque<MediaTime>,
    last_end: Option<MediaTime>,
    /// Coded video sequences so far.
    sequence: u64,
    /// Count of the last picture of this sequence that got a time by its place.
    shown: Option<i64>,
    /// Pictures by which the stream reorders more than it says.
    deeper: usize,
    /// Highest count and stamp of this sequence.
    highest: Option<(i64, MediaTime)>,
    doubts: u32,
    /// A format, and what stands for it since times before it were found to be wrong.
    renewed: Option<(Arc<StreamFormat>, Arc<StreamFormat>)>,
}

/// How long units may be held back to find out what their stamps are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Window {
    /// A file can be read ahead.
    File,
    /// A camera's pictures are wanted now.
    Live,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Units are held until their stamps and places tell.
    Undecided,
    /// Stamps are presentation times.
    Given,
    /// Stamps are given out by place.
    Counted,
}

struct Held {
    unit: Unit,
    place: Place,
    sequence: u64,
    stamp: MediaTime,
    time: Option<MediaTime>,
}

impl PresentationOrder {
    /// For a file, which is read ahead until it is known what its times are.
    pub(super) fn of_file() -> Self {
        Self::new(Window::File)
    }

    /// For a live stream. Held back at its start only if it says that it reorders.
    pub(super) fn live() -> Self {
        Self::new(Window::Live)
    }

    fn new(window: Window) -> Self {
        Self {
            window,
            counter: Counter::default(),
            format: None,
            state: State::Undecided,
            held: VecDeque::new(),
            stamps: VecDeque::new(),
            last_end: None,
            sequence: 0,
            shown: None,
            deeper: 0,
            highest: None,
            doubts: 0,
            renewed: None,
        }
    }

    /// Takes the next unit in decode order; gives those whose time is known, in decode order.
    pub(super) fn push(&mut self, mut unit: Unit) -> Vec<Unit> {
        self.follow(&unit.format);
        let missing = unit.pts.is_none();
        let stamp = unit.pts.or(unit.dts).or(self.last_end).unwrap_or_default();
        self.last_end = Some(stamp + unit.duration.unwrap_or(USUAL_DURATION));
        let Some(place) = self.counter.read(&unit.format, &unit.data) else {
            let mut out = self.finish();
            unit.pts = Some(stamp);
            out.push(self.renew(unit));
            return out;
        };
        let mut out = Vec::new();
        if place.restart {
            out = self.finish();
            self.sequence += 1;
            (self.shown, self.highest) = (None, None);
        }
        let late = self.highest.is_some_and(|(count, _)| place.count < count);
        let back = self.highest.is_some_and(|(_, highest)| stamp < highest);
        let (count, highest) = self.highest.unwrap_or((place.count, stamp));
        self.highest = Some((count.max(place.count), highest.max(stamp)));
        self.judge(missing, late, back);
        self.stamps.push_back(stamp);
        self.held.push_back(Held {
            unit,
            place,
            sequence: self.sequence,
            stamp,
            time: None,
        });
        if self.state == State::Undecided && !self.may_wait() {
            self.state = State::Given;
        }
        out.extend(match self.state {
            State::Undecided => Vec::new(),
            State::Given => self.pass(),
            State::Counted => {
                let depth = self.counter.depth().map_or(0, |depth| depth.pictures);
                let held_up = self.held.len() > MOST_HELD;
                self.bump(if held_up { 0 } else { depth + self.deeper })
            }
        });
        out
    }

    /// Gives all that is held: the stream, or a coded video sequence, is over.
    pub(super) fn finish(&mut self) -> Vec<Unit> {
        match self.state {
            State::Counted => self.bump(0),
            State::Undecided if self.held.len() > 1 => {
                self.state = State::Given;
                self.pass()
            }
            _ => self.pass(),
        }
    }

    fn follow(&mut self, format: &Arc<StreamFormat>) {
        if !self
            .format
            .as_ref()
            .is_some_and(|known| Arc::ptr_eq(known, format))
        {
            self.counter.record(format.codec, &format.codec_data);
            self.format = Some(Arc::clone(format));
            self.renewed = None;
        }
    }

    /// Concludes from a unit what stamps are: it has none, is shown before one that came earlier, is stamped before one.
    fn judge(&mut self, missing: bool, late: bool, back: bool) {
        self.doubts = match (late, back) {
            (true, false) => self.doubts + 1,
            (true, true) => 0,
            (false, _) => self.doubts,
        };
        match self.state {
            State::Undecided if missing || self.doubts > 0 => self.state = State::Counted,
            State::Undecided if late => self.state = State::Given,
            State::Given if missing => self.state = State::Counted,
            // What has gone out had wrong times: nothing that comes continues it.
            State::Given if self.doubts >= DOUBTS => {
                self.state = State::Counted;
                self.begin_anew();
            }
            State::Counted if late && back && !missing => {
                self.state = State::Given;
                self.begin_anew();
            }
            _ => {}
        }
    }

    /// Whether units may still be held back until it is known what their stamps are.
    fn may_wait(&self) -> bool {
        let (Some(depth), Some(first)) = (self.counter.depth(), self.held.front()) else {
            return false;
        };
        let waited = self.stamps.back().map(|last| last.since(first.stamp));
        depth.pictures > 0
            && match self.window {
                Window::File => self.held.len() <= MOST_REORDERED,
                Window::Live => {
                    depth.declared
                        && self.held.len() <= LIVE_UNITS
                        && waited.is_some_and(|waited| waited < LIVE_TIME)
                }
            }
    }

    fn begin_anew(&mut self) {
        if let Some(format) = &self.format {
            let renewed = Arc::new(StreamFormat::clone(format));
            self.renewed = Some((Arc::clone(format), renewed));
        }
    }

    fn renew(&self, mut unit: Unit) -> Unit {
        if let Some((old, new)) = &self.renewed
            && Arc::ptr_eq(old, &unit.format)
        {
            unit.format = Arc::clone(new);
        }
        unit
    }

    /// Lets everything go, with its own stamp where it has no time by place yet.
    fn pass(&mut self) -> Vec<Unit> {
        self.stamps.clear();
        let held = std::mem::take(&mut self.held);
        let timed = held.into_iter().map(|mut held| {
            held.unit.pts = held.time.or(Some(held.stamp));
            self.renew(held.unit)
        });
        timed.collect()
    }

    /// Gives times by place until at most `depth` pictures have none, then lets the first units go that have one.
    fn bump(&mut self, depth: usize) -> Vec<Unit> {
        while self.stamps.len() > depth.min(MOST_REORDERED) {
            let timeless = self.held.iter_mut().filter(|held| held.time.is_none());
            let next = timeless.min_by_key(|held| (held.sequence, held.place.count));
            let (Some(next), Some(time)) = (next, self.stamps.pop_front()) else {
                break;
            };
            next.time = Some(time);
            let count = next.place.count;
            if self.shown.is_some_and(|shown| count < shown) && self.deeper < MOST_REORDERED {
                self.deeper += 1;
            }
            self.shown = Some(count);
        }
        let ready = self.held.iter().take_while(|held| held.time.is_some());
        let ready = ready.count();
        let out: Vec<_> = self.held.drain(..ready).collect();
        let timed = out.into_iter().map(|mut held| {
            held.unit.pts = held.time;
            self.renew(held.unit)
        });
        timed.collect()
    }
}

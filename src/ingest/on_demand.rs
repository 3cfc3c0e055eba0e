//! Decodes what somebody asks for and no more.
//!
//! Asleep, each keyframe is decoded alone and given at once. Where keyframes are rarer than `max_idle_interval`, the units
//! since the last look are decoded in one burst instead, and only the newest picture is given. Awake, decoding goes on
//! from the keyframe of the current group of pictures, and every picture is given once, in presentation order: a packet
//! goes in by [`OnDemand::push`], and [`OnDemand::next_frame`] decodes until it has a picture to give. So a burst at
//! waking holds one picture at a time, whatever the size and the length of the group.
//! A stream whose keyframes cannot be decoded alone (see [`Decoder::leans`]) is decoded in bursts as well; where it is entered amid an
//! intra refresh, pictures are not given before it is complete.
//! The interval between keyframes is measured, never assumed.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tracing::warn;

use super::{
    codec::{
        decoder::{Decoder, Feed, leans},
        engine::Engine,
        error::DecodeError,
        idle_decoders::{Borrower, IdleDecoders},
        privacy_mask::PrivacyMask,
    },
    gop_buffer::GopBuffer,
};
use crate::{
    base::cpu::StageCpu,
    config::DecoderChoice,
    flow::{DecodeDemand, Frame, MediaTime, Packet, Polygon, StreamFormat},
};

/// A stream that hardware finds damaged so many times, with no sound keyframe in between, is given to software, which may
/// know better.
const MOST_STUMBLES: u32 = 3;
/// Damaged units are warned about once in this long.
const WARN_EVERY: Duration = Duration::from_secs(60);

/// The decoder of one stream, and what it may have to go back to.
pub struct OnDemand {
    max_idle_interval: Duration,
    choice: DecoderChoice,
    /// Damaged units of the hardware decoder since its last sound keyframe.
    stumbles: u32,
    mask: PrivacyMask,
    stages: StageCpu,
    ring: GopBuffer,
    /// What is decoded at the moment; none before the first packet, and where no decoder takes the stream.
    format: Option<Arc<StreamFormat>>,
    /// Only while it is needed: asleep, it is lent for each keyframe.
    decoder: Option<Decoder>,
    idle: Borrower,
    refused: Option<Arc<StreamFormat>>,
    /// How many units of the current group the decoder has had or was spared; `None` while it takes lone keyframes.
    fed: Option<usize>,
    /// Waiting for a keyframe after damage.
    broken: bool,
    /// Keyframes of this stream cannot be decoded alone.
    continuous: bool,
    /// Pictures to come that are not whole yet.
    veiled: u32,
    /// Decoded and not given yet, in presentation order.
    ready: VecDeque<Frame>,
    /// Whether the current group is to be decoded as far as it has come, picture by picture.
    running: bool,
    /// Time of the newest unit.
    newest: MediaTime,
    last_given: Option<MediaTime>,
    /// Time of the newest unit when a picture was last given.
    last_look: Option<MediaTime>,
    last_warning: Option<MediaTime>,
    decoded: u64,
    corrupt: u64,
}

impl OnDemand {
    /// Nothing kept, nothing decoded yet. `max_idle_interval` is the longest time between two looks while asleep; decoders that
    /// are not needed for a while are left to others in `idle_decoders`.
    #[must_use]
    pub fn new(
        max_idle_interval: Duration,
        choice: DecoderChoice,
        privacy_mask: Vec<Polygon>,
        stages: StageCpu,
        idle: &IdleDecoders,
    ) -> Self {
        Self {
            max_idle_interval,
            choice,
            stumbles: 0,
            mask: PrivacyMask::new(privacy_mask),
            stages,
            ring: GopBuffer::default(),
            format: None,
            decoder: None,
            idle: idle.borrower(),
            refused: None,
            fed: None,
            broken: false,
            continuous: false,
            veiled: 0,
            ready: VecDeque::new(),
            running: false,
            newest: MediaTime::ZERO,
            last_given: None,
            last_look: None,
            last_warning: None,
            decoded: 0,
            corrupt: 0,
        }
    }

    /// Takes the next packet in decode order. What `demand` asks for, [`next_frame`](Self::next_frame) gives; what is
    /// not taken before the next packet may never be given.
    ///
    /// # Errors
    /// When no decoder takes the stream: once for each format, then nothing is given until it changes. A damaged unit
    /// is no error: it is counted, and decoding goes on from the next keyframe.
    pub fn push(&mut self, packet: Packet, demand: DecodeDemand) -> Result<(), DecodeError> {
        self.ready.clear();
        self.running = false;
        if demand == DecodeDemand::Off {
            self.forget();
            return Ok(());
        }
        let format_changed = self
            .format
            .as_ref()
            .is_some_and(|format| !Arc::ptr_eq(format, &packet.format));
        if packet.discontinuity || format_changed {
            self.forget();
        }
        self.accept(&packet.format)?;
        if self.format.is_none() {
            return Ok(());
        }
        let (key, time) = (packet.key, packet.time);
        self.newest = time;
        self.continuous |= leans(&packet).is_some();
        let awake = matches!(demand, DecodeDemand::Awake { .. });
        if key && self.continuous {
            // Nothing before this keyframe may be left out.
            self.run_to_newest();
        }
        let whole_before = self.fed == Some(self.ring.current_len());
        let needless = if key { 0 } else { self.fed.unwrap_or(0) };
        if !self.ring.push(packet, needless) {
            return Ok(());
        }
        if key {
            // Decoding runs on over a keyframe only if nothing before it was left out.
            let runs_on = (awake || self.continuous) && whole_before && !self.broken;
            self.fed = runs_on.then_some(0);
            self.broken = false;
        }
        if awake {
            self.running = true;
        } else if key && !self.continuous {
            self.decode_key();
        } else if key || self.look_is_due(time) {
            self.run_to_newest();
        }
        Ok(())
    }

    /// The next picture that the last packet's demand asks for, in presentation order; `None` when there are no more.
    ///
    /// While awake, pictures before `next_look` to which no other picture refers are not decoded;
    /// [`MediaTime::ZERO`] or any time past asks for every picture.
    pub fn next_frame(&mut self, next_look: MediaTime) -> Option<Frame> {
        loop {
            while let Some(frame) = self.ready.pop_front() {
                if self.last_given.is_none_or(|last| frame.time > last) {
                    self.last_given = Some(frame.time);
                    self.last_look = Some(self.newest);
                    return Some(frame);
                }
            }
            if !self.running || !self.step(Wanted::From(next_look)) {
                return None;
            }
        }
    }

    /// The stream has ended: [`next_frame`](Self::next_frame) gives the pictures that the decoder still holds. The next
    /// packet must be a keyframe.
    pub fn finish(&mut self) {
        self.ready.clear();
        let (held, last_given) = match self.decoder.as_mut() {
            Some(decoder) if self.fed.is_some() && !self.broken => {
                (decoder.drain(), self.last_given)
            }
            _ => (Vec::new(), None),
        };
        self.decoded += held.len() as u64;
        // One that was told of the end is of no use to others.
        self.decoder = None;
        self.forget();
        self.ready.extend(held);
        self.last_given = last_given;
    }

    /// Pictures decoded so far, given or not.
    #[must_use]
    pub fn decoded(&self) -> u64 {
        self.decoded
    }

    /// Damaged units so far.
    #[must_use]
    pub fn corrupt(&self) -> u64 {
        self.corrupt
    }

    fn forget(&mut self) {
        self.ring.clear();
        self.lay_down();
        self.decoder = None;
        self.format = None;
        self.fed = None;
        self.broken = false;
        self.continuous = false;
        self.running = false;
        self.last_given = None;
        self.last_look = None;
    }

    /// Goes on with this decoder.
    #[cfg(test)]
    pub(super) fn set_decoder(&mut self, decoder: Decoder) {
        self.format = Some(Arc::clone(decoder.format()));
        self.decoder = Some(decoder);
    }

    /// Makes `format` the one that is decoded, if there is a decoder for it.
    fn accept(&mut self, format: &Arc<StreamFormat>) -> Result<(), DecodeError> {
        let hopeless = self
            .refused
            .as_ref()
            .is_some_and(|r| Arc::ptr_eq(r, format));
        if self.format.is_some() || hopeless {
            return Ok(());
        }
        self.format = Some(Arc::clone(format));
        let taken = self.take_up();
        if taken.is_err() {
            self.format = None;
            self.refused = Some(Arc::clone(format));
        } else {
            self.refused = None;
        }
        taken
    }

    /// Sees to a decoder: its own, one that is idle, or a new one.
    fn take_up(&mut self) -> Result<(), DecodeError> {
        let (None, Some(format)) = (&self.decoder, &self.format) else {
            return Ok(());
        };
        let engine = match self.idle.take(format, self.choice) {
            Some(engine) => engine,
            None => Engine::new(format, self.choice)?,
        };
        let (mask, stages) = (self.mask.clone(), self.stages.clone());
        self.decoder = Some(Decoder::with(engine, format, mask, stages));
        Ok(())
    }

    /// Leaves the decoder to others. One that has met damage stays here: it may be the decoder that is at fault.
    fn lay_down(&mut self) {
        if self.broken {
            return;
        }
        if let Some(decoder) = self.decoder.take() {
            self.idle.bring(decoder.into_engine());
        }
    }

    /// Whether a sleeping camera must be looked at without waiting for a keyframe.
    fn look_is_due(&self, time: MediaTime) -> bool {
        let Some(key_time) = self.ring.key_time() else {
            return false;
        };
        let last_look = self.last_look.unwrap_or(key_time);
        if time.since(last_look) < self.max_idle_interval {
            return false;
        }
        // A keyframe that is only a little late costs less than a group decoded for nothing.
        let patience = self.max_idle_interval + self.max_idle_interval / 8;
        let soon = self.ring.interval().is_some_and(|interval| {
            let expected = key_time + interval;
            expected >= time && expected.since(last_look) <= patience
        });
        !soon
    }

    /// Decodes the keyframe that has just come in alone.
    fn decode_key(&mut self) {
        let Some(unit) = self.ring.current_unit(0).cloned() else {
            return;
        };
        self.fed = None;
        if self.begin(Feed::KeysAlone) {
            self.decode(&unit);
            self.lay_down();
        }
    }

    /// Sets a decoder to its first keyframe. False where there is none any more, such as of a hardware that is busy.
    fn begin(&mut self, feed: Feed) -> bool {
        if let Err(error) = self.take_up() {
            self.corrupt += 1;
            self.broken = true;
            warn!(stream = ?self.format, "{error}");
        }
        match &mut self.decoder {
            Some(decoder) => decoder.restart(feed),
            None => return false,
        }
        true
    }

    /// Decodes the current group as far as it has come, and keeps the newest picture.
    fn run_to_newest(&mut self) {
        while self.step(Wanted::Newest) {
            self.ready.drain(..self.ready.len().saturating_sub(1));
        }
    }

    /// Decodes the next unit of the current group, from where decoding has come so far, leaving out pictures that
    /// neither `wanted` nor another picture needs; false at the end.
    fn step(&mut self, wanted: Wanted) -> bool {
        if self.fed.is_none() && self.ring.current_is_whole() && self.begin(Feed::Running) {
            self.fed = Some(0);
            let first = self.ring.current_unit(0);
            self.veiled = first.and_then(leans).unwrap_or(0);
        }
        let end = self.ring.current_len();
        let Some(number) = self.fed.filter(|&number| number < end) else {
            return false;
        };
        self.fed = Some(number + 1);
        let Some(unit) = self.ring.current_unit(number).cloned() else {
            return true;
        };
        let spared = unit.droppable
            && match wanted {
                Wanted::Newest => number + 1 < end,
                Wanted::From(time) => unit.time < time,
            };
        if !spared && !self.broken {
            self.decode(&unit);
        }
        true
    }

    fn decode(&mut self, unit: &Packet) {
        let Some(decoder) = &mut self.decoder else {
            return;
        };
        match decoder.decode(unit) {
            Ok(frames) => {
                self.decoded += frames.len() as u64;
                let veiled = frames.len().min(self.veiled as usize);
                self.veiled -= veiled as u32;
                if unit.key && !frames.is_empty() {
                    self.stumbles = 0;
                }
                self.ready.extend(frames.into_iter().skip(veiled));
            }
            Err(error) => {
                self.corrupt += 1;
                self.broken = true;
                self.stumbles += u32::from(decoder.is_hardware());
                if self.stumbles == MOST_STUMBLES {
                    self.choice = DecoderChoice::Software;
                    self.decoder = None;
                    self.fed = None;
                    warn!(stream = ?unit.format, "the hardware decoder stumbles; decoded in software from now on");
                }
                let quiet = self
                    .last_warning
                    .is_some_and(|last| unit.arrived.since(last) < WARN_EVERY);
                if !quiet {
                    self.last_warning = Some(unit.arrived);
                    warn!(damaged = self.corrupt, "{error}");
                }
            }
        }
    }
}

/// Which pictures of a running stream are asked for.
#[derive(Clone, Copy)]
enum Wanted {
    /// Only the last.
    Newest,
    /// All from this time on.
    From(MediaTime),
}

//! Clips that are encoded anew: H.264 beside an H.265 clip, so that every browser plays it, and clips of a camera with a privacy
//! mask, which is painted in before anything is kept.
//!
//! In: the watched stream's packets, and incidents. Out: the same events as of any recorder. Nothing is decoded while no clip is
//! open. No thread: a burst (the pre-roll) is worked off a few pictures at a time, between the packets of the camera.

use std::{collections::VecDeque, path::PathBuf, sync::Arc};

use crate::{
    base::cpu::StageCpu,
    clip::{ClipEvent, Recorder, Ring},
    config::{CameraConfig, ClipConfig, DecoderChoice},
    flow::{CameraId, Frame, IncidentId, MediaTime, Packet, Polygon, Rendition, StreamFormat},
    ingest::{Decoder, Encoder, Feed, Purpose},
};

/// Packets that are decoded and encoded at most for each one that comes.
const AT_ONCE: usize = 4;
/// More than this many that wait are too many for this machine: what is oldest is left out.
const MOST_WAITING: usize = 600;

/// Makes the clips of one rendition.
pub(super) struct Rewrite {
    camera: CameraId,
    recorder: Recorder,
    ring: Ring,
    waiting: VecDeque<Packet>,
    decoder: Option<Decoder>,
    encoder: Option<Encoder>,
    choice: DecoderChoice,
    purpose: Purpose,
    mask: Vec<Polygon>,
    stages: StageCpu,
    /// The next packet that is decoded must be a keyframe.
    from_key: bool,
    told: bool,
}

impl Rewrite {
    /// Makes clips of `rendition` out of the watched stream of `config`.
    pub(super) fn new(rendition: Rendition, config: &CameraConfig, stages: StageCpu) -> Self {
        let clip: &ClipConfig = &config.clip;
        Self {
            camera: config.id.clone(),
            recorder: Recorder::new(rendition, clip),
            ring: Ring::new(clip),
            waiting: VecDeque::new(),
            decoder: None,
            encoder: None,
            choice: config.decoder,
            purpose: if rendition == Rendition::Preview {
                Purpose::Preview
            } else {
                Purpose::Evidence
            },
            mask: config.privacy_mask.clone(),
            stages,
            from_key: true,
            told: false,
        }
    }

    /// Takes in the watched stream's next packet.
    pub(super) fn packet(&mut self, packet: &Packet) -> Vec<ClipEvent> {
        self.ring.push(packet);
        if self.recorder.idle() {
            return Vec::new();
        }
        self.waiting.push_back(packet.clone());
        if self.waiting.len() > MOST_WAITING {
            self.fall_behind();
        }
        self.work(AT_ONCE)
    }

    /// Begins the clip of `incident`, as a recorder does.
    pub(super) fn start(
        &mut self,
        incident: IncidentId,
        dir: PathBuf,
        start: MediaTime,
    ) -> Vec<ClipEvent> {
        if self.recorder.idle() {
            self.waiting = self.ring.since(start).cloned().collect();
            self.begin_anew();
        }
        let mut events = self.recorder.start(incident, dir, start);
        events.extend(self.work(AT_ONCE));
        events
    }

    /// Lets the recorder do `step`; rests when no clip is open any more.
    pub(super) fn with(
        &mut self,
        step: impl FnOnce(&mut Recorder) -> Vec<ClipEvent>,
    ) -> Vec<ClipEvent> {
        let events = step(&mut self.recorder);
        self.rest(events)
    }

    /// Time passes. A stream that is still being worked off has not fallen silent.
    pub(super) fn tick(&mut self, now: MediaTime) -> Vec<ClipEvent> {
        if !self.waiting.is_empty() {
            return self.work(AT_ONCE);
        }
        self.with(|recorder| recorder.tick(now))
    }

    /// Works off everything and closes every clip.
    pub(super) fn finish(&mut self) -> Vec<ClipEvent> {
        let mut events = self.work(usize::MAX);
        events.extend(self.with(Recorder::finish));
        events
    }

    /// Closes every clip with what has been made of it and forgets everything.
    pub(super) fn clear(&mut self) -> Vec<ClipEvent> {
        self.waiting.clear();
        self.ring.clear();
        self.with(Recorder::clear)
    }

    fn begin_anew(&mut self) {
        self.decoder = None;
        self.encoder = None;
        self.from_key = true;
    }

    /// Between clips there is nothing to decode, and the next one begins with a run of its own.
    fn rest(&mut self, mut events: Vec<ClipEvent>) -> Vec<ClipEvent> {
        if self.recorder.idle() && (self.decoder.is_some() || !self.waiting.is_empty()) {
            self.waiting.clear();
            self.begin_anew();
            events.extend(self.recorder.clear());
        }
        events
    }

    /// Decodes and encodes at most `most` of the packets that wait.
    fn work(&mut self, most: usize) -> Vec<ClipEvent> {
        let mut events = Vec::new();
        for _ in 0..most {
            let Some(packet) = self.waiting.pop_front() else {
                break;
            };
            for frame in self.decode(&packet) {
                for made in self.encode(&frame) {
                    events.extend(self.recorder.packet(&made));
                }
            }
        }
        self.rest(events)
    }

    fn fall_behind(&mut self) {
        if let Some(next) = self.waiting.iter().skip(1).position(|packet| packet.key) {
            self.waiting.drain(..=next);
        } else {
            self.waiting.clear();
        }
        self.begin_anew();
        if !std::mem::replace(&mut self.told, true) {
            tracing::warn!(camera = %self.camera, "this machine is too slow to encode the camera's clips anew: pictures are left out");
        }
    }

    fn decode(&mut self, packet: &Packet) -> Vec<Frame> {
        let changed = |format: &Arc<StreamFormat>| !Arc::ptr_eq(format, &packet.format);
        let broken = packet.discontinuity && self.decoder.is_some();
        if self
            .decoder
            .as_ref()
            .map(Decoder::format)
            .is_some_and(changed)
            || broken
        {
            self.begin_anew();
        }
        if self.from_key && !packet.key {
            return Vec::new();
        }
        if self.decoder.is_none() {
            match Decoder::new(&packet.format, self.choice, &self.mask, self.stages.clone()) {
                Ok(mut decoder) => {
                    decoder.restart(Feed::Running);
                    self.decoder = Some(decoder);
                }
                Err(error) => {
                    self.cannot(&error);
                    return Vec::new();
                }
            }
        }
        self.from_key = false;
        let decoded = self.decoder.as_mut().map(|decoder| decoder.decode(packet));
        match decoded {
            Some(Ok(frames)) => frames,
            // What is damaged is told by those who watch; here the next keyframe is waited for.
            Some(Err(_)) => {
                self.begin_anew();
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    fn encode(&mut self, frame: &Frame) -> Vec<Packet> {
        if !self
            .encoder
            .as_ref()
            .is_some_and(|encoder| encoder.takes(frame))
        {
            match Encoder::new(frame, self.purpose, self.stages.clone()) {
                Ok(encoder) => self.encoder = Some(encoder),
                Err(error) => {
                    self.cannot(&error);
                    return Vec::new();
                }
            }
        }
        self.encoder
            .as_mut()
            .map_or_else(Vec::new, |encoder| encoder.push(frame))
    }

    fn cannot(&mut self, error: &dyn std::fmt::Display) {
        if !std::mem::replace(&mut self.told, true) {
            tracing::warn!(camera = %self.camera, "clips of this camera cannot be encoded anew: {error}");
        }
    }
}

//! Clips that are encoded again: H.264 beside an H.265 clip, so that every browser plays it, clips
//! of a camera with a privacy mask, which is painted in before anything is kept, and clips of
//! streams whose codec has no place in CMAF.
//!
//! In: the watched stream's packets and the steps of its incidents, in one order. Out: the same events as of any recorder.
//! Pictures keep the stream's own distances, as in the clip of the stream itself: the times at which they are believed to have been
//! taken are corrected as the stream goes on, most of all in its first seconds.
//! Nothing is decoded while no clip is open. No thread, no clock: live, `job` runs it in the preview pool, behind a queue
//! of its own (`queue`) for which the recorder never waits; replay calls it in line.

mod feed;
mod job;
mod queue;
mod spill;

use std::{collections::VecDeque, path::PathBuf, sync::Arc, time::Duration};

pub(super) use self::{
    feed::{Route, Transcode},
    job::TranscodeJob,
    queue::{Limits, TranscodeQueue},
};
use crate::{
    base::cpu::StageCpu,
    config::{CameraConfig, DecoderChoice},
    flow::{CameraId, Frame, IncidentId, MediaTime, Packet, Polygon, Rendition},
    ingest::{DecodeError, Decoder, Encoder, Feed, Purpose},
    recording::{ClipEvent, Recorder},
};

/// A stream that sends nothing for this long, as a recorder takes it, has what is held of it
/// brought to an end.
const SILENCE: Duration = Duration::from_secs(5);
/// Packets whose pictures have not been encoded; more than any codec reorders, so older ones give no picture.
const PENDING: usize = 64;

/// What happens to clips, as a recorder is told.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// A clip begins; what came before it follows as packets that lead.
    Start {
        incident: IncidentId,
        dir: PathBuf,
        start: MediaTime,
        /// No packets came before: what may still be open has no more to get.
        fresh: bool,
    },
    Pause {
        incident: IncidentId,
        until: MediaTime,
    },
    Resume {
        incident: IncidentId,
        start: MediaTime,
    },
    End {
        incident: IncidentId,
        until: MediaTime,
    },
    /// Disarmed: every clip is closed, and no later one reaches back.
    Clear,
}

/// One thing that the transcoder is given.
#[derive(Debug, Clone)]
pub(super) enum Item {
    Step(Step),
    Packet {
        packet: Packet,
        /// It is from before its clip began: only of use where no other clip has brought it already.
        lead: bool,
    },
}

/// Makes the clips of one rendition.
pub(super) struct Transcoder {
    camera: CameraId,
    recorder: Recorder,
    decoder: Option<Decoder>,
    encoder: Option<Encoder>,
    /// Time and timestamp of what was given to the decoder and has not come out of the encoder.
    stamps: VecDeque<(MediaTime, MediaTime)>,
    /// When the last packet came.
    heard: MediaTime,
    choice: DecoderChoice,
    purpose: Purpose,
    mask: Vec<Polygon>,
    stages: StageCpu,
    /// Packets that lead are of use.
    takes_lead: bool,
    /// The next packet that is decoded must be a keyframe.
    from_key: bool,
    told: bool,
}

impl Transcoder {
    /// Makes clips of `rendition` out of the watched stream of `config`.
    pub(super) fn new(rendition: Rendition, config: &CameraConfig, stages: StageCpu) -> Self {
        Self {
            camera: config.id.clone(),
            recorder: Recorder::new(rendition, &config.clip),
            decoder: None,
            encoder: None,
            stamps: VecDeque::new(),
            heard: MediaTime::ZERO,
            choice: config.decoder,
            purpose: if rendition == Rendition::Preview {
                Purpose::Preview
            } else {
                Purpose::Evidence
            },
            mask: config.privacy_mask.clone(),
            stages,
            takes_lead: false,
            from_key: true,
            told: false,
        }
    }

    /// Whether no clip is open.
    pub(super) fn idle(&self) -> bool {
        self.recorder.idle()
    }

    /// Takes the next thing in.
    pub(super) fn take(&mut self, item: Item) -> Vec<ClipEvent> {
        let events = match item {
            Item::Packet { lead: true, .. } if !self.takes_lead => Vec::new(),
            Item::Packet { .. } if self.recorder.idle() => Vec::new(),
            Item::Packet { packet, .. } => self.packet(&packet),
            Item::Step(step) => self.step(step),
        };
        self.rest(events)
    }

    /// Time passes, and nothing waits to be taken in.
    pub(super) fn tick(&mut self, now: MediaTime) -> Vec<ClipEvent> {
        let mut events = Vec::new();
        if !self.stamps.is_empty() && now.since(self.heard) > SILENCE {
            events.extend(self.drain());
        }
        events.extend(self.recorder.tick(now));
        self.rest(events)
    }

    /// Closes every clip with all that came for it. Takes as long as it takes to encode the few
    /// pictures that a codec reorders.
    pub(super) fn finish(&mut self) -> Vec<ClipEvent> {
        let mut events = self.drain();
        events.extend(self.recorder.finish());
        self.rest(events)
    }

    fn step(&mut self, step: Step) -> Vec<ClipEvent> {
        match step {
            Step::Start {
                incident,
                dir,
                start,
                fresh,
            } => {
                let mut events = Vec::new();
                if fresh && !self.recorder.idle() {
                    events.extend(self.drain());
                    events.extend(self.recorder.clear());
                }
                self.takes_lead = self.recorder.idle();
                if self.takes_lead {
                    self.restart();
                }
                events.extend(self.recorder.start(incident, dir, start));
                events
            }
            Step::Pause { incident, until } => self.recorder.pause(incident, until),
            Step::Resume { incident, start } => self.recorder.resume(incident, start),
            Step::End { incident, until } => self.recorder.end(incident, until),
            Step::Clear => {
                let mut events = self.drain();
                events.extend(self.recorder.clear());
                events
            }
        }
    }

    /// Brings what decoder and encoder still hold into the open clips. The next packet that is
    /// decoded must be a keyframe.
    fn drain(&mut self) -> Vec<ClipEvent> {
        let held = self.decoder.as_mut().map(Decoder::drain);
        let mut events = self.frames(&held.unwrap_or_default());
        let last = self.encoder.as_mut().map(Encoder::drain);
        events.extend(self.record(last.unwrap_or_default()));
        self.restart();
        events
    }

    fn restart(&mut self) {
        self.decoder = None;
        self.encoder = None;
        self.stamps.clear();
        self.from_key = true;
    }

    /// Between clips there is nothing to decode, and the next one begins with a run of its own.
    fn rest(&mut self, mut events: Vec<ClipEvent>) -> Vec<ClipEvent> {
        if self.recorder.idle() && self.decoder.is_some() {
            self.restart();
            events.extend(self.recorder.clear());
        }
        events
    }

    fn packet(&mut self, packet: &Packet) -> Vec<ClipEvent> {
        self.heard = self.heard.max(packet.arrived);
        let mut events = Vec::new();
        if self.ends_run(packet) {
            events.extend(self.drain());
        }
        match self.decode(packet) {
            Ok(frames) => events.extend(self.frames(&frames)),
            // What is damaged is told by those who watch; here the next keyframe is waited for.
            Err(_) => events.extend(self.drain()),
        }
        events
    }

    /// Whether `packet` does not continue what is being decoded.
    fn ends_run(&self, packet: &Packet) -> bool {
        self.decoder.as_ref().is_some_and(|decoder| {
            packet.discontinuity || !Arc::ptr_eq(decoder.format(), &packet.format)
        })
    }

    fn frames(&mut self, frames: &[Frame]) -> Vec<ClipEvent> {
        let mut events = Vec::new();
        for frame in frames {
            let made = self.encode(frame);
            events.extend(self.record(made));
        }
        events
    }

    fn record(&mut self, made: Vec<Packet>) -> Vec<ClipEvent> {
        let mut events = Vec::new();
        for mut packet in made {
            packet.pts = self.stamp(packet.time);
            events.extend(self.recorder.packet(&packet));
        }
        events
    }

    /// The stream's own timestamp of the picture of `time`. Pictures come out as they are shown: what is earlier gives none.
    fn stamp(&mut self, time: MediaTime) -> MediaTime {
        let known = self.stamps.iter().find(|(known, _)| *known == time);
        let pts = known.map_or(time, |&(_, pts)| pts);
        self.stamps.retain(|&(other, _)| other > time);
        pts
    }

    fn decode(&mut self, packet: &Packet) -> Result<Vec<Frame>, DecodeError> {
        if self.from_key && !packet.key {
            return Ok(Vec::new());
        }
        let decoder = match self.decoder.take() {
            Some(decoder) => decoder,
            None => {
                match Decoder::new(&packet.format, self.choice, &self.mask, self.stages.clone()) {
                    Ok(mut decoder) => {
                        decoder.restart(Feed::Running);
                        decoder
                    }
                    Err(error) => {
                        self.cannot(&error);
                        return Ok(Vec::new());
                    }
                }
            }
        };
        self.from_key = false;
        if self.stamps.len() == PENDING {
            self.stamps.pop_front();
        }
        self.stamps.push_back((packet.time, packet.pts));
        self.decoder.insert(decoder).decode(packet)
    }

    fn encode(&mut self, frame: &Frame) -> Vec<Packet> {
        let mut made = Vec::new();
        let encoder = match self.encoder.take() {
            Some(encoder) if encoder.takes(frame) => encoder,
            other => {
                made.extend(other.map(|mut encoder| encoder.drain()).unwrap_or_default());
                match Encoder::new(frame, self.purpose, self.stages.clone()) {
                    Ok(encoder) => encoder,
                    Err(error) => {
                        self.cannot(&error);
                        return made;
                    }
                }
            }
        };
        made.extend(self.encoder.insert(encoder).push(frame));
        made
    }

    fn cannot(&mut self, error: &dyn std::fmt::Display) {
        if !std::mem::replace(&mut self.told, true) {
            tracing::warn!(camera = %self.camera, "clips of this camera cannot be encoded again: {error}");
        }
    }
}

#[cfg(test)]
mod tests;

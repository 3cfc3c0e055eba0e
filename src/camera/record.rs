//! The record lane's steps: packets and reports in, files and outbox rows out. No thread, no clock.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;

use super::{
    Shared,
    pictures::Pictures,
    rewrite::Rewrite,
    view::{Report, View},
};
use crate::{
    base::{
        board::Board,
        cpu::{Stage, StageCpu},
    },
    clip::{ClipError, ClipEvent, Recorder, crop, thumbnail},
    config::{CameraConfig, ClipConfig},
    flow::{
        CameraId, Codec, Incident, IncidentId, IncidentState, MediaFile, MediaKind, MediaTime,
        Mode, Packet, Problem, Rendition, StreamRole,
    },
    outbox::{Outbox, PictureKind, sinks::LiveState},
};

/// Wide enough for a phone's screen.
const THUMBNAIL_WIDTH: u32 = 640;

/// One camera's memory: what was, and what is being kept.
pub struct Record {
    id: CameraId,
    clip: ClipConfig,
    streams: Vec<(StreamRole, Recorder)>,
    pictures: Pictures,
    outbox: Arc<Outbox>,
    live: LiveState,
    board: Board,
    stages: StageCpu,
    bytes: u64,
    summaries: BTreeMap<IncidentId, ClipSummary>,
    closed: Vec<ClipSummary>,
    refusal_told: bool,
    /// Clips that are encoded anew: all of them where there is a privacy mask, else those of H.265 for browsers.
    rewrite: Option<Rewrite>,
    masked: bool,
    /// What was last seen of the watched stream's coding.
    h265: bool,
    mode: Mode,
}

/// A closed clip of the watched stream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClipSummary {
    /// Whose.
    pub incident: IncidentId,
    /// Media segments.
    pub segments: u32,
    /// Bytes of segments and headers.
    pub bytes: u64,
    /// Time of the first picture.
    pub start: MediaTime,
    /// End of the last picture.
    pub end: MediaTime,
}

impl ClipSummary {
    fn new(incident: IncidentId) -> Self {
        Self {
            incident,
            segments: 0,
            bytes: 0,
            start: MediaTime::ZERO,
            end: MediaTime::ZERO,
        }
    }
}

impl Record {
    /// A lane for the camera `config`.
    #[must_use]
    pub fn new(config: &CameraConfig, mode: Mode, shared: &Shared) -> Self {
        let masked = !config.privacy_mask.is_empty();
        // Nothing of a masked camera is kept as it came.
        let roles = [
            (!masked).then_some(StreamRole::Sub),
            config
                .main
                .as_ref()
                .filter(|_| !masked)
                .map(|_| StreamRole::Main),
        ];
        let rewritten = match (masked, config.clip.preview) {
            (true, _) => Some(Rendition::Sub),
            (false, true) => Some(Rendition::Preview),
            (false, false) => None,
        };
        Self {
            id: config.id.clone(),
            clip: config.clip.clone(),
            streams: roles
                .into_iter()
                .flatten()
                .map(|role| (role, Recorder::new(role.into(), &config.clip)))
                .collect(),
            pictures: Pictures::new(config.privacy_mask.clone(), shared.stages.clone()),
            outbox: shared.outbox.clone(),
            live: shared.live.clone(),
            board: shared.board.clone(),
            stages: shared.stages.clone(),
            bytes: 0,
            summaries: BTreeMap::new(),
            closed: Vec::new(),
            refusal_told: false,
            rewrite: rewritten
                .map(|rendition| Rewrite::new(rendition, config, shared.stages.clone())),
            masked,
            h265: false,
            mode,
        }
    }

    /// Takes one access unit of either stream.
    pub fn packet(&mut self, packet: &Packet) {
        self.bytes += packet.data.len() as u64;
        if self.mode == Mode::Disarmed {
            return;
        }
        if packet.stream == StreamRole::Main && packet.key {
            self.pictures.main_keyframe(packet);
        }
        self.on_streams(|role, recorder| {
            if role == packet.stream {
                recorder.packet(packet)
            } else {
                Vec::new()
            }
        });
        if packet.stream == StreamRole::Sub {
            self.h265 = packet.format.codec == Codec::H265;
            if self.masked || self.h265 {
                self.on_rewrite(|rewrite| rewrite.packet(packet));
            }
        }
    }

    /// Follows a change of an incident. Its alert is already safe.
    pub fn report(&mut self, report: &Report) {
        let incident = &report.change.incident;
        match incident.state {
            IncidentState::Began => {
                self.pictures.began(incident.id);
                self.start(incident);
            }
            IncidentState::Updated => {
                let (id, at) = (incident.id, report.newest);
                let recording = report.change.recording;
                self.on_all(|recorder| {
                    if recording {
                        recorder.resume(id, at)
                    } else {
                        recorder.pause(id, at)
                    }
                });
            }
            IncidentState::Ended => {
                let until = incident.end.unwrap_or(report.newest) + self.clip.post_roll;
                let id = incident.id;
                self.on_all(|recorder| recorder.end(id, until));
                if let Some(last) = self.pictures.ended(id) {
                    self.show(&last);
                }
            }
        }
        if let Some(view) = &report.view {
            self.view(view.clone());
        }
        self.tell_news();
    }

    fn start(&mut self, incident: &Incident) {
        match self.outbox.incident_dir(incident) {
            Ok(dir) => {
                let (id, start) = (incident.id, incident.start);
                self.on_streams(|_, recorder| recorder.start(id, dir.clone(), start));
                if self.masked || self.h265 {
                    self.on_rewrite(|rewrite| rewrite.start(id, dir, start));
                }
            }
            Err(error) => self.disk_problem(&error.to_string()),
        }
    }

    /// Takes in a view of somebody in an open incident: perhaps a better picture.
    pub fn view(&mut self, view: View) {
        if let Some(best) = self.pictures.view(view) {
            self.show(&best);
        }
        self.tell_news();
    }

    /// Receivers learn of much better pictures. Those are on disk by now.
    fn tell_news(&mut self) {
        for incident in self.pictures.take_news() {
            if let Err(error) = self.outbox.better_picture(incident) {
                self.disk_problem(&error.to_string());
            }
        }
    }

    /// Keeps and publishes a picture.
    fn show(&mut self, view: &View) {
        let stored = self.stages.time(Stage::Clip, || -> anyhow::Result<()> {
            let thumb = thumbnail(&view.frame, Some(view.rect), THUMBNAIL_WIDTH)?;
            self.outbox
                .picture(view.incident, PictureKind::Thumb, &thumb)?;
            let crop = crop(&view.frame, view.rect)?;
            self.outbox
                .picture(view.incident, PictureKind::Crop, &crop)?;
            self.live.snapshot(&self.id, Bytes::from(thumb));
            Ok(())
        });
        if let Err(error) = stored {
            self.disk_problem(&format!("{error:#}"));
        }
    }

    /// Time passes: clips whose stream has gone away are closed.
    pub fn tick(&mut self, now: MediaTime) {
        self.on_streams(|_, recorder| recorder.tick(now));
        self.on_rewrite(|rewrite| rewrite.tick(now));
    }

    /// Disarmed: nothing is kept, the pre-roll is emptied, and no later clip reaches back before arming.
    pub fn set_mode(&mut self, mode: Mode) {
        self.mode = mode;
        if mode == Mode::Disarmed {
            self.pictures.clear();
            self.on_streams(|_, recorder| recorder.clear());
            self.on_rewrite(Rewrite::clear);
        }
    }

    /// Closes every clip with what has come so far.
    pub fn finish(&mut self) {
        self.on_streams(|_, recorder| recorder.finish());
        self.on_rewrite(Rewrite::finish);
    }

    /// Bytes of encoded pictures received, both streams.
    #[must_use]
    pub fn received_bytes(&self) -> u64 {
        self.bytes
    }

    /// Clips closed since the last call, of the watched stream.
    pub fn take_closed(&mut self) -> Vec<ClipSummary> {
        std::mem::take(&mut self.closed)
    }

    /// Runs `step` on each stream's recorder, and enters what it finished in the outbox.
    fn on_streams(&mut self, mut step: impl FnMut(StreamRole, &mut Recorder) -> Vec<ClipEvent>) {
        let stages = self.stages.clone();
        stages.time(Stage::Clip, || {
            let events: Vec<_> = self
                .streams
                .iter_mut()
                .flat_map(|(role, recorder)| step(*role, recorder))
                .collect();
            events.into_iter().for_each(|event| self.enter(event));
        });
    }

    /// Runs `step` on every recorder.
    fn on_all(&mut self, step: impl Fn(&mut Recorder) -> Vec<ClipEvent>) {
        self.on_streams(|_, recorder| step(recorder));
        self.on_rewrite(|rewrite| rewrite.with(step));
    }

    /// Runs `step` on what encodes anew, where there is such a thing, and enters what it finished in the outbox.
    fn on_rewrite(&mut self, step: impl FnOnce(&mut Rewrite) -> Vec<ClipEvent>) {
        let events = self.rewrite.as_mut().map(step).unwrap_or_default();
        events.into_iter().for_each(|event| self.enter(event));
    }

    fn enter(&mut self, event: ClipEvent) {
        let entered = match event {
            ClipEvent::File(file) => {
                self.board.part("disk", None);
                self.sum_up(file.incident, &file);
                self.outbox.media(&file)
            }
            ClipEvent::Uses { incident, file } => {
                self.sum_up(incident, &file);
                self.outbox.uses(incident, &file)
            }
            ClipEvent::Closed {
                incident,
                rendition,
                span,
            } => {
                if rendition == Rendition::Sub {
                    let mut summary = self
                        .summaries
                        .remove(&incident)
                        .unwrap_or(ClipSummary::new(incident));
                    (summary.start, summary.end) = span.unwrap_or_default();
                    self.closed.push(summary);
                }
                self.outbox.clip_closed(incident, rendition)
            }
            ClipEvent::Refused {
                incident,
                rendition,
                error,
            } => {
                if rendition == Rendition::Sub {
                    self.closed.push(ClipSummary::new(incident));
                }
                if !std::mem::replace(&mut self.refusal_told, true) {
                    tracing::warn!(camera = %self.id, "{error}");
                }
                self.outbox.clip_refused(incident, &error.to_string())
            }
            ClipEvent::Trouble {
                incident,
                error,
                lost,
            } => {
                if let (ClipError::DiskFull { needed, .. }, false) = (&error, lost) {
                    self.outbox.room_for(*needed);
                }
                if lost {
                    tracing::error!(camera = %self.id, %incident, "a part of the clip was given up: {error}");
                }
                self.disk_problem(&error.to_string());
                return;
            }
        };
        if let Err(error) = entered {
            self.disk_problem(&error.to_string());
        }
    }

    fn sum_up(&mut self, incident: IncidentId, file: &MediaFile) {
        if file.rendition == Rendition::Sub {
            let summary = self
                .summaries
                .entry(incident)
                .or_insert(ClipSummary::new(incident));
            summary.bytes += file.bytes;
            summary.segments += u32::from(file.kind == MediaKind::Media);
        }
    }

    fn disk_problem(&self, message: &str) {
        let problem = Problem {
            message: message.to_owned(),
            hint: "free some space on the data disk or lower [outbox] quota; alerts go on without their clips".to_owned(),
        };
        if self.board.part("disk", Some(problem)) {
            tracing::error!(camera = %self.id, "{message}");
        }
    }
}

//! The record lane's steps: packets and reports in, files and outbox rows out. No thread, no clock.

use std::{collections::BTreeMap, sync::Arc};

use super::view::{Report, View};
use crate::{
    base::{
        board::Board,
        cpu::{Stage, StageCpu},
    },
    clip::{ClipError, ClipEvent, Recorder, picture},
    config::{CameraConfig, ClipConfig},
    flow::{CameraId, Incident, IncidentId, IncidentState, MediaTime, Packet, Problem, StreamRole},
    outbox::{Outbox, PictureKind},
};

/// One camera's memory: what was, and what is being kept.
pub struct Record {
    id: CameraId,
    clip: ClipConfig,
    streams: Vec<(StreamRole, Recorder)>,
    /// Incidents whose clip may still grow, with the quality of the picture kept for them.
    open: BTreeMap<IncidentId, f32>,
    outbox: Arc<Outbox>,
    board: Board,
    stages: StageCpu,
    bytes: u64,
}

impl Record {
    /// A lane for the camera `config`.
    #[must_use]
    pub fn new(config: &CameraConfig, outbox: Arc<Outbox>, board: Board, stages: StageCpu) -> Self {
        let roles = [Some(StreamRole::Sub), config.main.as_ref().map(|_| StreamRole::Main)];
        Self {
            id: config.id.clone(),
            clip: config.clip.clone(),
            streams: roles
                .into_iter()
                .flatten()
                .map(|role| (role, Recorder::new(role, config.clip.clone())))
                .collect(),
            open: BTreeMap::new(),
            outbox,
            board,
            stages,
            bytes: 0,
        }
    }

    /// Takes one access unit of either stream.
    pub fn packet(&mut self, packet: &Packet) {
        self.bytes += packet.data.len() as u64;
        self.on_streams(|role, recorder| {
            if role == packet.stream {
                recorder.packet(packet)
            } else {
                Ok(Vec::new())
            }
        });
    }

    /// Follows a change of an incident. Its alert is already safe.
    pub fn report(&mut self, report: &Report) {
        let incident = &report.change.incident;
        match incident.state {
            IncidentState::Began => {
                self.open.insert(incident.id, 0.0);
                self.start(incident);
            }
            IncidentState::Updated => {
                let (id, at) = (incident.id, report.newest);
                let recording = report.change.recording;
                self.on_streams(|_, recorder| {
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
                self.on_streams(|_, recorder| recorder.end(id, until));
                self.open.remove(&id);
            }
        }
        if let Some(view) = &report.view {
            self.view(view.clone());
        }
    }

    fn start(&mut self, incident: &Incident) {
        match self.outbox.incident_dir(incident) {
            Ok(dir) => {
                let (id, start) = (incident.id, incident.start);
                self.on_streams(|_, recorder| recorder.start(id, dir.clone(), start));
            }
            Err(error) => self.disk_problem(&error.to_string()),
        }
    }

    /// Keeps a better picture of an open incident.
    pub fn view(&mut self, view: View) {
        let Some(best) = self.open.get_mut(&view.incident) else {
            return;
        };
        if view.quality <= *best {
            return;
        }
        *best = view.quality;
        let stored = self.stages.time(Stage::Clip, || -> anyhow::Result<()> {
            let thumb = picture::thumbnail(&view.frame, Some(view.rect))?;
            self.outbox.picture(view.incident, PictureKind::Thumb, &thumb)?;
            let crop = picture::crop(&view.frame, view.rect)?;
            self.outbox.picture(view.incident, PictureKind::Crop, &crop)?;
            Ok(())
        });
        if let Err(error) = stored {
            self.disk_problem(&format!("{error:#}"));
        }
    }

    /// Time passes: clips whose stream has gone away are closed.
    pub fn tick(&mut self, now: MediaTime) {
        self.on_streams(|_, recorder| recorder.tick(now));
    }

    /// Disarmed: the pre-roll is emptied, and no later clip reaches back before now.
    pub fn clear(&mut self) {
        self.on_streams(|_, recorder| {
            recorder.clear();
            Ok(Vec::new())
        });
    }

    /// Closes every clip with what has come so far.
    pub fn finish(&mut self) {
        self.on_streams(|_, recorder| recorder.finish());
    }

    /// Bytes of encoded pictures received, both streams.
    #[must_use]
    pub fn received_bytes(&self) -> u64 {
        self.bytes
    }

    /// Runs `step` on each stream's recorder, and enters what it finished in the outbox.
    fn on_streams(
        &mut self,
        mut step: impl FnMut(StreamRole, &mut Recorder) -> Result<Vec<ClipEvent>, ClipError>,
    ) {
        let stages = self.stages.clone();
        let mut outcomes = Vec::new();
        stages.time(Stage::Clip, || {
            for (role, recorder) in &mut self.streams {
                outcomes.push(step(*role, recorder));
            }
            for outcome in outcomes.drain(..) {
                match outcome {
                    Ok(events) => events.into_iter().for_each(|event| self.enter(event)),
                    Err(error) => self.disk_problem(&error.to_string()),
                }
            }
        });
    }

    fn enter(&self, event: ClipEvent) {
        let entered = match event {
            ClipEvent::File(file) => {
                self.board.part("disk", None);
                self.outbox.media(&file)
            }
            ClipEvent::Uses { incident, file } => self.outbox.uses(incident, &file),
            ClipEvent::Closed {
                incident, rendition, ..
            } => self.outbox.clip_closed(incident, rendition),
            ClipEvent::Refused { incident, reason } => {
                tracing::warn!(camera = %self.id, %incident, "{reason}");
                self.outbox.clip_refused(incident, &reason)
            }
        };
        if let Err(error) = entered {
            self.disk_problem(&error.to_string());
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

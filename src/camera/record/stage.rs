//! The record job's steps: packets and reports in, files and outbox rows out. No thread, no clock.

use std::sync::Arc;

use bytes::Bytes;

use super::clip_entry::{ClipEntry, ClipSummary};
use crate::{
    base::cpu::{Stage, StageCpu},
    camera::{
        Shared,
        detect::best_snapshot::Pictures,
        transcode::{Route, Transcode, Transcoder},
        updates::{IncidentUpdate, SnapshotCandidate},
    },
    config::{CameraConfig, ClipConfig},
    flow::{
        CameraId, Codec, Incident, IncidentState, MediaTime, Mode, Packet, Rendition, StreamRole,
    },
    outbox::{Outbox, PictureKind, sinks::LiveState},
    recording::{ClipEvent, Recorder, crop, thumbnail},
};

/// Wide enough for a phone's screen.
const THUMBNAIL_WIDTH: u32 = 640;

/// One camera's memory: what was, and what is being kept.
pub struct RecordStage {
    id: CameraId,
    clip: ClipConfig,
    streams: Vec<(StreamRole, Recorder)>,
    pictures: Pictures,
    outbox: Arc<Outbox>,
    live: LiveState,
    entry: ClipEntry,
    stages: StageCpu,
    bytes: u64,
    /// Encodes the watched stream's clips where they cannot stay as it comes.
    evidence: Transcode,
    /// Encodes them a second time, small, beside those of H.265.
    preview: Option<Transcode>,
    /// Nothing of the camera is kept as it comes.
    masked: bool,
    /// How the watched stream's clips are made, once a packet has been seen.
    way: Option<Way>,
    mode: Mode,
}

/// How the clips of the watched stream are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Out of the packets as they come.
    AsItComes,
    /// The same, with a preview for browsers that play no H.265.
    Previewed,
    /// Encoded: of a masked camera, or of a codec that has no place in a clip.
    Encoded,
}

/// Where packets go that are to be encoded.
pub(in crate::camera) struct Routes {
    /// To what makes clips that are all that is kept of a visit.
    pub(in crate::camera) evidence: Route,
    /// To what makes previews; none where none are wanted.
    pub(in crate::camera) preview: Option<Route>,
}

impl RecordStage {
    /// The recorder of the camera `config`, which transcodes in line.
    #[must_use]
    pub fn new(config: &CameraConfig, mode: Mode, shared: &Shared) -> Self {
        let inline = |rendition| {
            let transcoder = Transcoder::new(rendition, config, shared.stages.clone());
            Route::Inline(Box::new(transcoder))
        };
        let routes = Routes {
            evidence: inline(Rendition::Sub),
            preview: previews(config).then(|| inline(Rendition::Preview)),
        };
        let entry = ClipEntry::new(&config.id, shared);
        Self::with(config, mode, shared, routes, entry)
    }

    /// The same, with what it transcodes sent along `routes`.
    pub(in crate::camera) fn with(
        config: &CameraConfig,
        mode: Mode,
        shared: &Shared,
        routes: Routes,
        entry: ClipEntry,
    ) -> Self {
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
            entry,
            stages: shared.stages.clone(),
            bytes: 0,
            evidence: Transcode::new(routes.evidence, &config.clip),
            preview: (routes.preview).map(|route| Transcode::new(route, &config.clip)),
            masked,
            way: None,
            mode,
        }
    }

    /// Takes one access unit of either stream.
    pub fn packet(&mut self, packet: &Packet) {
        self.bytes += packet.data.len() as u64;
        if self.mode == Mode::Disarmed {
            return;
        }
        if packet.stream == StreamRole::Sub {
            self.choose_way(packet.format.codec);
        }
        if packet.stream == StreamRole::Main && packet.key {
            self.pictures.main_keyframe(packet);
        }
        let encoded = self.way == Some(Way::Encoded);
        self.on_streams(|role, recorder| {
            if role == packet.stream && !(encoded && role == StreamRole::Sub) {
                recorder.packet(packet)
            } else {
                Vec::new()
            }
        });
        if packet.stream == StreamRole::Sub {
            match self.way {
                Some(Way::Encoded) => self.on_evidence(|evidence| evidence.packet(packet)),
                Some(Way::Previewed) => self.on_preview(|preview| preview.packet(packet)),
                Some(Way::AsItComes) | None => {}
            }
        }
    }

    /// The packets of a stream since its last keyframe; none where it is not kept as it comes.
    pub(in crate::camera) fn since_keyframe(&self, role: StreamRole) -> Vec<Packet> {
        let mut streams = self.streams.iter();
        let recorder = streams.find(|(of, _)| *of == role);
        recorder.map_or_else(Vec::new, |(_, recorder)| recorder.since_keyframe())
    }

    /// Whether it has seen the watched stream, and knows how clips of it are made.
    pub(in crate::camera) fn knows_stream(&self) -> bool {
        self.way.is_some()
    }

    /// How clips are made from now on. What is open of another way ends: a camera that is set to
    /// another codec begins a new stream.
    fn choose_way(&mut self, codec: Codec) {
        let way = match codec {
            _ if self.masked => Way::Encoded,
            Codec::H264 => Way::AsItComes,
            Codec::H265 => Way::Previewed,
            Codec::Other => Way::Encoded,
        };
        let before = self.way.replace(way);
        let Some(before) = before.filter(|before| *before != way) else {
            return;
        };
        if before == Way::Encoded {
            self.on_evidence(Transcode::clear);
        } else if way == Way::Encoded {
            self.on_streams(|role, recorder| match role {
                StreamRole::Sub => recorder.clear(),
                StreamRole::Main => Vec::new(),
            });
            self.on_preview(Transcode::clear);
        }
    }

    /// Follows a change of an incident. Its alert is already safe.
    pub fn report(&mut self, report: &IncidentUpdate) {
        let incident = &report.change.incident;
        match incident.state {
            IncidentState::Began => {
                self.pictures.began(incident.id);
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
                self.on_transcode(|transcode| transcode.record(id, recording, at));
            }
            IncidentState::Ended => {
                let until = incident.end.unwrap_or(report.newest) + self.clip.post_roll;
                let id = incident.id;
                self.on_streams(|_, recorder| recorder.end(id, until));
                self.on_transcode(|transcode| transcode.end(id, until));
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
                let encoded = self.way == Some(Way::Encoded);
                self.on_streams(|role, recorder| {
                    if encoded && role == StreamRole::Sub {
                        Vec::new()
                    } else {
                        recorder.start(id, dir.clone(), start)
                    }
                });
                match self.way {
                    Some(Way::Encoded) => {
                        self.on_evidence(|evidence| evidence.start(id, dir, start));
                    }
                    Some(Way::Previewed) => {
                        self.on_preview(|preview| preview.start(id, dir, start));
                    }
                    Some(Way::AsItComes) | None => {}
                }
            }
            Err(error) => self.entry.disk_problem(&error.to_string()),
        }
    }

    /// Takes in a view of somebody in an open incident: perhaps a better picture.
    pub fn view(&mut self, view: SnapshotCandidate) {
        if let Some(best) = self.pictures.view(view) {
            self.show(&best);
        }
        self.tell_news();
    }

    /// Receivers learn of much better pictures. Those are on disk by now.
    fn tell_news(&mut self) {
        for incident in self.pictures.take_news() {
            if let Err(error) = self.outbox.better_picture(incident) {
                self.entry.disk_problem(&error.to_string());
            }
        }
    }

    /// Keeps and publishes a picture.
    fn show(&mut self, view: &SnapshotCandidate) {
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
            self.entry.disk_problem(&format!("{error:#}"));
        }
    }

    /// Time passes: clips whose stream has gone away are closed.
    pub fn tick(&mut self, now: MediaTime) {
        self.on_streams(|_, recorder| recorder.tick(now));
        self.on_transcode(|transcode| transcode.tick(now));
    }

    /// Disarmed: nothing is kept, the pre-roll is emptied, and no later clip reaches back before arming.
    pub fn set_mode(&mut self, mode: Mode) {
        self.mode = mode;
        if mode == Mode::Disarmed {
            self.pictures.clear();
            self.on_streams(|_, recorder| recorder.clear());
            self.on_transcode(Transcode::clear);
        }
    }

    /// Closes every clip with what has come so far.
    pub fn finish(&mut self) {
        self.on_streams(|_, recorder| recorder.finish());
        self.on_transcode(Transcode::finish);
    }

    /// Bytes of encoded pictures received, both streams.
    #[must_use]
    pub fn received_bytes(&self) -> u64 {
        self.bytes
    }

    /// Clips closed since the last call, of the watched stream.
    pub fn take_closed(&mut self) -> Vec<ClipSummary> {
        self.entry.take_closed()
    }

    /// Whether a clip is open, so that time matters.
    pub(in crate::camera) fn busy(&self) -> bool {
        self.streams.iter().any(|(_, recorder)| !recorder.at_rest())
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
            events.into_iter().for_each(|event| self.entry.enter(event));
        });
    }

    /// Runs `step` on both that encode.
    fn on_transcode(&mut self, step: impl Fn(&mut Transcode) -> Vec<ClipEvent>) {
        self.on_evidence(&step);
        self.on_preview(&step);
    }

    /// Runs `step` on what encodes clips that are all that is kept, and enters what it finished in
    /// the outbox.
    fn on_evidence(&mut self, step: impl FnOnce(&mut Transcode) -> Vec<ClipEvent>) {
        let events = step(&mut self.evidence);
        events.into_iter().for_each(|event| self.entry.enter(event));
    }

    /// Runs `step` on what makes previews, where there is such a thing, and enters what it finished
    /// in the outbox.
    fn on_preview(&mut self, step: impl FnOnce(&mut Transcode) -> Vec<ClipEvent>) {
        let events = self.preview.as_mut().map(step).unwrap_or_default();
        events.into_iter().for_each(|event| self.entry.enter(event));
    }
}

/// Whether clips of H.265 are encoded a second time. Of a masked camera nothing is kept but what is
/// encoded anyway.
pub(in crate::camera) fn previews(config: &CameraConfig) -> bool {
    config.privacy_mask.is_empty() && config.clip.preview
}

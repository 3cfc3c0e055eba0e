//! What became of clips, entered in the outbox: files, ends and refusals, of a recorder or of a transcoder.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use parking_lot::Mutex;

use crate::{
    base::{health_registry::HealthRegistry, pool::Lease},
    camera::Shared,
    flow::{CameraId, IncidentId, MediaFile, MediaKind, MediaTime, Problem, Rendition},
    outbox::Outbox,
    recording::{ClipError, ClipEvent},
};

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

/// Clips of a camera that have rows and no end; known outside of the job that may hang with them.
#[derive(Clone, Default)]
pub(in crate::camera) struct OpenClips(Arc<Mutex<BTreeSet<(IncidentId, Rendition)>>>);

impl OpenClips {
    /// Closes, in the outbox, what lost jobs left open.
    pub(in crate::camera) fn close(&self, outbox: &Outbox) {
        for (incident, rendition) in std::mem::take(&mut *self.0.lock()) {
            if let Err(error) = outbox.clip_closed(incident, rendition) {
                tracing::error!(%incident, %error, "a clip that was cut off could not be closed");
            }
        }
    }
}

/// Enters events of clips.
pub(in crate::camera) struct ClipEntry {
    camera: CameraId,
    outbox: Arc<Outbox>,
    health_registry: HealthRegistry,
    lease: Lease,
    open: OpenClips,
    summaries: BTreeMap<IncidentId, ClipSummary>,
    closed: Vec<ClipSummary>,
    refusal_told: bool,
}

impl ClipEntry {
    pub(in crate::camera) fn new(camera: &CameraId, shared: &Shared) -> Self {
        Self {
            camera: camera.clone(),
            outbox: shared.outbox.clone(),
            health_registry: shared.health_registry.clone(),
            lease: Lease::default(),
            open: OpenClips::default(),
            summaries: BTreeMap::new(),
            closed: Vec::new(),
            refusal_told: false,
        }
    }

    /// The same in a job that may be given up: what it makes after that is not entered.
    pub(in crate::camera) fn leased(self, lease: Lease, open: OpenClips) -> Self {
        Self {
            lease,
            open,
            ..self
        }
    }

    /// Clips closed since the last call, of the watched stream.
    pub(in crate::camera) fn take_closed(&mut self) -> Vec<ClipSummary> {
        std::mem::take(&mut self.closed)
    }

    /// Enters what happened.
    pub(in crate::camera) fn enter(&mut self, event: ClipEvent) {
        if self.lease.is_lost() {
            return;
        }
        let entered = match event {
            ClipEvent::File(file) => {
                self.health_registry.part("disk", None);
                self.sum_up(file.incident, &file);
                self.opened(file.incident, file.rendition);
                self.outbox.media(&file)
            }
            ClipEvent::Uses { incident, file } => {
                self.sum_up(incident, &file);
                self.opened(incident, file.rendition);
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
                self.open.0.lock().remove(&(incident, rendition));
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
                    tracing::warn!(camera = %self.camera, "{error}");
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
                    tracing::error!(camera = %self.camera, %incident, "a part of the clip was given up: {error}");
                }
                self.disk_problem(&error.to_string());
                return;
            }
        };
        if let Err(error) = entered {
            self.disk_problem(&error.to_string());
        }
    }

    fn opened(&self, incident: IncidentId, rendition: Rendition) {
        self.open.0.lock().insert((incident, rendition));
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

    /// Tells of the disk, once.
    pub(in crate::camera) fn disk_problem(&self, message: &str) {
        let problem = Problem {
            message: message.to_owned(),
            hint: "clips cannot be written, alerts go on without them: free some space on the data disk or lower outbox.quota, \
                   and check that this user may write to data_dir"
                .to_owned(),
        };
        if self.health_registry.part("disk", Some(problem)) {
            tracing::error!(camera = %self.camera, "{message}");
        }
    }
}

//! What one camera's state is, put together from its mode and its streams, for the health registry, the broker and metrics.

use std::sync::Arc;

use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;

use super::Shared;
use crate::{
    base::{health_registry::HealthRegistry, telemetry::CameraLabel},
    flow::{CameraId, CameraState, Mode, Problem},
    outbox::sinks::LiveState,
};

/// One camera's state; cheap to clone.
#[derive(Clone)]
pub(super) struct Status {
    id: CameraId,
    known: Arc<Mutex<Known>>,
    health_registry: HealthRegistry,
    live: LiveState,
    up: Gauge,
}

struct Known {
    mode: Mode,
    /// Whether the watched stream gives pictures.
    online: bool,
    /// What is wrong with the watched stream, and with the other one.
    problems: [Option<Problem>; 2],
}

impl Status {
    /// No pictures yet.
    pub(super) fn new(id: &CameraId, mode: Mode, shared: &Shared) -> Self {
        let label = CameraLabel {
            camera: id.to_string(),
        };
        let status = Self {
            id: id.clone(),
            known: Arc::new(Mutex::new(Known {
                mode,
                online: false,
                problems: [None, None],
            })),
            health_registry: shared.health_registry.clone(),
            live: shared.live.clone(),
            up: shared.metrics.camera_up.get_or_create_owned(&label),
        };
        status.live.mode(id, mode);
        status.publish(&status.known.lock());
        status
    }

    pub(super) fn mode(&self, mode: Mode) {
        let mut known = self.known.lock();
        known.mode = mode;
        self.live.mode(&self.id, mode);
        self.publish(&known);
    }

    /// Whether the watched stream gives pictures, and what is wrong with it.
    pub(super) fn watched(&self, online: bool, problem: Option<Problem>) {
        let mut known = self.known.lock();
        known.online = online;
        known.problems[0] = problem;
        self.publish(&known);
    }

    /// The stream of full quality gives pictures, or does not.
    pub(super) fn main(&self, problem: Option<Problem>) {
        let mut known = self.known.lock();
        known.problems[1] = problem;
        self.publish(&known);
    }

    fn publish(&self, known: &Known) {
        let state = match (known.mode, known.online) {
            (Mode::Disarmed, _) => CameraState::Suspended,
            (Mode::Armed, true) => CameraState::Online,
            (Mode::Armed, false) => CameraState::Offline,
        };
        let problem = known.problems.iter().flatten().next().cloned();
        self.up.set(i64::from(known.online));
        self.live.camera_status(&self.id, state);
        self.health_registry.camera(&self.id, state, problem);
    }
}

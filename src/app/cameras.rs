//! The cameras that run: started, stopped, and started again in one place, whatever the reason.
//!
//! In: configurations, modes, the word that a camera lost a job. Out: running cameras. Its lock is held for a look at the
//! list only, never while a camera stops or starts: commands go through meanwhile.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::{
    base::tasks::Tasks,
    camera::{Camera, Shared, Workers},
    config::CameraConfig,
    flow::{CameraId, CameraState, Mode, Problem},
    outbox::OutboxError,
};

/// How long a camera may take to stop before it is started again.
const GRACE: Duration = Duration::from_secs(10);
/// A camera that could not be started is tried again after this long.
const TRY_AGAIN: Duration = Duration::from_secs(30);
/// Clips that must be encoded may be for this long after the time for stopping is over: they are
/// all that is kept. Together with `shutdown_timeout` it is less than the service manager allows.
const LAST_EVIDENCE: Duration = Duration::from_secs(15);

/// Why a camera is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Restart {
    /// Its configuration is another one.
    Changed,
    /// One of its jobs hung or panicked.
    Lost,
    /// It could not be started before.
    Failed,
}

/// All cameras of the box.
pub(super) struct Cameras {
    shared: Shared,
    workers: Workers,
    tasks: Tasks,
    list: Mutex<List>,
}

#[derive(Default)]
struct List {
    cameras: BTreeMap<CameraId, Entry>,
    /// Everything stops: nothing is started any more.
    stopping: bool,
}

struct Entry {
    config: CameraConfig,
    /// None while it is started again, and after that failed.
    running: Option<Arc<Camera>>,
    /// When to try again what failed.
    retry_at: Option<Instant>,
    /// One restart of a camera at a time.
    restarting: Arc<Mutex<()>>,
}

impl Cameras {
    pub(super) fn new(shared: &Shared, workers: &Workers, tasks: &Tasks) -> Arc<Self> {
        Arc::new(Self {
            shared: shared.clone(),
            workers: workers.clone(),
            tasks: tasks.clone(),
            list: Mutex::default(),
        })
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.list.lock().cameras.len()
    }

    /// Starts a camera. One that cannot be started now is tried again later.
    pub(super) fn add(&self, config: CameraConfig) {
        let id = config.id.clone();
        self.list.lock().cameras.insert(
            id.clone(),
            Entry {
                config,
                running: None,
                retry_at: None,
                restarting: Arc::default(),
            },
        );
        if let Err(error) = self.start(&id) {
            tracing::error!(camera = %id, "the camera could not be started, it is tried again: {error}");
        }
    }

    /// Arms or disarms: for good, and at once where the camera runs.
    pub(super) fn set_mode(
        &self,
        camera: &CameraId,
        mode: Mode,
        account: Option<&str>,
    ) -> Result<(), OutboxError> {
        if !self.list.lock().cameras.contains_key(camera) {
            tracing::warn!(%camera, "a mode was set for a camera that is not here");
            return Ok(());
        }
        self.shared.outbox.set_mode(camera, mode, account)?;
        // One that is being started asks the outbox for its mode afterwards.
        if let Some(running) = self.running(camera) {
            running.set_mode(mode);
        }
        tracing::info!(%camera, mode = mode.as_str(), "mode set");
        Ok(())
    }

    /// Stops a camera, if it runs, and starts it with what it has in `config`, or with what it had. Blocks until it runs.
    ///
    /// # Errors
    /// When it cannot be started; it is tried again later.
    pub(super) fn restart(
        &self,
        camera: &CameraId,
        config: Option<CameraConfig>,
        why: Restart,
    ) -> Result<(), OutboxError> {
        let Some(restarting) = self.with(camera, |entry| entry.restarting.clone()) else {
            return Ok(());
        };
        let _one = restarting.lock();
        let running = self.with(camera, |entry| {
            if let Some(config) = config {
                entry.config = config;
            }
            entry.running.take()
        });
        if let Some(running) = running.flatten() {
            let deadline = Instant::now() + GRACE;
            let stubborn = match why {
                Restart::Lost => running.stop_after_loss(deadline),
                Restart::Changed | Restart::Failed => {
                    Camera::stop_all(std::slice::from_ref(&running), deadline)
                }
            };
            if !stubborn.is_empty() {
                tracing::warn!(%camera, parts = stubborn.join(", "), "started again before these had ended");
            }
        }
        self.start(camera)
    }

    /// Tries again what could not be started.
    pub(super) fn retry_failed(&self) {
        let now = Instant::now();
        let due: Vec<CameraId> = {
            let list = self.list.lock();
            let due = |entry: &Entry| entry.retry_at.is_some_and(|at| at <= now);
            list.cameras
                .iter()
                .filter(|(_, entry)| due(entry))
                .map(|(id, _)| id.clone())
                .collect()
        };
        for camera in due {
            match self.restart(&camera, None, Restart::Failed) {
                Ok(()) => tracing::info!(%camera, "the camera runs now"),
                Err(error) => tracing::debug!(%camera, "still not started: {error}"),
            }
        }
    }

    /// Stops all cameras, and starts none any more. Returns the names of what has not ended by `deadline`, which is moved
    /// on a little where clips that are all that is kept still wait to be encoded.
    pub(super) fn stop(&self, deadline: Instant) -> Vec<String> {
        let cameras: Vec<Arc<Camera>> = {
            let mut list = self.list.lock();
            list.stopping = true;
            let entries = list.cameras.values_mut();
            entries.filter_map(|entry| entry.running.take()).collect()
        };
        self.workers.hurry_transcoding();
        let mut stubborn = Camera::stop_all(&cameras, deadline);
        let waiting = || -> usize { cameras.iter().map(|c| c.evidence_waiting()).sum() };
        if waiting() > 0 {
            tracing::warn!(
                pictures = waiting(),
                "clips that must be encoded are not yet; they get a little longer"
            );
            stubborn = Camera::stop_all(&cameras, Instant::now().max(deadline) + LAST_EVIDENCE);
            if waiting() > 0 {
                tracing::error!(
                    pictures = waiting(),
                    "this machine could not encode all clips of its masked and Motion JPEG cameras before it stopped: their last pictures are lost"
                );
            }
        }
        stubborn
    }

    fn running(&self, camera: &CameraId) -> Option<Arc<Camera>> {
        self.with(camera, |entry| entry.running.clone()).flatten()
    }

    fn with<R>(&self, camera: &CameraId, look: impl FnOnce(&mut Entry) -> R) -> Option<R> {
        self.list.lock().cameras.get_mut(camera).map(look)
    }

    fn start(&self, camera: &CameraId) -> Result<(), OutboxError> {
        let Some(config) = self.with(camera, |entry| entry.config.clone()) else {
            return Ok(());
        };
        let configured = config.mode;
        match self.try_start(config) {
            Ok((started, mode)) => {
                let started = Arc::new(started);
                let late = {
                    let mut list = self.list.lock();
                    let stopping = list.stopping;
                    if let Some(entry) = list.cameras.get_mut(camera).filter(|_| !stopping) {
                        entry.running = Some(started.clone());
                        entry.retry_at = None;
                    }
                    stopping
                };
                if late {
                    let deadline = Instant::now() + Duration::from_secs(1);
                    let _ = Camera::stop_all(&[started], deadline);
                    return Ok(());
                }
                // What was set while it started.
                let now = self.shared.outbox.mode(camera)?.unwrap_or(configured);
                if now != mode {
                    started.set_mode(now);
                }
                Ok(())
            }
            Err(error) => {
                self.with(camera, |entry| {
                    entry.retry_at = Some(Instant::now() + TRY_AGAIN);
                });
                let problem = Problem {
                    message: format!("the camera could not be started: {error}"),
                    hint: "it is tried again every 30 s; see the log".to_owned(),
                };
                self.shared
                    .health_registry
                    .camera(camera, CameraState::Offline, Some(problem));
                Err(error)
            }
        }
    }

    fn try_start(&self, config: CameraConfig) -> Result<(Camera, Mode), OutboxError> {
        let mode = self.shared.outbox.mode(&config.id)?.unwrap_or(config.mode);
        let camera = Camera::start(config, mode, &self.shared, &self.workers, &self.tasks);
        Ok((camera, mode))
    }
}

//! The three pools that do the work of all cameras, and the count of what they have lost.
//!
//! | pool | threads | jobs |
//! |---|---|---|
//! | `detect` | one for each core, 2 to 8 | [`detect`](super::detect::job): decoding, tracking, judging |
//! | `record` | 2: a second one may go on while the first waits for the disk | [`record`](super::record::job): rings, clips, pictures |
//! | `preview` | 1 | [`transcode`](super::transcode): clips that are encoded again |

use std::{io, sync::Arc, thread::available_parallelism, time::Duration};

use super::Loss;
use crate::base::{pool::Pool, tasks::Tasks};

/// A run of a job that takes longer than this hangs. Slices are a thousand times shorter, but a disk may be slow.
const PATIENCE: Duration = Duration::from_secs(45);
/// Fewest and most threads that detect.
const DETECT: (usize, usize) = (2, 8);
/// Threads that record.
const RECORD: usize = 2;
/// Threads that transcode.
const PREVIEW: usize = 1;

/// The pools. Cheap to clone.
#[derive(Clone)]
pub struct Workers {
    pub(super) detect: Pool,
    pub(super) record: Pool,
    pub(super) preview: Pool,
    #[cfg(test)]
    pub(crate) fault: Fault,
}

impl Workers {
    /// Starts all threads. `on_loss` is called for each job that hung or panicked, and must not block.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start(
        tasks: &Tasks,
        on_loss: impl Fn(Loss) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        Self::with_patience(tasks, PATIENCE, on_loss)
    }

    pub(crate) fn with_patience(
        tasks: &Tasks,
        patience: Duration,
        on_loss: impl Fn(Loss) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let on_loss = Arc::new(on_loss);
        let start = |name, workers| {
            let on_loss = Arc::clone(&on_loss);
            Pool::start(name, workers, patience, tasks, move |loss| on_loss(loss))
        };
        Ok(Self {
            detect: start("detect", detectors())?,
            record: start("record", RECORD)?,
            preview: start("preview", PREVIEW)?,
            #[cfg(test)]
            fault: Fault::default(),
        })
    }

    /// Gives up what hangs. To be called about once a second, by a thread that does nothing else.
    pub fn abandon_hung(&self) {
        for pool in self.all() {
            pool.abandon_hung();
        }
    }

    /// No camera detects any more: those threads' cores are for what is still to be encoded.
    pub fn hurry_transcoding(&self) {
        if let Err(error) = self.preview.grow(detectors()) {
            tracing::debug!(%error, "no more threads to encode");
        }
    }

    /// Ends all threads, each after the run that it is at. Returns the names of those that have not ended within `grace`.
    #[must_use = "work that did not end must be told"]
    pub fn close(&self, grace: Duration) -> Vec<String> {
        let deadline = std::time::Instant::now() + grace;
        self.all()
            .into_iter()
            .flat_map(|pool| {
                pool.close(deadline.saturating_duration_since(std::time::Instant::now()))
            })
            .collect()
    }

    fn all(&self) -> [&Pool; 3] {
        [&self.detect, &self.record, &self.preview]
    }
}

fn detectors() -> usize {
    let cores = available_parallelism().map_or(DETECT.0, usize::from);
    cores.clamp(DETECT.0, DETECT.1)
}

/// A test's way into the detect job, where a decoder may hang or panic.
#[cfg(test)]
#[derive(Clone, Default)]
pub(crate) struct Fault(Arc<parking_lot::Mutex<Option<Arc<FaultHook>>>>);

#[cfg(test)]
type FaultHook = dyn Fn(&crate::flow::Packet, &crate::flow::CameraId) + Send + Sync;

#[cfg(test)]
impl Fault {
    /// From now on `hook` is called before each packet that is decoded, on the thread that does it.
    pub(crate) fn set(
        &self,
        hook: impl Fn(&crate::flow::Packet, &crate::flow::CameraId) + Send + Sync + 'static,
    ) {
        *self.0.lock() = Some(Arc::new(hook));
    }

    pub(super) fn before(&self, packet: &crate::flow::Packet, camera: &crate::flow::CameraId) {
        let hook = self.0.lock().clone();
        if let Some(hook) = hook {
            hook(packet, camera);
        }
    }
}

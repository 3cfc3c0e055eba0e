//! The threads on which all cameras are received. Made in one place and handed to whoever starts cameras.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::runtime::{Builder, Handle, Runtime};

use crate::base::tasks::Tasks;

/// One that parses does not hold up the others.
const THREADS: usize = 2;

/// Runtimes of its own: pages, brokers and uploads never wait for a camera, nor cameras for them. Cheap to clone; the
/// threads end with the last clone.
///
/// One runtime a thread, and cameras shared out in turn: a runtime with several threads wakes a second one for each packet
/// to see whether it can help, which costs more than the packet does.
#[derive(Clone)]
pub struct Receiving(Arc<Owned>);

struct Owned {
    runtimes: Vec<Runtime>,
    next: AtomicUsize,
}

impl Receiving {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start() -> io::Result<Self> {
        let one = || {
            Builder::new_multi_thread()
                .worker_threads(1)
                .thread_name("ingest")
                .enable_all()
                .build()
        };
        Ok(Self(Arc::new(Owned {
            runtimes: (0..THREADS).map(|_| one()).collect::<io::Result<_>>()?,
            next: AtomicUsize::new(0),
        })))
    }

    /// A set of tasks on one of these threads that stops when `parent` does, or earlier.
    #[must_use]
    pub fn tasks(&self, parent: &Tasks) -> Tasks {
        parent.child_on(self.handle())
    }

    /// A set of tasks on one of these threads that `token` stops.
    #[cfg(test)]
    pub(super) fn on(&self, token: tokio_util::sync::CancellationToken) -> Tasks {
        Tasks::new(self.handle(), token)
    }

    fn handle(&self) -> Handle {
        let turn = self.0.next.fetch_add(1, Ordering::Relaxed);
        self.0.runtimes[turn % THREADS].handle().clone()
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // The last clone may go within another runtime, where waiting is not allowed.
        for runtime in self.runtimes.drain(..) {
            runtime.shutdown_background();
        }
    }
}

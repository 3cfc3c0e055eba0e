//! The threads on which all cameras are received. Made in one place and handed to whoever starts cameras.

use std::{io, sync::Arc};

use tokio::runtime::{Builder, Handle, Runtime};

use crate::base::tasks::Tasks;

/// One that parses does not hold up the others.
const THREADS: usize = 2;

/// A runtime of its own: pages, brokers and uploads never wait for a camera, nor cameras for them. Cheap to clone; the
/// threads end with the last clone.
#[derive(Clone)]
pub struct Receiving(Arc<Owned>);

struct Owned(Option<Runtime>);

impl Receiving {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start() -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("ingest")
            .enable_all()
            .build()?;
        Ok(Self(Arc::new(Owned(Some(runtime)))))
    }

    /// A set of tasks on these threads that stops when `parent` does, or earlier.
    #[must_use]
    pub fn tasks(&self, parent: &Tasks) -> Tasks {
        parent.child_on(self.handle())
    }

    /// A set of tasks on these threads that `token` stops.
    #[cfg(test)]
    pub(super) fn on(&self, token: tokio_util::sync::CancellationToken) -> Tasks {
        Tasks::new(self.handle(), token)
    }

    fn handle(&self) -> Handle {
        let runtime = self.0.0.as_ref();
        runtime
            .expect("it is taken when this is dropped")
            .handle()
            .clone()
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // The last clone may go within another runtime, where waiting is not allowed.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

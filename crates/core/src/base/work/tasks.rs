//! The only place that starts threads and async tasks: each has a name and a span, one token stops them all.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::base::heartbeat::Heartbeats;

/// Starts work and waits for its end. Cheap to clone; a clone shares the token and the count.
#[derive(Clone)]
pub struct Tasks {
    runtime: Handle,
    token: CancellationToken,
    running: Arc<Running>,
    heartbeats: Heartbeats,
}

#[derive(Default)]
struct Running {
    names: Mutex<BTreeMap<u64, String>>,
    changed: Condvar,
}

/// Takes the name off the list when the work ends, by return or by panic.
pub(in crate::base) struct Entry {
    running: Arc<Running>,
    key: u64,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.running.names.lock().remove(&self.key);
        self.running.changed.notify_all();
    }
}

impl Tasks {
    /// Tasks of the runtime `runtime`, stopped by `token`.
    #[must_use]
    pub fn new(runtime: Handle, token: CancellationToken) -> Self {
        Self {
            runtime,
            token,
            running: Arc::default(),
            heartbeats: Heartbeats::default(),
        }
    }

    /// The token that stops this set.
    #[must_use]
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// A set of its own that stops when this one does, or earlier.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            heartbeats: self.heartbeats.clone(),
            ..Self::new(self.runtime.clone(), self.token.child_token())
        }
    }

    /// Like [`child`](Self::child), with its async tasks on another runtime.
    #[must_use]
    pub fn child_on(&self, runtime: Handle) -> Self {
        Self {
            runtime,
            ..self.child()
        }
    }

    /// Who must be heard of among these, their parents and their children.
    #[must_use]
    pub fn heartbeats(&self) -> &Heartbeats {
        &self.heartbeats
    }

    /// The runtime, for a thread that must wait for async work.
    #[must_use]
    pub fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Puts a name on the list of what [`close`](Self::close) waits for.
    pub(in crate::base) fn enter(&self, name: &str) -> Entry {
        let mut names = self.running.names.lock();
        let key = names.keys().next_back().map_or(0, |last| last + 1);
        names.insert(key, name.to_owned());
        Entry {
            running: Arc::clone(&self.running),
            key,
        }
    }

    /// Starts an async task.
    pub fn spawn<F>(&self, name: &str, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let entry = self.enter(name);
        let span = tracing::debug_span!("task", name);
        self.runtime.spawn(
            async move {
                let _entry = entry;
                work.await;
            }
            .instrument(span),
        );
    }

    /// Starts a thread; its name is cut to the 15 bytes that Linux shows.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn thread<F>(&self, name: &str, work: F) -> std::io::Result<()>
    where
        F: FnOnce() + Send + 'static,
    {
        let entry = self.enter(name);
        let span = tracing::debug_span!("thread", name);
        let short: String = name.chars().filter(char::is_ascii).take(15).collect();
        std::thread::Builder::new().name(short).spawn(move || {
            let _entry = entry;
            span.in_scope(work);
        })?;
        Ok(())
    }

    /// Asks all to stop and waits until they have, at most `grace`. Returns the names of those that have not.
    #[must_use = "work that did not end must be told"]
    pub fn close(&self, grace: Duration) -> Vec<String> {
        self.token.cancel();
        let deadline = Instant::now() + grace;
        let mut names = self.running.names.lock();
        while !names.is_empty() {
            if self
                .running
                .changed
                .wait_until(&mut names, deadline)
                .timed_out()
            {
                break;
            }
        }
        names.values().cloned().collect()
    }
}

/// Runs `work`, which waits for the disk, beside the async tasks.
///
/// # Errors
/// When `work` panicked.
pub async fn blocking<T, F>(work: F) -> std::io::Result<T>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    #[allow(clippy::disallowed_methods)]
    let done = tokio::task::spawn_blocking(work);
    done.await.map_err(std::io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_waits_for_threads_and_tasks_and_names_the_stubborn() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let tasks = Tasks::new(runtime.handle().clone(), CancellationToken::new());
        let token = tasks.token().clone();
        tasks.spawn("obedient", async move { token.cancelled().await });
        let (keep, wait) = std::sync::mpsc::channel::<()>();
        tasks
            .thread("stubborn", move || {
                let _ = wait.recv();
            })
            .unwrap();
        assert_eq!(tasks.close(Duration::from_millis(100)), ["stubborn"]);
        drop(keep);
        assert!(tasks.close(Duration::from_secs(5)).is_empty());
    }
}

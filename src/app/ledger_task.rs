//! Keeps the ledger's books: counts live values, seals days, cuts off what is older than 12 months.
//!
//! A thread, because the database flushes to disk. What it has not counted yet when the power goes is lost: the live
//! values and keep-alives of at most [`COUNT_EVERY`].

use std::time::Duration;

use crate::{base::tasks::Tasks, camera::Shared, outbox::OutboxError};

/// How often live values are counted. Each time is one flush of the disk.
const COUNT_EVERY: Duration = Duration::from_secs(300);

/// Counts what was sent since the last time.
pub(super) fn count(shared: &Shared) -> Result<(), OutboxError> {
    let (packets, bytes) = shared.live.take_sent();
    let noted = shared.outbox.note_live(packets, bytes);
    if noted.is_err() {
        shared.live.sent(packets, bytes);
    }
    noted
}

/// Starts the thread.
pub(super) fn start(tasks: &Tasks, shared: &Shared) -> std::io::Result<()> {
    let (shared, stop, runtime) = (
        shared.clone(),
        tasks.token().clone(),
        tasks.runtime().clone(),
    );
    tasks.thread("bookkeeper", move || {
        while !stop.is_cancelled() {
            let kept = count(&shared).and_then(|()| shared.outbox.rotate_ledger());
            match kept {
                Ok(0) => {}
                Ok(gone) => tracing::info!(records = gone, "records older than 12 months were cut off the ledger"),
                Err(error) => tracing::warn!(%error, "the ledger could not be brought up to date; it is tried again"),
            }
            runtime.block_on(async {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(COUNT_EVERY) => {}
                }
            });
        }
    })
}

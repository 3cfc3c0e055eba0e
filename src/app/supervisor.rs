//! What hangs or panics is seen, named and survived; what cannot be survived ends the program.
//!
//! In: the pools' losses, heartbeats. Out: cameras that are started again, and, after the third loss, the end of the program
//! with a status that has the service manager start it afresh. Two threads: one looks for hangs and does nothing that could
//! hang itself; the other starts cameras again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::cameras::{Cameras, Restart};
use crate::{
    base::tasks::Tasks,
    camera::{Cause, Loss, Workers},
    outbox::Outbox,
};

/// How often is looked for what hangs.
const EVERY: Duration = Duration::from_secs(4);
/// So many lost jobs are survived but for the last.
const MOST_LOSSES: u32 = 3;
/// A thread that nothing replaces may be overdue for this long before the program ends.
const OVERDUE: Duration = Duration::from_secs(60);
/// Losses that may wait; the third one ends the program.
const LOSSES: usize = 8;

/// Counts what is lost, and hands it to the thread that starts cameras again.
#[derive(Clone)]
pub(super) struct Losses {
    count: Arc<AtomicU32>,
    sender: mpsc::Sender<Loss>,
    fatal: CancellationToken,
}

/// Where losses come out, and the token that is cancelled when there were too many.
pub(super) fn losses() -> (Losses, mpsc::Receiver<Loss>) {
    let (sender, receiver) = mpsc::channel(LOSSES);
    let losses = Losses {
        count: Arc::default(),
        sender,
        fatal: CancellationToken::new(),
    };
    (losses, receiver)
}

impl Losses {
    /// Cancelled when the program cannot go on.
    pub(super) fn fatal(&self) -> &CancellationToken {
        &self.fatal
    }

    /// One more. Does not wait.
    pub(super) fn note(&self, loss: Loss) {
        let how = match loss.cause {
            Cause::Hung => "hangs; its thread was abandoned",
            Cause::Panicked => "panicked",
        };
        tracing::error!(camera = %loss.camera, "the work \"{}\" {how}; the camera is started again", loss.job);
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        if count >= MOST_LOSSES {
            self.give_up(&format!(
                "{count} jobs were lost since the start, the last one was \"{}\"",
                loss.job
            ));
        }
        if self.sender.try_send(loss).is_err() {
            tracing::error!("too many losses at once");
        }
    }

    fn give_up(&self, why: &str) {
        if !self.fatal.is_cancelled() {
            tracing::error!(
                "{why}: Lares ends, so that the service manager starts it afresh; report this with the log"
            );
            self.fatal.cancel();
        }
    }
}

/// Starts both threads.
pub(super) fn start(
    tasks: &Tasks,
    workers: &Workers,
    cameras: &Arc<Cameras>,
    losses: &Losses,
    lost: mpsc::Receiver<Loss>,
) -> std::io::Result<()> {
    look_for_hangs(tasks, workers, losses)?;
    start_again(tasks, cameras, lost)
}

/// Ends the program when its outbox is found damaged: nothing more would be kept. The next start puts it aside.
pub(super) fn watch_outbox(tasks: &Tasks, outbox: &Outbox, losses: &Losses) {
    let (stop, damaged) = (tasks.token().clone(), outbox.damaged().clone());
    let losses = losses.clone();
    tasks.spawn("outbox damage", async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = damaged.cancelled() => losses.give_up("the outbox is damaged and is put aside at the next start"),
        }
    });
}

fn look_for_hangs(tasks: &Tasks, workers: &Workers, losses: &Losses) -> std::io::Result<()> {
    let (stop, runtime) = (tasks.token().clone(), tasks.runtime().clone());
    let heartbeats = tasks.heartbeats().clone();
    let (workers, losses) = (workers.clone(), losses.clone());
    tasks.thread("supervisor", move || {
        let mut overdue_since = None;
        loop {
            let stopped = runtime.block_on(async {
                tokio::select! {
                    () = stop.cancelled() => true,
                    () = tokio::time::sleep(EVERY) => false,
                }
            });
            if stopped {
                return;
            }
            workers.abandon_hung();
            let overdue = heartbeats.overdue();
            if overdue.is_empty() {
                overdue_since = None;
            } else if overdue_since.get_or_insert_with(Instant::now).elapsed() >= OVERDUE {
                losses.give_up(&format!(
                    "{} cannot be replaced and hangs",
                    overdue.join(", ")
                ));
            }
        }
    })
}

fn start_again(
    tasks: &Tasks,
    cameras: &Arc<Cameras>,
    mut lost: mpsc::Receiver<Loss>,
) -> std::io::Result<()> {
    let (stop, runtime, cameras) = (
        tasks.token().clone(),
        tasks.runtime().clone(),
        cameras.clone(),
    );
    tasks.thread("restarts", move || {
        loop {
            let loss = runtime.block_on(async {
                tokio::select! {
                    () = stop.cancelled() => Err(()),
                    loss = lost.recv() => loss.map(Some).ok_or(()),
                    () = tokio::time::sleep(EVERY) => Ok(None),
                }
            });
            match loss {
                Err(()) => return,
                Ok(None) => cameras.retry_failed(),
                Ok(Some(loss)) => {
                    // Of one camera several jobs may be lost at a time: it is started once.
                    let mut all = vec![loss.camera];
                    all.extend(std::iter::from_fn(|| lost.try_recv().ok()).map(|loss| loss.camera));
                    all.sort();
                    all.dedup();
                    for camera in all {
                        match cameras.restart(&camera, None, Restart::Lost) {
                            Ok(()) => tracing::info!(%camera, "the camera runs again"),
                            Err(error) => {
                                tracing::error!(%camera, "the camera could not be started again, it is tried later: {error}");
                            }
                        }
                    }
                }
            }
        }
    })
}

#[cfg(test)]
mod tests;

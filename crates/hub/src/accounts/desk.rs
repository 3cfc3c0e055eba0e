//! The thread that writes accounts down: nothing that is asked over the network waits for a disk on a thread that serves others.
//!
//! In: changes, in order. Out: what became of them. What cannot be written just now (a full disk) and needs no answer is tried
//! again. Twice a second it looks whether the command line has changed something.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{Memory, database::Database, strangers::Strangers};
use crate::{
    HubError,
    base::{clock::Clock, log_throttle::LogThrottle, tasks::Tasks},
};

/// Changes that may wait.
const WAITING: usize = 256;
/// Changes that could not be written and are tried again.
const AGAIN: usize = 1024;
/// How often to look for changes of others.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often what strangers tried is written down.
const SUM_EVERY: Duration = Duration::from_secs(60);

type Job = Box<dyn FnOnce(&mut Database) + Send>;
/// Something that has to be written once, however long it takes.
type Lasting = Box<dyn Fn(&mut Database) -> Result<(), HubError> + Send>;

enum Task {
    Once(Job),
    Lasting(Lasting),
}

/// Hands work to the thread. Cheap to clone.
#[derive(Clone)]
pub(super) struct Desk(SyncSender<Task>);

/// What the thread works with.
pub(super) struct Papers {
    pub(super) database: Database,
    pub(super) memory: Arc<Mutex<Memory>>,
    pub(super) strangers: Arc<Strangers>,
    pub(super) clock: Arc<dyn Clock>,
}

impl Desk {
    /// Starts the thread, which ends with `tasks`.
    pub(super) fn start(papers: Papers, tasks: &Tasks) -> std::io::Result<Self> {
        let (sender, work) = sync_channel(WAITING);
        let stop = tasks.token().clone();
        tasks.thread("accounts", move || Clerk::new(papers).run(&work, &stop))?;
        Ok(Self(sender))
    }

    /// Has `job` done and waits for what it says.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Database) -> Result<T, HubError> + Send + 'static,
    ) -> Result<T, HubError> {
        let (answer, answered) = oneshot::channel();
        let task = Task::Once(Box::new(move |database| {
            let _ = answer.send(job(database));
        }));
        self.0.try_send(task).map_err(|_| busy())?;
        answered.await.map_err(|_| busy())?
    }

    /// Has something written down, now or later; nobody waits for it.
    pub(super) fn write(
        &self,
        job: impl Fn(&mut Database) -> Result<(), HubError> + Send + 'static,
    ) {
        if let Err(TrySendError::Full(_)) = self.0.try_send(Task::Lasting(Box::new(job))) {
            tracing::error!("accounts: too much to write down at once, and something was left out");
        }
    }
}

struct Clerk {
    papers: Papers,
    again: VecDeque<Lasting>,
    version: i64,
    summed: Instant,
    tells: LogThrottle,
}

impl Clerk {
    fn new(papers: Papers) -> Self {
        Self {
            version: papers.database.version().unwrap_or_default(),
            papers,
            again: VecDeque::new(),
            summed: Instant::now(),
            tells: LogThrottle::new(SUM_EVERY),
        }
    }

    fn run(mut self, work: &Receiver<Task>, stop: &CancellationToken) {
        let mut looked = Instant::now();
        loop {
            match work.recv_timeout(LOOK_EVERY) {
                Ok(Task::Once(job)) => job(&mut self.papers.database),
                Ok(Task::Lasting(job)) => self.lasting(job),
                Err(RecvTimeoutError::Timeout) if !stop.is_cancelled() => {}
                Err(_) => break,
            }
            if looked.elapsed() >= LOOK_EVERY {
                looked = Instant::now();
                self.look();
                if self.summed.elapsed() >= SUM_EVERY {
                    self.sum();
                }
            }
        }
        self.sum();
    }

    /// Writes, or keeps for later what cannot be written now. The order stays.
    fn lasting(&mut self, job: Lasting) {
        if self.again.is_empty() {
            match job(&mut self.papers.database) {
                Ok(()) => return,
                Err(error) => self.tell(&error),
            }
        }
        if self.again.len() >= AGAIN {
            self.again.pop_front();
        }
        self.again.push_back(job);
    }

    fn tell(&self, error: &HubError) {
        if self.tells.may() {
            tracing::error!(
                "accounts cannot be written down just now, which is tried again: {error}"
            );
        }
    }

    /// Tries again what could not be written, and takes over what others have changed.
    fn look(&mut self) {
        while let Some(job) = self.again.front() {
            if let Err(error) = job(&mut self.papers.database) {
                self.tell(&error);
                break;
            }
            self.again.pop_front();
        }
        let version = match self.papers.database.version() {
            Ok(version) if version != self.version => version,
            Ok(_) => return,
            Err(error) => return self.tell(&error),
        };
        match self.papers.database.snapshot() {
            Ok(snapshot) => {
                self.version = version;
                self.papers.memory.lock().take_over(snapshot);
            }
            Err(error) => self.tell(&error),
        }
    }

    /// Writes down what strangers tried since the last time: one row and one line.
    fn sum(&mut self) {
        self.summed = Instant::now();
        let Some(refused) = self.papers.strangers.take(self.papers.clock.wall()) else {
            return;
        };
        tracing::warn!(
            times = refused.times,
            addresses = refused.addresses,
            "logins to the page were refused in the last minute"
        );
        self.lasting(Box::new(move |database| database.note_refused(&refused)));
    }
}

fn busy() -> HubError {
    HubError::Account("the accounts are busy: try again in a moment".to_owned())
}

//! A pool: a fixed number of named threads that run the jobs of all cameras.
//!
//! In: jobs, raised signals, times at which they want to run. Out: their runs, and a [`Loss`] for each job that hung
//! or panicked. A job is never run by two threads at once, so that the order of its work is kept. It works for a bounded
//! slice and goes to the back of the queue when it is not done; nothing interrupts it. A thread whose job hangs is never
//! joined: [`Pool::abandon_hung`] lets it be and starts another one in its place.

mod place;
mod state;

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex, MutexGuard};

pub use self::place::Place;
use self::state::{Entry, Stage, State, Turn};
use crate::base::{heartbeat::Heartbeat, tasks::Tasks};
use crate::flow::CameraId;

#[cfg(test)]
mod tests;

/// How long a job works at most before others have their turn.
pub const SLICE: Duration = Duration::from_millis(50);

/// What a job wants after a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// To run when its signal is raised.
    Idle,
    /// To run at this time, or earlier when its signal is raised.
    At(Instant),
    /// To go on as soon as the others have had their turn.
    Again,
    /// Nothing: its work is over.
    Done,
}

/// Work that a pool does a slice at a time.
pub trait Job: Send + 'static {
    /// Does some of it, for about [`SLICE`] at most.
    fn run(&mut self) -> Next;
}

/// How a job was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// One run took longer than the pool's patience; its thread was abandoned.
    Hung,
    /// It panicked.
    Panicked,
}

/// A job that is no more.
#[derive(Debug, Clone)]
pub struct Loss {
    /// The job's name, such as "detect of camera door".
    pub job: Arc<str>,
    /// Whose work it was.
    pub camera: CameraId,
    /// How.
    pub cause: Cause,
}

/// Tells a job whether it has been given up: what it does after that must have no effect.
#[derive(Debug, Clone, Default)]
pub struct Lease(Arc<AtomicBool>);

impl Lease {
    /// Whether another job does this one's work by now.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The threads, and the jobs that they run. Cheap to clone.
#[derive(Clone)]
pub struct Pool(Arc<Inner>);

struct Inner {
    name: &'static str,
    patience: Duration,
    tasks: Tasks,
    on_loss: Box<dyn Fn(Loss) + Send + Sync>,
    state: Mutex<State>,
    /// Workers without anything to do wait here ...
    work: Condvar,
    /// ... but for the one that waits for the next timer.
    timer: Condvar,
}

impl Pool {
    /// Starts `workers` threads called `name`. `on_loss` is called once for each job that panics or is given up, by
    /// the thread that notices.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start(
        name: &'static str,
        workers: usize,
        patience: Duration,
        tasks: &Tasks,
        on_loss: impl Fn(Loss) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let pool = Self(Arc::new(Inner {
            name,
            patience,
            tasks: tasks.child(),
            on_loss: Box::new(on_loss),
            state: Mutex::default(),
            work: Condvar::new(),
            timer: Condvar::new(),
        }));
        pool.grow(workers.max(1))?;
        Ok(pool)
    }

    /// Has at least `workers` threads from now on.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn grow(&self, workers: usize) -> io::Result<()> {
        while self.0.state.lock().workers.len() < workers {
            self.add_worker()?;
        }
        Ok(())
    }

    /// A place for the job `name` of `camera`; `tasks` waits for its end.
    #[must_use]
    pub fn place(&self, tasks: &Tasks, name: &str, camera: &CameraId) -> Place {
        let lease = Lease::default();
        let mut state = self.0.state.lock();
        let key = state.number();
        let entry = Entry {
            name: Arc::from(name),
            camera: camera.clone(),
            job: None,
            stage: Stage::Reserved { rung: false },
            timer: None,
            lease: lease.clone(),
            _task: tasks.enter(name),
        };
        state.jobs.insert(key, entry);
        Place {
            pool: self.clone(),
            key,
            lease,
            started: false,
        }
    }

    /// Gives up each job that has been running for longer than the pool's patience: its thread is let be, and another
    /// one takes its place.
    pub fn abandon_hung(&self) {
        let now = Instant::now();
        let patience = self.0.patience;
        let lost: Vec<Entry> = {
            let mut state = self.0.state.lock();
            let hung: Vec<(u64, u64)> = state
                .jobs
                .iter()
                .filter_map(|(key, entry)| match entry.stage {
                    Stage::Running { worker, since, .. } if now - since > patience => {
                        Some((*key, worker))
                    }
                    _ => None,
                })
                .collect();
            hung.into_iter()
                .filter_map(|(key, worker)| {
                    state.workers.remove(&worker);
                    state.jobs.remove(&key)
                })
                .collect()
        };
        for entry in lost {
            entry.lease.0.store(true, Ordering::Relaxed);
            if let Err(error) = self.add_worker() {
                tracing::error!(pool = self.0.name, %error, "no thread to replace one that hangs");
            }
            (self.0.on_loss)(Loss {
                job: entry.name,
                camera: entry.camera,
                cause: Cause::Hung,
            });
        }
    }

    /// Ends the threads, with the run that each is at. Returns the names of those that have not ended within `grace`;
    /// abandoned ones are not among them.
    #[must_use = "work that did not end must be told"]
    pub fn close(&self, grace: Duration) -> Vec<String> {
        let workers = {
            let mut state = self.0.state.lock();
            state.closing = true;
            self.0.work.notify_all();
            self.0.timer.notify_all();
            std::mem::take(&mut state.workers)
        };
        let deadline = Instant::now() + grace;
        let stubborn = workers
            .values()
            .flat_map(|tasks| tasks.close(deadline.saturating_duration_since(Instant::now())))
            .collect();
        let jobs = std::mem::take(&mut self.0.state.lock().jobs);
        drop(jobs);
        stubborn
    }

    fn add_worker(&self) -> io::Result<()> {
        let own = self.0.tasks.child();
        let number = {
            let mut state = self.0.state.lock();
            if state.closing {
                return Ok(());
            }
            let number = state.number();
            state.workers.insert(number, own.clone());
            number
        };
        let (pool, name) = (self.clone(), self.0.name);
        let pulse = own.heartbeats().expect_replaceable(name, self.0.patience);
        own.thread(name, move || pool.work(number, &pulse))
            .inspect_err(|_| {
                self.0.state.lock().workers.remove(&number);
            })
    }

    fn work(&self, worker: u64, pulse: &Heartbeat) {
        while let Some(mut turn) = self.next(worker) {
            pulse.begin(&turn.name);
            let outcome = catch_unwind(AssertUnwindSafe(|| turn.job.run()));
            pulse.rest();
            if !self.settle(worker, turn, outcome.ok()) {
                return;
            }
        }
    }

    /// Waits for a job that is ready; none when the pool closes.
    fn next(&self, worker: u64) -> Option<Turn> {
        let mut state = self.0.state.lock();
        loop {
            if state.closing {
                return None;
            }
            let now = Instant::now();
            state.take_due(now);
            if let Some(turn) = state.take_ready(worker, now) {
                if !state.ready.is_empty() || (state.watched.is_none() && !state.timers.is_empty())
                {
                    self.wake_one(&state);
                }
                return Some(turn);
            }
            match state.timers.first().map(|(at, _)| *at) {
                Some(at) if state.watched.is_none_or(|watched| at < watched) => {
                    state.watched = Some(at);
                    let _ = self.0.timer.wait_until(&mut state, at);
                    if state.watched == Some(at) {
                        state.watched = None;
                    }
                }
                _ => {
                    state.asleep += 1;
                    self.0.work.wait(&mut state);
                    state.asleep -= 1;
                }
            }
        }
    }

    fn wake_one(&self, state: &State) {
        if state.asleep > 0 {
            self.0.work.notify_one();
        } else {
            self.0.timer.notify_one();
        }
    }

    /// Does what the job wants after its run, `None` after a panic; false when its worker has been abandoned.
    fn settle(&self, worker: u64, turn: Turn, next: Option<Next>) -> bool {
        let Turn { key, name, job } = turn;
        let mut state = self.0.state.lock();
        let rung = match state.jobs.get(&key).map(|entry| &entry.stage) {
            Some(Stage::Running {
                worker: at, rung, ..
            }) if *at == worker => *rung,
            _ => {
                let gone = !state.workers.contains_key(&worker) && !state.closing;
                drop(state);
                drop_quietly(job);
                if gone {
                    tracing::warn!("{name} goes on after all; another thread has taken its place");
                }
                return !gone;
            }
        };
        match next {
            None | Some(Next::Done) => {
                let entry = state.jobs.remove(&key);
                drop(state);
                // First what the job holds, links among it, then the word that it has ended.
                drop_quietly(job);
                if let (None, Some(entry)) = (next, &entry) {
                    entry.lease.0.store(true, Ordering::Relaxed);
                    (self.0.on_loss)(Loss {
                        job: Arc::clone(&entry.name),
                        camera: entry.camera.clone(),
                        cause: Cause::Panicked,
                    });
                }
            }
            Some(next) => state.put_back(key, job, next, rung),
        }
        true
    }

    fn ring(&self, key: u64) {
        let mut state = self.0.state.lock();
        let Some(entry) = state.jobs.get_mut(&key) else {
            return;
        };
        match &mut entry.stage {
            Stage::Reserved { rung } | Stage::Running { rung, .. } => *rung = true,
            Stage::Ready => {}
            Stage::Idle => {
                state.make_ready(key);
                self.wake_one(&state);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock()
    }
}

/// What a job that failed holds may fail once more when it is dropped.
fn drop_quietly(job: Box<dyn Job>) {
    let _ = catch_unwind(AssertUnwindSafe(|| drop(job)));
}

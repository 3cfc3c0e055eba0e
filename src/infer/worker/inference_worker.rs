//! One worker thread with a slot for each client. A client's newest request replaces its older one; slots are served
//! in turn, so that no camera can starve another. Urgent requests come first and spare ones last, but not always: when
//! time is short, all get slower, and none stops.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};
use tokio_util::sync::CancellationToken;

use crate::base::{link::WakeSignal, tasks::Tasks};

/// How soon an answer is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Comes when nobody else asks.
    Spare,
    /// Comes in turn.
    Routine,
    /// Comes in turn among the urgent ones, before the others.
    Urgent,
}

/// What the worker does.
pub(in crate::infer) trait Handler<Q, A> {
    /// Answers a request.
    fn answer(&mut self, request: &mut Q) -> A;

    /// It rests when no request has come for so long.
    fn rest_after(&self) -> Option<Duration> {
        None
    }

    /// Called once after a request, and once after the start, where none follows.
    fn rest(&mut self) {}
}

impl<Q, A, F: FnMut(&mut Q) -> A> Handler<Q, A> for F {
    fn answer(&mut self, request: &mut Q) -> A {
        self(request)
    }
}

/// What comes next for the worker.
enum Next<Q> {
    /// A request and the number of its slot.
    Request(u64, Q),
    Rest,
}

/// An answer that takes longer than this never comes: the worker hangs.
const PATIENCE: Duration = Duration::from_secs(45);

/// So many urgent requests are answered before a routine one that waits.
const MAX_URGENT_BURST: u32 = 3;
/// So many others are answered before a spare one that waits.
const MAX_BEFORE_SPARE: u32 = 30;

struct Slot<Q, A> {
    number: u64,
    request: Option<(Q, Priority)>,
    /// The worker has a request of this slot in hand.
    busy: bool,
    answer: Option<A>,
    wake_signal: WakeSignal,
}

struct State<Q, A> {
    slots: Vec<Slot<Q, A>>,
    /// Index of the slot whose turn is next, among those of each priority.
    turns: [usize; 3],
    /// Urgent requests that were put before a routine one since the last of those.
    urgent_burst: u32,
    /// Requests that were put before a spare one since the last of those.
    passed: u32,
    slots_so_far: u64,
    open: bool,
}

struct Inner<Q, A> {
    state: Mutex<State<Q, A>>,
    asked: Condvar,
    answered: Condvar,
    /// Nanoseconds that the worker has been at work.
    busy: AtomicU64,
}

/// Where requests are put. Cheap to clone.
pub(in crate::infer) struct InferenceWorker<Q, A>(Arc<Inner<Q, A>>);

impl<Q, A> Clone for InferenceWorker<Q, A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<Q: Send + 'static, A: Send + 'static> InferenceWorker<Q, A> {
    /// Starts the worker thread `name`. `handler` answers a request; where it panics, `on_panic` does. The thread
    /// ends with `tasks`.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub(in crate::infer) fn start(
        name: &str,
        tasks: &Tasks,
        mut handler: impl Handler<Q, A> + Send + 'static,
        on_panic: impl Fn(Q) -> A + Send + 'static,
    ) -> std::io::Result<Self> {
        let worker = Self(Arc::new(Inner {
            state: Mutex::new(State {
                slots: Vec::new(),
                turns: [0; 3],
                urgent_burst: 0,
                passed: 0,
                slots_so_far: 0,
                open: true,
            }),
            asked: Condvar::new(),
            answered: Condvar::new(),
            busy: AtomicU64::new(0),
        }));
        let serving = worker.clone();
        let pulse = tasks
            .heartbeats()
            .expect_busy(&format!("{name} model"), PATIENCE);
        tasks.thread(name, move || {
            let mut rested = false;
            loop {
                pulse.rest();
                let Some(turn) = serving.next(handler.rest_after().filter(|_| !rested)) else {
                    return;
                };
                pulse.beat();
                rested = matches!(turn, Next::Rest);
                let Next::Request(number, mut request) = turn else {
                    // A panic is logged where it happens; requests are answered all the same.
                    let _ = catch_unwind(AssertUnwindSafe(|| handler.rest()));
                    continue;
                };
                let began = Instant::now();
                let answer = catch_unwind(AssertUnwindSafe(|| handler.answer(&mut request)));
                let answer = answer.unwrap_or_else(|_| on_panic(request));
                let spent = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
                serving.0.busy.fetch_add(spent, Ordering::Relaxed);
                serving.answer(number, answer);
            }
        })?;
        let closing = worker.clone();
        let token: CancellationToken = tasks.token().clone();
        tasks.spawn(&format!("{name}-stop"), async move {
            token.cancelled().await;
            closing.close();
        });
        Ok(worker)
    }

    /// A new slot; `wake_signal` is raised at each answer.
    pub(in crate::infer) fn slot(&self, wake_signal: &WakeSignal) -> ClientSlot<Q, A> {
        let mut state = self.0.state.lock();
        let number = state.slots_so_far;
        state.slots_so_far += 1;
        state.slots.push(Slot {
            number,
            request: None,
            busy: false,
            answer: None,
            wake_signal: wake_signal.clone(),
        });
        ClientSlot {
            worker: self.clone(),
            number,
        }
    }

    /// Waits for a request, and no longer than `rest_after`; none when the worker has ended.
    fn next(&self, rest_after: Option<Duration>) -> Option<Next<Q>> {
        let rest = rest_after.and_then(deadline);
        let mut state = self.0.state.lock();
        loop {
            if !state.open {
                return None;
            }
            if let Some(index) = state.choose() {
                let slot = &mut state.slots[index];
                let number = slot.number;
                if let Some((request, _)) = slot.request.take() {
                    slot.busy = true;
                    return Some(Next::Request(number, request));
                }
            }
            match rest {
                None => self.0.asked.wait(&mut state),
                Some(at) if Instant::now() >= at => return Some(Next::Rest),
                Some(at) => {
                    let _ = self.0.asked.wait_until(&mut state, at);
                }
            }
        }
    }

    /// How long the worker has been at work so far.
    pub(in crate::infer) fn busy(&self) -> Duration {
        Duration::from_nanos(self.0.busy.load(Ordering::Relaxed))
    }

    fn answer(&self, number: u64, answer: A) {
        let mut state = self.0.state.lock();
        // The slot may have been given up meanwhile.
        if let Some(slot) = state.slot(number) {
            slot.busy = false;
            slot.answer = Some(answer);
            slot.wake_signal.raise();
            self.0.answered.notify_all();
        }
    }

    fn close(&self) {
        let mut state = self.0.state.lock();
        state.open = false;
        for slot in &state.slots {
            slot.wake_signal.raise();
        }
        self.0.asked.notify_all();
        self.0.answered.notify_all();
    }
}

impl<Q, A> State<Q, A> {
    fn slot(&mut self, number: u64) -> Option<&mut Slot<Q, A>> {
        self.slots.iter_mut().find(|slot| slot.number == number)
    }

    /// The slot whose request comes next; its turn is over then.
    fn choose(&mut self) -> Option<usize> {
        let [spare, routine, urgent] = [Priority::Spare, Priority::Routine, Priority::Urgent]
            .map(|priority| self.next_of(priority));
        let starved = self.passed >= MAX_BEFORE_SPARE;
        let may_go_first = self.urgent_burst < MAX_URGENT_BURST;
        let (index, priority) = match (urgent, routine, spare) {
            (None, None, Some(spare)) => (spare, Priority::Spare),
            (_, _, Some(spare)) if starved => (spare, Priority::Spare),
            (Some(urgent), Some(_), _) if may_go_first => {
                self.urgent_burst += 1;
                (urgent, Priority::Urgent)
            }
            (_, Some(routine), _) => {
                self.urgent_burst = 0;
                (routine, Priority::Routine)
            }
            (Some(urgent), None, _) => (urgent, Priority::Urgent),
            (None, None, None) => return None,
        };
        let waits = priority != Priority::Spare && spare.is_some();
        self.passed = if waits { self.passed + 1 } else { 0 };
        self.turns[priority as usize] = (index + 1) % self.slots.len();
        Some(index)
    }

    fn next_of(&self, priority: Priority) -> Option<usize> {
        let count = self.slots.len();
        (0..count)
            .map(|step| (self.turns[priority as usize] + step) % count)
            .find(|&index| {
                let request = &self.slots[index].request;
                request.as_ref().is_some_and(|(_, r)| *r == priority)
            })
    }

    fn mine(&mut self, number: u64) -> &mut Slot<Q, A> {
        self.slot(number)
            .expect("a slot is there until its client gives it up")
    }
}

/// One client's slot. Giving it up forgets its request and its answer.
pub(in crate::infer) struct ClientSlot<Q, A> {
    worker: InferenceWorker<Q, A>,
    number: u64,
}

impl<Q, A> ClientSlot<Q, A> {
    /// Puts a request. An older one that nobody took up is returned; it leaves its priority to the new one.
    pub(in crate::infer) fn ask(&self, request: Q, priority: Priority) -> Option<Q> {
        let mut state = self.worker.0.state.lock();
        let slot = state.mine(self.number);
        let replaced = slot.request.take();
        let priority = replaced
            .as_ref()
            .map_or(priority, |(_, old)| priority.max(*old));
        slot.request = Some((request, priority));
        self.worker.0.asked.notify_one();
        replaced.map(|(request, _)| request)
    }

    /// Takes back a spare request that nobody took up.
    pub(in crate::infer) fn withdraw(&self) -> Option<Q> {
        let mut state = self.worker.0.state.lock();
        let waits = &mut state.mine(self.number).request;
        let spare = waits.take_if(|(_, priority)| *priority == Priority::Spare);
        spare.map(|(request, _)| request)
    }

    /// The answer, if there is one.
    pub(in crate::infer) fn take(&self) -> Option<A> {
        self.worker.0.state.lock().mine(self.number).answer.take()
    }

    /// Waits for the answer, at most until `deadline`; none when nothing was asked or the worker has ended. What somebody
    /// waits for is not spare.
    pub(in crate::infer) fn wait(&self, deadline: Option<Instant>) -> Option<A> {
        let inner = &*self.worker.0;
        let mut state = inner.state.lock();
        if let Some((_, priority)) = &mut state.mine(self.number).request {
            *priority = Priority::Routine.max(*priority);
        }
        loop {
            let open = state.open;
            let slot = state.mine(self.number);
            if let Some(answer) = slot.answer.take() {
                return Some(answer);
            }
            if !(slot.busy || open && slot.request.is_some()) {
                return None;
            }
            match deadline {
                None => inner.answered.wait(&mut state),
                Some(deadline) => {
                    if inner.answered.wait_until(&mut state, deadline).timed_out() {
                        return state.mine(self.number).answer.take();
                    }
                }
            }
        }
    }

    /// Whether a request is open or its answer has not been taken.
    pub(in crate::infer) fn pending(&self) -> bool {
        let mut state = self.worker.0.state.lock();
        let open = state.open;
        let slot = state.mine(self.number);
        slot.busy || slot.answer.is_some() || open && slot.request.is_some()
    }
}

impl<Q, A> Drop for ClientSlot<Q, A> {
    fn drop(&mut self) {
        let mut state = self.worker.0.state.lock();
        state.slots.retain(|slot| slot.number != self.number);
        let count = state.slots.len();
        for turn in state.turns.iter_mut().filter(|turn| **turn >= count) {
            *turn = 0;
        }
    }
}

/// `timeout` from now, or never where that is too far away to tell.
pub(in crate::infer) fn deadline(timeout: Duration) -> Option<Instant> {
    Instant::now().checked_add(timeout)
}

#[cfg(test)]
#[path = "inference_worker_tests.rs"]
mod tests;

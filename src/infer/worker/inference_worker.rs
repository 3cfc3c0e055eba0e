//! A desk: one worker, one seat for each client. The newest question of a client replaces its older one; seats are
//! served in turn, so that no camera can starve another. Urgent questions come first and spare ones last, but not always:
//! when time is short, all get slower, and none stops.

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

use crate::base::{link::Bell, tasks::Tasks};

/// How much an answer is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Comes when nobody else asks.
    Spare,
    /// Comes in turn.
    Routine,
    /// Comes in turn among the urgent ones, before the others.
    Urgent,
}

/// What the worker of a desk does.
pub(in crate::infer) trait Work<Q, A> {
    /// Answers a question.
    fn answer(&mut self, question: &mut Q) -> A;

    /// It rests when no question has come for so long.
    fn rest_after(&self) -> Option<Duration> {
        None
    }

    /// Called once after a question, and once after the start, where none follows.
    fn rest(&mut self) {}
}

impl<Q, A, F: FnMut(&mut Q) -> A> Work<Q, A> for F {
    fn answer(&mut self, question: &mut Q) -> A {
        self(question)
    }
}

/// What comes next for the worker.
enum Turn<Q> {
    /// A question and the number of its seat.
    Question(u64, Q),
    Rest,
}

/// An answer that takes longer than this never comes: the worker hangs.
const PATIENCE: Duration = Duration::from_secs(45);

/// So many urgent questions are answered before a routine one that waits.
const MOST_FAVOURS: u32 = 3;
/// So many others are answered before a spare one that waits.
const MOST_PASSED: u32 = 30;

struct Place<Q, A> {
    number: u64,
    question: Option<(Q, Rank)>,
    /// The worker has a question of this seat in hand.
    busy: bool,
    answer: Option<A>,
    bell: Bell,
}

struct State<Q, A> {
    places: Vec<Place<Q, A>>,
    /// Index of the seat whose turn is next, among those of each rank.
    turns: [usize; 3],
    /// Urgent questions that were put before a routine one since the last of those.
    favours: u32,
    /// Questions that were put before a spare one since the last of those.
    passed: u32,
    seats_so_far: u64,
    open: bool,
}

struct Inner<Q, A> {
    state: Mutex<State<Q, A>>,
    asked: Condvar,
    answered: Condvar,
    /// Nanoseconds that the worker has been at work.
    busy: AtomicU64,
}

/// Where questions are put. Cheap to clone.
pub(in crate::infer) struct Desk<Q, A>(Arc<Inner<Q, A>>);

impl<Q, A> Clone for Desk<Q, A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<Q: Send + 'static, A: Send + 'static> Desk<Q, A> {
    /// Starts the worker thread `name`. `work` answers a question; where it panics, `sorry` does. The thread and the
    /// desk end with `tasks`.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub(in crate::infer) fn start(
        name: &str,
        tasks: &Tasks,
        mut work: impl Work<Q, A> + Send + 'static,
        sorry: impl Fn(Q) -> A + Send + 'static,
    ) -> std::io::Result<Self> {
        let desk = Self(Arc::new(Inner {
            state: Mutex::new(State {
                places: Vec::new(),
                turns: [0; 3],
                favours: 0,
                passed: 0,
                seats_so_far: 0,
                open: true,
            }),
            asked: Condvar::new(),
            answered: Condvar::new(),
            busy: AtomicU64::new(0),
        }));
        let worker = desk.clone();
        let pulse = tasks
            .heartbeats()
            .expect_busy(&format!("{name} model"), PATIENCE);
        tasks.thread(name, move || {
            let mut rested = false;
            loop {
                pulse.rest();
                let Some(turn) = worker.next(work.rest_after().filter(|_| !rested)) else {
                    return;
                };
                pulse.beat();
                rested = matches!(turn, Turn::Rest);
                let Turn::Question(number, mut question) = turn else {
                    // A panic is logged where it happens; questions are answered all the same.
                    let _ = catch_unwind(AssertUnwindSafe(|| work.rest()));
                    continue;
                };
                let began = Instant::now();
                let answer = catch_unwind(AssertUnwindSafe(|| work.answer(&mut question)));
                let answer = answer.unwrap_or_else(|_| sorry(question));
                let spent = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
                worker.0.busy.fetch_add(spent, Ordering::Relaxed);
                worker.answer(number, answer);
            }
        })?;
        let closing = desk.clone();
        let token: CancellationToken = tasks.token().clone();
        tasks.spawn(&format!("{name}-stop"), async move {
            token.cancelled().await;
            closing.close();
        });
        Ok(desk)
    }

    /// A new seat; `bell` is rung at each answer.
    pub(in crate::infer) fn seat(&self, bell: &Bell) -> Seat<Q, A> {
        let mut state = self.0.state.lock();
        let number = state.seats_so_far;
        state.seats_so_far += 1;
        state.places.push(Place {
            number,
            question: None,
            busy: false,
            answer: None,
            bell: bell.clone(),
        });
        Seat {
            desk: self.clone(),
            number,
        }
    }

    /// Waits for a question, and no longer than `rest_after`; none when the desk has closed.
    fn next(&self, rest_after: Option<Duration>) -> Option<Turn<Q>> {
        let rest = rest_after.and_then(deadline);
        let mut state = self.0.state.lock();
        loop {
            if !state.open {
                return None;
            }
            if let Some(index) = state.choose() {
                let place = &mut state.places[index];
                let number = place.number;
                if let Some((question, _)) = place.question.take() {
                    place.busy = true;
                    return Some(Turn::Question(number, question));
                }
            }
            match rest {
                None => self.0.asked.wait(&mut state),
                Some(at) if Instant::now() >= at => return Some(Turn::Rest),
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
        // The seat may have been given up meanwhile.
        if let Some(place) = state.place(number) {
            place.busy = false;
            place.answer = Some(answer);
            place.bell.ring();
            self.0.answered.notify_all();
        }
    }

    fn close(&self) {
        let mut state = self.0.state.lock();
        state.open = false;
        for place in &state.places {
            place.bell.ring();
        }
        self.0.asked.notify_all();
        self.0.answered.notify_all();
    }
}

impl<Q, A> State<Q, A> {
    fn place(&mut self, number: u64) -> Option<&mut Place<Q, A>> {
        self.places.iter_mut().find(|place| place.number == number)
    }

    /// The seat whose question comes next; its turn is over then.
    fn choose(&mut self) -> Option<usize> {
        let [spare, routine, urgent] =
            [Rank::Spare, Rank::Routine, Rank::Urgent].map(|rank| self.next_of(rank));
        let starved = self.passed >= MOST_PASSED;
        let favoured = self.favours < MOST_FAVOURS;
        let (index, rank) = match (urgent, routine, spare) {
            (None, None, Some(spare)) => (spare, Rank::Spare),
            (_, _, Some(spare)) if starved => (spare, Rank::Spare),
            (Some(urgent), Some(_), _) if favoured => {
                self.favours += 1;
                (urgent, Rank::Urgent)
            }
            (_, Some(routine), _) => {
                self.favours = 0;
                (routine, Rank::Routine)
            }
            (Some(urgent), None, _) => (urgent, Rank::Urgent),
            (None, None, None) => return None,
        };
        let waits = rank != Rank::Spare && spare.is_some();
        self.passed = if waits { self.passed + 1 } else { 0 };
        self.turns[rank as usize] = (index + 1) % self.places.len();
        Some(index)
    }

    fn next_of(&self, rank: Rank) -> Option<usize> {
        let count = self.places.len();
        (0..count)
            .map(|step| (self.turns[rank as usize] + step) % count)
            .find(|&index| {
                let question = &self.places[index].question;
                question.as_ref().is_some_and(|(_, r)| *r == rank)
            })
    }

    fn mine(&mut self, number: u64) -> &mut Place<Q, A> {
        self.place(number)
            .expect("a seat's place is there until the seat is given up")
    }
}

/// One client's seat. Giving it up forgets its question and its answer.
pub(in crate::infer) struct Seat<Q, A> {
    desk: Desk<Q, A>,
    number: u64,
}

impl<Q, A> Seat<Q, A> {
    /// Puts a question. An older one that nobody took up is returned; it leaves its rank to the new one.
    pub(in crate::infer) fn ask(&self, question: Q, rank: Rank) -> Option<Q> {
        let mut state = self.desk.0.state.lock();
        let place = state.mine(self.number);
        let replaced = place.question.take();
        let rank = replaced.as_ref().map_or(rank, |(_, old)| rank.max(*old));
        place.question = Some((question, rank));
        self.desk.0.asked.notify_one();
        replaced.map(|(question, _)| question)
    }

    /// Takes back a spare question that nobody took up.
    pub(in crate::infer) fn withdraw(&self) -> Option<Q> {
        let mut state = self.desk.0.state.lock();
        let waits = &mut state.mine(self.number).question;
        let spare = waits.take_if(|(_, rank)| *rank == Rank::Spare);
        spare.map(|(question, _)| question)
    }

    /// The answer, if there is one.
    pub(in crate::infer) fn take(&self) -> Option<A> {
        self.desk.0.state.lock().mine(self.number).answer.take()
    }

    /// Waits for the answer, at most until `deadline`; none when nothing was asked or the desk has closed. What somebody
    /// waits for is not spare.
    pub(in crate::infer) fn wait(&self, deadline: Option<Instant>) -> Option<A> {
        let inner = &*self.desk.0;
        let mut state = inner.state.lock();
        if let Some((_, rank)) = &mut state.mine(self.number).question {
            *rank = Rank::Routine.max(*rank);
        }
        loop {
            let open = state.open;
            let place = state.mine(self.number);
            if let Some(answer) = place.answer.take() {
                return Some(answer);
            }
            if !(place.busy || open && place.question.is_some()) {
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

    /// Whether a question is open or its answer has not been taken.
    pub(in crate::infer) fn pending(&self) -> bool {
        let mut state = self.desk.0.state.lock();
        let open = state.open;
        let place = state.mine(self.number);
        place.busy || place.answer.is_some() || open && place.question.is_some()
    }
}

impl<Q, A> Drop for Seat<Q, A> {
    fn drop(&mut self) {
        let mut state = self.desk.0.state.lock();
        state.places.retain(|place| place.number != self.number);
        let count = state.places.len();
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

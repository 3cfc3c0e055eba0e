//! A desk: one worker, one seat for each client. The newest question of a client replaces its older one; seats are
//! served in turn, so that no camera can starve another. Urgent questions come first, but not always: when time is short,
//! all get slower, and none stops.

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rank {
    /// Comes in turn.
    Routine,
    /// Comes in turn among the urgent ones, before the others.
    Urgent,
}

/// What the worker of a desk does.
pub(super) trait Work<Q, A> {
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
    /// Index of the seat whose turn is next, among the routine and among the urgent.
    turns: [usize; 2],
    /// Urgent questions that were put before a routine one since the last of those.
    favours: u32,
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
pub(super) struct Desk<Q, A>(Arc<Inner<Q, A>>);

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
    pub(super) fn start(
        name: &str,
        tasks: &Tasks,
        mut work: impl Work<Q, A> + Send + 'static,
        sorry: impl Fn(Q) -> A + Send + 'static,
    ) -> std::io::Result<Self> {
        let desk = Self(Arc::new(Inner {
            state: Mutex::new(State {
                places: Vec::new(),
                turns: [0; 2],
                favours: 0,
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
    pub(super) fn seat(&self, bell: &Bell) -> Seat<Q, A> {
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
    pub(super) fn busy(&self) -> Duration {
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
        let (routine, urgent) = (self.next_of(Rank::Routine), self.next_of(Rank::Urgent));
        let (index, rank) = match (urgent, routine) {
            (Some(urgent), Some(_)) if self.favours < MOST_FAVOURS => {
                self.favours += 1;
                (urgent, Rank::Urgent)
            }
            (_, Some(routine)) => {
                self.favours = 0;
                (routine, Rank::Routine)
            }
            (Some(urgent), None) => (urgent, Rank::Urgent),
            (None, None) => return None,
        };
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
pub(super) struct Seat<Q, A> {
    desk: Desk<Q, A>,
    number: u64,
}

impl<Q, A> Seat<Q, A> {
    /// Puts a question; an older one that nobody took up is returned.
    pub(super) fn ask(&self, question: Q, rank: Rank) -> Option<Q> {
        let mut state = self.desk.0.state.lock();
        let replaced = state.mine(self.number).question.replace((question, rank));
        self.desk.0.asked.notify_one();
        replaced.map(|(question, _)| question)
    }

    /// The answer, if there is one.
    pub(super) fn take(&self) -> Option<A> {
        self.desk.0.state.lock().mine(self.number).answer.take()
    }

    /// Waits for the answer, at most until `deadline`; none when nothing was asked or the desk has closed.
    pub(super) fn wait(&self, deadline: Option<Instant>) -> Option<A> {
        let inner = &*self.desk.0;
        let mut state = inner.state.lock();
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
    pub(super) fn pending(&self) -> bool {
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
pub(super) fn deadline(timeout: Duration) -> Option<Instant> {
    Instant::now().checked_add(timeout)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn tasks() -> (tokio::runtime::Runtime, Tasks) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .build()
            .unwrap();
        let tasks = Tasks::new(runtime.handle().clone(), CancellationToken::new());
        (runtime, tasks)
    }

    /// A desk whose worker tells what it takes up and waits for leave to answer.
    struct Slow {
        desk: Desk<&'static str, String>,
        taken: mpsc::Receiver<&'static str>,
        leave: mpsc::Sender<()>,
    }

    fn slow(tasks: &Tasks) -> Slow {
        let (tell, taken) = mpsc::channel();
        let (leave, wait) = mpsc::channel();
        let work = move |question: &mut &'static str| {
            tell.send(*question).unwrap();
            let _ = wait.recv();
            question.to_uppercase()
        };
        let desk = Desk::start("slow", tasks, work, str::to_owned).unwrap();
        Slow { desk, taken, leave }
    }

    const SOON: Duration = Duration::from_secs(5);

    #[test]
    fn the_newest_question_wins_and_the_bell_rings() {
        let (_runtime, tasks) = tasks();
        let slow = slow(&tasks);
        let bell = Bell::new();
        let seat = slow.desk.seat(&bell);
        assert!(!seat.pending() && seat.wait(None).is_none());
        assert_eq!(seat.ask("a", Rank::Routine), None);
        assert_eq!(slow.taken.recv_timeout(SOON).unwrap(), "a");
        assert_eq!(seat.ask("b", Rank::Routine), None);
        assert_eq!(seat.ask("c", Rank::Routine), Some("b"));
        assert!(seat.pending() && seat.take().is_none());
        assert!(seat.wait(deadline(Duration::from_millis(1))).is_none());
        slow.leave.send(()).unwrap();
        assert!(bell.wait(deadline(SOON)));
        assert_eq!(seat.take().unwrap(), "A");
        slow.leave.send(()).unwrap();
        assert_eq!(seat.wait(deadline(SOON)).unwrap(), "C");
        assert!(!seat.pending());
    }

    #[test]
    fn seats_are_served_in_turn() {
        let (_runtime, tasks) = tasks();
        let slow = slow(&tasks);
        let seats = [(); 3].map(|()| slow.desk.seat(&Bell::new()));
        seats[1].ask("b1", Rank::Routine);
        let mut order = vec![slow.taken.recv_timeout(SOON).unwrap()];
        for (seat, question) in seats.iter().zip(["a", "b2", "c"]) {
            seat.ask(question, Rank::Routine);
        }
        for _ in 0..3 {
            slow.leave.send(()).unwrap();
            order.push(slow.taken.recv_timeout(SOON).unwrap());
        }
        assert_eq!(order, ["b1", "c", "a", "b2"]);
        drop(seats);
        drop(slow.leave);
        assert!(tasks.close(SOON).is_empty());
    }

    #[test]
    fn urgent_questions_come_first_and_the_others_wait_no_longer_than_for_three() {
        let (_runtime, tasks) = tasks();
        let slow = slow(&tasks);
        let seats = [(); 3].map(|()| slow.desk.seat(&Bell::new()));
        seats[0].ask("routine", Rank::Routine);
        let mut order = vec![slow.taken.recv_timeout(SOON).unwrap()];
        seats[0].ask("routine", Rank::Routine);
        let urgent = ["u1", "u2"];
        for (seat, question) in seats[1..].iter().zip(urgent) {
            seat.ask(question, Rank::Urgent);
        }
        for _ in 0..7 {
            slow.leave.send(()).unwrap();
            order.push(slow.taken.recv_timeout(SOON).unwrap());
            // Whoever was served asks again at once.
            match order[order.len() - 1] {
                "u1" => seats[1].ask("u1", Rank::Urgent),
                "u2" => seats[2].ask("u2", Rank::Urgent),
                _ => seats[0].ask("routine", Rank::Routine),
            };
        }
        let expected = ["u1", "u2", "u1", "routine", "u2", "u1", "u2"];
        assert_eq!(order[1..], expected);
        assert!(slow.desk.busy() > Duration::ZERO);
        drop(seats);
        drop(slow.leave);
        assert!(tasks.close(SOON).is_empty());
    }

    #[test]
    fn a_worker_without_questions_rests_once() {
        struct Idler(mpsc::Sender<()>);
        impl Work<u32, u32> for Idler {
            fn answer(&mut self, question: &mut u32) -> u32 {
                *question + 1
            }
            fn rest_after(&self) -> Option<Duration> {
                Some(Duration::from_millis(20))
            }
            fn rest(&mut self) {
                self.0.send(()).unwrap();
                panic!("a rest that fails is no reason to stop");
            }
        }
        let (_runtime, tasks) = tasks();
        let (tell, rests) = mpsc::channel();
        let desk = Desk::start("idler", &tasks, Idler(tell), |question| question).unwrap();
        let seat = desk.seat(&Bell::new());
        for question in [1, 2] {
            rests.recv_timeout(SOON).unwrap();
            assert!(rests.recv_timeout(Duration::from_millis(60)).is_err());
            seat.ask(question, Rank::Routine);
            assert_eq!(seat.wait(deadline(SOON)), Some(question + 1));
        }
        assert!(tasks.close(SOON).is_empty());
    }

    #[test]
    fn a_panic_is_one_bad_answer_and_closing_frees_those_who_wait() {
        let (_runtime, tasks) = tasks();
        let work = |question: &mut u32| 100u32.checked_div(*question).expect("asked for it");
        let desk = Desk::start("panics", &tasks, work, |question| question).unwrap();
        let seat = desk.seat(&Bell::new());
        seat.ask(0, Rank::Routine);
        assert_eq!(seat.wait(deadline(SOON)), Some(0));
        seat.ask(4, Rank::Routine);
        assert_eq!(seat.wait(deadline(SOON)), Some(25));
        assert!(tasks.close(SOON).is_empty());
        seat.ask(5, Rank::Routine);
        assert_eq!(seat.wait(None), None);
        assert!(!seat.pending());
    }
}

//! Desks and their workers.

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
        // A camera that was served requests its next turn at once.
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
fn spare_questions_come_last_but_not_never_and_can_be_taken_back() {
    let (_runtime, tasks) = tasks();
    let slow = slow(&tasks);
    let seats = [(); 4].map(|()| slow.desk.seat(&Bell::new()));
    seats[0].ask("first", Rank::Routine);
    let mut order = vec![slow.taken.recv_timeout(SOON).unwrap()];
    seats[1].ask("given up", Rank::Spare);
    seats[2].ask("spare", Rank::Spare);
    seats[3].ask("routine", Rank::Routine);
    assert_eq!(seats[1].withdraw(), Some("given up"));
    assert_eq!(seats[1].withdraw(), None);
    assert_eq!(seats[3].withdraw(), None, "not spare");
    while order[order.len() - 1] != "spare" {
        slow.leave.send(()).unwrap();
        order.push(slow.taken.recv_timeout(SOON).unwrap());
        seats[3].ask("routine", Rank::Routine);
    }
    assert_eq!(order.len() as u32, 2 + MOST_PASSED);
    // An urgent question leaves its rank to what replaces it.
    seats[1].ask("urgent", Rank::Urgent);
    seats[1].ask("newer", Rank::Spare);
    slow.leave.send(()).unwrap();
    assert_eq!(slow.taken.recv_timeout(SOON).unwrap(), "newer");
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

//! Workers and their clients.

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
    worker: InferenceWorker<&'static str, String>,
    taken: mpsc::Receiver<&'static str>,
    leave: mpsc::Sender<()>,
}

fn slow(tasks: &Tasks) -> Slow {
    let (tell, taken) = mpsc::channel();
    let (leave, wait) = mpsc::channel();
    let handler = move |request: &mut &'static str| {
        tell.send(*request).unwrap();
        let _ = wait.recv();
        request.to_uppercase()
    };
    let worker = InferenceWorker::start("slow", tasks, handler, str::to_owned).unwrap();
    Slow {
        worker,
        taken,
        leave,
    }
}

const SOON: Duration = Duration::from_secs(5);

#[test]
fn the_newest_request_wins_and_the_signal_is_raised() {
    let (_runtime, tasks) = tasks();
    let slow = slow(&tasks);
    let wake_signal = WakeSignal::new();
    let slot = slow.worker.slot(&wake_signal);
    assert!(!slot.pending() && slot.wait(None).is_none());
    assert_eq!(slot.ask("a", Priority::Routine), None);
    assert_eq!(slow.taken.recv_timeout(SOON).unwrap(), "a");
    assert_eq!(slot.ask("b", Priority::Routine), None);
    assert_eq!(slot.ask("c", Priority::Routine), Some("b"));
    assert!(slot.pending() && slot.take().is_none());
    assert!(slot.wait(deadline(Duration::from_millis(1))).is_none());
    slow.leave.send(()).unwrap();
    assert!(wake_signal.wait(deadline(SOON)));
    assert_eq!(slot.take().unwrap(), "A");
    slow.leave.send(()).unwrap();
    assert_eq!(slot.wait(deadline(SOON)).unwrap(), "C");
    assert!(!slot.pending());
}

#[test]
fn seats_are_served_in_turn() {
    let (_runtime, tasks) = tasks();
    let slow = slow(&tasks);
    let slots = [(); 3].map(|()| slow.worker.slot(&WakeSignal::new()));
    slots[1].ask("b1", Priority::Routine);
    let mut order = vec![slow.taken.recv_timeout(SOON).unwrap()];
    for (slot, request) in slots.iter().zip(["a", "b2", "c"]) {
        slot.ask(request, Priority::Routine);
    }
    for _ in 0..3 {
        slow.leave.send(()).unwrap();
        order.push(slow.taken.recv_timeout(SOON).unwrap());
    }
    assert_eq!(order, ["b1", "c", "a", "b2"]);
    drop(slots);
    drop(slow.leave);
    assert!(tasks.close(SOON).is_empty());
}

#[test]
fn urgent_questions_come_first_and_the_others_wait_no_longer_than_for_three() {
    let (_runtime, tasks) = tasks();
    let slow = slow(&tasks);
    let slots = [(); 3].map(|()| slow.worker.slot(&WakeSignal::new()));
    slots[0].ask("routine", Priority::Routine);
    let mut order = vec![slow.taken.recv_timeout(SOON).unwrap()];
    slots[0].ask("routine", Priority::Routine);
    let urgent = ["u1", "u2"];
    for (slot, request) in slots[1..].iter().zip(urgent) {
        slot.ask(request, Priority::Urgent);
    }
    for _ in 0..7 {
        slow.leave.send(()).unwrap();
        order.push(slow.taken.recv_timeout(SOON).unwrap());
        // A camera that was served requests its next turn at once.
        match order[order.len() - 1] {
            "u1" => slots[1].ask("u1", Priority::Urgent),
            "u2" => slots[2].ask("u2", Priority::Urgent),
            _ => slots[0].ask("routine", Priority::Routine),
        };
    }
    let expected = ["u1", "u2", "u1", "routine", "u2", "u1", "u2"];
    assert_eq!(order[1..], expected);
    assert!(slow.worker.busy() > Duration::ZERO);
    drop(slots);
    drop(slow.leave);
    assert!(tasks.close(SOON).is_empty());
}

#[test]
fn spare_questions_come_last_but_not_never_and_can_be_taken_back() {
    let (_runtime, tasks) = tasks();
    let slow = slow(&tasks);
    let slots = [(); 4].map(|()| slow.worker.slot(&WakeSignal::new()));
    slots[0].ask("first", Priority::Routine);
    let mut order = vec![slow.taken.recv_timeout(SOON).unwrap()];
    slots[1].ask("given up", Priority::Spare);
    slots[2].ask("spare", Priority::Spare);
    slots[3].ask("routine", Priority::Routine);
    assert_eq!(slots[1].withdraw(), Some("given up"));
    assert_eq!(slots[1].withdraw(), None);
    assert_eq!(slots[3].withdraw(), None, "not spare");
    while order[order.len() - 1] != "spare" {
        slow.leave.send(()).unwrap();
        order.push(slow.taken.recv_timeout(SOON).unwrap());
        slots[3].ask("routine", Priority::Routine);
    }
    assert_eq!(order.len() as u32, 2 + MAX_BEFORE_SPARE);
    // An urgent question leaves its rank to what replaces it.
    slots[1].ask("urgent", Priority::Urgent);
    slots[1].ask("newer", Priority::Spare);
    slow.leave.send(()).unwrap();
    assert_eq!(slow.taken.recv_timeout(SOON).unwrap(), "newer");
    drop(slots);
    drop(slow.leave);
    assert!(tasks.close(SOON).is_empty());
}

#[test]
fn a_worker_without_questions_rests_once() {
    struct Idler(mpsc::Sender<()>);
    impl Handler<u32, u32> for Idler {
        fn answer(&mut self, request: &mut u32) -> u32 {
            *request + 1
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
    let worker = InferenceWorker::start("idler", &tasks, Idler(tell), |request| request).unwrap();
    let slot = worker.slot(&WakeSignal::new());
    for request in [1, 2] {
        rests.recv_timeout(SOON).unwrap();
        assert!(rests.recv_timeout(Duration::from_millis(60)).is_err());
        slot.ask(request, Priority::Routine);
        assert_eq!(slot.wait(deadline(SOON)), Some(request + 1));
    }
    assert!(tasks.close(SOON).is_empty());
}

#[test]
fn a_panic_is_one_bad_answer_and_closing_frees_those_who_wait() {
    let (_runtime, tasks) = tasks();
    let handler = |request: &mut u32| 100u32.checked_div(*request).expect("asked for it");
    let worker = InferenceWorker::start("panics", &tasks, handler, |request| request).unwrap();
    let slot = worker.slot(&WakeSignal::new());
    slot.ask(0, Priority::Routine);
    assert_eq!(slot.wait(deadline(SOON)), Some(0));
    slot.ask(4, Priority::Routine);
    assert_eq!(slot.wait(deadline(SOON)), Some(25));
    assert!(tasks.close(SOON).is_empty());
    slot.ask(5, Priority::Routine);
    assert_eq!(slot.wait(None), None);
    assert!(!slot.pending());
}

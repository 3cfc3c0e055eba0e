use std::sync::mpsc;

use tokio_util::sync::CancellationToken;

use super::*;
use crate::base::link::WakeSignal;

const SOON: Duration = Duration::from_secs(10);

struct Steps<F>(F);

impl<F: FnMut() -> Next + Send + 'static> Job for Steps<F> {
    fn run(&mut self) -> Next {
        (self.0)()
    }
}

struct Rig {
    _runtime: tokio::runtime::Runtime,
    tasks: Tasks,
    pool: Pool,
    losses: mpsc::Receiver<Loss>,
}

fn camera() -> CameraId {
    "door".parse().unwrap()
}

impl Rig {
    fn new(workers: usize, patience: Duration) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let tasks = Tasks::new(runtime.handle().clone(), CancellationToken::new());
        let (tell, losses) = mpsc::channel();
        let tell = Mutex::new(tell);
        let pool = Pool::start("detect", workers, patience, &tasks, move |loss| {
            tell.lock().send(loss).unwrap();
        });
        Self {
            _runtime: runtime,
            tasks,
            pool: pool.unwrap(),
            losses,
        }
    }

    fn start(&self, name: &str, run: impl FnMut() -> Next + Send + 'static) -> WakeSignal {
        let place = self.pool.place(&self.tasks, name, &camera());
        let wake_signal = place.wake_signal();
        place.start(Steps(run));
        wake_signal
    }
}

/// A job that says each run, and wants `next`.
fn said(next: Next) -> (mpsc::Receiver<()>, impl FnMut() -> Next + Send + 'static) {
    let (tell, runs) = mpsc::channel();
    (runs, move || {
        tell.send(()).unwrap();
        next
    })
}

#[test]
fn a_job_runs_at_the_start_and_at_each_ring() {
    let rig = Rig::new(2, SOON);
    let (runs, job) = said(Next::Idle);
    let wake_signal = rig.start("job", job);
    for _ in 0..20 {
        runs.recv_timeout(SOON).unwrap();
        assert!(runs.recv_timeout(Duration::from_millis(5)).is_err());
        wake_signal.raise();
    }
}

#[test]
fn a_ring_during_a_run_is_remembered_once_and_one_before_the_start_is_not_lost() {
    let rig = Rig::new(2, SOON);
    let (tell, runs) = mpsc::channel();
    let (leave, wait) = mpsc::channel::<()>();
    let place = rig.pool.place(&rig.tasks, "job", &camera());
    let wake_signal = place.wake_signal();
    wake_signal.raise();
    assert!(runs.try_recv().is_err());
    place.start(Steps(move || {
        tell.send(()).unwrap();
        let _ = wait.recv_timeout(SOON);
        Next::Idle
    }));
    runs.recv_timeout(SOON).unwrap();
    for _ in 0..3 {
        wake_signal.raise();
    }
    leave.send(()).unwrap();
    runs.recv_timeout(SOON).unwrap();
    leave.send(()).unwrap();
    assert!(runs.recv_timeout(Duration::from_millis(50)).is_err());
}

#[test]
fn timers_fire_in_order_and_a_ring_comes_before_its_timer() {
    let rig = Rig::new(1, SOON);
    let (tell, fired) = mpsc::channel();
    let begin = Instant::now();
    for wait in [120u64, 40, 80] {
        let (tell, mut first) = (tell.clone(), true);
        rig.start("job", move || {
            if std::mem::take(&mut first) {
                return Next::At(begin + Duration::from_millis(wait));
            }
            tell.send((wait, begin.elapsed())).unwrap();
            Next::Done
        });
    }
    for expected in [40, 80, 120] {
        let (wait, after) = fired.recv_timeout(SOON).unwrap();
        assert_eq!(wait, expected);
        assert!(after >= Duration::from_millis(wait), "{wait}: {after:?}");
    }
    let (runs, job) = said(Next::At(begin + SOON * 100));
    let wake_signal = rig.start("patient", job);
    runs.recv_timeout(SOON).unwrap();
    wake_signal.raise();
    runs.recv_timeout(SOON).unwrap();
}

#[test]
fn an_earlier_timer_does_not_wait_for_a_later_one() {
    let rig = Rig::new(2, SOON);
    let (late, job) = said(Next::At(Instant::now() + SOON * 100));
    rig.start("late", job);
    late.recv_timeout(SOON).unwrap();
    std::thread::sleep(Duration::from_millis(20));
    let (early, job) = said(Next::At(Instant::now() + Duration::from_millis(50)));
    rig.start("early", job);
    early.recv_timeout(SOON).unwrap();
    early.recv_timeout(SOON).unwrap();
}

#[test]
fn a_job_that_wants_to_go_on_lets_others_have_their_turn() {
    let rig = Rig::new(1, SOON);
    let (tell, order) = mpsc::channel();
    let (leave, wait) = mpsc::channel::<()>();
    rig.start("first", move || {
        let _ = wait.recv_timeout(SOON);
        Next::Done
    });
    for name in ["a", "b"] {
        let (tell, mut left) = (tell.clone(), 3);
        rig.start(name, move || {
            tell.send(name).unwrap();
            left -= 1;
            if left == 0 { Next::Done } else { Next::Again }
        });
    }
    leave.send(()).unwrap();
    let order: Vec<_> = (0..6).map(|_| order.recv_timeout(SOON).unwrap()).collect();
    assert_eq!(order, ["a", "b", "a", "b", "a", "b"]);
}

#[test]
fn one_job_is_never_run_by_two_threads() {
    let rig = Rig::new(4, SOON);
    let running = Arc::new(AtomicBool::new(false));
    let (tell, ended) = mpsc::channel();
    let (busy, mut runs) = (running.clone(), 0);
    let wake_signal = rig.start("job", move || {
        assert!(!busy.swap(true, Ordering::SeqCst), "run twice at a time");
        std::thread::yield_now();
        busy.store(false, Ordering::SeqCst);
        runs += 1;
        if runs == 2000 {
            tell.send(()).unwrap();
            return Next::Done;
        }
        Next::Again
    });
    while ended.try_recv().is_err() {
        wake_signal.raise();
        assert!(rig.losses.try_recv().is_err());
    }
    assert!(rig.tasks.close(SOON).is_empty());
}

#[test]
fn a_job_that_hangs_is_named_given_up_and_replaced() {
    let patience = Duration::from_millis(100);
    let rig = Rig::new(1, patience);
    let (leave, wait) = mpsc::channel::<()>();
    let held = Arc::new(());
    let kept = held.clone();
    let place = rig
        .pool
        .place(&rig.tasks, "detect of camera door", &camera());
    let lease = place.lease();
    place.start(Steps(move || {
        let _kept = &kept;
        let _ = wait.recv();
        Next::Idle
    }));
    rig.pool.abandon_hung();
    assert!(rig.losses.try_recv().is_err() && !lease.is_lost());
    std::thread::sleep(2 * patience);
    assert_eq!(rig.tasks.heartbeats().hanging(), ["detect of camera door"]);
    rig.pool.abandon_hung();
    let loss = rig.losses.recv_timeout(SOON).unwrap();
    assert_eq!(
        (&*loss.job, loss.cause),
        ("detect of camera door", Cause::Hung)
    );
    assert!(lease.is_lost());
    assert_eq!(rig.tasks.heartbeats().hanging().len(), 1, "it hangs on");
    // The others go on, and nobody waits for the one that hangs.
    let (runs, job) = said(Next::Done);
    rig.start("other", job);
    runs.recv_timeout(SOON).unwrap();
    assert!(rig.tasks.close(SOON).is_empty());
    assert!(rig.pool.close(SOON).is_empty());
    // When it comes back, its thread ends and lets go of all it had.
    leave.send(()).unwrap();
    let deadline = Instant::now() + SOON;
    while Arc::strong_count(&held) > 1 || !rig.tasks.heartbeats().hanging().is_empty() {
        assert!(Instant::now() < deadline, "the abandoned thread goes on");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(rig.losses.try_recv().is_err(), "lost once");
}

#[test]
fn a_job_that_panics_is_told_and_its_thread_goes_on() {
    let rig = Rig::new(1, SOON);
    rig.start("record of camera door", || panic!("as a fault would"));
    let loss = rig.losses.recv_timeout(SOON).unwrap();
    assert_eq!(
        (&*loss.job, loss.cause),
        ("record of camera door", Cause::Panicked)
    );
    let (runs, job) = said(Next::Done);
    rig.start("other", job);
    runs.recv_timeout(SOON).unwrap();
    assert!(rig.tasks.close(SOON).is_empty());
    assert!(rig.tasks.heartbeats().hanging().is_empty());
}

#[test]
fn closing_ends_the_threads_and_names_what_does_not_end() {
    let rig = Rig::new(2, SOON);
    let (leave, wait) = mpsc::channel::<()>();
    let (begun, runs) = mpsc::channel();
    rig.start("stubborn", move || {
        begun.send(()).unwrap();
        let _ = wait.recv_timeout(SOON);
        Next::Idle
    });
    runs.recv_timeout(SOON).unwrap();
    assert_eq!(rig.pool.close(Duration::from_millis(50)), ["detect"]);
    leave.send(()).unwrap();
}

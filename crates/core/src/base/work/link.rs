//! Bounded links between threads and jobs. Each says on its constructor what it does when it is full, and counts what it
//! loses. A sender never waits, and learns whether its item was taken.
//!
//! A receiver reads several links; one [`WakeSignal`] wakes it for all of them. Sending without raising it is how packets reach a
//! sleeping camera without waking its job. When the receiver is dropped, by the end of its job or by a panic, the link is
//! closed: nothing is kept in it any more.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use parking_lot::{Condvar, Mutex};

/// Wakes one thread, or one job of a pool. Rings while nobody waits are remembered, many count as one.
#[derive(Clone)]
pub struct WakeSignal(Wakes);

#[derive(Clone)]
enum Wakes {
    Thread(Arc<(Mutex<bool>, Condvar)>),
    Job(Arc<dyn Fn() + Send + Sync>),
}

impl fmt::Debug for WakeSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Wakes::Thread(_) => "WakeSignal(thread)",
            Wakes::Job(_) => "WakeSignal(job)",
        })
    }
}

impl Default for WakeSignal {
    fn default() -> Self {
        Self(Wakes::Thread(Arc::default()))
    }
}

impl WakeSignal {
    /// A signal for a thread, which waits for it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A signal that calls `wake` each time it is raised: the way to a job's place in its pool.
    pub(in crate::base) fn calling(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Wakes::Job(Arc::new(wake)))
    }

    /// Wakes the waiting thread, or the next one to wait; or has the job run once more.
    pub fn raise(&self) {
        match &self.0 {
            Wakes::Thread(wake_signal) => {
                let (raised, condvar) = &**wake_signal;
                if !std::mem::replace(&mut *raised.lock(), true) {
                    condvar.notify_one();
                }
            }
            Wakes::Job(wake) => wake(),
        }
    }

    /// Waits for the signal, at most until `deadline`. True when it was raised. A job's signal is not waited for: the pool does.
    pub fn wait(&self, deadline: Option<Instant>) -> bool {
        let Wakes::Thread(wake_signal) = &self.0 else {
            return false;
        };
        let (raised, condvar) = &**wake_signal;
        let mut raised = raised.lock();
        while !*raised {
            match deadline {
                None => condvar.wait(&mut raised),
                Some(at) => {
                    if condvar.wait_until(&mut raised, at).timed_out() {
                        break;
                    }
                }
            }
        }
        std::mem::take(&mut *raised)
    }
}

/// What a full link does with one item more.
pub enum WhenFull<T> {
    /// Gives it back to the sender.
    Refuse,
    /// The newest wins: everything older goes.
    NewestWins,
    /// Asked to make room in the queue (oldest item first) for the item that comes; returns how many it threw away,
    /// at least one. It may change places with the item that comes.
    DropOldest(fn(&mut VecDeque<T>, &mut T) -> usize),
}

struct Inner<T> {
    queue: Mutex<Queue<T>>,
    capacity: usize,
    when_full: WhenFull<T>,
    dropped: AtomicU64,
    wake_signal: WakeSignal,
}

struct Queue<T> {
    items: VecDeque<T>,
    closed: bool,
}

/// The sending end; cheap to clone.
pub struct Sender<T>(Arc<Inner<T>>);

/// The receiving end. Dropping it closes the link.
pub struct Receiver<T>(Arc<Inner<T>>);

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Makes a link of at most `capacity` items whose receiver is woken by `wake_signal`.
#[must_use]
pub fn link<T>(
    capacity: usize,
    when_full: WhenFull<T>,
    wake_signal: &WakeSignal,
) -> (Sender<T>, Receiver<T>) {
    let inner = Arc::new(Inner {
        queue: Mutex::new(Queue {
            items: VecDeque::new(),
            closed: false,
        }),
        capacity: capacity.max(1),
        when_full,
        dropped: AtomicU64::new(0),
        wake_signal: wake_signal.clone(),
    });
    (Sender(Arc::clone(&inner)), Receiver(inner))
}

impl<T> Sender<T> {
    /// Puts an item in and wakes the receiver.
    ///
    /// # Errors
    /// The item itself, when the link is closed, or full and refuses.
    pub fn offer(&self, item: T) -> Result<(), T> {
        let taken = self.offer_quietly(item);
        self.0.wake_signal.raise();
        taken
    }

    /// Puts an item in; the receiver finds it when something else wakes it.
    ///
    /// # Errors
    /// The item itself, when the link is closed, or full and refuses.
    pub fn offer_quietly(&self, mut item: T) -> Result<(), T> {
        let inner = &*self.0;
        let mut queue = inner.queue.lock();
        if queue.closed {
            return Err(item);
        }
        if queue.items.len() >= inner.capacity {
            let lost = match inner.when_full {
                WhenFull::Refuse => return Err(item),
                WhenFull::NewestWins => {
                    let lost = queue.items.len();
                    queue.items.clear();
                    lost
                }
                WhenFull::DropOldest(make_room) => make_room(&mut queue.items, &mut item),
            };
            inner.dropped.fetch_add(lost as u64, Ordering::Relaxed);
        }
        queue.items.push_back(item);
        Ok(())
    }

    /// Puts an item in and wakes the receiver; false when it was not taken.
    pub fn send(&self, item: T) -> bool {
        self.offer(item).is_ok()
    }

    /// Puts an item in, without waking anybody; false when it was not taken.
    pub fn send_quietly(&self, item: T) -> bool {
        self.offer_quietly(item).is_ok()
    }

    /// Whether the receiver is gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.queue.lock().closed
    }

    /// Items lost so far because the link was full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }
}

impl<T> Receiver<T> {
    /// The oldest item, if there is one.
    pub fn try_recv(&self) -> Option<T> {
        self.0.queue.lock().items.pop_front()
    }

    /// Items waiting.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.queue.lock().items.len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Items lost so far because the link was full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let items = {
            let mut queue = self.0.queue.lock();
            queue.closed = true;
            std::mem::take(&mut queue.items)
        };
        // Dropped without the lock: an item may hold the sender of another link.
        drop(items);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn newest_wins_and_counts_the_losers() {
        let (tx, rx) = link(1, WhenFull::NewestWins, &WakeSignal::new());
        assert!((0..5).all(|n| tx.send(n)));
        assert_eq!(rx.try_recv(), Some(4));
        assert_eq!(rx.try_recv(), None);
        assert_eq!(rx.dropped(), 4);
    }

    #[test]
    fn a_full_link_that_refuses_gives_the_item_back() {
        let (tx, rx) = link(2, WhenFull::Refuse, &WakeSignal::new());
        assert!(tx.send(1) && tx.send_quietly(2));
        assert_eq!(tx.offer(3), Err(3));
        assert_eq!(rx.try_recv(), Some(1));
        assert_eq!(tx.offer(3), Ok(()));
        assert_eq!((rx.len(), rx.dropped()), (2, 0));
    }

    #[test]
    fn a_link_whose_receiver_is_gone_takes_nothing_and_keeps_nothing() {
        let wake_signal = WakeSignal::new();
        let (tx, rx) = link(2, WhenFull::NewestWins, &wake_signal);
        let kept = Arc::new(());
        assert!(tx.send(kept.clone()));
        assert!(!tx.is_closed());
        #[allow(clippy::disallowed_methods)]
        let receiver = thread::spawn(move || {
            let _rx = rx;
            panic!("as a fault would");
        });
        assert!(receiver.join().is_err());
        assert!(tx.is_closed());
        assert!(!tx.send(kept.clone()) && tx.offer_quietly(kept.clone()).is_err());
        assert_eq!(Arc::strong_count(&kept), 1);
    }

    #[test]
    fn make_room_decides_what_goes() {
        let drop_two = |queue: &mut VecDeque<u32>, _: &mut u32| {
            queue.drain(..2);
            2
        };
        let (tx, rx) = link(3, WhenFull::DropOldest(drop_two), &WakeSignal::new());
        assert!((0..4).all(|n| tx.send(n)));
        assert_eq!(
            std::iter::from_fn(|| rx.try_recv()).collect::<Vec<_>>(),
            [2, 3]
        );
        assert_eq!(rx.dropped(), 2);
    }

    #[test]
    fn a_ring_before_the_wait_is_remembered_once() {
        let wake_signal = WakeSignal::new();
        wake_signal.raise();
        wake_signal.raise();
        assert!(wake_signal.wait(Some(Instant::now())));
        assert!(!wake_signal.wait(Some(Instant::now())));
    }
}

//! Bounded links between threads. Each says on its constructor what it does when it is full, and counts what it loses.
//!
//! A lane reads several links; one [`Bell`] wakes it for all of them. Sending without ringing is how packets reach a
//! sleeping lane without waking it.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use parking_lot::{Condvar, Mutex};

/// Wakes one thread. Rings while nobody waits are remembered, many count as one.
#[derive(Debug, Clone, Default)]
pub struct Bell(Arc<(Mutex<bool>, Condvar)>);

impl Bell {
    /// A silent bell.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Wakes the waiting thread, or the next one to wait.
    pub fn ring(&self) {
        let (rung, condvar) = &*self.0;
        if !std::mem::replace(&mut *rung.lock(), true) {
            condvar.notify_one();
        }
    }

    /// Waits for a ring, at most until `deadline`. True when it was rung.
    pub fn wait(&self, deadline: Option<Instant>) -> bool {
        let (rung, condvar) = &*self.0;
        let mut rung = rung.lock();
        while !*rung {
            match deadline {
                None => condvar.wait(&mut rung),
                Some(at) => {
                    if condvar.wait_until(&mut rung, at).timed_out() {
                        break;
                    }
                }
            }
        }
        std::mem::take(&mut *rung)
    }
}

/// What a full link does with one item more.
pub enum WhenFull<T> {
    /// The sender waits for room. Only where the receiver is sure to come.
    Wait,
    /// The newest wins: everything older goes.
    NewestWins,
    /// Asked to make room in the queue (oldest item first) for the item that comes; returns how many it threw away,
    /// at least one.
    DropOldest(fn(&mut VecDeque<T>, &mut T) -> usize),
}

struct Inner<T> {
    queue: Mutex<VecDeque<T>>,
    room: Condvar,
    capacity: usize,
    when_full: WhenFull<T>,
    dropped: AtomicU64,
    bell: Bell,
}

/// The sending end; cheap to clone.
pub struct Sender<T>(Arc<Inner<T>>);

/// The receiving end.
pub struct Receiver<T>(Arc<Inner<T>>);

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Makes a link of at most `capacity` items whose receiver is woken by `bell`.
#[must_use]
pub fn link<T>(capacity: usize, when_full: WhenFull<T>, bell: &Bell) -> (Sender<T>, Receiver<T>) {
    let inner = Arc::new(Inner {
        queue: Mutex::new(VecDeque::new()),
        room: Condvar::new(),
        capacity: capacity.max(1),
        when_full,
        dropped: AtomicU64::new(0),
        bell: bell.clone(),
    });
    (Sender(Arc::clone(&inner)), Receiver(inner))
}

impl<T> Sender<T> {
    /// Puts an item in and wakes the receiver.
    pub fn send(&self, item: T) {
        self.send_quietly(item);
        self.0.bell.ring();
    }

    /// Puts an item in; the receiver finds it when something else wakes it.
    pub fn send_quietly(&self, mut item: T) {
        let inner = &*self.0;
        let mut queue = inner.queue.lock();
        if queue.len() >= inner.capacity {
            let lost = match inner.when_full {
                WhenFull::Wait => {
                    while queue.len() >= inner.capacity {
                        inner.bell.ring();
                        inner.room.wait(&mut queue);
                    }
                    0
                }
                WhenFull::NewestWins => {
                    let lost = queue.len();
                    queue.clear();
                    lost
                }
                WhenFull::DropOldest(make_room) => make_room(&mut queue, &mut item),
            };
            inner.dropped.fetch_add(lost as u64, Ordering::Relaxed);
        }
        queue.push_back(item);
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
        let item = self.0.queue.lock().pop_front();
        if item.is_some() {
            self.0.room.notify_one();
        }
        item
    }

    /// Items waiting.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.queue.lock().len()
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

#[cfg(test)]
mod tests {
    use std::{thread, time::Duration};

    use super::*;

    #[test]
    fn newest_wins_and_counts_the_losers() {
        let (tx, rx) = link(1, WhenFull::NewestWins, &Bell::new());
        for n in 0..5 {
            tx.send(n);
        }
        assert_eq!(rx.try_recv(), Some(4));
        assert_eq!(rx.try_recv(), None);
        assert_eq!(rx.dropped(), 4);
    }

    #[test]
    fn a_waiting_sender_loses_nothing() {
        let bell = Bell::new();
        let (tx, rx) = link(2, WhenFull::Wait, &bell);
        #[allow(clippy::disallowed_methods)]
        let sender = thread::spawn(move || (0..100).for_each(|n| tx.send(n)));
        let mut got = Vec::new();
        while got.len() < 100 {
            assert!(bell.wait(Some(Instant::now() + Duration::from_secs(5))));
            while let Some(n) = rx.try_recv() {
                got.push(n);
            }
        }
        sender.join().unwrap();
        assert_eq!(got, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn make_room_decides_what_goes() {
        let drop_two = |queue: &mut VecDeque<u32>, _: &mut u32| {
            queue.drain(..2);
            2
        };
        let (tx, rx) = link(3, WhenFull::DropOldest(drop_two), &Bell::new());
        (0..4).for_each(|n| tx.send(n));
        assert_eq!(
            std::iter::from_fn(|| rx.try_recv()).collect::<Vec<_>>(),
            [2, 3]
        );
        assert_eq!(rx.dropped(), 2);
    }

    #[test]
    fn a_ring_before_the_wait_is_remembered_once() {
        let bell = Bell::new();
        bell.ring();
        bell.ring();
        assert!(bell.wait(Some(Instant::now())));
        assert!(!bell.wait(Some(Instant::now())));
    }
}

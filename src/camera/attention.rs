//! Which jobs need each unit of a stream at once: detection while it is awake, and live viewers.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::flow::StreamRole;

/// Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Attention(Arc<Inner>);

#[derive(Default)]
struct Inner {
    detect: AtomicBool,
    sub: Wish,
    main: Wish,
}

#[derive(Default)]
struct Wish {
    watched: Mutex<bool>,
    wanted: watch::Sender<bool>,
}

impl Attention {
    /// Whether the detect job wants to be woken for every packet.
    pub(super) fn of_detect(&self) -> bool {
        self.0.detect.load(Ordering::Relaxed)
    }

    /// The detect job wants every packet of both streams at once, or only keyframes.
    pub(super) fn detect(&self, wants: bool) {
        if self.0.detect.swap(wants, Ordering::Relaxed) != wants {
            for wish in [&self.0.sub, &self.0.main] {
                let watched = wish.watched.lock();
                wish.tell(*watched || wants);
            }
        }
    }

    /// Somebody watches a stream live, or nobody any more.
    pub(super) fn watched(&self, role: StreamRole, is: bool) {
        let wish = self.wish(role);
        let mut watched = wish.watched.lock();
        *watched = is;
        wish.tell(is || self.of_detect());
    }

    /// Whether anybody wants each unit of a stream at once.
    pub(super) fn wanted(&self, role: StreamRole) -> watch::Receiver<bool> {
        self.wish(role).wanted.subscribe()
    }

    fn wish(&self, role: StreamRole) -> &Wish {
        match role {
            StreamRole::Sub => &self.0.sub,
            StreamRole::Main => &self.0.main,
        }
    }
}

impl Wish {
    fn tell(&self, wanted: bool) {
        self.wanted
            .send_if_modified(|now| std::mem::replace(now, wanted) != wanted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_is_enough_and_a_stream_is_watched_for_itself() {
        let attention = Attention::default();
        let [sub, main] = [StreamRole::Sub, StreamRole::Main].map(|role| attention.wanted(role));
        let now = || (*sub.borrow(), *main.borrow());
        assert_eq!(now(), (false, false));
        attention.watched(StreamRole::Main, true);
        assert_eq!((now(), attention.of_detect()), ((false, true), false));
        attention.detect(true);
        attention.watched(StreamRole::Main, false);
        assert_eq!((now(), attention.of_detect()), ((true, true), true));
        attention.watched(StreamRole::Sub, true);
        attention.detect(false);
        assert_eq!(now(), (true, false));
    }
}

//! How many sessions are opened at a device at a time.
//!
//! A recorder serves dozens of cameras at one address, and many answer one request after the other.
//! When a power cut ends, each of its cameras is asked for at once, and those at the end of the
//! queue would be taken for cameras that do not answer. So sessions at the same host and port are
//! opened a few at a time. One that takes long stops counting: a device that is off holds nobody
//! up for long.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, LazyLock, Weak},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};
use url::Url;

use crate::ingest::rtsp::protocol::control_url;

/// Sessions that are opened at a device at a time.
const AT_ONCE: usize = 4;
/// One that is not open by then stops counting.
const COUNTS_FOR: Duration = Duration::from_secs(2);

/// The devices at which sessions are being opened. One for the process: a device does not care which part of it asks.
static DOORS: LazyLock<Mutex<HashMap<String, Weak<Semaphore>>>> = LazyLock::new(Mutex::default);

/// Leave to open a session.
#[derive(Debug)]
pub(in crate::ingest::rtsp) struct Entry {
    permit: Option<OwnedSemaphorePermit>,
    until: Instant,
}

/// Waits until a session may be opened at the device of `url`, in order of asking.
pub(in crate::ingest::rtsp) async fn enter(url: &Url) -> Entry {
    let door = door(url);
    let permit = door.acquire_owned().await.ok();
    Entry {
        permit,
        until: Instant::now() + COUNTS_FOR,
    }
}

fn door(url: &Url) -> Arc<Semaphore> {
    let host = url.host_str().unwrap_or_default();
    let name = format!("{host}:{}", control_url::port(url));
    let mut doors = DOORS.lock();
    if let Some(door) = doors.get(&name).and_then(Weak::upgrade) {
        return door;
    }
    doors.retain(|_, door| door.strong_count() > 0);
    let door = Arc::new(Semaphore::new(AT_ONCE));
    doors.insert(name, Arc::downgrade(&door));
    door
}

impl Entry {
    /// Does a part of the opening.
    pub(in crate::ingest::rtsp) async fn with<F: Future>(&mut self, work: F) -> F::Output {
        tokio::pin!(work);
        if self.permit.is_some() {
            if let Ok(done) = timeout_at(self.until, &mut work).await {
                return done;
            }
            self.permit = None;
        }
        work.await
    }
}

#[cfg(test)]
#[allow(
    clippy::disallowed_methods,
    reason = "tasks of a test, which end with its runtime"
)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::time::{sleep, timeout};

    use super::*;

    fn url(host: &str) -> Url {
        format!("rtsp://{host}/cam").parse().unwrap()
    }

    /// A recorder that answers one request after the other: how many of `cameras` have no answer within five seconds.
    async fn unanswered(cameras: usize, door: bool) -> (usize, Duration) {
        let (recorder, late) = (Arc::new(Semaphore::new(1)), Arc::new(AtomicUsize::new(0)));
        let began = Instant::now();
        let all: Vec<_> = (0..cameras)
            .map(|_| {
                let (recorder, late) = (Arc::clone(&recorder), Arc::clone(&late));
                tokio::spawn(async move {
                    let url = url("192.0.2.1:8554");
                    let mut entry = if door { Some(enter(&url).await) } else { None };
                    for _request in 0..3 {
                        let request = async {
                            let _turn = recorder.acquire().await.unwrap();
                            sleep(Duration::from_millis(40)).await;
                        };
                        let answer = timeout(Duration::from_secs(5), request);
                        let answer = match &mut entry {
                            Some(entry) => entry.with(answer).await,
                            None => answer.await,
                        };
                        if answer.is_err() {
                            late.fetch_add(1, Ordering::Relaxed);
                            return;
                        }
                    }
                })
            })
            .collect();
        for one in all {
            one.await.unwrap();
        }
        (late.load(Ordering::Relaxed), began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_recorder_with_many_cameras_is_not_asked_for_all_at_once() {
        let (late, _) = unanswered(200, false).await;
        assert!(late > 50, "{late}: the test shows nothing");
        let (late, took) = unanswered(200, true).await;
        assert_eq!(late, 0);
        assert!(
            took < Duration::from_secs(25),
            "no slower than the recorder: {took:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn who_hangs_holds_nobody_up_for_long_and_another_device_is_another_door() {
        let began = Instant::now();
        let hung: Vec<_> = (0..8)
            .map(|_| {
                tokio::spawn(async {
                    let mut entry = enter(&url("192.0.2.2")).await;
                    entry.with(std::future::pending::<()>()).await;
                })
            })
            .collect();
        tokio::task::yield_now().await;
        enter(&url("192.0.2.3")).await;
        enter(&url("192.0.2.2:555")).await;
        assert_eq!(began.elapsed(), Duration::ZERO);
        // The default port, written out.
        let mut entry = enter(&url("192.0.2.2:554")).await;
        assert_eq!(began.elapsed(), COUNTS_FOR * 2);
        entry.with(std::future::ready(())).await;
        hung.iter().for_each(tokio::task::JoinHandle::abort);
        drop(entry);
        for one in hung {
            let _ = one.await;
        }
        enter(&url("192.0.2.4")).await;
        assert!(!DOORS.lock().contains_key("192.0.2.2:554"), "forgotten");
    }
}

//! Tells the service manager (systemd, `Type=notify`) that the agent is ready, alive, or stopping.
//!
//! In: heartbeats of the threads that nothing replaces (models, outbox workers). Out: states, which `sd-notify` sends to
//! the socket that `NOTIFY_SOCKET` names. While one of these threads hangs, or once the program has given itself up, no
//! `WATCHDOG=1` is sent, so that the manager ends and restarts the agent; what was flagged is on disk by then.

use std::{fmt, io, sync::Arc, time::Duration};

use sd_notify::NotifyState;
use tokio_util::sync::CancellationToken;

use crate::base::{heartbeat::Heartbeats, tasks::Tasks};

/// Sends one state.
type Send = dyn Fn(NotifyState<'_>) -> io::Result<()> + std::marker::Send + Sync;

/// The service manager.
pub(super) struct Manager {
    send: Box<Send>,
    /// Half of what it waits before it ends us; none where it has no watchdog.
    every: Option<Duration>,
}

impl fmt::Debug for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Manager(every {:?})", self.every)
    }
}

impl Manager {
    /// The manager that started us; none where nobody did.
    pub(super) fn from_environment() -> Option<Self> {
        let named = std::env::var_os("NOTIFY_SOCKET").is_some_and(|name| !name.is_empty());
        named.then(|| Self {
            send: Box::new(|state| sd_notify::notify(&[state])),
            every: sd_notify::watchdog_enabled()
                .filter(|wait| !wait.is_zero())
                .map(|wait| wait / 2),
        })
    }

    fn say(&self, state: NotifyState<'_>) {
        if let Err(error) = (self.send)(state) {
            tracing::debug!(%error, "the service manager cannot be reached");
        }
    }

    /// Everything is stopping in good order.
    pub(super) fn stopping(&self) {
        self.say(NotifyState::Stopping);
    }
}

/// Says that the agent is ready, and then that it is alive for as long as everybody is heard of and `fatal` is not
/// cancelled.
pub(super) fn spawn(tasks: &Tasks, manager: &Arc<Manager>, fatal: &CancellationToken) {
    let (manager, stop, fatal) = (manager.clone(), tasks.token().clone(), fatal.clone());
    let heartbeats = tasks.heartbeats().clone();
    manager.say(NotifyState::Ready);
    let Some(every) = manager.every else { return };
    tasks.spawn("watchdog", async move {
        let mut told = Vec::new();
        while !fatal.is_cancelled() {
            told = ping(&manager, &heartbeats, told);
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(every) => {}
            }
        }
    });
}

/// One sign of life, unless somebody is overdue; returns who was.
fn ping(manager: &Manager, heartbeats: &Heartbeats, told: Vec<String>) -> Vec<String> {
    let overdue = heartbeats.overdue();
    if overdue.is_empty() {
        manager.say(NotifyState::Watchdog);
    } else if overdue != told {
        tracing::error!(
            threads = overdue.join(", "),
            "threads unresponsive; the service manager will restart Lares"
        );
    }
    overdue
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    const SHORT: Duration = Duration::from_millis(50);
    const SOON: Duration = Duration::from_secs(5);

    /// A manager that waits for `2 * SHORT`, and what it hears.
    fn manager() -> (Arc<Manager>, Receiver<String>) {
        let (heard, hears) = channel();
        let send =
            move |state: NotifyState<'_>| heard.send(state.to_string()).map_err(io::Error::other);
        let manager = Manager {
            send: Box::new(send),
            every: Some(SHORT),
        };
        (Arc::new(manager), hears)
    }

    #[test]
    fn signs_of_life_stop_when_a_lane_hangs_and_go_on_when_it_moves() {
        let (manager, hears) = manager();
        let next = || hears.recv_timeout(SOON).unwrap();
        let silence = || {
            let deadline = std::time::Instant::now() + 2 * SOON;
            while hears.recv_timeout(10 * SHORT).is_ok() {
                assert!(std::time::Instant::now() < deadline, "the signs go on");
            }
        };
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let tasks = Tasks::new(runtime.handle().clone(), CancellationToken::new());
        let lane = tasks.child().heartbeats().expect("watch-door", 10 * SHORT);
        let fatal = CancellationToken::new();
        spawn(&tasks, &manager, &fatal);
        assert_eq!(next(), "READY=1");
        assert_eq!(next(), "WATCHDOG=1");
        assert_eq!(next(), "WATCHDOG=1");

        // The lane is silent: signs stop. What was on its way may still be read.
        silence();
        assert_eq!(tasks.heartbeats().overdue(), ["watch-door"]);
        lane.beat();
        assert_eq!(next(), "WATCHDOG=1");

        // The program has given itself up: signs stop for good.
        fatal.cancel();
        silence();
        manager.stopping();
        assert!(tasks.close(SOON).is_empty());
        assert_eq!(next(), "STOPPING=1");
    }
}

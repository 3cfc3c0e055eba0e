//! Tells the service manager (systemd, `Type=notify`) that the agent is ready, alive, or stopping.
//!
//! In: heartbeats of the threads that nothing replaces (models, outbox workers). Out: datagrams on the socket that
//! `NOTIFY_SOCKET` names. While one of them hangs, or once the program has given itself up, no `WATCHDOG=1` is sent, so
//! that the manager ends and restarts the agent; what was flagged is on disk by then.

use std::{
    io,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use crate::{
    base::{heartbeat::Heartbeats, tasks::Tasks},
    config::Environment,
};

/// The service manager.
#[derive(Debug)]
pub(super) struct Manager {
    socket: UnixDatagram,
    address: SocketAddr,
    /// Half of what it waits before it ends us; none where it has no watchdog.
    every: Option<Duration>,
}

impl Manager {
    /// The manager that started us; none where nobody did.
    ///
    /// # Errors
    /// When its socket cannot be used.
    pub(super) fn from_environment(environment: &Environment) -> io::Result<Option<Self>> {
        let Some(name) = environment
            .get("NOTIFY_SOCKET")
            .filter(|name| !name.is_empty())
        else {
            return Ok(None);
        };
        let address = match name.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(name)?,
        };
        let number = |key: &str| {
            environment
                .get(key)
                .and_then(|text| text.parse::<u64>().ok())
        };
        let for_us = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let every = number("WATCHDOG_USEC")
            .filter(|usec| for_us && *usec > 0)
            .map(|usec| Duration::from_micros(usec) / 2);
        Ok(Some(Self {
            socket: UnixDatagram::unbound()?,
            address,
            every,
        }))
    }

    fn say(&self, state: &str) {
        if let Err(error) = self.socket.send_to_addr(state.as_bytes(), &self.address) {
            tracing::debug!(%error, "the service manager cannot be reached");
        }
    }

    /// Everything is stopping in good order.
    pub(super) fn stopping(&self) {
        self.say("STOPPING=1");
    }
}

/// Says that the agent is ready, and then that it is alive for as long as everybody is heard of and `fatal` is not
/// cancelled.
pub(super) fn spawn(tasks: &Tasks, manager: &std::sync::Arc<Manager>, fatal: &CancellationToken) {
    let (manager, stop, fatal) = (manager.clone(), tasks.token().clone(), fatal.clone());
    let heartbeats = tasks.heartbeats().clone();
    manager.say("READY=1");
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
        manager.say("WATCHDOG=1");
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
    use std::sync::Arc;

    use super::*;

    const SHORT: Duration = Duration::from_millis(50);

    fn received(socket: &UnixDatagram) -> Option<String> {
        let mut buffer = [0; 64];
        let length = socket.recv(&mut buffer).ok()?;
        Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
    }

    fn environment(name: &str, pid: u32) -> Environment {
        Environment::from([
            ("NOTIFY_SOCKET".to_owned(), name.to_owned()),
            (
                "WATCHDOG_USEC".to_owned(),
                (2 * SHORT).as_micros().to_string(),
            ),
            ("WATCHDOG_PID".to_owned(), pid.to_string()),
        ])
    }

    #[test]
    fn signs_of_life_stop_when_a_lane_hangs_and_go_on_when_it_moves() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        let environment = environment(path.to_str().unwrap(), std::process::id());
        let manager = Arc::new(Manager::from_environment(&environment).unwrap().unwrap());
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let tasks = Tasks::new(runtime.handle().clone(), CancellationToken::new());
        let lane = tasks.child().heartbeats().expect("watch-door", 10 * SHORT);
        let fatal = CancellationToken::new();
        spawn(&tasks, &manager, &fatal);
        assert_eq!(received(&socket).as_deref(), Some("READY=1"));
        assert_eq!(received(&socket).as_deref(), Some("WATCHDOG=1"));
        assert_eq!(received(&socket).as_deref(), Some("WATCHDOG=1"));

        // The lane is silent: signs stop. What was on its way may still be read.
        socket.set_read_timeout(Some(10 * SHORT)).unwrap();
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        while received(&socket).is_some() {
            assert!(std::time::Instant::now() < deadline, "the signs go on");
        }
        assert_eq!(tasks.heartbeats().overdue(), ["watch-door"]);
        socket
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        lane.beat();
        assert_eq!(received(&socket).as_deref(), Some("WATCHDOG=1"));

        // The program has given itself up: signs stop for good.
        fatal.cancel();
        socket.set_read_timeout(Some(10 * SHORT)).unwrap();
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        while received(&socket).is_some() {
            assert!(std::time::Instant::now() < deadline, "the signs go on");
        }
        manager.stopping();
        assert!(tasks.close(Duration::from_secs(5)).is_empty());
        let rest: Vec<_> = std::iter::from_fn(|| {
            socket.set_read_timeout(Some(SHORT)).unwrap();
            received(&socket)
        })
        .collect();
        assert!(rest.contains(&"STOPPING=1".to_owned()), "{rest:?}");
    }

    #[test]
    fn abstract_sockets_are_reached_and_the_watchdog_of_others_is_left_alone() {
        let name = format!("lares-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        let environment = environment(&format!("@{name}"), std::process::id() + 1);
        let manager = Manager::from_environment(&environment).unwrap().unwrap();
        assert_eq!(manager.every, None);
        manager.stopping();
        assert_eq!(received(&socket).as_deref(), Some("STOPPING=1"));
        assert!(
            Manager::from_environment(&Environment::new())
                .unwrap()
                .is_none()
        );
    }
}

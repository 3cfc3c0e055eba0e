//! How the box is doing: put together from the board and the outbox, for `/healthz`, the broker and the log.

use std::time::Duration;

use crate::{
    base::tasks::Tasks,
    camera::Shared,
    flow::Problem,
    wire::{Health, health::CameraHealth},
};

/// How often the report is made anew.
const EVERY: Duration = Duration::from_secs(5);
/// The report is published at least this often, so that silence can be told from health.
const AT_LEAST: Duration = Duration::from_secs(24 * 3600);

/// The report of this moment.
pub(super) fn report(shared: &Shared) -> Health {
    let outbox = &shared.outbox;
    let board = shared.board.view();
    let sentence = |problem: Problem| format!("{}: {}", problem.message, problem.hint);
    let mut health = Health::new(
        outbox.site().clone(),
        shared.clock.wall(),
        shared.clock.state(),
        outbox.disk(),
    );
    health.ok = board.healthy();
    health.cameras = board
        .cameras
        .into_iter()
        .map(|(id, status)| CameraHealth {
            id,
            state: status.state.as_str().to_owned(),
            problem: status.problem.map(sentence),
        })
        .collect();
    match outbox.sink_health() {
        Ok(sinks) => {
            health.ok &= sinks.iter().all(|sink| sink.up);
            health.sinks = sinks;
        }
        Err(_) => health.ok = false,
    }
    if let Ok(budget) = outbox.budget() {
        health.budget = budget;
    }
    health.ledger = outbox.ledger_head().ok().flatten();
    health
}

/// What of a report is news: not its time, nor counts that move all the time.
fn news(health: &Health) -> (bool, Vec<CameraHealth>, Vec<(String, bool)>, bool) {
    let sinks = health
        .sinks
        .iter()
        .map(|sink| (sink.name.clone(), sink.up))
        .collect();
    let clock_good = health.clock == crate::flow::ClockState::Good;
    (health.ok, health.cameras.clone(), sinks, clock_good)
}

/// Publishes the report when something in it is news, and daily.
pub(super) fn spawn(tasks: &Tasks, shared: &Shared) {
    let (stop, shared) = (tasks.token().clone(), shared.clone());
    tasks.spawn("health", async move {
        let mut told = None;
        let mut since = shared.clock.now();
        loop {
            let health = report(&shared);
            let now = shared.clock.now();
            if told.as_ref() != Some(&news(&health)) || now.since(since) >= AT_LEAST {
                told = Some(news(&health));
                since = now;
                shared.live.health(&health);
            }
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = stop.cancelled() => return,
            }
        }
    });
}

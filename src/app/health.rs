//! How the box is doing: put together from the health registry, the outbox, the clock and the heartbeats, for `/healthz`, the broker,
//! the metrics and the log.
//!
//! In: states. Out: a report when asked, and messages: on news, when the ledger has come to rest at a new head, and at
//! least each `mqtt.health_interval`, with the time by which the next one comes.

use std::time::Duration;

use crate::{
    base::{
        health_registry::HealthView,
        heartbeat::Heartbeats,
        tasks::Tasks,
        telemetry::{PeriodLabel, SinkLabel},
    },
    camera::Shared,
    flow::{ClockState, MediaTime, Problem, WallTime},
    wire::{
        Health,
        health::{CameraHealth, LedgerHead},
    },
};

/// How often the report is renewed.
const EVERY: Duration = Duration::from_secs(5);
/// A new head is told at the latest after this long, though there is still something to send.
const HEAD_AT_LATEST: Duration = Duration::from_secs(60);
/// The next report may be this much later than planned before somebody worries: a share of the interval, and a time.
const LATE_SHARE: u32 = 10;
const LATE: Duration = Duration::from_secs(30);

/// The report of this moment; the metrics say the same.
pub(super) fn report(shared: &Shared, heartbeats: &Heartbeats) -> Health {
    let outbox = &shared.outbox;
    let mut view = shared.health_registry.view();
    let sentence = |problem: Problem| format!("{}: {}", problem.message, problem.hint);
    let mut health = Health::new(
        outbox.site().clone(),
        shared.clock.wall(),
        shared.clock.state(),
        outbox.disk(),
    );
    let (stalled, hanging) = (heartbeats.overdue(), heartbeats.hanging());
    health.problems = problems(health.clock, outbox.disk_problem(), &stalled, &hanging);
    health.problems.extend(outbox.ageing_problems());
    health
        .problems
        .extend(view.troubles.values().flatten().cloned());
    health.problems.extend(part_problems(&view));
    health.ok = view.healthy() && health.problems.is_empty();
    health.cameras = std::mem::take(&mut view.cameras)
        .into_iter()
        .map(|(id, status)| CameraHealth {
            name: view.names.remove(&id),
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
        Err(error) => {
            health.ok = false;
            health.problems.push(error.to_string());
        }
    }
    if let Ok(budget) = outbox.budget() {
        health.budget = budget;
    }
    health.ledger = outbox.ledger_head().ok().flatten();
    measure(shared, &health, stalled.len() + hanging.len());
    health
}

/// One sentence for each thing that is wrong beside cameras and sinks.
fn problems(
    clock: ClockState,
    disk: Option<&str>,
    stalled: &[String],
    hanging: &[String],
) -> Vec<String> {
    let mut problems: Vec<String> = disk.map(str::to_owned).into_iter().collect();
    if clock != ClockState::Good {
        problems.push(
            "the clock is not known to be right: let the box synchronise it (NTP)".to_owned(),
        );
    }
    problems.extend(stalled.iter().map(|name| {
        format!("the thread {name} has not been heard of for too long: restart Lares, and report this with the log")
    }));
    problems.extend(hanging.iter().map(|work| {
        format!("hangs: {work}; its camera is started again, and another thread does the work: report this with the log")
    }));
    problems
}

/// What is wrong with the disk or another part. The hint alone: the message names what was tried last, and would be news each time.
fn part_problems(view: &HealthView) -> impl Iterator<Item = String> {
    let problems = view.parts.values().filter_map(|part| part.problem.as_ref());
    problems.map(|problem| problem.hint.clone())
}

fn measure(shared: &Shared, health: &Health, stalled: usize) {
    let metrics = &shared.metrics;
    metrics.healthy.set(i64::from(health.ok));
    metrics
        .clock_good
        .set(i64::from(health.clock == ClockState::Good));
    metrics
        .stalled
        .set(i64::try_from(stalled).unwrap_or(i64::MAX));
    metrics
        .stored_bytes
        .set(i64::try_from(health.disk.stored).unwrap_or(i64::MAX));
    metrics
        .budget_held
        .set(i64::try_from(health.budget.held).unwrap_or(i64::MAX));
    for (period, allowance) in [("day", health.budget.day), ("month", health.budget.month)] {
        let Some(allowance) = allowance else { continue };
        let label = PeriodLabel { period };
        let bytes = |bytes| i64::try_from(bytes).unwrap_or(i64::MAX);
        let spent = metrics.budget_spent.get_or_create(&label);
        spent.set(bytes(allowance.spent));
        let limit = metrics.budget_limit.get_or_create(&label);
        limit.set(bytes(allowance.limit));
    }
    for sink in &health.sinks {
        // Labels are static.
        if let Some(sink_label) = shared.outbox.sink_label(&sink.name) {
            let gauge = metrics
                .sink_up
                .get_or_create(&SinkLabel { sink: sink_label });
            gauge.set(i64::from(sink.up));
        }
    }
}

/// What of a report is news: not its time, nor counts that move all the time.
type News = (bool, Vec<CameraHealth>, Vec<(String, bool)>, Vec<String>);

fn news(health: &Health) -> News {
    let sinks = health
        .sinks
        .iter()
        .map(|sink| (sink.name.clone(), sink.up))
        .collect();
    let cameras = health.cameras.clone();
    (health.ok, cameras, sinks, health.problems.clone())
}

/// What the receivers of reports know, and since when there is more to tell.
#[derive(Default)]
struct Told {
    news: Option<News>,
    at: MediaTime,
    head: Option<LedgerHead>,
    /// When the ledger was first seen to have a newer head.
    moved: Option<MediaTime>,
}

impl Told {
    /// Whether `health` is to be told now.
    fn due(&mut self, health: &Health, now: MediaTime, every: Duration) -> bool {
        if health.ledger == self.head {
            self.moved = None;
        }
        let head = health.ledger != self.head && {
            let moved = *self.moved.get_or_insert(now);
            let at_rest = health.sinks.iter().all(|sink| sink.waiting == 0);
            at_rest || now.since(moved) >= HEAD_AT_LATEST
        };
        head || self.news.as_ref() != Some(&news(health)) || now.since(self.at) >= every
    }

    fn tell(&mut self, health: &Health, now: MediaTime) {
        *self = Self {
            news: Some(news(health)),
            at: now,
            head: health.ledger.clone(),
            moved: None,
        };
    }
}

/// The next report comes within this time, or the box is in trouble.
pub(super) fn silent_after(every: Duration) -> Duration {
    every + (every / LATE_SHARE).max(LATE)
}

/// When the report after that of `at` comes at the latest.
fn next_by(at: WallTime, every: Duration) -> WallTime {
    let late = silent_after(every);
    let late = i64::try_from(late.as_millis()).unwrap_or(i64::MAX);
    WallTime(at.0.saturating_add(late))
}

/// Publishes the report when it is due.
pub(super) fn spawn(tasks: &Tasks, shared: &Shared, every: Duration) {
    let (stop, shared) = (tasks.token().clone(), shared.clone());
    let heartbeats = tasks.heartbeats().clone();
    tasks.spawn("health", async move {
        let mut told = Told::default();
        loop {
            let mut health = report(&shared, &heartbeats);
            let now = shared.clock.now();
            if told.due(&health, now, every) {
                if health.ledger != told.head
                    && let Some(head) = &health.ledger
                {
                    shared.outbox.keep_head(head);
                }
                told.tell(&health, now);
                health.next_by = Some(next_by(health.at, every));
                shared.live.health(&health);
            }
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = stop.cancelled() => return,
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::health_registry::HealthRegistry;
    use crate::wire::health::{DiskHealth, SinkHealth};

    const HOUR: Duration = Duration::from_secs(3600);

    fn health(head: u64, waiting: u64) -> Health {
        let disk = DiskHealth {
            stored: 0,
            quota: 1,
            free: 1,
        };
        let site = "home".parse().unwrap();
        let mut health = Health::new(site, WallTime(0), ClockState::Good, disk);
        health.sinks.push(SinkHealth {
            name: "mqtt".to_owned(),
            up: true,
            waiting,
            parked: 0,
            problem: None,
        });
        health.ledger = Some(LedgerHead {
            n: head,
            hash: head.to_string(),
        });
        health
    }

    #[test]
    fn what_makes_a_box_unwell_is_named_and_what_was_tried_last_is_no_news() {
        let health_registry = HealthRegistry::new();
        let told = |segment: u32| {
            let problem = Problem {
                message: format!("{segment:05}.m4s cannot be written"),
                hint: "free some space".to_owned(),
            };
            health_registry.part("disk", Some(problem));
            part_problems(&health_registry.view()).collect::<Vec<_>>()
        };
        assert_eq!(told(1), ["free some space"]);
        assert_eq!(told(1), told(2));
        health_registry.part("disk", None);
        assert_eq!(part_problems(&health_registry.view()).count(), 0);
    }

    #[test]
    fn a_report_is_due_on_news_at_rest_and_in_time() {
        let at = MediaTime::from_secs_f64;
        let mut told = Told::default();
        assert!(told.due(&health(1, 0), at(0.0), HOUR), "the first");
        told.tell(&health(1, 0), at(0.0));
        assert!(!told.due(&health(1, 3), at(5.0), HOUR), "nothing new");
        assert!(
            !told.due(&health(2, 3), at(10.0), HOUR),
            "an incident is on its way"
        );
        assert!(told.due(&health(9, 0), at(15.0), HOUR), "it has left");
        told.tell(&health(9, 0), at(15.0));
        assert!(!told.due(&health(10, 1), at(20.0), HOUR));
        assert!(
            told.due(&health(12, 1), at(80.0), HOUR),
            "it takes too long to leave"
        );
        told.tell(&health(12, 1), at(80.0));
        let mut ill = health(12, 1);
        ill.problems = problems(ClockState::Unsure, None, &[], &[]);
        assert!(told.due(&ill, at(81.0), HOUR), "news");
        assert!(!told.due(&health(12, 1), at(81.0), HOUR));
        assert!(
            told.due(&health(12, 1), at(3681.0), HOUR),
            "silence would worry"
        );
    }

    #[test]
    fn the_next_report_has_some_time_to_be_late() {
        assert_eq!(next_by(WallTime(0), HOUR), WallTime(3_960_000));
        assert_eq!(
            next_by(WallTime(0), Duration::from_secs(10)),
            WallTime(40_000)
        );
    }

    #[test]
    fn each_fault_has_its_sentence() {
        let (stalled, hanging) = ("person model", "detect of camera door");
        let found = problems(
            ClockState::Unsure,
            Some("full"),
            &[stalled.to_owned()],
            &[hanging.to_owned()],
        );
        assert_eq!(found.len(), 4);
        assert!(found[2].contains(stalled), "{found:?}");
        assert!(
            found[3].starts_with("hangs: detect of camera door"),
            "{found:?}"
        );
        assert!(problems(ClockState::Good, None, &[], &[]).is_empty());
    }
}

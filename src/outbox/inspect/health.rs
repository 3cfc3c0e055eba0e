//! How the outbox is doing, for the health report: what the data plan allows, how each receiver is, and the disk.
//!
//! In: the database, the receivers, the file system. Out: parts of [`crate::wire::Health`]. Changes nothing.

use std::sync::atomic::Ordering;

use crate::outbox::{Outbox, OutboxError, budget, ledger, view};
use crate::{
    base::reserve,
    flow::WallTime,
    wire::health::{Allowance, BudgetHealth, DiskHealth, SinkHealth},
};

impl Outbox {
    /// What has left lately.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn budget(&self) -> Result<BudgetHealth, OutboxError> {
        const DAY_MS: i64 = 86_400_000;
        let now = self.clock.wall().0;
        let (last_day, last_30_days) = self.read(|db| {
            Ok((
                ledger::bytes_since(db, WallTime(now - DAY_MS))?,
                ledger::bytes_since(db, WallTime(now - 30 * DAY_MS))?,
            ))
        })?;
        let budget = self.budget_now()?;
        let allowance = |period: budget::Period| Allowance {
            limit: period.limit,
            spent: period.spent.total(),
            text: period.spent.of(budget::TrafficClass::Text),
            ends: period.ends,
        };
        let held = {
            let state = self.state.lock();
            let free = !self.metered.load(Ordering::Relaxed);
            state
                .objects
                .held(|head| free || state.spending.may_leave(head, WallTime(now)))
        };
        Ok(BudgetHealth {
            last_day,
            last_30_days,
            rung: budget.limited().then(|| budget.level(WallTime(now))),
            forecast: budget.forecast(WallTime(now)),
            day: budget.day.map(allowance),
            month: budget.month.map(allowance),
            held: held as u64,
        })
    }

    /// How each sink is doing.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn sink_health(&self) -> Result<Vec<SinkHealth>, OutboxError> {
        let sinks = self.sinks.lock().clone();
        sinks
            .iter()
            .map(|sink| {
                let (waiting, parked) = self
                    .read(|db| Ok((view::waiting_for(db, &**sink)?, view::parked(db, &**sink)?)))?;
                let problem = sink.problem();
                Ok(SinkHealth {
                    name: sink.name().to_owned(),
                    up: problem.is_none(),
                    waiting,
                    parked,
                    problem,
                })
            })
            .collect()
    }

    /// The name of a receiver of this run, as metrics need it.
    #[must_use]
    pub fn sink_label(&self, name: &str) -> Option<&'static str> {
        let sinks = self.sinks.lock();
        let mut names = sinks.iter().map(|sink| sink.name());
        names.find(|known| *known == name)
    }

    /// The data disk.
    #[must_use]
    pub fn disk(&self) -> DiskHealth {
        DiskHealth {
            stored: self.state.lock().stored.all(),
            quota: self.settings.quota.0,
            free: reserve::free_bytes(&self.dir),
        }
    }
}

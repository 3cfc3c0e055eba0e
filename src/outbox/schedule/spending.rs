//! What has been spent of the data plan, day by day, and what the household's visits ask for.
//!
//! In: what is about to leave, and what did not after all. Out: the [`Budget`] of the moment. Objects and alerts are reserved before they
//! leave, so that a power cut never makes the plan forget them; of live values it forgets those of a few minutes. Days and months are those
//! of the box's time zone.

use std::collections::BTreeSet;

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use rusqlite::{Connection, params};

use crate::outbox::{
    Fail, Held, Outbox, OutboxError, State, Tx,
    budget::{Budget, ClassBytes, Needs, Period, TrafficClass},
    queue::QueueHead,
};
use crate::{
    config::BudgetConfig,
    flow::{IncidentId, Rendition, WallTime},
};

/// How often the needs are estimated again, in milliseconds.
const LOOK_EVERY_MS: i64 = 10 * 60 * 1000;
const DAY_MS: i64 = 86_400_000;
/// A try that got nowhere: packets that ask for a connection, or hear that there is none.
const IN_VAIN: u64 = 300;
/// Before this much of a day has gone, it says little about the rest.
const EARLY_MS: i64 = DAY_MS / 8;
/// Days that tell what is to be expected.
const HISTORY_DAYS: i64 = 7;

/// The budget as it was last read, and for how long that holds.
#[derive(Debug, Default)]
pub(in crate::outbox) struct Spending {
    budget: Budget,
    /// The day on which spending is counted.
    today: Date,
    valid: std::ops::Range<i64>,
    /// Small things that are not worth a write of their own.
    unreserved: ClassBytes,
    /// Clips that could not begin for want of room.
    pub(in crate::outbox) held: BTreeSet<(IncidentId, Rendition)>,
}

/// Instants between which `first` to `last` lie, and nothing else.
fn bounds(first: Date, next: Date, zone: &TimeZone) -> (WallTime, WallTime) {
    let at = |date: Date| {
        // Where a day begins in a gap of the clock, it begins with the first minute that there is.
        let start = date.to_zoned_datetime(zone.clone());
        WallTime(start.map_or(0, |zoned| zoned.timestamp().as_millisecond()))
    };
    (at(first), at(next))
}

fn next_day(date: Date) -> Date {
    date.tomorrow().unwrap_or(date)
}

/// First day of the plan's month that holds `date`, and of the next one.
fn month_of(date: Date, starts: i8) -> (Date, Date) {
    let this = Date::new(date.year(), date.month(), starts).unwrap_or(date);
    let first = if date.day() < starts {
        this.checked_sub(1.month()).unwrap_or(this)
    } else {
        this
    };
    (first, first.checked_add(1.month()).unwrap_or(first))
}

fn spent_between(db: &Connection, first: Date, next: Date) -> rusqlite::Result<ClassBytes> {
    let mut bytes = ClassBytes::default();
    let mut select = db.prepare_cached(
        "SELECT use, sum(bytes) FROM spent WHERE day >= ?1 AND day < ?2 GROUP BY use",
    )?;
    let mut rows = select.query([first.to_string(), next.to_string()])?;
    while let Some(row) = rows.next()? {
        if let Some(what) = TrafficClass::from_code(row.get(0)?) {
            bytes.add(what, row.get::<_, i64>(1)? as u64);
        }
    }
    Ok(bytes)
}

/// What the visits of the last days asked for, whether or not it could leave: of each kind the busiest day. Today counts with what
/// it will be if it goes on like this.
fn needs(db: &Connection, today: WallTime, now: WallTime) -> rusqlite::Result<Needs> {
    let gone = (now.0 - today.0).clamp(EARLY_MS, DAY_MS) as f64 / DAY_MS as f64;
    let mut select = db.prepare_cached(
        "SELECT (?1 - created_ms + ?2 - 1) / ?2,
                sum(bytes) FILTER (WHERE kind IN ('thumb', 'crop')),
                sum(bytes) FILTER (WHERE rendition = 'sub' AND (kind = 'init' OR number = 1)),
                sum(bytes) FILTER (WHERE rendition = 'sub' AND kind = 'media' AND number > 1)
         FROM objects WHERE created_ms >= ?1 - ?2 * ?3 GROUP BY 1",
    )?;
    let mut rows = select.query(params![today.0, DAY_MS, HISTORY_DAYS])?;
    let mut needs = Needs::default();
    while let Some(row) = rows.next()? {
        let is_today = row.get::<_, i64>(0)? <= 0;
        let bytes = |at| {
            let bytes = row.get::<_, Option<i64>>(at)?.unwrap_or(0) as f64;
            let whole_day = if is_today { bytes / gone } else { bytes };
            Ok::<_, rusqlite::Error>(whole_day as u64)
        };
        needs.stills = needs.stills.max(bytes(1)?);
        needs.firsts = needs.firsts.max(bytes(2)?);
        needs.rests = needs.rests.max(bytes(3)?);
        needs.known |= !is_today;
    }
    Ok(needs)
}

impl Spending {
    /// Reads the budget again when a day has ended, the clock has been set, or it was read some time ago.
    pub(in crate::outbox) fn read(
        &mut self,
        db: &Connection,
        config: &BudgetConfig,
        zone: &TimeZone,
        now: WallTime,
    ) -> rusqlite::Result<()> {
        if self.valid.contains(&now.0) || !config.limited() {
            return Ok(());
        }
        let instant = Timestamp::from_millisecond(now.0).unwrap_or_default();
        let today = instant.to_zoned_datetime(zone.clone()).date();
        let period = |limit: u64, first: Date, next: Date| {
            let (starts, ends) = bounds(first, next, zone);
            Ok::<_, rusqlite::Error>(Period {
                limit,
                starts,
                ends,
                spent: spent_between(db, first, next)?,
            })
        };
        let (first, next) = month_of(today, config.month_starts);
        let (starts, ends) = bounds(today, next_day(today), zone);
        self.budget = Budget {
            day: config
                .per_day
                .map(|limit| period(limit.0, today, next_day(today)))
                .transpose()?,
            month: config
                .per_month
                .map(|limit| period(limit.0, first, next))
                .transpose()?,
            needs: needs(db, starts, now)?,
        };
        for what in TrafficClass::ALL {
            self.budget.spend(what, self.unreserved.of(what));
        }
        self.today = today;
        self.valid = now.0..ends.0.min(now.0 + LOOK_EVERY_MS);
        Ok(())
    }

    /// Whether the head of a lane may leave now.
    pub(in crate::outbox) fn may_leave(&self, head: &QueueHead, now: WallTime) -> bool {
        let cost = on_the_wire(head.what, head.bytes);
        self.budget.allows(head.what, cost, head.asked, now)
    }
}

impl Outbox {
    /// Brings the budget of the moment up to date.
    pub(in crate::outbox) fn refresh_budget(&self, state: &mut State) -> Result<(), OutboxError> {
        let State { db, spending, .. } = state;
        spending
            .read(db, &self.settings.budget, &self.zone, self.clock.wall())
            .map_err(|error| Fail::Sql(error).at(&self.dir))
    }

    /// The budget of the moment.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn budget_now(&self) -> Result<Budget, OutboxError> {
        let mut state = self.state.lock();
        self.refresh_budget(&mut state)?;
        Ok(state.spending.budget.clone())
    }

    /// Whether `bytes` of the moment's state (not an object, not an alert) may leave for `what`; counts them if so.
    pub(in crate::outbox) fn book_live(&self, what: TrafficClass, bytes: u64) -> bool {
        if !self.settings.budget.limited() {
            return true;
        }
        let now = self.clock.wall();
        let mut state = self.state.lock();
        // A database that cannot be read is told elsewhere; what was last known still holds.
        let _ = self.refresh_budget(&mut state);
        let allowed = state.spending.budget.allows(what, bytes, false, now);
        if allowed {
            state.spending.budget.spend(what, bytes);
            state.spending.unreserved.add(what, bytes);
        }
        allowed
    }

    /// Books what is about to leave, with the small things since the last time, before it leaves. Returns what was booked
    /// for it: 0 where nothing is limited.
    pub(in crate::outbox) fn reserve(
        &self,
        state: &mut Held<'_>,
        what: TrafficClass,
        bytes: u64,
    ) -> Result<u64, OutboxError> {
        if !self.settings.budget.limited() {
            return Ok(0);
        }
        self.refresh_budget(state)?;
        let cost = on_the_wire(what, bytes);
        state.spending.unreserved.add(what, cost);
        state.spending.budget.spend(what, cost);
        let reserved = self.reserve_small(state);
        if reserved.is_err() {
            state.spending.unreserved.take(what, cost);
            state.spending.budget.give_back(what, cost);
        }
        reserved.map(|()| cost)
    }

    /// Books the small things since the last time.
    pub(in crate::outbox) fn reserve_small(&self, state: &mut Held<'_>) -> Result<(), OutboxError> {
        let day = state.spending.today;
        // Taken before it is written, as others may spend, and book, while room is made for the row.
        let small = std::mem::take(&mut state.spending.unreserved);
        if small == ClassBytes::default() {
            return Ok(());
        }
        let reserved = self.write_in(state, |tx| {
            for what in TrafficClass::ALL {
                tx.add_spending(day, what, small.of(what) as i64)?;
            }
            Ok(())
        });
        if reserved.is_err() {
            for what in TrafficClass::ALL {
                state.spending.unreserved.add(what, small.of(what));
            }
        }
        reserved
    }

    /// Gives back what did not leave after all: of what was `reserved`, all but `sent` bytes of content and what went with them. Where
    /// not one was sent there was hardly a connection.
    pub(in crate::outbox) fn refund(
        &self,
        state: &mut Held<'_>,
        what: TrafficClass,
        reserved: u64,
        sent: u64,
    ) -> Result<(), OutboxError> {
        let gone = if sent == 0 {
            IN_VAIN
        } else {
            on_the_wire(what, sent)
        };
        let back = reserved.saturating_sub(gone);
        if back == 0 {
            return Ok(());
        }
        self.refresh_budget(state)?;
        let day = state.spending.today;
        self.write_in(state, |tx| tx.add_spending(day, what, -(back as i64)))?;
        state.spending.budget.give_back(what, back);
        Ok(())
    }
}

impl Tx<'_> {
    fn add_spending(&self, day: Date, what: TrafficClass, bytes: i64) -> Result<(), Fail> {
        if bytes == 0 {
            return Ok(());
        }
        self.db
            .prepare_cached(
                "INSERT INTO spent (day, use, bytes) VALUES (?1, ?2, max(?3, 0))
                 ON CONFLICT (day, use) DO UPDATE SET bytes = max(bytes + ?3, 0)",
            )?
            .execute(params![day.to_string(), what.code(), bytes])?;
        Ok(())
    }
}

/// Bytes on the wire for a payload: what HTTP or MQTT, TLS, TCP and IP add for each thing and for each packet, both ways.
fn on_the_wire(what: TrafficClass, payload: u64) -> u64 {
    /// An alert: topic, properties, PUBACK, acknowledgements.
    const EACH_TEXT: u64 = 300;
    /// An object: head of a signed request, its answer, acknowledgements.
    const EACH_OBJECT: u64 = 1_400;
    /// Payload of a packet, and what goes with it: headers of IP, TCP and TLS, and half an acknowledgement.
    const PACKET: u64 = 1_400;
    const WITH_EACH_PACKET: u64 = 70;
    let each = match what {
        TrafficClass::Text => EACH_TEXT,
        _ => EACH_OBJECT,
    };
    payload + each + payload.div_ceil(PACKET) * WITH_EACH_PACKET
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn months_begin_on_the_plans_day() {
        for (day, starts, first, next) in [
            ("2026-11-26", 1, "2026-11-01", "2026-12-01"),
            ("2026-11-26", 26, "2026-11-26", "2026-12-26"),
            ("2026-11-25", 26, "2026-10-26", "2026-11-26"),
            ("2027-01-03", 15, "2026-12-15", "2027-01-15"),
        ] {
            assert_eq!(
                month_of(date(day), starts),
                (date(first), date(next)),
                "{day}"
            );
        }
    }

    #[test]
    fn days_are_those_of_the_time_zone() {
        let paris = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let hours = |day: &str| {
            let day = date(day);
            let (starts, ends) = bounds(day, next_day(day), &paris);
            (ends.0 - starts.0) / 3_600_000
        };
        assert_eq!(
            (
                hours("2026-11-26"),
                hours("2026-03-29"),
                hours("2026-10-25")
            ),
            (24, 23, 25)
        );
    }
}

//! The outbox as people and counters see it.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use rusqlite::Connection;
use sha2::{Digest, Sha256};

use crate::outbox::{
    Fail, Outbox, OutboxError, alerts, incidents, ledger,
    queue::{Lane, LaneKey},
    sinks::{Sink, Takes},
    spending::Spending,
    store, uploads,
};
use crate::{
    base::{
        clock::{Clock, SystemClock},
        zone,
    },
    config::BudgetConfig,
    flow::{IncidentId, WallTime},
};

/// One line of `lares outbox ls`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Whose.
    pub incident: IncidentId,
    /// Start of the incident.
    pub start: WallTime,
    /// `alert SEQ`, or the object's key.
    pub what: String,
    /// For which receiver.
    pub to: String,
    /// Payload bytes; 0 for what is composed when it leaves.
    pub bytes: u64,
    /// It was refused, and waits for a person.
    pub parked: bool,
    /// The data plan holds it back.
    pub held: bool,
    /// Tries so far.
    pub attempts: u32,
    /// What went wrong last.
    pub problem: Option<String>,
}

/// Sums over the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Incidents.
    pub incidents: u64,
    /// Alerts.
    pub alerts: u64,
    /// Segments.
    pub segments: u64,
    /// Segments delivered.
    pub segments_delivered: u64,
    /// Bytes that would leave the house if every row left once: alerts, pictures, headers and segments.
    pub upload_bytes: u64,
}

fn open(dir: &Path) -> Result<Connection, OutboxError> {
    let path = dir.join(store::FILE);
    if !path.is_file() {
        let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
        return Err(OutboxError::file(&path, "opened", missing));
    }
    store::open(dir)
}

/// What waits and what is parked in the outbox in `dir`, oldest incident first. May be called while an agent runs.
///
/// # Errors
/// When there is no outbox or it cannot be read.
pub fn list(dir: &Path, budget: &BudgetConfig) -> Result<Vec<Listed>, OutboxError> {
    let db = open(dir)?;
    let wall = SystemClock::start().wall();
    let mut spending = Spending::default();
    let mut read = || {
        spending.read(&db, budget, &zone::house().zone, wall)?;
        let mut select = db.prepare(
            "SELECT i.id, i.start_ms, 'alert ' || d.seq, 0, d.waiting, d.attempts, d.problem, d.seq, NULL, d.sink, 0 AS kind
             FROM alert_delivery d JOIN incidents i ON i.id = d.incident
             WHERE d.waiting = 1 OR (d.problem IS NOT NULL AND d.delivered_ms IS NULL)
             UNION ALL
             SELECT i.id, i.start_ms, o.key, o.bytes, o.waiting, o.attempts, o.problem, o.id, o.lane, 'upload', 1
             FROM objects o JOIN incidents i ON i.id = o.incident WHERE o.waiting = 1 OR o.problem IS NOT NULL
             ORDER BY 2, 1, 11, 8, 10",
        )?;
        let mut rows = select.query([])?;
        let mut listed = Vec::new();
        while let Some(row) = rows.next()? {
            let Ok(incident) = row.get::<_, String>(0)?.parse() else {
                continue;
            };
            let parked = !row.get::<_, bool>(4)?;
            let lane = row.get::<_, Option<i64>>(8)?.and_then(Lane::from_code);
            let front = match lane.filter(|_| !parked) {
                Some(lane) => uploads::head(&db, LaneKey { incident, lane })?,
                None => None,
            };
            listed.push(Listed {
                incident,
                start: WallTime(row.get(1)?),
                what: row.get(2)?,
                to: row.get(9)?,
                bytes: row.get::<_, i64>(3)? as u64,
                parked,
                held: front.is_some_and(|head| !spending.may_leave(&head, wall)),
                attempts: row.get(5)?,
                problem: row.get(6)?,
            });
        }
        Ok(listed)
    };
    read().map_err(|fail: Fail| fail.at(dir))
}

/// What was refused is tried again; of one incident, what the data plan holds back leaves before what nobody has asked for.
const RETRY_OBJECTS: &str = "UPDATE objects SET waiting = 1, problem = NULL, asked = (?1 IS NOT NULL)
    WHERE gone = 0 AND (?1 IS NULL OR incident = ?1 OR id IN (SELECT object FROM clip_uses WHERE incident = ?1))
      AND ((waiting = 0 AND problem IS NOT NULL) OR (waiting = 1 AND asked = 0 AND ?1 IS NOT NULL))";
const RETRY_ALERTS: &str = "UPDATE alert_delivery SET waiting = 1, problem = NULL
    WHERE waiting = 0 AND problem IS NOT NULL AND (?1 IS NULL OR incident = ?1)";

fn retry_in(db: &Connection, incident: Option<IncidentId>) -> rusqlite::Result<u64> {
    let incident = incident.map(|id| id.to_string());
    let objects = db.execute(RETRY_OBJECTS, [&incident])?;
    let alerts = db.execute(RETRY_ALERTS, [&incident])?;
    // Receivers were told that no more would come.
    db.execute(
        "UPDATE incidents SET told = 1 WHERE told = 2 AND EXISTS (
             SELECT 1 FROM clip_uses u JOIN objects o ON o.id = u.object
             WHERE u.incident = incidents.id AND o.waiting = 1)",
        [],
    )?;
    Ok((objects + alerts) as u64)
}

/// Puts what is parked back among what waits: of one incident, or of all. A running agent notices within seconds.
///
/// # Errors
/// When there is no outbox, it cannot be written, or it does not know the incident.
pub fn retry(dir: &Path, incident: Option<IncidentId>) -> Result<u64, OutboxError> {
    let db = open(dir)?;
    if let Some(incident) = incident {
        incidents::known(&db, incident).map_err(|error| error.at(dir))?;
    }
    retry_in(&db, incident).map_err(|error| Fail::Sql(error).at(dir))
}

/// Checks the ledger in `dir`; the number of the first record that does not fit, if any.
///
/// # Errors
/// When there is no outbox or it cannot be read.
pub fn verify_ledger(dir: &Path) -> Result<Option<i64>, OutboxError> {
    let db = open(dir)?;
    ledger::verify::first_broken(&db).map_err(|error| Fail::Sql(error).at(dir))
}

/// The database in `dir`, for reading its ledger. May be called while an agent runs.
///
/// # Errors
/// When there is no outbox or it cannot be read.
pub(crate) fn open_ledger(dir: &Path) -> Result<Connection, OutboxError> {
    open(dir)
}

/// What a check of the outbox found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checked {
    /// Rows of files that were compared with what lies on disk.
    pub files: u64,
    /// What does not fit, one sentence each.
    pub problems: Vec<String>,
}

/// Checks the whole of the outbox in `dir`: the database page by page, the ledger, and each file that is still to leave.
///
/// # Errors
/// When there is no outbox or it cannot be read.
pub fn check(dir: &Path) -> Result<Checked, OutboxError> {
    let db = open(dir)?;
    let read = || -> Result<Checked, Fail> {
        let mut checked = Checked::default();
        for pragma in ["PRAGMA integrity_check", "PRAGMA foreign_key_check"] {
            let mut select = db.prepare(pragma)?;
            let mut rows = select.query([])?;
            while let Some(row) = rows.next()? {
                match row.get::<_, String>(0)?.as_str() {
                    "ok" => {}
                    detail => checked.problems.push(format!("{pragma}: {detail}")),
                }
            }
        }
        if let Some(record) = ledger::verify::first_broken(&db)? {
            let problem = format!("record {record} of the ledger does not fit the one before");
            checked.problems.push(problem);
        }
        let mut select = db.prepare(
            "SELECT key, sha256 FROM objects WHERE waiting = 1 AND gone = 0 AND sha256 IS NOT NULL",
        )?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let (key, sum): (String, [u8; 32]) = (row.get(0)?, row.get(1)?);
            checked.files += 1;
            match std::fs::read(dir.join("objects").join(&key)) {
                Ok(bytes) if <[u8; 32]>::from(Sha256::digest(&bytes)) == sum => {}
                Ok(_) => checked
                    .problems
                    .push(format!("{key} is not what was entered")),
                Err(error) => {
                    let problem = format!("{key} cannot be read ({error})");
                    checked.problems.push(problem);
                }
            }
        }
        Ok(checked)
    };
    read().map_err(|fail| fail.at(dir))
}

/// Rows that wait for sinks of that kind. What waits for a receiver that is not set up any more does not count.
pub(in crate::outbox) fn waiting(db: &Connection, takes: Takes) -> Result<u64, Fail> {
    let query = match takes {
        Takes::Alerts => {
            "SELECT count(*) FROM alert_delivery WHERE waiting = 1 AND sink IN (SELECT name FROM alert_sinks)"
        }
        Takes::Objects => "SELECT count(*) FROM objects WHERE waiting = 1",
    };
    let count: i64 = db.prepare_cached(query)?.query_row([], |row| row.get(0))?;
    Ok(count as u64)
}

/// Rows that wait for a sink.
pub(in crate::outbox) fn waiting_for(db: &Connection, sink: &dyn Sink) -> Result<u64, Fail> {
    of_sink(db, sink, "waiting = 1")
}

/// Rows that a sink refused.
pub(in crate::outbox) fn parked(db: &Connection, sink: &dyn Sink) -> Result<u64, Fail> {
    of_sink(db, sink, "waiting = 0 AND problem IS NOT NULL")
}

fn of_sink(db: &Connection, sink: &dyn Sink, which: &str) -> Result<u64, Fail> {
    let count: i64 = match sink.takes() {
        Takes::Alerts => db
            .prepare_cached(&format!(
                "SELECT count(*) FROM alert_delivery WHERE sink = ?1 AND {which}"
            ))?
            .query_row([sink.name()], |row| row.get(0))?,
        Takes::Objects => db
            .prepare_cached(&format!("SELECT count(*) FROM objects WHERE {which}"))?
            .query_row([], |row| row.get(0))?,
    };
    Ok(count as u64)
}

impl Outbox {
    /// Puts what is parked back among what waits: of one incident, or of all. Returns how many rows.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn retry(&self, incident: Option<IncidentId>) -> Result<u64, OutboxError> {
        let rows = self.write(|tx| Ok(retry_in(tx.db, incident)?))?;
        self.reload()?;
        Ok(rows)
    }

    /// Rows that wait for sinks of that kind.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn waiting(&self, takes: Takes) -> Result<u64, OutboxError> {
        self.read(|db| waiting(db, takes))
    }

    /// Rows that wait for one sink.
    pub(in crate::outbox) fn waiting_for(&self, sink: &dyn Sink) -> Result<u64, OutboxError> {
        self.read(|db| waiting_for(db, sink))
    }

    /// Waits until nothing waits for sinks of that kind, at most for `patience`; true when nothing does. Blocks the thread.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn wait_until_sent(&self, takes: Takes, patience: Duration) -> Result<bool, OutboxError> {
        const LOOK_EVERY: Duration = Duration::from_millis(20);
        let deadline = Instant::now() + patience;
        while self.waiting(takes)? > 0 {
            if Instant::now() >= deadline {
                return Ok(false);
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(true)
    }

    /// Sums over the whole outbox.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn totals(&self) -> Result<Totals, OutboxError> {
        self.sums(None)
    }

    /// Sums over one incident; all zero when it is unknown.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn totals_of(&self, incident: IncidentId) -> Result<Totals, OutboxError> {
        self.sums(Some(incident))
    }

    fn sums(&self, incident: Option<IncidentId>) -> Result<Totals, OutboxError> {
        let only = incident.map(|id| id.to_string());
        self.read(|db| {
            let (segments, delivered, bytes): (i64, i64, i64) = db
                .prepare_cached(
                    "SELECT count(*) FILTER (WHERE kind = 'media'),
                            count(*) FILTER (WHERE kind = 'media' AND delivered_ms IS NOT NULL),
                            coalesce(sum(bytes) FILTER (WHERE sha256 IS NOT NULL), 0)
                     FROM objects WHERE ?1 IS NULL OR incident = ?1",
                )?
                .query_row([&only], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            let incidents: i64 = db
                .prepare_cached("SELECT count(*) FROM incidents WHERE ?1 IS NULL OR id = ?1")?
                .query_row([&only], |row| row.get(0))?;
            let (alerts, text) = alerts::text(db, only.as_deref(), self.uploading())?;
            Ok(Totals {
                incidents: incidents as u64,
                alerts,
                segments: segments as u64,
                segments_delivered: delivered as u64,
                upload_bytes: bytes as u64 + text,
            })
        })
    }
}

//! Records and totals, as text and as JSON. In: a time range and perhaps a camera. Out: one record, total or line at a
//! time, in order, so that the memory stays small however long the ledger is.

use rusqlite::{Connection, params};

use super::{COLUMNS, HERE, LIVE, Record, overhead, overhead::Sum};
use crate::flow::WallTime;

/// Milliseconds of a day.
pub(crate) const DAY_MS: i64 = 86_400_000;

/// Which records are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Range {
    /// From this moment on.
    pub(crate) since: WallTime,
    /// Before this moment.
    pub(crate) until: WallTime,
    /// Only of this camera. What belongs to no camera (live values, configuration) is left out then.
    pub(crate) camera: Option<String>,
}

impl Default for Range {
    fn default() -> Self {
        Self {
            since: WallTime(i64::MIN),
            until: WallTime(i64::MAX),
            camera: None,
        }
    }
}

/// What went to one recipient on one day, or was sent as live values and not sealed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Total {
    /// The day (UTC), counted from 1970.
    pub(crate) day: i64,
    pub(crate) recipient: String,
    /// Records.
    pub(crate) records: u64,
    /// Payload bytes.
    pub(crate) bytes: u64,
    /// The same with what the network adds, about.
    pub(crate) on_wire: u64,
}

/// What happened to one incident at one recipient on one day; or one thing that happened here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// When it began.
    pub(crate) at: WallTime,
    pub(crate) camera: Option<String>,
    pub(crate) incident: Option<String>,
    pub(crate) recipient: String,
    /// Kind and number of each sort of record.
    pub(crate) kinds: Vec<(String, u64)>,
    /// Payload bytes.
    pub(crate) bytes: u64,
    /// When the copy here is deleted.
    pub(crate) until: WallTime,
    pub(crate) count: u64,
    pub(crate) account: Option<String>,
    pub(crate) detail: Option<String>,
}

const WHERE: &str = "at_ms >= ?1 AND at_ms < ?2 AND (?3 IS NULL OR camera = ?3)";

/// Hands each record to `take`, in the order of the chain.
pub(crate) fn each(
    db: &Connection,
    range: &Range,
    mut take: impl FnMut(&Record) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut select = db.prepare(&format!(
        "SELECT {COLUMNS} FROM ledger WHERE {WHERE} ORDER BY seq"
    ))?;
    let mut rows = select.query(params![range.since.0, range.until.0, range.camera])?;
    while let Some(row) = rows.next()? {
        take(&Record::read(row)?)?;
    }
    Ok(())
}

/// The days on which something was written down, or live values were sent.
pub(crate) fn days(db: &Connection, range: &Range) -> rusqlite::Result<Vec<i64>> {
    // A row for each day of a year and a bit at most: rotation sees to it.
    let mut select = db.prepare(&format!(
        "SELECT DISTINCT at_ms / {DAY_MS} FROM ledger WHERE {WHERE}
         UNION SELECT day FROM ledger_live WHERE (day + 1) * {DAY_MS} > ?1 AND day * {DAY_MS} < ?2 AND ?3 IS NULL
         ORDER BY 1"
    ))?;
    let rows = select.query_map(params![range.since.0, range.until.0, range.camera], |row| {
        row.get(0)
    })?;
    rows.collect()
}

/// The part of `range` that lies in `day`.
fn within(range: &Range, day: i64) -> (i64, i64) {
    let begin = day.saturating_mul(DAY_MS);
    (
        range.since.0.max(begin),
        range.until.0.min(begin.saturating_add(DAY_MS)),
    )
}

/// Totals of one day by recipient, in the order of their names. Live values that are not sealed yet count too.
pub(crate) fn totals(db: &Connection, range: &Range, day: i64) -> rusqlite::Result<Vec<Total>> {
    let (since, until) = within(range, day);
    let mut select = db.prepare_cached(&format!(
        "SELECT recipient, kind, count(*), sum(coalesce(count, 0)), sum(bytes) FROM ledger
         WHERE {WHERE} AND recipient <> ?4 GROUP BY recipient, kind
         UNION ALL
         SELECT recipient, '{LIVE}', 0, packets, bytes FROM ledger_live WHERE day = ?5 AND ?3 IS NULL
         ORDER BY recipient"
    ))?;
    let mut rows = select.query(params![since, until, range.camera, HERE, day])?;
    let mut totals: Vec<Total> = Vec::new();
    while let Some(row) = rows.next()? {
        let (recipient, kind): (String, String) = (row.get(0)?, row.get(1)?);
        let sum = Sum {
            records: row.get::<_, i64>(2)? as u64,
            count: row.get::<_, i64>(3)? as u64,
            bytes: row.get::<_, i64>(4)? as u64,
        };
        let on_wire = overhead::on_wire(&kind, &recipient, sum);
        match totals
            .last_mut()
            .filter(|total| total.recipient == recipient)
        {
            Some(total) => {
                total.records += sum.records;
                total.bytes += sum.bytes;
                total.on_wire += on_wire;
            }
            None => totals.push(Total {
                day,
                recipient,
                records: sum.records,
                bytes: sum.bytes,
                on_wire,
            }),
        }
    }
    Ok(totals)
}

/// Hands what happened on one day to `take`, in order: all that went to a recipient for one incident is one line.
pub(crate) fn lines(
    db: &Connection,
    range: &Range,
    day: i64,
    mut take: impl FnMut(&Line) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let (since, until) = within(range, day);
    let mut select = db.prepare_cached(&format!(
        "SELECT min(at), camera, incident, recipient, json_group_array(json_array(kind, records)), sum(bytes), max(until),
                sum(packets), max(account), max(detail)
         FROM (SELECT min(at_ms) AS at, camera, incident, recipient, kind, count(*) AS records, sum(bytes) AS bytes,
                      max(until_ms) AS until, sum(coalesce(count, 0)) AS packets, max(account) AS account,
                      max(detail) AS detail, iif(recipient = ?4, seq, coalesce(incident, seq)) AS one
               FROM ledger WHERE {WHERE} GROUP BY one, recipient, kind ORDER BY kind)
         GROUP BY one, recipient ORDER BY 1"
    ))?;
    let mut rows = select.query(params![since, until, range.camera, HERE])?;
    while let Some(row) = rows.next()? {
        let kinds: String = row.get(4)?;
        take(&Line {
            at: WallTime(row.get(0)?),
            camera: row.get(1)?,
            incident: row.get(2)?,
            recipient: row.get(3)?,
            kinds: serde_json::from_str(&kinds)?,
            bytes: row.get::<_, i64>(5)? as u64,
            until: WallTime(row.get(6)?),
            count: row.get::<_, i64>(7)? as u64,
            account: row.get(8)?,
            detail: row.get(9)?,
        })?;
    }
    Ok(())
}

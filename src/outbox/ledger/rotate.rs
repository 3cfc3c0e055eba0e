//! Records older than a year are cut off the front. A checkpoint in the chain stands for them: the number and hash of the
//! last one that went, and what all that ever went add up to. So the rest can still be proved, and a front that somebody
//! else cut off is seen.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::{CHECKPOINT, Entry, HERE, Record, note};
use crate::flow::WallTime;

/// How long records are kept: 12 months.
const KEPT_MS: i64 = 365 * 86_400_000;

/// What went to one recipient.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Gone {
    /// Records.
    pub(crate) records: u64,
    /// Payload bytes.
    pub(crate) bytes: u64,
}

/// What stands for records that were cut off; the `detail` of its record, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checkpoint {
    /// Number of the last record that went.
    pub(crate) through: i64,
    /// Its hash.
    pub(crate) hash: String,
    /// All that ever left and is not in the ledger any more, by recipient.
    pub(crate) totals: BTreeMap<String, Gone>,
}

impl Checkpoint {
    /// What `record` says, where it is a checkpoint.
    pub(crate) fn of(record: &Record) -> Option<Self> {
        (record.kind == CHECKPOINT && record.is_local())
            .then(|| serde_json::from_str(record.detail.as_deref()?).ok())
            .flatten()
    }
}

/// Cuts off what is older than 12 months at `now`, if there is any. Returns how many records went.
pub(crate) fn rotate(db: &Connection, now: WallTime, purpose: &str) -> rusqlite::Result<u64> {
    let cutoff = now.0.saturating_sub(KEPT_MS);
    // From the front on, up to the first that is young enough: what follows stays, whatever its clock said.
    let old: Option<(i64, [u8; 32])> = db
        .prepare_cached(
            "SELECT seq, hash FROM ledger
             WHERE seq < coalesce((SELECT min(seq) FROM ledger WHERE at_ms >= ?1), 9223372036854775807)
             ORDER BY seq DESC LIMIT 1",
        )?
        .query_row([cutoff], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((through, hash)) = old else {
        return Ok(0);
    };
    let mut totals = newest(db)?.map(|last| last.totals).unwrap_or_default();
    let mut select = db.prepare_cached(
        "SELECT recipient, count(*), sum(bytes) FROM ledger WHERE seq <= ?1 AND recipient <> ?2 GROUP BY recipient",
    )?;
    let mut rows = select.query(params![through, HERE])?;
    while let Some(row) = rows.next()? {
        let sum = totals.entry(row.get(0)?).or_default();
        sum.records += row.get::<_, i64>(1)? as u64;
        sum.bytes += row.get::<_, i64>(2)? as u64;
    }
    let checkpoint = Checkpoint {
        through,
        hash: hex::encode(hash),
        totals,
    };
    let detail = serde_json::to_string(&checkpoint).expect("plain data always serialises");
    note(
        db,
        &Entry {
            at: now,
            kind: CHECKPOINT,
            recipient: HERE,
            purpose,
            detail: Some(&detail),
            ..Entry::default()
        },
    )?;
    let gone = db.execute("DELETE FROM ledger WHERE seq <= ?1", [through])?;
    Ok(gone as u64)
}

/// The newest checkpoint, if anything was ever cut off.
pub(crate) fn newest(db: &Connection) -> rusqlite::Result<Option<Checkpoint>> {
    let detail: Option<String> = db
        .prepare_cached("SELECT detail FROM ledger WHERE kind = ?1 AND recipient = ?2 ORDER BY seq DESC LIMIT 1")?
        .query_row([CHECKPOINT, HERE], |row| row.get(0))
        .optional()?
        .flatten();
    Ok(detail.and_then(|json| serde_json::from_str(&json).ok()))
}

//! What left the house, and what was done here to it: an append-only chain of records, each of which seals the one before.
//!
//! `hash = SHA-256(JSON)`, where JSON holds every field of the record in the order of [`Sealed`] and, as `prev`, the hash
//! of the record before (64 zeros for the first). Fields that came with a later schema are left out where they are empty,
//! so that the hashes of older records stay what they were. It never holds a name, a picture or a secret.
//!
//! In: departures, deletions, changes of mode and configuration. Out: the head of the chain, records and totals for people
//! and programs. Never changes a record; only [`rotate`] takes some away, all from the front, and says so in the chain.

pub(crate) mod heads;
pub(crate) mod overhead;
pub(crate) mod read;
pub(crate) mod rotate;
pub(crate) mod verify;

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{
    flow::{CameraId, IncidentId, WallTime},
    wire::health::LedgerHead,
};

/// The recipient of what went nowhere: deletions, changes of mode and configuration, checkpoints.
pub(crate) const HERE: &str = "this box";
/// Kind of a day's live values and keep-alives to one recipient.
pub(crate) const LIVE: &str = "live";
/// Kind of a deletion on this box.
pub(crate) const DELETED: &str = "deleted";
/// Kind of a change of a camera's mode.
pub(crate) const MODE: &str = "mode";
/// Kind of a change of the configuration.
pub(crate) const CONFIG: &str = "config";
/// Kind of what is left of records that were cut off the front.
pub(crate) const CHECKPOINT: &str = "checkpoint";

/// Something that left.
#[derive(Debug, Clone)]
pub(crate) struct Departure<'a> {
    pub(crate) at: WallTime,
    /// `alert`, or the kind of object.
    pub(crate) kind: &'a str,
    pub(crate) incident: IncidentId,
    pub(crate) camera: &'a CameraId,
    pub(crate) recipient: &'a str,
    pub(crate) bytes: u64,
    pub(crate) purpose: &'a str,
    /// When the copy here is deleted.
    pub(crate) until: WallTime,
    /// The receiver's acknowledgement: ETag, or the alert's number.
    pub(crate) receipt: Option<&'a str>,
}

/// Anything that is written down; what does not apply stays at its default.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entry<'a> {
    pub(crate) at: WallTime,
    pub(crate) kind: &'a str,
    pub(crate) incident: Option<IncidentId>,
    pub(crate) camera: Option<&'a CameraId>,
    pub(crate) recipient: &'a str,
    /// Payload bytes that left, or that were deleted.
    pub(crate) bytes: u64,
    pub(crate) purpose: &'a str,
    pub(crate) until: WallTime,
    pub(crate) receipt: Option<&'a str>,
    /// How many packets or objects this stands for, where it is not one.
    pub(crate) count: Option<u64>,
    /// Who asked for it, where the command named somebody.
    pub(crate) account: Option<&'a str>,
    /// What else is to be known, as text or JSON.
    pub(crate) detail: Option<&'a str>,
}

/// What is hashed, in this order.
#[derive(Serialize)]
struct Sealed<'a> {
    seq: i64,
    at: i64,
    kind: &'a str,
    incident: Option<&'a str>,
    camera: Option<&'a str>,
    recipient: &'a str,
    bytes: i64,
    purpose: &'a str,
    until: i64,
    receipt: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    prev: &'a str,
}

impl Sealed<'_> {
    fn json(&self) -> String {
        serde_json::to_string(self).expect("plain data always serialises")
    }
}

fn hash_of(json: &str) -> [u8; 32] {
    Sha256::digest(json).into()
}

/// A record as it lies in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) seq: i64,
    pub(crate) at: WallTime,
    pub(crate) kind: String,
    pub(crate) incident: Option<String>,
    pub(crate) camera: Option<String>,
    pub(crate) recipient: String,
    pub(crate) bytes: u64,
    pub(crate) purpose: String,
    pub(crate) until: WallTime,
    pub(crate) receipt: Option<String>,
    pub(crate) count: Option<u64>,
    pub(crate) account: Option<String>,
    pub(crate) detail: Option<String>,
    pub(crate) prev: [u8; 32],
    pub(crate) hash: [u8; 32],
}

/// The columns of [`Record::read`], in its order.
const COLUMNS: &str = "seq, at_ms, kind, incident, camera, recipient, bytes, purpose, until_ms, receipt, \
                       count, account, detail, prev_hash, hash";

impl Record {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            seq: row.get(0)?,
            at: WallTime(row.get(1)?),
            kind: row.get(2)?,
            incident: row.get(3)?,
            camera: row.get(4)?,
            recipient: row.get(5)?,
            bytes: row.get::<_, i64>(6)? as u64,
            purpose: row.get(7)?,
            until: WallTime(row.get(8)?),
            receipt: row.get(9)?,
            count: row.get::<_, Option<i64>>(10)?.map(|count| count as u64),
            account: row.get(11)?,
            detail: row.get(12)?,
            prev: row.get(13)?,
            hash: row.get(14)?,
        })
    }

    /// The text whose SHA-256 is the record's hash.
    pub(crate) fn sealed_json(&self) -> String {
        Sealed {
            seq: self.seq,
            at: self.at.0,
            kind: &self.kind,
            incident: self.incident.as_deref(),
            camera: self.camera.as_deref(),
            recipient: &self.recipient,
            bytes: self.bytes as i64,
            purpose: &self.purpose,
            until: self.until.0,
            receipt: self.receipt.as_deref(),
            count: self.count.map(|count| count as i64),
            account: self.account.as_deref(),
            detail: self.detail.as_deref(),
            prev: &hex::encode(self.prev),
        }
        .json()
    }

    /// Whether it went nowhere.
    pub(crate) fn is_local(&self) -> bool {
        self.recipient == HERE
    }
}

fn newest(db: &Connection) -> rusqlite::Result<(i64, [u8; 32])> {
    let row = db
        .prepare_cached("SELECT seq, hash FROM ledger ORDER BY seq DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(row.unwrap_or((0, [0; 32])))
}

/// Adds the record of a departure to the chain. What went to the hub in the same program has not left.
pub(crate) fn append(db: &Connection, what: &Departure<'_>) -> rusqlite::Result<()> {
    if what.recipient == HERE {
        return Ok(());
    }
    note(
        db,
        &Entry {
            at: what.at,
            kind: what.kind,
            incident: Some(what.incident),
            camera: Some(what.camera),
            recipient: what.recipient,
            bytes: what.bytes,
            purpose: what.purpose,
            until: what.until,
            receipt: what.receipt,
            ..Entry::default()
        },
    )
}

/// Adds a record to the chain.
pub(crate) fn note(db: &Connection, what: &Entry<'_>) -> rusqlite::Result<()> {
    let (last, prev) = newest(db)?;
    let incident = what.incident.map(|id| id.to_string());
    let sealed = Sealed {
        seq: last + 1,
        at: what.at.0,
        kind: what.kind,
        incident: incident.as_deref(),
        camera: what.camera.map(CameraId::as_str),
        recipient: what.recipient,
        bytes: what.bytes as i64,
        purpose: what.purpose,
        until: what.until.0,
        receipt: what.receipt,
        count: what.count.map(|count| count as i64),
        account: what.account,
        detail: what.detail,
        prev: &hex::encode(prev),
    };
    db.prepare_cached(
        "INSERT INTO ledger (seq, at_ms, kind, incident, camera, recipient, bytes, purpose, until_ms, receipt,
                             count, account, detail, prev_hash, hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    )?
    .execute(params![
        sealed.seq,
        sealed.at,
        sealed.kind,
        sealed.incident,
        sealed.camera,
        sealed.recipient,
        sealed.bytes,
        sealed.purpose,
        sealed.until,
        sealed.receipt,
        sealed.count,
        sealed.account,
        sealed.detail,
        prev,
        hash_of(&sealed.json())
    ])?;
    Ok(())
}

/// Where the chain stands; none while it is empty.
pub(crate) fn head(db: &Connection) -> rusqlite::Result<Option<LedgerHead>> {
    let (n, hash) = newest(db)?;
    Ok((n > 0).then(|| LedgerHead {
        n: n as u64,
        hash: hex::encode(hash),
    }))
}

/// Payload bytes that have left since `since`.
pub(crate) fn bytes_since(db: &Connection, since: WallTime) -> rusqlite::Result<u64> {
    db.prepare_cached(
        "SELECT coalesce(sum(bytes), 0) FROM ledger WHERE at_ms >= ?1 AND recipient <> ?2",
    )?
    .query_row(params![since.0, HERE], |row| row.get::<_, i64>(0))
    .map(|bytes| bytes as u64)
}

#[cfg(test)]
mod tests;

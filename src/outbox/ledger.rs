//! What left the house: an append-only chain of records, each of which seals the one before.
//!
//! `hash = SHA-256(JSON)`, where JSON holds every field of the record in the order of [`Sealed`] and, as `prev`, the hash
//! of the record before (64 zeros for the first). It never holds a name, a picture or a secret.

use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{
    flow::{CameraId, IncidentId, WallTime},
    wire::health::LedgerHead,
};

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
    prev: &'a str,
}

impl Sealed<'_> {
    fn hash(&self) -> [u8; 32] {
        let json = serde_json::to_vec(self).expect("plain data always serialises");
        Sha256::digest(json).into()
    }
}

fn newest(db: &Connection) -> rusqlite::Result<(i64, [u8; 32])> {
    let row = db
        .prepare_cached("SELECT seq, hash FROM ledger ORDER BY seq DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(row.unwrap_or((0, [0; 32])))
}

/// Adds a record to the chain.
pub(crate) fn append(db: &Connection, what: &Departure<'_>) -> rusqlite::Result<()> {
    let (last, prev) = newest(db)?;
    let incident = what.incident.to_string();
    let sealed = Sealed {
        seq: last + 1,
        at: what.at.0,
        kind: what.kind,
        incident: Some(&incident),
        camera: Some(what.camera.as_str()),
        recipient: what.recipient,
        bytes: what.bytes as i64,
        purpose: what.purpose,
        until: what.until.0,
        receipt: what.receipt,
        prev: &hex::encode(prev),
    };
    db.prepare_cached(
        "INSERT INTO ledger (seq, at_ms, kind, incident, camera, recipient, bytes, purpose, until_ms, receipt, prev_hash, hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
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
        prev,
        sealed.hash()
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

/// Bytes that have left since `since`.
pub(crate) fn bytes_since(db: &Connection, since: WallTime) -> rusqlite::Result<u64> {
    db.prepare_cached("SELECT coalesce(sum(bytes), 0) FROM ledger WHERE at_ms >= ?1")?
        .query_row([since.0], |row| row.get::<_, i64>(0))
        .map(|bytes| bytes as u64)
}

/// Checks the whole chain; the number of the first record that does not fit, if any.
pub(crate) fn first_broken(db: &Connection) -> rusqlite::Result<Option<i64>> {
    let mut select = db.prepare(
        "SELECT seq, at_ms, kind, incident, camera, recipient, bytes, purpose, until_ms, receipt, prev_hash, hash
         FROM ledger ORDER BY seq",
    )?;
    let mut rows = select.query([])?;
    let (mut last, mut prev) = (0, [0u8; 32]);
    while let Some(row) = rows.next()? {
        let text = |at: usize| row.get::<_, String>(at);
        let maybe = |at: usize| row.get::<_, Option<String>>(at);
        let (kind, recipient, purpose) = (text(2)?, text(5)?, text(7)?);
        let (incident, camera, receipt) = (maybe(3)?, maybe(4)?, maybe(9)?);
        let sealed = Sealed {
            seq: row.get(0)?,
            at: row.get(1)?,
            kind: &kind,
            incident: incident.as_deref(),
            camera: camera.as_deref(),
            recipient: &recipient,
            bytes: row.get(6)?,
            purpose: &purpose,
            until: row.get(8)?,
            receipt: receipt.as_deref(),
            prev: &hex::encode(prev),
        };
        let (stored_prev, stored): ([u8; 32], [u8; 32]) = (row.get(10)?, row.get(11)?);
        if sealed.seq != last + 1 || stored_prev != prev || stored != sealed.hash() {
            return Ok(Some(sealed.seq));
        }
        (last, prev) = (sealed.seq, stored);
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbox::store;

    fn three() -> (tempfile::TempDir, Connection) {
        let dir = tempfile::tempdir().unwrap();
        let db = store::open(dir.path()).unwrap();
        let camera = "door".parse().unwrap();
        for bytes in [10, 20, 30] {
            let what = Departure {
                at: WallTime(1_000 + bytes as i64),
                kind: "media",
                incident: "01990000-0000-7000-8000-000000000001".parse().unwrap(),
                camera: &camera,
                recipient: "s3://bucket",
                bytes,
                purpose: "home security",
                until: WallTime(9_000),
                receipt: Some("etag"),
            };
            append(&db, &what).unwrap();
        }
        (dir, db)
    }

    #[test]
    fn a_sound_chain() {
        let (_dir, db) = three();
        assert_eq!(first_broken(&db).unwrap(), None);
        assert_eq!(bytes_since(&db, WallTime(1_020)).unwrap(), 50);
        let head = head(&db).unwrap().unwrap();
        assert_eq!(head.n, 3);
        insta::assert_snapshot!(head.hash);
    }

    #[test]
    fn edits_and_cuts_are_found() {
        for (change, broken) in [
            ("UPDATE ledger SET bytes = 11 WHERE seq = 1", 1),
            ("UPDATE ledger SET recipient = 'x' WHERE seq = 3", 3),
            ("DELETE FROM ledger WHERE seq = 2", 3),
            ("DELETE FROM ledger WHERE seq = 1", 2),
        ] {
            let (_dir, db) = three();
            db.execute(change, []).unwrap();
            assert_eq!(first_broken(&db).unwrap(), Some(broken), "{change}");
        }
    }
}

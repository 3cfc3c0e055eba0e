//! What the ledger is told beside departures: deletions, changes of mode and configuration, live values; and its rotation.
//!
//! In: what happened, from the part that did it. Out: records, each in the transaction that does the thing where there is one.
//! Never holds a value of the configuration, only which keys changed.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::flow::{CameraId, ClockState, IncidentId, Mode, WallTime};
use crate::outbox::{
    Fail, Outbox, OutboxError, Tx,
    ledger::{self, Entry, read::DAY_MS},
    mode_name,
    sinks::MQTT,
    store,
};

/// Changed keys that a record names; more are counted.
const MOST_KEYS: usize = 40;
/// The setting that holds what the configuration was.
const CONFIG_KEYS: &str = "config.keys";

/// Why something was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::outbox) enum DeletedFor<'a> {
    /// Its time had come.
    Retention,
    /// There was no room.
    Quota,
    /// Somebody asked for it.
    Household {
        /// Who.
        account: &'a str,
    },
}

impl<'a> DeletedFor<'a> {
    fn as_str(self) -> &'static str {
        match self {
            Self::Retention => "retention",
            Self::Quota => "quota",
            Self::Household { .. } => "household",
        }
    }

    fn account(self) -> Option<&'a str> {
        match self {
            Self::Household { account } => Some(account),
            _ => None,
        }
    }
}

impl Tx<'_> {
    /// Writes down that objects of an incident were deleted on this box.
    pub(in crate::outbox) fn deleted(
        &self,
        incident: IncidentId,
        camera: &CameraId,
        objects: u64,
        bytes: u64,
        reason: DeletedFor<'_>,
    ) -> Result<(), Fail> {
        Ok(ledger::note(
            self.db,
            &Entry {
                kind: ledger::DELETED,
                incident: Some(incident),
                camera: Some(camera),
                bytes,
                count: Some(objects),
                account: reason.account(),
                detail: Some(reason.as_str()),
                ..self.here()
            },
        )?)
    }

    /// A record of something that stays here.
    fn here(&self) -> Entry<'_> {
        Entry {
            at: self.wall(),
            recipient: ledger::HERE,
            purpose: &self.outbox.settings.purpose,
            ..Entry::default()
        }
    }

    /// Turns the live values of days that are over into records.
    fn seal_days(&self) -> Result<(), Fail> {
        let today = self.wall().0.div_euclid(DAY_MS);
        let mut select = self.db.prepare_cached(
            "DELETE FROM ledger_live WHERE day < ?1 RETURNING day, recipient, packets, bytes",
        )?;
        let rows = select.query_map([today], |row| {
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, i64>(2)?,
                row.get::<_, i64>(3)?,
            ))
        })?;
        let mut over = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        over.sort();
        for (day, recipient, packets, bytes) in over {
            ledger::note(
                self.db,
                &Entry {
                    // The last moment of the day that it speaks of, so that it counts there.
                    at: WallTime((day + 1) * DAY_MS - 1),
                    kind: ledger::LIVE,
                    recipient: &recipient,
                    bytes: bytes as u64,
                    count: Some(packets as u64),
                    purpose: &self.outbox.settings.purpose,
                    ..Entry::default()
                },
            )?;
        }
        Ok(())
    }
}

/// Objects of an incident that are still on disk, and their bytes.
pub(in crate::outbox) fn on_disk(
    db: &Connection,
    incident: IncidentId,
) -> rusqlite::Result<(u64, u64)> {
    db.prepare_cached(
        "SELECT count(*), coalesce(sum(bytes), 0) FROM objects
         WHERE incident = ?1 AND gone = 0 AND sha256 IS NOT NULL",
    )?
    .query_row([incident.to_string()], |row| {
        Ok((row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64))
    })
}

impl Outbox {
    /// Keeps the mode of a camera across restarts, and writes down a change of it. `account`: who asked for it, where the
    /// command named somebody.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn set_mode(
        &self,
        camera: &CameraId,
        mode: Mode,
        account: Option<&str>,
    ) -> Result<(), OutboxError> {
        self.write(|tx| {
            let name = mode_name(camera);
            if store::setting(tx.db, &name)?.as_deref() == Some(mode.as_str()) {
                return Ok(());
            }
            store::set_setting(tx.db, &name, mode.as_str())?;
            let entry = Entry {
                kind: ledger::MODE,
                camera: Some(camera),
                account,
                detail: Some(mode.as_str()),
                ..tx.here()
            };
            Ok(ledger::note(tx.db, &entry)?)
        })
    }

    /// Writes down which keys of the configuration have changed since the last start, if any. `keys`: each key with its
    /// value as text, without secrets; only their SHA-256 is kept. `account`: who changed them, where that is known. True
    /// when there was a change.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn note_config(
        &self,
        keys: &BTreeMap<String, String>,
        account: Option<&str>,
    ) -> Result<bool, OutboxError> {
        let now: BTreeMap<&str, String> = keys
            .iter()
            .map(|(key, value)| (key.as_str(), hex::encode(&Sha256::digest(value)[..8])))
            .collect();
        let text = serde_json::to_string(&now).expect("plain data always serialises");
        self.write(|tx| {
            let before = store::setting(tx.db, CONFIG_KEYS)?;
            if before.as_ref() == Some(&text) {
                return Ok(false);
            }
            let first = before.is_none();
            let before: BTreeMap<String, String> = before
                .and_then(|text| serde_json::from_str(&text).ok())
                .unwrap_or_default();
            let added = now
                .iter()
                .filter(|(key, value)| before.get(**key) != Some(*value));
            let removed = before.keys().filter(|key| !now.contains_key(key.as_str()));
            let mut changed: Vec<&str> = added.map(|(key, _)| *key).collect();
            changed.extend(removed.map(String::as_str));
            changed.sort_unstable();
            if first {
                // Everything is new: that it began says enough.
                changed.clear();
            }
            let more = changed.len().saturating_sub(MOST_KEYS);
            changed.truncate(MOST_KEYS);
            let hash = hex::encode(Sha256::digest(&text));
            let detail = json!({ "hash": hash, "first": first, "changed": changed, "more": more });
            store::set_setting(tx.db, CONFIG_KEYS, &text)?;
            let detail = detail.to_string();
            let entry = Entry {
                kind: ledger::CONFIG,
                account,
                detail: Some(&detail),
                ..tx.here()
            };
            ledger::note(tx.db, &entry)?;
            Ok(true)
        })
    }

    /// Counts live values and keep-alives that were sent to the broker, here and in the data plan; seals the days that are over.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn note_live(&self, packets: u64, bytes: u64) -> Result<(), OutboxError> {
        let recipient = self.recipient_of(MQTT);
        self.write(|tx| {
            if let Some(recipient) = recipient.as_ref().filter(|to| packets > 0 && *to != ledger::HERE) {
                tx.db
                    .prepare_cached(
                        "INSERT INTO ledger_live (day, recipient, packets, bytes) VALUES (?1, ?2, ?3, ?4)
                         ON CONFLICT (day, recipient) DO UPDATE SET packets = packets + ?3, bytes = bytes + ?4",
                    )?
                    .execute(params![
                        tx.wall().0.div_euclid(DAY_MS),
                        recipient,
                        packets as i64,
                        bytes as i64
                    ])?;
            }
            // A clock that is not known to be right must not end days.
            if self.clock.state() == ClockState::Good {
                tx.seal_days()?;
            }
            Ok(())
        })?;
        self.reserve_small(&mut self.state.lock())
    }

    /// Cuts records off the ledger that are older than 12 months; not while the clock is unsure. Returns how many went.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn rotate_ledger(&self) -> Result<u64, OutboxError> {
        if self.clock.state() != ClockState::Good {
            return Ok(0);
        }
        let now = self.clock.wall();
        self.write(|tx| Ok(ledger::rotate::rotate(tx.db, now, &self.settings.purpose)?))
    }

    /// Keeps the head that is being told to the hub, beside the database.
    pub fn keep_head(&self, head: &crate::wire::health::LedgerHead) {
        if let Err(error) = ledger::heads::keep(&self.dir, self.clock.wall(), head) {
            tracing::warn!(%error, "the head of the ledger could not be kept: is the disk full?");
        }
    }

    fn recipient_of(&self, name: &str) -> Option<String> {
        let sinks = self.sinks.lock();
        let sink = sinks.iter().find(|sink| sink.name() == name)?;
        Some(sink.recipient())
    }
}

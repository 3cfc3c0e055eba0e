//! Is the chain whole, and is it the one that others have seen? In: the records, and heads that witnesses kept. Out: what is
//! wrong, in sentences. A chain alone cannot show that its end was cut off, nor that all of it was rewritten: only a
//! head that is kept somewhere else can.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use super::{COLUMNS, Record, hash_of, rotate::Checkpoint};
use crate::wire::health::LedgerHead;

/// A head, and who kept it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Witness {
    /// Readable, such as `the broker`.
    pub(crate) name: String,
    /// What it knows.
    pub(crate) head: LedgerHead,
}

/// What is wrong with a ledger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// A record's hash, number or predecessor does not fit.
    #[error(
        "record {0} of the ledger does not fit the one before it: it was changed, or records before it were taken out"
    )]
    Broken(i64),
    /// The front is missing, and no checkpoint says why.
    #[error(
        "the ledger begins with record {0} and no checkpoint stands for those before it: its front was cut off"
    )]
    Front(i64),
    /// The end is missing.
    #[error(
        "the ledger ends with record {newest}, but {witness} knows record {known}: its end was cut off, or an older \
         copy of the database was put back"
    )]
    Short {
        /// Its newest record; 0 where there is none.
        newest: i64,
        /// Who says so.
        witness: String,
        /// What it knows.
        known: u64,
    },
    /// The record is another one.
    #[error(
        "record {known} of the ledger is not the one that {witness} knows: the ledger was written again"
    )]
    Other {
        /// Which.
        known: u64,
        /// Who says so.
        witness: String,
    },
}

/// What the check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Records that are there.
    pub(crate) records: u64,
    /// What stands for those that were cut off in good order.
    pub(crate) checkpoint: Option<Checkpoint>,
    /// The newest record.
    pub(crate) head: Option<LedgerHead>,
    /// Witnesses whose record is there, and is the same.
    pub(crate) agreed: usize,
    /// Witnesses whose record is older than the first one here.
    pub(crate) too_old: usize,
    /// All that is wrong.
    pub(crate) faults: Vec<Fault>,
}

/// Checks the chain, and compares it with what `witnesses` know. Holds one record at a time.
pub(crate) fn verify(db: &Connection, witnesses: &[Witness]) -> rusqlite::Result<Verdict> {
    let mut verdict = Verdict::default();
    let mut open: Vec<&Witness> = witnesses.iter().collect();
    open.sort_by_key(|witness| witness.head.n);
    let mut open = open.into_iter().peekable();
    let mut denied = BTreeSet::new();
    let mut judge = |verdict: &mut Verdict, seq: i64, hash: &[u8; 32]| {
        while let Some(witness) = open.next_if(|w| i128::from(w.head.n) <= i128::from(seq)) {
            if i128::from(witness.head.n) < i128::from(seq) {
                verdict.too_old += 1;
            } else if witness.head.hash == hex::encode(hash) {
                verdict.agreed += 1;
            } else if denied.insert(witness.name.as_str()) {
                // One that does not agree is enough: all after it do not either.
                verdict.faults.push(Fault::Other {
                    known: witness.head.n,
                    witness: witness.name.clone(),
                });
            }
        }
    };

    let mut select = db.prepare(&format!("SELECT {COLUMNS} FROM ledger ORDER BY seq"))?;
    let mut rows = select.query([])?;
    let (mut last, mut prev) = (0, [0u8; 32]);
    // What a front that is missing must be vouched for by.
    let mut missing: Option<(i64, [u8; 32])> = None;
    let mut first = 0;
    let mut broken = None;
    while let Some(row) = rows.next()? {
        let record = Record::read(row)?;
        if first == 0 {
            first = record.seq;
            if record.seq > 1 {
                missing = Some((record.seq - 1, record.prev));
                (last, prev) = (record.seq - 1, record.prev);
                judge(&mut verdict, last, &prev);
            }
        }
        let fits = record.seq == last + 1
            && record.prev == prev
            && record.hash == hash_of(&record.sealed_json());
        if !fits && broken.is_none() {
            broken = Some(record.seq);
        }
        judge(&mut verdict, record.seq, &record.hash);
        if let Some(checkpoint) = Checkpoint::of(&record)
            && missing.is_some_and(|(through, hash)| {
                checkpoint.through == through && checkpoint.hash == hex::encode(hash)
            })
        {
            missing = None;
            verdict.checkpoint = Some(checkpoint);
        }
        verdict.records += 1;
        (last, prev) = (record.seq, record.hash);
    }
    if missing.is_some() {
        verdict.faults.push(Fault::Front(first));
    }
    verdict.faults.extend(broken.map(Fault::Broken));
    verdict.head = (verdict.records > 0).then(|| LedgerHead {
        n: last as u64,
        hash: hex::encode(prev),
    });
    // They come in the order of their numbers, so the last one of each witness knows most.
    let short: BTreeMap<_, _> = open.map(|w| (w.name.as_str(), w.head.n)).collect();
    verdict
        .faults
        .extend(short.into_iter().map(|(witness, known)| Fault::Short {
            newest: last,
            witness: witness.to_owned(),
            known,
        }));
    Ok(verdict)
}

/// Checks the chain alone; the number of the first record that does not fit, if any.
pub(crate) fn first_broken(db: &Connection) -> rusqlite::Result<Option<i64>> {
    let verdict = verify(db, &[])?;
    Ok(verdict.faults.iter().find_map(|fault| match fault {
        Fault::Broken(seq) | Fault::Front(seq) => Some(*seq),
        Fault::Short { .. } | Fault::Other { .. } => None,
    }))
}

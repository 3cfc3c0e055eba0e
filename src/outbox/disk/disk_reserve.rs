//! A full disk: how room is made for what must be written.
//!
//! Continuous recordings give way first, where there are some. Rows matter more than files. A row that finds no room gets
//! it from clips that have arrived elsewhere, then from what is kept for clips and for rows, then from the oldest clips that
//! have not; a file never gets what is kept for rows, and all of it only while the disk is in fact full. No alert is deleted
//! for room.
//!
//! What is kept is in [`reserve`](crate::base::reserve).

use parking_lot::MutexGuard;
use rusqlite::ErrorCode;

use crate::base::reserve::{CLIPS, ROWS, free_bytes};
use crate::outbox::{
    Fail, Held, Outbox, OutboxError,
    evict::{Excess, Stored, evict},
    ledger_events::DeletedFor,
};

/// What is freed at once beyond what is needed, so that not every write has to look for room.
const AHEAD: u64 = 4 << 20;
/// A disk with more than this free is not full, whatever was refused.
const NOT_FULL: u64 = 1 << 20;

/// Where room can come from, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spare {
    /// What is no evidence: continuous recordings.
    Recordings,
    Delivered,
    /// What is kept for clips.
    ClipReserve,
    /// What is kept for rows.
    RowReserve,
    Undelivered,
}

const FOR_ROWS: [Spare; 6] = [
    Spare::Recordings,
    Spare::Delivered,
    Spare::ClipReserve,
    Spare::RowReserve,
    Spare::RowReserve,
    Spare::Undelivered,
];
const FOR_FILES: [Spare; 4] = [
    Spare::Recordings,
    Spare::Delivered,
    Spare::ClipReserve,
    Spare::Undelivered,
];

impl Outbox {
    /// Tries `write` again with more and more room while it fails for want of it. The lock is free while room is made, so what
    /// `write` needs to know it reads each time.
    pub(in crate::outbox) fn with_room_for_rows<T>(
        &self,
        state: &mut Held<'_>,
        mut write: impl FnMut(&mut Held<'_>) -> Result<T, Fail>,
    ) -> Result<T, Fail> {
        let mut done = write(state);
        for from in FOR_ROWS {
            match &done {
                Err(fail) if self.is_full(fail) => {}
                _ => break,
            }
            if MutexGuard::unlocked(state, || self.free_up(from, 0)) {
                done = write(state);
            }
        }
        done
    }

    /// The same for a file of `bytes`, which is written without the database.
    pub(in crate::outbox) fn with_room_for_file<T>(
        &self,
        bytes: u64,
        write: impl Fn() -> Result<T, OutboxError>,
    ) -> Result<T, OutboxError> {
        let mut done = write();
        for from in FOR_FILES {
            if !matches!(done, Err(OutboxError::Full { .. })) {
                break;
            }
            if self.free_up(from, bytes) {
                done = write();
            }
        }
        done
    }

    /// A file of a clip did not find room for its `bytes`: makes it, for the next try.
    pub fn room_for(&self, bytes: u64) {
        for from in FOR_FILES {
            if self.free_up(from, bytes) {
                return;
            }
        }
    }

    /// Says who has room to spare that holds no evidence: asked for bytes, it frees some, or says that it has none.
    pub fn spare_room(&self, give: impl Fn(u64) -> bool + Send + Sync + 'static) {
        let _first = self.spare_room.set(Box::new(give));
    }

    fn is_full(&self, fail: &Fail) -> bool {
        match fail {
            Fail::Outbox(OutboxError::Full { .. }) => true,
            Fail::Outbox(_) => false,
            Fail::Sql(error) => match error.sqlite_error_code() {
                Some(ErrorCode::DiskFull) => true,
                // The file beside the database that its readers share fails in its own way.
                Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => {
                    free_bytes(&self.dir) < ROWS.bit
                }
                _ => false,
            },
        }
    }

    /// A reserve that has given something is looked after soon.
    fn woken_by(&self, given: bool) -> bool {
        if given {
            self.sweep_wake.notify_one();
        }
        given
    }

    /// Frees `bytes` and some more; false when there was nothing to free, or no need. Takes the lock for rows only, never for
    /// files.
    fn free_up(&self, from: Spare, bytes: u64) -> bool {
        if from == Spare::RowReserve {
            return self.woken_by(ROWS.give(&self.dir, bytes));
        }
        if free_bytes(&self.dir) > bytes + NOT_FULL {
            return false;
        }
        if from == Spare::ClipReserve {
            return self.woken_by(CLIPS.give(&self.dir, bytes));
        }
        if from == Spare::Recordings {
            let spare = self.spare_room.get();
            return spare.is_some_and(|give| give(bytes + AHEAD));
        }
        let delivered = from == Spare::Delivered;
        let excess = Excess {
            all: bytes + AHEAD,
            ..Excess::default()
        };
        let (why, reason) = (
            DeletedFor::Quota,
            "it was deleted before it could leave: the disk was full",
        );
        let going = |mut stored: Vec<Stored>| {
            stored.retain(|stored| stored.delivered == delivered);
            evict(stored, excess)
        };
        let stored = self.evictable(&self.state.lock());
        match stored.and_then(|stored| self.evict(&going(stored), why, reason)) {
            Ok(0) => false,
            Ok(incidents) => {
                tracing::warn!(
                    incidents,
                    delivered,
                    "no room on the disk: files were deleted before their time"
                );
                true
            }
            Err(error) => {
                tracing::error!(%error, "no room could be made on the disk");
                false
            }
        }
    }
}

//! A full disk: how room is made for what must be written.
//!
//! Rows matter more than files. A row that finds no room gets it from clips that have arrived elsewhere, then from the
//! reserve, then from the oldest clips that have not; a file gets it from clips alone, and only while the disk is in
//! fact full. No alert is deleted for room.
//!
//! The reserve is a file that holds nothing. It is given back bit by bit, so that what one row needs does not go to the
//! next segment, and is made whole again once there is room.

use std::{fs::File, io::Write, path::Path};

use rusqlite::ErrorCode;
use rustix::fs::{FallocateFlags, fallocate};

use super::{
    Fail, Outbox, OutboxError, State,
    accounts::DeletedFor,
    evict::{Excess, evict},
    retention::free_bytes,
};

/// The reserve's name in `data_dir`.
const FILE: &str = "reserve";
/// Room for a hundred changes of incidents at least, and for what SQLite keeps beside its database.
const RESERVE: u64 = 4 << 20;
/// What is given back of it at once: several transactions of an alert, less than most segments.
const BIT: u64 = 128 << 10;
/// What is freed at once beyond what is needed, so that not every write has to look for room.
const AHEAD: u64 = 4 << 20;
/// A disk with more than this free is not full, whatever was refused.
const NOT_FULL: u64 = 1 << 20;

/// Where room can come from, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spare {
    Delivered,
    Reserve,
    Undelivered,
}

const FOR_ROWS: [Spare; 4] = [
    Spare::Delivered,
    Spare::Reserve,
    Spare::Reserve,
    Spare::Undelivered,
];
const FOR_FILES: [Spare; 2] = [Spare::Delivered, Spare::Undelivered];

/// Makes the reserve whole if there is room for it twice; true when it is.
pub(super) fn keep_reserve(dir: &Path) -> bool {
    let path = dir.join(FILE);
    let length = std::fs::metadata(&path).map_or(0, |file| file.len());
    if length >= RESERVE {
        return true;
    }
    if free_bytes(dir) < 2 * RESERVE {
        return false;
    }
    let fill = || -> std::io::Result<()> {
        let mut file = File::create(&path)?;
        if fallocate(&file, FallocateFlags::empty(), 0, RESERVE).is_err() {
            // A file system that cannot set blocks aside gets them written.
            file.write_all(&vec![0; RESERVE as usize])?;
        }
        file.sync_all()
    };
    let filled = fill();
    if let Err(error) = &filled {
        tracing::debug!(%error, "no reserve");
    }
    filled.is_ok()
}

/// Gives a bit of the reserve back to the disk; false when there is none left.
pub(super) fn use_reserve(dir: &Path) -> bool {
    let path = dir.join(FILE);
    let Ok(file) = File::options().write(true).open(&path) else {
        return false;
    };
    let length = file.metadata().map_or(0, |file| file.len());
    if length == RESERVE {
        tracing::warn!(
            "no room on the disk: alerts are written into the room that was kept for them"
        );
    }
    length > 0 && file.set_len(length.saturating_sub(BIT)).is_ok()
}

impl Outbox {
    /// Tries `write` again with more and more room while it fails for want of it.
    pub(super) fn with_room_for_rows<T>(
        &self,
        state: &mut State,
        mut write: impl FnMut(&mut State) -> Result<T, Fail>,
    ) -> Result<T, Fail> {
        let mut done = write(state);
        for from in FOR_ROWS {
            match &done {
                Err(fail) if self.is_full(fail) => {}
                _ => break,
            }
            if self.free_up(state, from, 0) {
                done = write(state);
            }
        }
        done
    }

    /// The same for a file of `bytes`.
    pub(super) fn with_room_for_file<T>(
        &self,
        state: &mut State,
        bytes: u64,
        write: impl Fn() -> Result<T, OutboxError>,
    ) -> Result<T, OutboxError> {
        let mut done = write();
        for from in FOR_FILES {
            if !matches!(done, Err(OutboxError::Full { .. })) {
                break;
            }
            if self.free_up(state, from, bytes) {
                done = write();
            }
        }
        done
    }

    /// A file of a clip did not find room for its `bytes`: makes it, for the next try.
    pub fn room_for(&self, bytes: u64) {
        let mut state = self.state.lock();
        for from in FOR_FILES {
            if self.free_up(&mut state, from, bytes) {
                return;
            }
        }
    }

    fn is_full(&self, fail: &Fail) -> bool {
        match fail {
            Fail::Outbox(OutboxError::Full { .. }) => true,
            Fail::Outbox(_) => false,
            Fail::Sql(error) => match error.sqlite_error_code() {
                Some(ErrorCode::DiskFull) => true,
                // The file beside the database that its readers share fails in its own way.
                Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => {
                    free_bytes(&self.dir) < BIT
                }
                _ => false,
            },
        }
    }

    /// Frees `bytes` and some more; false when there was nothing to free, or no need.
    fn free_up(&self, state: &mut State, from: Spare, bytes: u64) -> bool {
        if from == Spare::Reserve {
            let given = use_reserve(&self.dir);
            if given {
                self.sweep_wake.notify_one();
            }
            return given;
        }
        if free_bytes(&self.dir) > bytes + NOT_FULL {
            return false;
        }
        let delivered = from == Spare::Delivered;
        let excess = Excess {
            all: bytes + AHEAD,
            ..Excess::default()
        };
        let freed = self.evictable(state).and_then(|mut stored| {
            stored.retain(|stored| stored.delivered == delivered);
            self.evict(
                state,
                evict(stored, excess),
                DeletedFor::Quota,
                "it was deleted before it could leave: the disk was full",
            )
        });
        match freed {
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

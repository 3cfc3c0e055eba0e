//! A little room on the disk that only the most important rows may use, and how much the disk has left.
//!
//! The reserve is a file that holds nothing. It is given back bit by bit, so that what one row needs does not go to the next
//! large file, and is made whole again once there is room.

use std::{io::Write, path::Path};

use rustix::fs::{FallocateFlags, fallocate};

use crate::base::durable;

/// The reserve's name in its folder.
const FILE: &str = "reserve";
/// Room for a hundred changes of incidents at least, and for what SQLite keeps beside its database.
pub const RESERVE: u64 = 4 << 20;
/// What is given back of it at once: several transactions of an alert, less than most segments.
pub const BIT: u64 = 128 << 10;

/// Makes the reserve in `dir` whole if there is room for it twice; true when it is.
pub fn keep(dir: &Path) -> bool {
    let path = dir.join(FILE);
    let length = std::fs::metadata(&path).map_or(0, |file| file.len());
    if length >= RESERVE {
        return true;
    }
    if free_bytes(dir) < 2 * RESERVE {
        return false;
    }
    let fill = || -> std::io::Result<()> {
        let mut file = durable::create(&path)?;
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

/// Gives a bit of the reserve in `dir` back to the disk; false when there is none left.
pub fn give(dir: &Path) -> bool {
    let path = dir.join(FILE);
    let Ok(file) = std::fs::File::options().write(true).open(&path) else {
        return false;
    };
    let length = file.metadata().map_or(0, |file| file.len());
    if length == RESERVE {
        tracing::warn!(
            folder = %dir.display(),
            "no room on the disk: alerts are written into the room that was kept for them"
        );
    }
    length > 0 && file.set_len(length.saturating_sub(BIT)).is_ok()
}

/// Free bytes of the disk that holds `dir`; 0 when the system does not say.
#[must_use]
pub fn free_bytes(dir: &Path) -> u64 {
    rustix::fs::statvfs(dir).map_or(0, |stat| stat.f_bavail.saturating_mul(stat.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_given_back_bit_by_bit_and_made_whole_again() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!give(dir.path()), "there is none yet");
        assert!(keep(dir.path()));
        let bits = std::iter::from_fn(|| give(dir.path()).then_some(())).count();
        assert_eq!(bits as u64, RESERVE / BIT);
        assert!(keep(dir.path()) && give(dir.path()));
    }
}

//! Room on the disk that is kept for what matters most when somebody else fills it, and how much the disk has left.
//!
//! A reserve is a file that holds nothing. It is given back bit by bit, so that what one write needs does not go to the next
//! large file, and is made whole again once there is room.

use std::{io::Write, path::Path};

use rustix::fs::{FallocateFlags, fallocate};

use crate::base::durable;

/// Room that is kept in a folder.
#[derive(Debug)]
pub struct Reserve {
    /// Its name in the folder.
    file: &'static str,
    /// Bytes of it when it is whole.
    pub size: u64,
    /// Bytes that are given back at once, at least.
    pub bit: u64,
    /// What it is for.
    holds: &'static str,
}

/// For rows: a hundred changes of incidents at least, and what SQLite keeps beside its database. A bit is several transactions of an
/// alert, and less than most segments.
pub const ROWS: Reserve = Reserve {
    file: "reserve",
    size: 4 << 20,
    bit: 128 << 10,
    holds: "alerts are",
};

/// For clips: a minute or two of several cameras. A disk that is full for a moment deletes no evidence that way.
pub const CLIPS: Reserve = Reserve {
    file: "reserve-clips",
    size: 32 << 20,
    bit: 1 << 20,
    holds: "clips are",
};

impl Reserve {
    /// Makes it whole in `dir` if there is room for it twice; true when it is.
    pub fn keep(&self, dir: &Path) -> bool {
        let path = dir.join(self.file);
        let length = std::fs::metadata(&path).map_or(0, |file| file.len());
        if length >= self.size {
            return true;
        }
        if free_bytes(dir) < 2 * self.size {
            return false;
        }
        let fill = || -> std::io::Result<()> {
            let mut file = durable::create(&path)?;
            if fallocate(&file, FallocateFlags::empty(), 0, self.size).is_err() {
                // A file system that cannot set blocks aside gets them written.
                let zeros = vec![0; 1 << 20];
                for _ in 0..self.size / zeros.len() as u64 {
                    file.write_all(&zeros)?;
                }
            }
            file.sync_all()
        };
        let filled = fill();
        if let Err(error) = &filled {
            tracing::debug!(%error, "no reserve");
        }
        filled.is_ok()
    }

    /// Gives `bytes` of it in `dir` back to the disk, in whole bits and one at least; false when there is nothing left.
    pub fn give(&self, dir: &Path, bytes: u64) -> bool {
        let path = dir.join(self.file);
        let Ok(file) = std::fs::File::options().write(true).open(&path) else {
            return false;
        };
        let length = file.metadata().map_or(0, |file| file.len());
        if length == self.size {
            tracing::warn!(
                folder = %dir.display(),
                "no room on the disk: {} written into the room that was kept for them",
                self.holds
            );
        }
        let bits = bytes.div_ceil(self.bit).max(1);
        length > 0
            && file
                .set_len(length.saturating_sub(bits.saturating_mul(self.bit)))
                .is_ok()
    }
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
        assert!(!ROWS.give(dir.path(), 0), "there is none yet");
        assert!(ROWS.keep(dir.path()));
        let bits = std::iter::from_fn(|| ROWS.give(dir.path(), 0).then_some(())).count();
        assert_eq!(bits as u64, ROWS.size / ROWS.bit);
        assert!(ROWS.keep(dir.path()) && ROWS.give(dir.path(), 0));
    }

    #[test]
    fn a_file_gets_as_much_as_it_needs() {
        let dir = tempfile::tempdir().unwrap();
        assert!(CLIPS.keep(dir.path()));
        assert!(CLIPS.give(dir.path(), CLIPS.bit + 1));
        let left = std::fs::metadata(dir.path().join(CLIPS.file)).unwrap();
        assert_eq!(left.len(), CLIPS.size - 2 * CLIPS.bit);
        assert!(CLIPS.give(dir.path(), u64::MAX), "what is left of it");
        assert!(!CLIPS.give(dir.path(), 1));
    }
}

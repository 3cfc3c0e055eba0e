//! A file for packets that wait to be encoded and have no room in memory.
//!
//! It has no name (`O_TMPFILE`, or unlinked as soon as it is made), so that nobody else can open it, and what is in it, as
//! the camera sent it and without its mask, is gone with the process: at its end, after a crash, after a power cut.

use std::{fs::File, io, os::unix::fs::FileExt, path::PathBuf, sync::Arc};

use bytes::Bytes;

/// Where in the file a packet's data lies.
#[derive(Debug, Clone)]
pub(super) struct Extent {
    file: Arc<File>,
    offset: u64,
    length: usize,
}

impl Extent {
    /// Bytes.
    pub(super) fn len(&self) -> u64 {
        self.length as u64
    }

    /// Reads the data back.
    pub(super) fn read(&self) -> io::Result<Bytes> {
        let mut data = vec![0; self.length];
        self.file.read_exact_at(&mut data, self.offset)?;
        Ok(data.into())
    }
}

/// The file, once there is something in it.
#[derive(Debug)]
pub(super) struct Spill {
    folder: PathBuf,
    most: u64,
    file: Option<Arc<File>>,
    end: u64,
    /// Bytes that have not been read.
    held: u64,
}

impl Spill {
    /// Holds at most `most` bytes in a file in `folder`.
    pub(super) fn new(folder: PathBuf, most: u64) -> Self {
        Self {
            folder,
            most,
            file: None,
            end: 0,
            held: 0,
        }
    }

    /// Writes `data` down; none where the file holds all that it may.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn write(&mut self, data: &[u8]) -> io::Result<Option<Extent>> {
        let length = data.len() as u64;
        if self.end + length > self.most {
            return Ok(None);
        }
        let file = match &self.file {
            Some(file) => Arc::clone(file),
            None => {
                let file = Arc::new(tempfile::tempfile_in(&self.folder)?);
                self.file = Some(Arc::clone(&file));
                file
            }
        };
        file.write_all_at(data, self.end)?;
        let extent = Extent {
            file,
            offset: self.end,
            length: data.len(),
        };
        self.end += length;
        self.held += length;
        Ok(Some(extent))
    }

    /// `extent` is needed no longer. When nothing is, the file goes.
    pub(super) fn release(&mut self, extent: &Extent) {
        self.held = self.held.saturating_sub(extent.len());
        if self.held == 0 {
            self.file = None;
            self.end = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_comes_back_and_has_no_name() {
        let dir = tempfile::tempdir().unwrap();
        let mut spill = Spill::new(dir.path().to_owned(), 1000);
        let first = spill.write(&[1; 400]).unwrap().unwrap();
        let second = spill.write(&[2; 400]).unwrap().unwrap();
        assert!(spill.write(&[3; 400]).unwrap().is_none(), "bounded");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        assert_eq!(first.read().unwrap(), vec![1; 400]);
        spill.release(&first);
        assert!(spill.write(&[3; 400]).unwrap().is_none());
        assert_eq!(second.read().unwrap(), vec![2; 400]);
        spill.release(&second);
        // Empty again: a new file, from its beginning.
        assert!(spill.write(&[4; 400]).unwrap().is_some());
        assert_eq!(spill.end, 400);
    }

    #[test]
    fn a_folder_that_is_gone_is_an_error() {
        let mut spill = Spill::new("/nowhere/lares".into(), 1000);
        assert!(spill.write(&[1; 10]).is_err());
    }
}

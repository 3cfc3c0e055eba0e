//! A file of a recording while it is written: whole fragments, one after the other, brought to the disk every few seconds.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use bytes::Bytes;

use super::format::{self, Fragment, Head, Table};
use crate::base::durable;

/// What is written is brought to the disk after so many ticks. With the piece that is still open and those who wait for the
/// thread, a power cut takes ten seconds at most.
const FLUSH: i64 = 5 * 90_000;

/// A growing file.
pub(super) struct Growing {
    path: PathBuf,
    file: File,
    pub(super) table: Table,
    /// End of what is on the disk for sure, in ticks.
    flushed: i64,
    /// How often the disk was asked to flush.
    #[cfg(test)]
    pub(super) flushes: u32,
}

impl Growing {
    /// Begins a file at `path` with the header `init`. Its name is on the disk when this returns.
    pub(super) fn begin(path: PathBuf, init: &[u8], head: Head, start: i64) -> io::Result<Self> {
        let folder = path.parent().unwrap_or(Path::new("."));
        // A file in the folder's place is no file of that name.
        durable::make_dir(folder).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => io::Error::other(error),
            _ => error,
        })?;
        let file = durable::create_new(&path)?;
        let head_box = format::head_box(&head);
        let put = || -> io::Result<()> {
            file.write_all_at(init, 0)?;
            file.write_all_at(&head_box, init.len() as u64)?;
            durable::flush_dir(folder)
        };
        if let Err(error) = put() {
            let _ = std::fs::remove_file(&path);
            return Err(error);
        }
        let short = |length: usize| u32::try_from(length).map_err(io::Error::other);
        let table = Table {
            head,
            start,
            end: start,
            init: short(init.len())?,
            fragments: Vec::new(),
            data_end: short(init.len() + head_box.len())?,
        };
        Ok(Self {
            path,
            file,
            table,
            flushed: start,
            #[cfg(test)]
            flushes: 1,
        })
    }

    /// Adds a fragment that lasts until `end`. What could not be written whole is taken back.
    pub(super) fn add(
        &mut self,
        chunks: &[Bytes],
        frames: usize,
        key: bool,
        end: i64,
    ) -> io::Result<()> {
        let offset = self.table.data_end;
        let mut together = chunks.concat();
        let check = format::check(&together);
        together.extend_from_slice(&check);
        let data_end = u64::from(offset) + together.len() as u64;
        let (Ok(data_end), Ok(at), Ok(frames)) = (
            u32::try_from(data_end),
            u32::try_from(self.table.end - self.table.start),
            u32::try_from(frames),
        ) else {
            return Err(io::Error::other("the file is too long"));
        };
        if let Err(error) = self.file.write_all_at(&together, u64::from(offset)) {
            let _ = self.file.set_len(u64::from(offset));
            return Err(error);
        }
        self.table.fragments.push(Fragment {
            offset,
            at,
            frames,
            key,
        });
        (self.table.end, self.table.data_end) = (end, data_end);
        Ok(())
    }

    /// Brings what was added to the disk, where it is time.
    pub(super) fn flush_in_time(&mut self) -> io::Result<()> {
        if self.table.end - self.flushed < FLUSH {
            return Ok(());
        }
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        self.flushed = self.table.end;
        #[cfg(test)]
        {
            self.flushes += 1;
        }
        Ok(())
    }

    /// Closes the file; its length. The table is written once all before it is on the disk, and needs no flush of its own: a
    /// file without one is scanned.
    pub(super) fn close(mut self) -> io::Result<Option<u64>> {
        if self.table.fragments.is_empty() {
            std::fs::remove_file(&self.path)?;
            return Ok(None);
        }
        if self.flushed < self.table.end {
            self.flush()?;
        }
        let table = self.table.to_bytes();
        let at = u64::from(self.table.data_end);
        if let Err(error) = self.file.write_all_at(&table, at) {
            let _ = self.file.set_len(at);
            return Err(error);
        }
        Ok(Some(at + table.len() as u64))
    }
}

/// Cuts the file at `path`, which was being written when the power went, at its last whole fragment, and gives it its table.
/// None where nothing of it is whole; it is gone then.
pub(super) fn mend(path: &Path) -> io::Result<Option<Table>> {
    let file = File::options().read(true).write(true).open(path)?;
    let Some(table) = format::scan(&file)? else {
        std::fs::remove_file(path)?;
        return Ok(None);
    };
    let end = u64::from(table.data_end);
    file.set_len(end)?;
    file.sync_data()?;
    file.write_all_at(&table.to_bytes(), end)?;
    Ok(Some(table))
}

/// The table of the file at `path`, closed or not. None where nothing of it is whole.
pub(super) fn read(path: &Path) -> io::Result<Option<Table>> {
    let file = File::open(path)?;
    match format::table(&file)? {
        Some(table) => Ok(Some(table)),
        None => format::scan(&file),
    }
}

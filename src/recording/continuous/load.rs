//! The index from the files: at start, piece by piece, so that packets need not wait for it.
//!
//! In: folders. Out: entries. A file that was being written when the power went is cut at its last whole fragment, unless somebody
//! only reads.

use std::{
    collections::VecDeque,
    fs, io,
    path::{Path, PathBuf},
    time::Instant,
};

use super::{
    Inner,
    file::{self},
    format,
    index::Entry,
    place::{self, Key},
};
use crate::flow::CameraId;

/// Files that were there at start and are not in the index yet; the newest go first.
pub(super) struct Loader {
    files: VecDeque<(CameraId, Key, PathBuf)>,
    mends: bool,
}

fn names(dir: &Path) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let named = entries.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        Some((name, entry.path()))
    });
    named.collect()
}

impl Loader {
    /// Of all files below `root`. `mends`: files that were not closed are cut and closed; only for who writes there.
    pub(super) fn new(root: &Path, mends: bool) -> Self {
        let mut files = Vec::new();
        for (camera, path) in names(root) {
            let Ok(camera) = camera.parse::<CameraId>() else {
                continue;
            };
            for (day, path) in names(&path) {
                for (name, path) in names(&path) {
                    if let Some(key) = place::key(&day, &name) {
                        files.push((camera.clone(), key, path));
                    }
                }
            }
        }
        files.sort_by_key(|(_, key, _)| std::cmp::Reverse(*key));
        Self {
            files: files.into(),
            mends,
        }
    }

    /// Enters files until `until`; true when all are entered.
    pub(super) fn step(&mut self, inner: &Inner, until: Option<Instant>) -> bool {
        while let Some((camera, key, path)) = self.files.pop_front() {
            match self.read(&path) {
                Ok(Some(entry)) => inner.enter(&camera, key, entry),
                Ok(None) => {
                    tracing::debug!(path = %path.display(), "nothing of this recording is whole");
                }
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "a recording cannot be read: it is left alone");
                }
            }
            if until.is_some_and(|until| Instant::now() >= until) {
                break;
            }
        }
        self.files.is_empty()
    }

    fn read(&self, path: &Path) -> io::Result<Option<Entry>> {
        let table = match format::table(&fs::File::open(path)?)? {
            Some(table) => Some(table),
            None if self.mends => file::mend(path)?,
            None => file::read(path)?,
        };
        let bytes = fs::metadata(path).map_or(0, |file| file.len());
        Ok(table.map(|table| Entry::closed(&table, bytes)))
    }
}

//! Files whose row a cut kept from being written: entered if they are whole and fit, else removed.
//!
//! A file has its name before it has its row, so a cut in between leaves a file that nobody knows of, or a picture that
//! is newer than its row. Both happen only to what was written last. What is removed was never promised to anyone.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rusqlite::OptionalExtension;
use sha2::{Digest, Sha256};

use crate::outbox::{Fail, Outbox, OutboxError, evict::Kept, incidents};
use crate::{
    flow::{IncidentId, MediaFile, MediaKind, MediaTime, Rendition},
    wire::{Item, keys::ObjectKey},
};

/// What a whole file of a clip says of itself; the clip room knows how to read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contents {
    /// A header.
    Header,
    /// Pictures.
    Media {
        /// Decode times of its beginning and its end, in ticks of 1/90000 s.
        ticks: (u64, u64),
        /// How long it plays.
        duration: std::time::Duration,
        /// Pictures in it.
        frames: u32,
    },
}

/// Reads a file of a clip; none when it is not whole.
pub type ReadContents<'a> = &'a dyn Fn(&[u8]) -> Option<Contents>;

/// What became of the files without a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Orphans {
    /// Entered after all.
    pub adopted: usize,
    /// Removed.
    pub removed: usize,
}

/// A file that has no row, or a picture that is not what its row says.
struct Orphan {
    path: PathBuf,
    prefix: String,
    incident: IncidentId,
    item: Item,
}

impl Outbox {
    /// Enters or removes each file that has no row. To be called once, after the opening and before anything is written.
    ///
    /// # Errors
    /// When the database cannot be used, or a file can be neither read nor removed.
    pub fn adopt_orphans(&self, contents: ReadContents<'_>) -> Result<Orphans, OutboxError> {
        let mut files = Vec::new();
        collect(&self.path(""), &mut files)?;
        // In each folder headers before segments, and those in the order of their numbers.
        files.sort_by_cached_key(|path| {
            let segment = path.extension().is_some_and(|extension| extension == "m4s");
            let folder = path.parent().map(Path::to_owned);
            (folder, segment, path.clone())
        });
        let mut done = Orphans::default();
        for path in files {
            let Some(orphan) = self.orphan(path)? else {
                continue;
            };
            if self.adopt(&orphan, contents)? {
                done.adopted += 1;
            } else {
                done.removed += 1;
                fs::remove_file(&orphan.path)
                    .map_err(|error| OutboxError::file(&orphan.path, "removed", error))?;
                remove_empty_folders(&orphan.path, &self.path(""));
            }
        }
        if done != Orphans::default() {
            tracing::info!(
                adopted = done.adopted,
                removed = done.removed,
                "files that the last run had not entered any more"
            );
        }
        Ok(done)
    }

    /// Whether the file at `path` is one; what is not named as ours is left alone.
    fn orphan(&self, path: PathBuf) -> Result<Option<Orphan>, OutboxError> {
        let root = self.path("");
        let name = path.strip_prefix(&root).ok().and_then(Path::to_str);
        let Some(key) = name.and_then(|name| name.parse::<ObjectKey>().ok()) else {
            tracing::warn!(path = %path.display(), "a foreign file in the outbox is left alone");
            return Ok(None);
        };
        let name = key.to_string();
        let length = fs::metadata(&path).map_or(0, |file| file.len());
        let known = self.read(|db| match key.item {
            // Made from rows, at any time again.
            Item::Playlist(_) | Item::Facts => Ok(incidents::row(db, key.incident)?.is_some()),
            item => {
                type Row = (u64, bool, Option<[u8; 32]>);
                let row: Option<Row> = db
                    .prepare_cached("SELECT bytes, waiting, sha256 FROM objects WHERE key = ?1")?
                    .query_row([&name], |row| {
                        Ok((row.get::<_, i64>(0)? as u64, row.get(1)?, row.get(2)?))
                    })
                    .optional()?;
                let picture = matches!(item, Item::Thumb | Item::Crop);
                // A picture is replaced under its name, file first. Reading them all would take long; one that has
                // changed is still to leave, or has another length.
                Ok(row.is_some_and(|(bytes, waiting, sum)| {
                    !picture
                        || bytes == length
                            && (!waiting || sum_of(&path).is_none_or(|found| Some(found) == sum))
                }))
            }
        })?;
        let item_length = key.item.to_string().len() + 1;
        Ok((!known).then(|| Orphan {
            path,
            prefix: name[..name.len() - item_length].to_owned(),
            incident: key.incident,
            item: key.item,
        }))
    }

    /// Enters an orphan if it is whole and fits; false: it does not.
    fn adopt(&self, orphan: &Orphan, contents: ReadContents<'_>) -> Result<bool, OutboxError> {
        let row = self.read(|db| Ok(incidents::row(db, orphan.incident)?))?;
        if !row.is_some_and(|row| row.prefix == orphan.prefix && !row.refused) {
            return Ok(false);
        }
        let bytes = fs::read(&orphan.path)
            .map_err(|error| OutboxError::file(&orphan.path, "read", error))?;
        match orphan.item {
            Item::Thumb | Item::Crop => {
                if !(bytes.starts_with(&[0xff, 0xd8]) && bytes.ends_with(&[0xff, 0xd9])) {
                    return Ok(false);
                }
                let sha256: [u8; 32] = Sha256::digest(&bytes).into();
                let length = bytes.len() as u64;
                let mut state = self.state.lock();
                self.write_in(&mut state, |tx| {
                    tx.enter_picture(orphan.incident, &orphan.prefix, orphan.item, length, sha256)
                })?;
                self.stored_more(&mut state, Kept::Picture, bytes.len() as u64);
                Ok(true)
            }
            Item::Init(rendition, number) => {
                let whole = contents(&bytes) == Some(Contents::Header);
                let file = self.file(orphan, rendition, MediaKind::Init, number, &bytes);
                self.enter_file(whole.then_some(file))
            }
            Item::Media(rendition, number) => {
                let file = match contents(&bytes) {
                    Some(Contents::Media {
                        ticks: (from, _),
                        duration,
                        frames,
                    }) => self.headers(orphan, rendition)?.map(|init| MediaFile {
                        init,
                        duration,
                        frames,
                        discontinuity: number > 1
                            && self.end_of(orphan, rendition, number - 1, contents) != Some(from),
                        ..self.file(orphan, rendition, MediaKind::Media, number, &bytes)
                    }),
                    _ => None,
                };
                self.enter_file(file)
            }
            Item::Playlist(_) | Item::Facts => Ok(false),
        }
    }

    fn enter_file(&self, file: Option<MediaFile>) -> Result<bool, OutboxError> {
        let Some(file) = file else { return Ok(false) };
        self.media(&file)?;
        if file.kind == MediaKind::Media {
            // Nothing more will come, for that run is over.
            self.clip_closed(file.incident, file.rendition)?;
        }
        Ok(true)
    }

    fn file(
        &self,
        orphan: &Orphan,
        rendition: Rendition,
        kind: MediaKind,
        number: u32,
        bytes: &[u8],
    ) -> MediaFile {
        MediaFile {
            incident: orphan.incident,
            rendition,
            kind,
            number,
            init: number,
            path: orphan.path.clone(),
            bytes: bytes.len() as u64,
            sha256: Sha256::digest(bytes).into(),
            start: MediaTime::ZERO,
            duration: std::time::Duration::ZERO,
            frames: 0,
            discontinuity: false,
        }
    }

    /// The header that an orphaned segment needs. A segment does not name it, so there must be one to choose from.
    fn headers(&self, orphan: &Orphan, rendition: Rendition) -> Result<Option<u32>, OutboxError> {
        let numbers: Vec<u32> = self.read(|db| {
            let mut select = db.prepare_cached(
                "SELECT number FROM objects WHERE incident = ?1 AND kind = 'init' AND rendition = ?2",
            )?;
            let id = orphan.incident.to_string();
            let rows = select.query_map([id.as_str(), rendition.as_str()], |row| row.get(0))?;
            Ok::<_, Fail>(rows.collect::<Result<_, _>>()?)
        })?;
        Ok(match numbers[..] {
            [only] => Some(only),
            _ => None,
        })
    }

    /// At which tick the segment before is over, if it is there.
    fn end_of(
        &self,
        orphan: &Orphan,
        rendition: Rendition,
        number: u32,
        contents: ReadContents<'_>,
    ) -> Option<u64> {
        let item = Item::Media(rendition, number);
        let bytes = fs::read(self.path(&format!("{}/{item}", orphan.prefix))).ok()?;
        match contents(&bytes) {
            Some(Contents::Media { ticks: (_, to), .. }) => Some(to),
            _ => None,
        }
    }
}

fn sum_of(path: &Path) -> Option<[u8; 32]> {
    fs::read(path)
        .ok()
        .map(|bytes| Sha256::digest(bytes).into())
}

/// Every file below `dir`.
fn collect(dir: &Path, files: &mut Vec<PathBuf>) -> Result<(), OutboxError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(OutboxError::file(dir, "read", error)),
    };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}

/// Removes the folders above `path` that have become empty, up to `root`.
fn remove_empty_folders(path: &Path, root: &Path) {
    for folder in path.ancestors().skip(1) {
        if folder == root || !folder.starts_with(root) || fs::remove_dir(folder).is_err() {
            return;
        }
    }
}

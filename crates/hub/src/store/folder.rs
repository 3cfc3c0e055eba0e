//! Objects as files: a folder with one file for each key, and nothing else.
//!
//! In: keys of our grammar and content as it comes in. Out: files that are whole or not there. An object is written beside its
//! place, flushed and renamed; what a crash cut off is deleted at the next start. A key that is not of our grammar has no path.

use std::{
    fs::{self, File, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use tokio::{fs::OpenOptions, io::AsyncWriteExt};

use crate::{
    base::{durable, tasks},
    wire::keys::ObjectKey,
};

/// Where uploads grow. No key begins like this.
const INCOMING: &str = ".incoming";
/// This much of the disk is left alone.
const LEFT_ALONE: u64 = 200_000_000;

/// What is known of an object without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) bytes: u64,
    pub(crate) changed: SystemTime,
    /// Changes when the content does: inode, size and time of change of a file that is only ever replaced as a whole.
    pub(crate) etag: String,
}

impl Facts {
    fn of(file: &Metadata) -> io::Result<Self> {
        Ok(Self {
            bytes: file.size(),
            changed: file.modified()?,
            etag: format!(
                "{:x}-{:x}-{:x}",
                file.ino(),
                file.size(),
                i128::from(file.mtime()) * 1_000_000_000 + i128::from(file.mtime_nsec())
            ),
        })
    }
}

/// The folder. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    root: PathBuf,
    numbers: Arc<AtomicU64>,
}

impl Folder {
    /// Opens the folder `root`, made where there is none.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        let incoming = root.join(INCOMING);
        if incoming.exists() {
            fs::remove_dir_all(&incoming)?;
        }
        durable::make_dir(&incoming)?;
        Ok(Self {
            root: root.canonicalize()?,
            numbers: Arc::default(),
        })
    }

    fn path(&self, key: &ObjectKey) -> PathBuf {
        self.root.join(key.to_string())
    }

    /// An object's facts; none where there is no such object.
    pub(crate) fn facts(&self, key: &ObjectKey) -> io::Result<Option<Facts>> {
        match fs::metadata(self.path(key)) {
            Ok(file) if file.is_file() => Facts::of(&file).map(Some),
            Ok(_) => Ok(None),
            Err(error) if missing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// An open object and its facts; none where there is no such object. What was opened stays whole, whatever replaces it.
    pub(crate) fn read(&self, key: &ObjectKey) -> io::Result<Option<(File, Facts)>> {
        match File::open(self.path(key)) {
            Ok(file) => {
                let facts = Facts::of(&file.metadata()?)?;
                Ok(Some((file, facts)))
            }
            Err(error) if missing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Bytes that the disk still has for objects.
    pub(crate) fn room(&self) -> io::Result<u64> {
        let disk = rustix::fs::statvfs(&self.root)?;
        Ok((disk.f_bavail * disk.f_frsize).saturating_sub(LEFT_ALONE))
    }

    /// A file for an upload.
    pub(crate) async fn begin(&self) -> io::Result<Incoming> {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let path = self.root.join(INCOMING).join(number.to_string());
        Ok(Incoming {
            file: OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(durable::PRIVATE)
                .open(&path)
                .await?,
            path,
            root: self.root.clone(),
        })
    }

    /// Deletes an object and the folders that it leaves empty. One that is not there is deleted already.
    pub(crate) fn delete(&self, key: &ObjectKey) -> io::Result<()> {
        let path = self.path(key);
        match fs::remove_file(&path) {
            Err(error) if !missing(&error) => return Err(error),
            _ => {}
        }
        for folder in path.ancestors().skip(1) {
            if folder == self.root || fs::remove_dir(folder).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Says that an object has last changed `at`. One that is not there is passed over.
    pub(crate) fn touch(&self, key: &ObjectKey, at: SystemTime) -> io::Result<()> {
        match File::options().write(true).open(self.path(key)) {
            Ok(file) => file.set_modified(at),
            Err(error) if missing(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Keys below `prefix` in alphabetical order, from the first one after `after` on, at most `most`; and whether there are
    /// more.
    pub(crate) fn list(
        &self,
        prefix: &str,
        after: &str,
        most: usize,
    ) -> io::Result<(Vec<ObjectKey>, bool)> {
        let mut found = Vec::new();
        self.walk("", prefix, after, most + 1, &mut found)?;
        let more = found.len() > most;
        found.truncate(most);
        Ok((found, more))
    }

    fn walk(
        &self,
        below: &str,
        prefix: &str,
        after: &str,
        most: usize,
        found: &mut Vec<ObjectKey>,
    ) -> io::Result<()> {
        let mut entries = Vec::new();
        let reading = match fs::read_dir(self.root.join(below)) {
            Err(error) if missing(&error) => return Ok(()),
            other => other?,
        };
        for entry in reading {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            // With its slash a folder stands where its keys stand.
            let slash = if entry.file_type()?.is_dir() { "/" } else { "" };
            entries.push(format!("{below}{name}{slash}"));
        }
        entries.sort_unstable();
        for entry in entries {
            if found.len() >= most {
                break;
            }
            let leads_there = entry.starts_with(prefix) || prefix.starts_with(&entry);
            if entry.ends_with('/') {
                // All of its keys are before `after` where it is itself, and is no beginning of it.
                let over = entry.as_str() < after && !after.starts_with(&entry);
                if leads_there && !over && !entry.starts_with(INCOMING) {
                    self.walk(&entry, prefix, after, most, found)?;
                }
            } else if entry.starts_with(prefix) && entry.as_str() > after {
                found.extend(entry.parse::<ObjectKey>().ok());
            }
        }
        Ok(())
    }
}

fn missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// An upload that has not ended. Dropped, it leaves nothing.
pub(crate) struct Incoming {
    file: tokio::fs::File,
    path: PathBuf,
    root: PathBuf,
}

impl Incoming {
    /// Adds `bytes`.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes).await
    }

    /// Puts it in its place; it survives a power cut from then on.
    pub(crate) async fn keep(mut self, key: &ObjectKey) -> io::Result<Facts> {
        self.file.flush().await?;
        self.file.sync_all().await?;
        let (root, path, place) = (
            self.root.clone(),
            self.path.clone(),
            self.root.join(key.to_string()),
        );
        let kept = tasks::blocking(move || {
            let folder = place.parent().unwrap_or(&root);
            durable::make_dir(folder)?;
            fs::rename(&path, &place)?;
            // A folder that another upload has just made may not be on the disk yet.
            for folder in folder.ancestors() {
                durable::flush_dir(folder)?;
                if folder == root {
                    break;
                }
            }
            Facts::of(&fs::metadata(&place)?)
        });
        kept.await?
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(site: u8, day: u8, incident: u8, file: u8) -> ObjectKey {
        let file = [
            "incident.json",
            "thumb.jpg",
            "sub/init-1.mp4",
            "sub/00001.m4s",
        ][usize::from(file % 4)];
        format!(
            "v1/site{site}/door/2026-02-{:02}/01990000-0000-7000-8000-0000000000{incident:02}/{file}",
            day % 28 + 1
        )
        .parse()
        .unwrap()
    }

    async fn put(folder: &Folder, key: &ObjectKey, content: &[u8]) -> Facts {
        let mut incoming = folder.begin().await.unwrap();
        incoming.write(content).await.unwrap();
        incoming.keep(key).await.unwrap()
    }

    #[tokio::test]
    async fn objects_are_whole_or_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        let key = key(1, 1, 1, 1);
        let mut cut = folder.begin().await.unwrap();
        cut.write(b"half").await.unwrap();
        drop(cut);
        assert_eq!(folder.facts(&key).unwrap(), None);

        let first = put(&folder, &key, b"one").await;
        assert_eq!(folder.facts(&key).unwrap(), Some(first.clone()));
        let (open, _) = folder.read(&key).unwrap().unwrap();
        let second = put(&folder, &key, b"two").await;
        assert_ne!(first.etag, second.etag);
        assert_eq!(io::read_to_string(open).unwrap(), "one");

        // What a crash has left is gone at the next start.
        let crashed = folder.begin().await.unwrap();
        std::mem::forget(crashed);
        let folder = Folder::open(dir.path()).unwrap();
        assert_eq!(fs::read_dir(dir.path().join(INCOMING)).unwrap().count(), 0);
        folder.delete(&key).unwrap();
        folder.delete(&key).unwrap();
        assert!(!dir.path().join("v1").exists());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn a_listing_in_pieces_is_the_listing(
            names in prop::collection::btree_set((1u8..4, 0u8..3, 10u8..13, 0u8..4), 0..20),
            piece in 1usize..7,
            site in 1u8..4,
        ) {
            let dir = tempfile::tempdir().unwrap();
            let folder = Folder::open(dir.path()).unwrap();
            let mut keys: Vec<String> = Vec::new();
            for (site, day, incident, file) in names {
                let key = key(site, day, incident, file);
                let path = dir.path().join(key.to_string());
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, b"x").unwrap();
                keys.push(key.to_string());
            }
            keys.sort_unstable();
            let prefix = format!("v1/site{site}/");
            keys.retain(|key| key.starts_with(&prefix));
            let (mut listed, mut after) = (Vec::new(), String::new());
            loop {
                let (page, more) = folder.list(&prefix, &after, piece).unwrap();
                prop_assert!(page.len() <= piece);
                listed.extend(page.iter().map(ToString::to_string));
                if !more {
                    break;
                }
                after.clone_from(listed.last().unwrap());
            }
            prop_assert_eq!(listed, keys);
        }
    }
}

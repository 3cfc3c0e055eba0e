//! A damaged database: it is put aside with its clips, and the watch goes on with an empty one.
//!
//! In: damage that an opening, or a statement in the last run, has met. Out: the files under other names, and a sentence for
//! people. It deletes nothing, and after [`MOST`] times it puts nothing aside any more: the disk must be looked at.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rusqlite::Connection;

use crate::{
    base::{durable, reserve, sqlite},
    outbox::{OutboxError, store},
};

/// Says that the database was found damaged while it was in use, where its next opening might not find that.
const MARK: &str = "outbox.damaged";
/// What a database that is put aside is called, before the time.
const ASIDE: &str = "outbox.db.damaged-";
/// How many there may be.
const MOST: usize = 3;

/// Notes that the database in `dir` is damaged, for the next start.
pub(in crate::outbox) fn mark(dir: &Path, error: &OutboxError) {
    if let Err(error) = durable::write(&dir.join(MARK), error.to_string().as_bytes()) {
        tracing::warn!(%error, "it could not be noted that the outbox is damaged");
    }
}

/// Opens the database in `dir`; one that is damaged is put aside before, which the sentence says.
pub(in crate::outbox) fn open(dir: &Path) -> Result<(Connection, Option<String>), OutboxError> {
    clips_aside(dir)?;
    let path = dir.join(store::FILE);
    let mark = dir.join(MARK);
    let found = match fs::read_to_string(&mark) {
        Ok(_) if path.exists() => Err(OutboxError::Damaged {
            path: path.clone(),
            detail: "found while it was in use".to_owned(),
        }),
        _ => with_reserve(dir),
    };
    let sentence = match found {
        Err(OutboxError::Damaged { .. }) if earlier(dir) < MOST => {
            let database = sqlite::set_aside(&path, usize::MAX)
                .map_err(|error| OutboxError::file(&path, "set aside", error))?;
            let clips = clips_aside(dir)?;
            let with = clips.map_or(String::new(), |clips| {
                format!(" and the clips to {}", clips.display())
            });
            format!(
                "the outbox was damaged and is a new one: the old one was moved to {}{with}; alerts and clips that had not left \
                 are there, keep them, and look at the disk",
                database.display()
            )
        }
        other => {
            let opened = other?;
            // The one that it speaks of is gone.
            let _ = fs::remove_file(mark);
            return Ok((opened, None));
        }
    };
    tracing::error!("{sentence}");
    let _ = fs::remove_file(mark);
    Ok((with_reserve(dir)?, Some(sentence)))
}

/// How many were put aside before and are still there.
fn earlier(dir: &Path) -> usize {
    let all = fs::read_dir(dir).into_iter().flatten().flatten();
    all.filter(|entry| {
        let name = entry.file_name();
        let time = name.to_str().and_then(|name| name.strip_prefix(ASIDE));
        time.is_some_and(|time| time.bytes().all(|byte| byte.is_ascii_digit()))
    })
    .count()
}

/// Opens the database; on a full disk with what the reserve holds.
fn with_reserve(dir: &Path) -> Result<Connection, OutboxError> {
    let mut opened = store::open(dir);
    while opened.is_err() && reserve::free_bytes(dir) == 0 && reserve::ROWS.give(dir, 0) {
        opened = store::open(dir);
    }
    opened
}

/// Files without a database: somebody moved it away, or it was put aside. They would be removed as unknown, so they get a folder
/// of their own.
fn clips_aside(dir: &Path) -> Result<Option<PathBuf>, OutboxError> {
    let objects = dir.join("objects");
    if dir.join(store::FILE).exists() || !objects.is_dir() {
        return Ok(None);
    }
    let seconds = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let aside = dir.join(format!("objects-{}", seconds.map_or(0, |s| s.as_secs())));
    fs::rename(&objects, &aside)
        .map_err(|error| OutboxError::file(&objects, "set aside", error))?;
    tracing::warn!(folder = %aside.display(), "there are clips without a database: they were set aside, delete them when they are of no use");
    Ok(Some(aside))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        base::{clock::SystemClock, telemetry::Metrics},
        config::OutboxConfig,
        outbox::Outbox,
        testing::incidents::visit,
    };

    fn opened(dir: &Path) -> Result<Arc<Outbox>, OutboxError> {
        let (clock, settings) = (SystemClock::start(), OutboxConfig::default());
        let site = "home".parse().expect("an id");
        Outbox::open(dir, site, clock, settings, Metrics::new())
    }

    /// Overwrites the inside of each page, as a dying card does.
    fn garble(dir: &Path) {
        let path = dir.join(store::FILE);
        let mut bytes = fs::read(&path).unwrap();
        for page in bytes.chunks_mut(4096).skip(1) {
            page[..600].fill(0x5a);
        }
        fs::write(path, bytes).unwrap();
    }

    fn names(dir: &Path, begins: &str) -> Vec<String> {
        let all = fs::read_dir(dir).unwrap().flatten();
        let names = all.map(|entry| entry.file_name().into_string().unwrap());
        names.filter(|name| name.starts_with(begins)).collect()
    }

    #[test]
    fn a_damaged_outbox_is_put_aside_with_its_clips_and_the_watch_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let outbox = opened(dir).unwrap();
        assert_eq!(outbox.damage(), None);
        outbox.alert(&visit(0.0), None).unwrap();
        let folder = outbox.incident_dir(&visit(1.0)).unwrap();
        fs::write(folder.join("thumb.jpg"), "of somebody").unwrap();
        drop(outbox);
        for times in 1..=MOST {
            garble(dir);
            let outbox = opened(dir).unwrap();
            let said = outbox.damage().unwrap();
            assert!(said.contains(ASIDE), "{said}");
            assert_eq!(names(dir, ASIDE).len(), times, "nothing is deleted");
            outbox.alert(&visit(2.0), None).unwrap();
        }
        let clips = names(dir, "objects-");
        assert_eq!(clips.len(), 1);
        let kept = dir
            .join(&clips[0])
            .join(folder.strip_prefix(dir.join("objects")).unwrap());
        assert_eq!(fs::read(kept.join("thumb.jpg")).unwrap(), b"of somebody");
        // A disk that does it again and again is for a person to look at.
        garble(dir);
        let error = opened(dir).map(drop).unwrap_err();
        assert!(matches!(error, OutboxError::Damaged { .. }), "{error}");
    }

    #[test]
    fn damage_that_is_met_while_it_runs_is_known_at_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let outbox = opened(dir).unwrap();
        outbox.alert(&visit(0.0), None).unwrap();
        assert!(!outbox.damaged().is_cancelled());
        let met = outbox.read(|_| {
            let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
            Err::<(), _>(rusqlite::Error::SqliteFailure(code, None).into())
        });
        assert!(matches!(met, Err(OutboxError::Damaged { .. })));
        assert!(outbox.damaged().is_cancelled());
        drop(outbox);
        assert!(opened(dir).unwrap().damage().is_some());
        assert_eq!(names(dir, ASIDE).len(), 1);
        assert_eq!(opened(dir).unwrap().damage(), None, "that is over");
        // Somebody has moved the damaged one away: the new one is sound.
        fs::write(dir.join(MARK), "damaged").unwrap();
        fs::remove_file(dir.join(store::FILE)).unwrap();
        for _ in 0..2 {
            assert_eq!(opened(dir).unwrap().damage(), None);
        }
    }
}

//! The decision log: why each incident began, and why what moved or was seen became none, kept for a day.
//!
//! In: reports and refusals of the watch lanes. Out: JSON lines ([`DecisionRecord`]) of the last 24 hours, for `/why`. On disk it
//! is one file for each hour in `why/` below the data folder, so that the day survives a restart and old hours go by
//! being deleted. It never leaves the box, holds no picture, and is no evidence: a line that the disk refuses is lost,
//! and said so once. Imports `flow`, `base`, `event` (for its refusals) and `wire`.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;

use crate::{
    base::{clock::Clock, durable},
    event::{Refusal, Refused},
    flow::{CameraId, Incident, MediaTime, WallTime},
    wire::why::{About, DecisionRecord},
};

const HOUR_MS: i64 = 3_600_000;
/// Hours that are kept, beside the one that is being written.
const KEPT_HOURS: i64 = 24;
/// Most bytes of one hour: a scene that never rests must not fill the disk.
const MOST_BYTES: u64 = 1 << 18;

/// Where reasons are written. Cheap to clone.
#[derive(Clone)]
pub struct DecisionLog {
    folder: PathBuf,
    clock: Arc<dyn Clock>,
    hour_file: Arc<Mutex<Option<HourFile>>>,
}

struct HourFile {
    hour: i64,
    /// None once the disk refused it.
    file: Option<File>,
    bytes: u64,
}

impl DecisionLog {
    /// In the data folder `data_dir`.
    #[must_use]
    pub fn new(data_dir: &Path, clock: Arc<dyn Clock>) -> Self {
        Self {
            folder: data_dir.join("why"),
            clock,
            hour_file: Arc::default(),
        }
    }

    /// Something became no incident.
    pub fn refused(&self, camera: &CameraId, refusal: &Refusal) {
        let about = match refusal.what {
            Refused::Track(_) => About::Track,
            Refused::Motion => About::Motion,
        };
        let reason = refusal.reason.as_str();
        self.write(&DecisionRecord {
            from: self.wall(refusal.from),
            to: self.wall(refusal.to),
            score: refusal.score,
            looks: refusal.looks,
            place: refusal.place,
            ..DecisionRecord::new(self.clock.wall(), camera.clone(), about, reason)
        });
    }

    /// An incident began.
    pub fn began(&self, incident: &Incident) {
        let (camera, reason) = (incident.camera.clone(), incident.why.movement.as_str());
        self.write(&DecisionRecord {
            incident: Some(incident.id),
            why: Some(incident.why),
            from: self.wall(incident.start),
            score: incident.score,
            looks: incident.why.looks,
            ..DecisionRecord::new(self.clock.wall(), camera, About::Incident, reason)
        });
    }

    /// The lines of the last 24 hours, oldest first.
    #[must_use]
    pub fn day(&self) -> String {
        let mut hours = self.hours();
        hours.sort_unstable();
        let now = hour(self.clock.wall());
        let lately = hours.into_iter().filter(|h| now - h <= KEPT_HOURS);
        lately
            .filter_map(|hour| fs::read_to_string(self.path(hour)).ok())
            .collect()
    }

    fn wall(&self, at: MediaTime) -> WallTime {
        let ago = self.clock.now() - at;
        WallTime(self.clock.wall().0 - ago / 1_000_000)
    }

    fn path(&self, hour: i64) -> PathBuf {
        self.folder.join(format!("{hour}.jsonl"))
    }

    /// Hours since 1970 of which there is a file.
    fn hours(&self) -> Vec<i64> {
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return Vec::new();
        };
        entries
            .filter_map(|entry| {
                let name = entry.ok()?.file_name().into_string().ok()?;
                name.strip_suffix(".jsonl")?.parse().ok()
            })
            .collect()
    }

    fn write(&self, note: &DecisionRecord) {
        let Ok(mut line) = serde_json::to_string(note) else {
            return;
        };
        line.push('\n');
        let hour = hour(note.at);
        let mut hour_file = self.hour_file.lock();
        if hour_file
            .as_ref()
            .is_none_or(|hour_file| hour_file.hour != hour)
        {
            *hour_file = Some(self.turn(hour));
        }
        let Some(hour_file) = hour_file
            .as_mut()
            .filter(|hour_file| hour_file.bytes < MOST_BYTES)
        else {
            return;
        };
        hour_file.bytes += line.len() as u64;
        if let Some(file) = &mut hour_file.file
            && let Err(error) = file.write_all(line.as_bytes())
        {
            hour_file.file = None;
            tracing::warn!(%error, "reasons cannot be written to {} for the rest of this hour", self.folder.display());
        }
    }

    /// Begins an hour, and deletes those that are over for long.
    fn turn(&self, hour: i64) -> HourFile {
        for old in self.hours() {
            if hour - old > KEPT_HOURS {
                let _ = fs::remove_file(self.path(old));
            }
        }
        let opened =
            durable::make_dir(&self.folder).and_then(|()| durable::append(&self.path(hour)));
        if let Err(error) = &opened {
            tracing::warn!(%error, "reasons cannot be written to {} for the rest of this hour", self.folder.display());
        }
        let file = opened.ok();
        let bytes = file.as_ref().and_then(|file| file.metadata().ok());
        HourFile {
            hour,
            bytes: bytes.map_or(0, |metadata| metadata.len()),
            file,
        }
    }
}

fn hour(at: WallTime) -> i64 {
    at.0.div_euclid(HOUR_MS)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::{base::clock::SimClock, event::Reason, flow::TrackId};

    fn refusal(at: MediaTime) -> Refusal {
        Refusal {
            what: Refused::Track(TrackId(7)),
            reason: Reason::TooSmall,
            from: at,
            to: at,
            score: 0.4,
            looks: 3,
            place: None,
        }
    }

    fn reasons(decision_log: &DecisionLog) -> Vec<DecisionRecord> {
        let lines = decision_log.day();
        lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn a_day_is_kept_over_a_restart_and_older_hours_go() {
        let folder = tempfile::tempdir().unwrap();
        let clock = SimClock::new(WallTime(1_770_000_000_000));
        let camera: CameraId = "door".parse().unwrap();
        let hours = |n: u32| MediaTime::from_secs_f64(3600.0 * f64::from(n));
        for hour in 0..30 {
            clock.advance_to(hours(hour));
            let decision_log = DecisionLog::new(folder.path(), clock.clone());
            decision_log.refused(&camera, &refusal(hours(hour)));
        }
        let decision_log = DecisionLog::new(folder.path(), clock.clone());
        let notes = reasons(&decision_log);
        assert_eq!(notes.len(), 25);
        assert!(notes.is_sorted_by_key(|note| note.at.0));
        assert_eq!(notes[24].from, notes[24].at);
        assert_eq!((notes[0].reason.as_str(), notes[0].looks), ("too small", 3));
        assert_eq!(decision_log.hours().len(), 25, "older files are gone");
        // What moved before somebody's door is for this user alone to read.
        let why = folder.path().join("why");
        for entry in fs::read_dir(&why).unwrap().flatten() {
            let mode = entry.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{:?}", entry.path());
        }
        assert_eq!(fs::metadata(&why).unwrap().permissions().mode() & 0o077, 0);
    }

    #[test]
    fn an_hour_has_its_bound_and_a_disk_that_refuses_stops_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let clock = SimClock::new(WallTime(0));
        let decision_log = DecisionLog::new(folder.path(), clock.clone());
        let camera: CameraId = "door".parse().unwrap();
        for _ in 0..10_000 {
            decision_log.refused(&camera, &refusal(MediaTime::ZERO));
        }
        let bytes = decision_log.day().len() as u64;
        assert!((MOST_BYTES..MOST_BYTES + 1000).contains(&bytes), "{bytes}");

        let in_the_way = folder.path().join("file");
        fs::write(&in_the_way, "").unwrap();
        let refused = DecisionLog::new(&in_the_way, clock);
        refused.refused(&camera, &refusal(MediaTime::ZERO));
        assert_eq!(refused.day(), "");
    }
}

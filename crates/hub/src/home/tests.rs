use std::{
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use jiff::tz::TimeZone;
use parking_lot::Mutex;

use super::*;
use crate::{
    flow::Rendition,
    index::Filter,
    marks::{Keep, Said, Which},
};

/// A box that keeps what a test puts there.
#[derive(Default)]
pub(crate) struct Scripted {
    root: PathBuf,
    pub(crate) documents: Mutex<BTreeMap<IncidentId, Vec<u8>>>,
    pub(crate) playlists: Mutex<BTreeMap<IncidentId, String>>,
    pub(crate) held: Mutex<BTreeMap<IncidentId, WallTime>>,
    pub(crate) deleted_by: Mutex<Vec<(IncidentId, String)>>,
    pub(crate) stored: AtomicU64,
    pub(crate) busy: AtomicBool,
}

/// The box of the site `home`, with its objects in `root`.
pub(crate) fn home(root: &Path) -> (Home, Arc<Scripted>) {
    let evidence = Arc::new(Scripted {
        root: root.to_owned(),
        ..Scripted::default()
    });
    let home = Home {
        site: "home".parse().unwrap(),
        evidence: evidence.clone(),
    };
    (home, evidence)
}

impl Scripted {
    pub(crate) fn put(&self, message: &IncidentMessage) {
        self.documents.lock().insert(message.id, message.to_json());
    }
}

impl Evidence for Scripted {
    fn objects(&self) -> &Path {
        &self.root
    }

    fn stored(&self) -> u64 {
        self.stored.load(Ordering::Relaxed)
    }

    fn quota(&self) -> u64 {
        1000
    }

    fn retention(&self) -> Duration {
        Duration::from_secs(7 * 86_400)
    }

    fn playlist(&self, incident: IncidentId, _: Rendition) -> io::Result<Option<String>> {
        Ok(self.playlists.lock().get(&incident).cloned())
    }

    fn documents(
        &self,
        after: Option<IncidentId>,
        most: usize,
    ) -> io::Result<Vec<(IncidentId, Vec<u8>)>> {
        let documents = self.documents.lock();
        let later = documents
            .iter()
            .filter(|(id, _)| after.is_none_or(|after| **id > after));
        Ok(later
            .take(most)
            .map(|(id, json)| (*id, json.clone()))
            .collect())
    }

    fn incidents(&self) -> io::Result<BTreeSet<IncidentId>> {
        Ok(self.documents.lock().keys().copied().collect())
    }

    fn hold_only(&self, held: &BTreeMap<IncidentId, WallTime>) -> io::Result<()> {
        self.held.lock().clone_from(held);
        Ok(())
    }

    fn delete(&self, incident: IncidentId, account: &str) -> io::Result<Deletion> {
        if self.busy.load(Ordering::Relaxed) {
            return Ok(Deletion::Busy);
        }
        if self.documents.lock().remove(&incident).is_none() {
            return Ok(Deletion::Unknown);
        }
        self.playlists.lock().remove(&incident);
        self.deleted_by.lock().push((incident, account.to_owned()));
        Ok(Deletion::Done)
    }
}

/// A message of the incident number `which`.
pub(crate) fn message(which: u32, seq: u32) -> IncidentMessage {
    let start = 1_770_000_000_000 + i64::from(which) * 60_000;
    let json = serde_json::json!({
        "v": 1, "n": null, "id": format!("01990000-0000-7000-8000-{which:012}"), "seq": seq, "state": "ended",
        "end_reason": "left", "site": "home", "camera": "door", "label": "person", "start": start, "end": start,
        "sent": start, "clock": "good", "score": 0.9, "tracks": 1, "mode": "armed", "thumbnail": null,
        "clip": {"key": null, "state": "none", "segments": 0, "bytes": 0},
    });
    serde_json::from_value(json).unwrap()
}

fn which(number: u32) -> Which {
    ("home".parse().unwrap(), message(number, 1).id)
}

#[test]
fn an_index_that_has_missed_something_catches_up_with_the_box() {
    let dir = tempfile::tempdir().unwrap();
    let (index, _) = Index::open(dir.path(), TimeZone::UTC).unwrap();
    let (home, evidence) = home(dir.path());
    for number in 0..AT_ONCE as u32 * 2 + 3 {
        evidence.put(&message(number, 3));
    }
    index.take(&message(0, 2)).unwrap();
    index.take(&message(1, 4)).unwrap();
    let all = evidence.documents.lock().len();
    assert_eq!(home.catch_up(&index).unwrap(), all - 1);
    assert_eq!(home.catch_up(&index).unwrap(), 0);
    let (listed, _) = index.incidents(&Filter::default(), 100).unwrap();
    assert_eq!(listed.len(), all);
    let seqs: Vec<_> = listed.iter().rev().map(|message| message.seq).collect();
    assert_eq!(seqs[..3], [3, 4, 3], "what is newer stays");
}

#[test]
fn the_box_hears_what_is_kept_and_what_is_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let marks = Marks::load(dir.path()).unwrap();
    let (home, evidence) = home(dir.path());
    let said = Said {
        by: "anna".to_owned(),
        at: WallTime(1),
    };
    let keep = Keep {
        reason: String::new(),
        until: Some(WallTime(7)),
        by: "anna".to_owned(),
        at: WallTime(1),
    };
    let of_another: Which = ("annex".parse().unwrap(), message(1, 1).id);
    for of in [which(1), of_another] {
        let kept = keep.clone();
        marks
            .change(&of, |mark| mark.kept = Some(kept))
            .unwrap()
            .unwrap();
    }
    // One whose file could not be read is kept until somebody ends it.
    let forever = Keep {
        until: None,
        ..keep
    };
    marks
        .change(&which(2), |mark| mark.kept = Some(forever))
        .unwrap()
        .unwrap();
    home.hold(&marks).unwrap();
    let held = BTreeMap::from([(which(1).1, WallTime(7)), (which(2).1, WallTime(i64::MAX))]);
    assert_eq!(*evidence.held.lock(), held);

    evidence.put(&message(3, 1));
    evidence.put(&message(4, 1));
    for number in [3, 5] {
        let said = said.clone();
        marks
            .change(&which(number), |mark| mark.deleted = Some(said))
            .unwrap()
            .unwrap();
    }
    let mut there = home.incidents().unwrap();
    home.delete_marked(&marks, &mut there).unwrap();
    assert_eq!(there, BTreeSet::from([which(4).1]));
    assert_eq!(
        *evidence.deleted_by.lock(),
        [(which(3).1, "anna".to_owned())]
    );
}

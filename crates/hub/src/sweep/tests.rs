use std::{fs, path::Path};

use jiff::tz::TimeZone;

use super::*;
use crate::{
    base::clock::SimClock,
    flow::{MediaTime, SiteId},
    home::tests::{home, message},
    index::Filter,
    wire::{Health, IncidentMessage, health::DiskHealth},
};

const DAY_MS: i64 = 86_400_000;

struct Rig {
    dir: tempfile::TempDir,
    clock: Arc<SimClock>,
    now: WallTime,
    sweep: Sweep,
}

fn id(which: u32) -> String {
    format!("01990000-0000-7000-8000-{which:012}")
}

impl Rig {
    fn new(quota: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        // Files are dated by the real clock.
        let now = WallTime(jiff::Timestamp::now().as_millisecond());
        let clock = SimClock::new(now);
        let marks = Marks::load(&dir.path().join("marks")).unwrap();
        let index = Index::closed(dir.path(), TimeZone::UTC, clock.clone(), marks.clone());
        index.begin().unwrap();
        let index = Arc::new(index);
        let sites: Vec<SiteId> = ["home", "annex"].map(|id| id.parse().unwrap()).to_vec();
        let folder = Arc::new(OnceLock::new());
        let _ = folder.set(Folder::open(&dir.path().join("store")).unwrap());
        let sweep = Sweep {
            dir: dir.path().to_owned(),
            retention: Duration::from_secs(30 * 86_400),
            folder,
            shares: Shares::new(quota, 2),
            index,
            marks,
            house: House::new(sites, None, "UTC".to_owned()),
            home: None,
            clock: clock.clone(),
            parts: Parts::new(None),
            ageing: Ageing::default(),
        };
        Self {
            dir,
            clock,
            now,
            sweep,
        }
    }

    /// An incident with a clip of `bytes`, `days` ago.
    fn put(&self, site: &str, which: u32, days: i64, bytes: usize) {
        let start = self.now.0 - days * DAY_MS;
        let json = serde_json::json!({
            "v": 1, "n": null, "id": id(which), "seq": 1, "state": "ended", "end_reason": "left", "site": site,
            "camera": "door", "label": "person", "start": start, "end": start, "sent": start, "clock": "good",
            "score": 0.9, "tracks": 1, "mode": "armed", "thumbnail": null,
            "clip": {"key": null, "state": "none", "segments": 0, "bytes": 0},
        });
        let message: IncidentMessage = serde_json::from_value(json).unwrap();
        self.sweep.index.take(&message).unwrap();
        if bytes > 0 {
            let path = self.clip(site, which);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, vec![b'x'; bytes]).unwrap();
            let file = fs::File::options().write(true).open(&path).unwrap();
            let at = Duration::from_millis(start.unsigned_abs());
            file.set_modified(std::time::UNIX_EPOCH + at).unwrap();
        }
    }

    fn clip(&self, site: &str, which: u32) -> std::path::PathBuf {
        let place = format!(
            "store/v1/{site}/door/2026-02-02/{}/sub/00001.m4s",
            id(which)
        );
        self.dir.path().join(Path::new(&place))
    }

    fn listed(&self) -> usize {
        let all = self.sweep.index.incidents(&Filter::default(), 1000);
        all.unwrap().0.len()
    }

    fn hours_on(&self, hours: u64, days: i64, state: ClockState) {
        let on = self.clock.now() + Duration::from_secs(hours * 3600);
        self.clock.advance_to(on);
        self.clock
            .set_wall(WallTime(self.now.0 + days * DAY_MS), state);
    }
}

#[test]
fn a_clock_that_is_ahead_deletes_no_evidence() {
    let mut rig = Rig::new(u64::MAX);
    for which in 0..10 {
        rig.put("home", which, i64::from(which), 100);
    }
    // Not known to be right: nothing, however long.
    rig.hours_on(1, 400, ClockState::Unsure);
    assert_eq!(rig.sweep.once().unwrap(), 0);
    rig.hours_on(100, 400, ClockState::Unsure);
    assert_eq!(rig.sweep.once().unwrap(), 0);
    // Known to be right, and wrong: nothing for six hours, and it is said.
    rig.hours_on(1, 400, ClockState::Good);
    rig.sweep.sweep();
    let said = rig.sweep.parts.problems();
    assert!(said[0].contains("10 of 10 incidents"), "{said:?}");
    rig.hours_on(5, 400, ClockState::Good);
    assert_eq!(rig.sweep.once().unwrap(), 0);
    rig.hours_on(1, 0, ClockState::Good);
    rig.sweep.sweep();
    assert!(rig.sweep.parts.problems().is_empty());
    assert_eq!(rig.listed(), 10);
    assert!((0..10).all(|which| rig.clip("home", which).exists()));
}

#[test]
fn boxes_that_know_better_hold_it_back() {
    let mut rig = Rig::new(u64::MAX);
    rig.put("home", 0, 31, 100);
    let disk = DiskHealth {
        stored: 0,
        quota: 1,
        free: 1,
    };
    let site: SiteId = "home".parse().unwrap();
    let wrong = WallTime(rig.now.0 - 40 * DAY_MS);
    let say = |at| {
        let health = Health::new(site.clone(), at, ClockState::Good, disk);
        rig.sweep.house.health(health, true, rig.now);
    };
    say(wrong);
    assert!(rig.sweep.now().is_none());
    say(rig.now);
    assert!(rig.sweep.now().is_some());
    assert_eq!(rig.sweep.once().unwrap(), 1);
}

#[test]
fn what_is_too_old_goes_as_a_whole_and_what_came_without_a_clock_stays() {
    let mut rig = Rig::new(u64::MAX);
    for which in 0..20 {
        rig.put("home", which, 5, 100);
    }
    rig.put("home", 100, 31, 100);
    rig.put("annex", 101, 31, 0);
    // From 1970 and from 2084, both a moment ago.
    let years = rig.now.0 / DAY_MS;
    rig.put("home", 102, years - 1, 100);
    rig.put("home", 103, -years, 100);
    assert_eq!(rig.sweep.once().unwrap(), 2);
    assert_eq!(rig.listed(), 22);
    assert!(!rig.clip("home", 100).exists());
    assert!(rig.clip("home", 102).exists() && rig.clip("home", 103).exists());
    // They are not kept for ever either.
    rig.hours_on(24, 26, ClockState::Good);
    assert_eq!(
        rig.sweep.once().unwrap(),
        5,
        "a fifth of those that are due"
    );
    for _ in 0..20 {
        rig.hours_on(2, 31, ClockState::Good);
        rig.sweep.once().unwrap();
    }
    assert_eq!(rig.listed(), 0);
    assert!(!rig.clip("home", 102).exists() && !rig.clip("home", 103).exists());
}

#[test]
fn what_is_kept_stays_whatever_its_age_and_the_quota() {
    let mut rig = Rig::new(100_000);
    rig.put("home", 0, 40, 60_000);
    rig.put("home", 1, 40, 100);
    rig.put("home", 2, 1, 60_000);
    rig.put("annex", 0, 40, 100);
    let which = |site: &str, which| (site.parse().unwrap(), id(which).parse().unwrap());
    let keep = |days: i64| crate::marks::Keep {
        reason: "parcel taken".to_owned(),
        until: Some(WallTime(rig.now.0 + days * DAY_MS)),
        by: "anna".to_owned(),
        at: rig.now,
    };
    let kept = keep(10);
    let marks = rig.sweep.marks.clone();
    let marked = marks.change(&which("home", 0), |mark| mark.kept = Some(kept));
    marked.unwrap().unwrap();
    let said = marks.change(&which("home", 1), |mark| {
        mark.false_alarm = Some(crate::marks::Said {
            by: "anna".to_owned(),
            at: WallTime(1),
        });
    });
    said.unwrap().unwrap();
    // Three go: by age that of the same id at another site and the false alarm, by the quota the newer one.
    for hours in [0, 2, 2, 2] {
        rig.hours_on(hours, 0, ClockState::Good);
        rig.sweep.once().unwrap();
    }
    assert!(rig.clip("home", 0).exists());
    assert!(!rig.clip("home", 1).exists() && !rig.clip("annex", 0).exists());
    assert!(!rig.clip("home", 2).exists(), "what is kept counts");
    assert_eq!(rig.listed(), 1);
    assert_eq!(marks.all().len(), 1, "what was said of the others is gone");
    // Its end: now it is as old as it is.
    for hours in [24, 8] {
        rig.hours_on(hours, 11, ClockState::Good);
        rig.sweep.once().unwrap();
    }
    assert!(!rig.clip("home", 0).exists());
    assert!(marks.all().is_empty());
}

#[test]
fn what_comes_after_somebody_has_deleted_its_incident_goes() {
    let mut rig = Rig::new(u64::MAX);
    rig.put("home", 0, 1, 100);
    let which: Which = ("home".parse().unwrap(), id(0).parse().unwrap());
    let deleted = rig.sweep.marks.change(&which, |mark| {
        mark.deleted = Some(crate::marks::Said {
            by: "anna".to_owned(),
            at: WallTime(1),
        });
    });
    deleted.unwrap().unwrap();
    assert_eq!(rig.sweep.once().unwrap(), 1);
    assert!(!rig.clip("home", 0).exists());
    assert_eq!(rig.sweep.marks.deleted().len(), 1, "it never comes back");
}

#[test]
fn what_the_box_keeps_is_left_to_the_box_and_old_copies_make_room_for_it() {
    let mut rig = Rig::new(100_000);
    let (home, evidence) = home(rig.dir.path());
    rig.sweep.home = Some(home);
    for which in 0..3 {
        rig.put("home", which, 40, 100);
        evidence.put(&message(which, 1));
    }
    rig.put("annex", 9, 1, 100);
    // One of them lies with the box just as it was sent, another not as it is here.
    rig.put("home", 3, 1, 100);
    evidence.put(&message(3, 1));
    for (which, bytes) in [(3, 100), (2, 99)] {
        let here = rig.clip("home", which);
        let here = here.strip_prefix(rig.dir.path().join("store")).unwrap();
        let there = rig.dir.path().join(here);
        fs::create_dir_all(there.parent().unwrap()).unwrap();
        fs::write(there, vec![b'x'; bytes]).unwrap();
    }
    assert_eq!(rig.sweep.once().unwrap(), 0, "the box still has them");
    assert!(rig.clip("home", 0).exists() && rig.clip("home", 2).exists());
    assert!(!rig.clip("home", 3).exists(), "one copy is enough");
    evidence.documents.lock().remove(&id(3).parse().unwrap());
    // The box has deleted one, by its own rule.
    evidence.documents.lock().remove(&id(0).parse().unwrap());
    rig.hours_on(2, 0, ClockState::Good);
    assert_eq!(rig.sweep.once().unwrap(), 1);
    assert!(!rig.clip("home", 0).exists() && rig.clip("home", 1).exists());
    assert_eq!(rig.listed(), 4, "number 3 is not old");
    // It has more of its own: the old copies go, their incidents stay in the list.
    evidence
        .stored
        .store(99_950, std::sync::atomic::Ordering::Relaxed);
    rig.sweep.shares = Shares::new(100_000, 1);
    rig.hours_on(2, 0, ClockState::Good);
    rig.sweep.once().unwrap();
    assert!(!rig.clip("home", 1).exists() && !rig.clip("home", 2).exists());
    let listed = rig.sweep.index.incidents(&Filter::default(), 9).unwrap().0;
    let at_home = listed.iter().filter(|one| one.site.as_str() == "home");
    assert_eq!(at_home.count(), 3);
    // What somebody deleted while the program ended is deleted at home now.
    let which: Which = ("home".parse().unwrap(), id(1).parse().unwrap());
    let deleted = rig.sweep.marks.change(&which, |mark| {
        mark.deleted = Some(crate::marks::Said {
            by: "anna".to_owned(),
            at: WallTime(1),
        });
    });
    deleted.unwrap().unwrap();
    rig.sweep.once().unwrap();
    assert_eq!(evidence.deleted_by.lock().len(), 1);
}

#[test]
fn a_site_that_takes_too_much_loses_its_own() {
    let mut rig = Rig::new(100_000);
    for which in 0..3 {
        rig.put("home", which, 9, 500);
    }
    for which in 10..12 {
        rig.put("annex", which, 1, 60_000);
    }
    // Also without a clock: a quota is no question of time.
    rig.hours_on(1, 400, ClockState::Unsure);
    assert_eq!(rig.sweep.once().unwrap(), 1);
    assert!((0..3).all(|which| rig.clip("home", which).exists()));
    assert_eq!(rig.listed(), 4);
    assert!(MediaTime::ZERO < rig.clock.now());
}

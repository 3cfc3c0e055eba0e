//! Limits for each kind of thing, and what goes when there is no room at all.

use super::*;
use crate::{
    base::clock::SimClock,
    config::{ByteSize, KeepConfig},
    flow::WallTime,
    outbox::PictureKind,
    testing::disk::SmallDisk,
};

const HOUR: Duration = Duration::from_secs(3600);

fn keep(hours: u32, bytes: u64) -> KeepConfig {
    KeepConfig {
        retention: HOUR * hours,
        quota: ByteSize(bytes),
    }
}

fn opened(settings: &OutboxConfig) -> (tempfile::TempDir, Arc<SimClock>, Arc<Outbox>) {
    let dir = tempfile::tempdir().unwrap();
    let clock = SimClock::new(WallTime(1_800_000_000_000));
    let outbox = Outbox::open(
        dir.path(),
        "home".parse().unwrap(),
        clock.clone(),
        settings.clone(),
        Metrics::new(),
    );
    (dir, clock, outbox.unwrap())
}

/// Which files an incident still has.
fn files(outbox: &Outbox, incident: &Incident) -> (bool, bool) {
    let dir = outbox.incident_dir(incident).unwrap();
    (
        dir.join("sub/00001.m4s").exists(),
        dir.join("thumb.jpg").exists(),
    )
}

#[test]
fn clips_and_pictures_have_ages_of_their_own() {
    let settings = OutboxConfig {
        retention: HOUR * 48,
        clips: keep(2, 1 << 30),
        pictures: keep(24, 1 << 30),
        ..OutboxConfig::default()
    };
    let (dir, clock, outbox) = opened(&settings);
    let incident = whole_visit(&outbox, 0.0, 1);
    let mut seen = Vec::new();
    for hours in [1, 3, 25] {
        clock.advance_to(MediaTime::ZERO + HOUR * hours);
        outbox.sweep().unwrap();
        seen.push(files(&outbox, &incident));
    }
    assert_eq!(seen, [(true, true), (false, true), (false, false)]);
    assert_eq!(
        outbox.waiting(Takes::Alerts).unwrap(),
        2,
        "alerts are still to leave"
    );
    let parked = crate::outbox::list(dir.path(), &BudgetConfig::default()).unwrap();
    let reason = |l: &crate::outbox::Listed| {
        l.problem
            .as_ref()
            .is_some_and(|p| p.contains("too old for its kind"))
    };
    assert_eq!(parked.iter().filter(|l| reason(l)).count(), 3, "{parked:?}");
    clock.advance_to(MediaTime::ZERO + HOUR * 49);
    outbox.sweep().unwrap();
    assert_eq!(outbox.totals().unwrap().incidents, 0);
}

#[test]
fn each_kind_has_a_share_of_its_own() {
    let settings = OutboxConfig {
        pictures: keep(24, 9_000),
        clips: keep(24, 2_500),
        ..OutboxConfig::default()
    };
    let (_dir, _clock, outbox) = opened(&settings);
    let visits: Vec<_> = (0..4)
        .map(|n| whole_visit(&outbox, f64::from(n), 1))
        .collect();
    for visit in &visits {
        outbox
            .picture(visit.id, PictureKind::Thumb, &[7; 4_000])
            .unwrap();
    }
    outbox.sweep().unwrap();
    let kept: Vec<_> = visits.iter().map(|visit| files(&outbox, visit)).collect();
    // About 1.1 kB of clip and 4 kB of picture each: two of either fit, the newest.
    assert_eq!(
        kept,
        [(false, false), (false, false), (true, true), (true, true)]
    );
    assert_eq!(outbox.waiting(Takes::Alerts).unwrap(), 8);
}

#[test]
fn only_alerts_that_have_arrived_are_trimmed() {
    let settings = OutboxConfig {
        alert_quota: ByteSize(3_000),
        ..OutboxConfig::default()
    };
    let home = Home::with(settings);
    let outbox = home.outbox();
    let visits: Vec<_> = (0..20)
        .map(|n| whole_visit(outbox, f64::from(n), 0).id)
        .collect();
    outbox.sweep().unwrap();
    assert_eq!(
        outbox.totals().unwrap().alerts,
        40,
        "not one has arrived yet"
    );
    // All have arrived but those of one old visit.
    let late = visits[3];
    outbox
        .write(|tx| {
            tx.db.execute(
                "UPDATE alert_delivery SET waiting = 0, delivered_ms = 1 WHERE incident <> ?1",
                [late.to_string()],
            )?;
            Ok(())
        })
        .unwrap();
    outbox.sweep().unwrap();
    let kept: Vec<_> = visits
        .iter()
        .map(|visit| outbox.totals_of(*visit).unwrap().alerts)
        .collect();
    assert_eq!(kept[3], 2, "{kept:?}");
    let others = [&kept[..3], &kept[4..]].concat();
    assert!(others.is_sorted(), "the newest stay: {kept:?}");
    assert!(
        others.ends_with(&[2]) && others.starts_with(&[0]),
        "{kept:?}"
    );
    assert_eq!(outbox.waiting(Takes::Alerts).unwrap(), 2);
    assert_eq!(outbox.totals().unwrap().incidents, 20);
}

#[test]
fn alerts_are_written_while_clips_are_being_deleted() {
    const SEGMENTS: usize = 60;
    let settings = OutboxConfig {
        clips: keep(24, 1),
        ..OutboxConfig::default()
    };
    let (_dir, _clock, outbox) = opened(&settings);
    // Two threads must run at the same time for it: a busy machine may need some rounds.
    let seen = (0..100).any(|round| {
        let incident = whole_visit(&outbox, f64::from(round) * 10.0, SEGMENTS as u32);
        let dir = outbox.incident_dir(&incident).unwrap().join("sub");
        // The playlist stays.
        let is_segment = |name: &std::ffi::OsStr| name.to_string_lossy().ends_with(".m4s");
        let segments = || {
            let all = std::fs::read_dir(&dir).into_iter().flatten().flatten();
            all.filter(|entry| is_segment(&entry.file_name())).count()
        };
        let all = segments();
        assert_eq!(all, SEGMENTS);
        std::thread::scope(|scope| {
            let sweep = scope.spawn(|| outbox.sweep().unwrap());
            let mut between = false;
            while !sweep.is_finished() {
                if let Some(_held) = outbox.state.try_lock() {
                    let left = segments();
                    between |= left > 0 && left < all;
                }
            }
            assert_eq!(sweep.join().unwrap(), 1);
            assert_eq!(segments(), 0, "all of them went");
            between
        })
    });
    assert!(seen, "the outbox can be used while files are being deleted");
}

#[test]
fn who_waits_for_the_rows_does_not_wait_for_files_that_make_room_for_one() {
    const SEGMENTS: u32 = 100;
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(dir.path(), 24) else {
        return;
    };
    let outbox = Outbox::open(
        dir.path(),
        "home".parse().unwrap(),
        SimClock::new(WallTime(1_800_000_000_000)),
        OutboxConfig::default(),
        Metrics::new(),
    )
    .unwrap();
    let seen = (0..20).any(|round| {
        let incident = whole_visit(&outbox, f64::from(round) * 10.0, SEGMENTS);
        let folder = outbox.incident_dir(&incident).unwrap().join("sub");
        let is_there = |number: u32| folder.join(format!("{number:05}.m4s")).exists();
        assert!(is_there(1) && is_there(SEGMENTS));
        // Nothing is left, not even the reserve: a row gets its room from clips.
        let _ = std::fs::remove_file(dir.path().join("reserve"));
        let filler = disk.fill();
        let between = std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                // A few rows find room in what the database has already.
                for n in 0..500 {
                    let one_more = visit(1_000.0 + f64::from(round) + f64::from(n) / 1e3);
                    outbox.alert(&one_more, None).unwrap();
                    if !is_there(1) {
                        break;
                    }
                }
            });
            let mut between = false;
            while !writer.is_finished() {
                if let Some(_held) = outbox.state.try_lock() {
                    // The first goes first.
                    between |= !is_there(1) && is_there(SEGMENTS);
                }
                // Otherwise it would be this thread that keeps the writer from the rows.
                std::thread::sleep(Duration::from_micros(50));
            }
            writer.join().unwrap();
            between
        });
        std::fs::remove_file(filler).unwrap();
        between
    });
    assert!(seen, "the rows are free while files make room for one");
}

use super::{
    heads,
    rotate::{Gone, rotate},
    verify::{Fault, Witness, first_broken, verify},
    *,
};
use crate::outbox::store;

const DAY: i64 = 86_400_000;

fn departure(db: &Connection, at: i64, bytes: u64) {
    let camera = "door".parse().unwrap();
    let what = Departure {
        at: WallTime(at),
        kind: "media",
        incident: "01990000-0000-7000-8000-000000000001".parse().unwrap(),
        camera: &camera,
        recipient: "s3://bucket",
        bytes,
        purpose: "home security",
        until: WallTime(9_000),
        receipt: Some("etag"),
    };
    append(db, &what).unwrap();
}

fn three() -> (tempfile::TempDir, Connection) {
    let dir = tempfile::tempdir().unwrap();
    let db = store::open(dir.path()).unwrap();
    for bytes in [10, 20, 30] {
        departure(&db, 1_000 + bytes as i64, bytes);
    }
    (dir, db)
}

fn witness(db: &Connection) -> Witness {
    Witness {
        name: "the broker".to_owned(),
        head: head(db).unwrap().unwrap(),
    }
}

#[test]
fn a_sound_chain() {
    let (_dir, db) = three();
    assert_eq!(first_broken(&db).unwrap(), None);
    assert_eq!(bytes_since(&db, WallTime(1_020)).unwrap(), 50);
    let head = head(&db).unwrap().unwrap();
    assert_eq!(head.n, 3);
    insta::assert_snapshot!(head.hash);
    let verdict = verify(&db, &[witness(&db)]).unwrap();
    assert_eq!((verdict.records, verdict.agreed), (3, 1));
    assert_eq!(verdict.faults, []);
    assert_eq!(verdict.head, Some(head));
}

#[test]
fn what_goes_to_the_hub_in_this_program_has_not_left() {
    let (_dir, db) = three();
    let camera = "door".parse().unwrap();
    let what = Departure {
        at: WallTime(2_000),
        kind: "media",
        incident: "01990000-0000-7000-8000-000000000001".parse().unwrap(),
        camera: &camera,
        recipient: HERE,
        bytes: 1_000_000,
        purpose: "home security",
        until: WallTime(9_000),
        receipt: None,
    };
    append(&db, &what).unwrap();
    assert_eq!(head(&db).unwrap().unwrap().n, 3);
    assert_eq!(bytes_since(&db, WallTime(0)).unwrap(), 60);
}

#[test]
fn what_stays_here_does_not_count_as_left() {
    let (_dir, db) = three();
    let deleted = Entry {
        at: WallTime(2_000),
        kind: DELETED,
        recipient: HERE,
        bytes: 60,
        count: Some(3),
        detail: Some("retention"),
        ..Entry::default()
    };
    note(&db, &deleted).unwrap();
    assert_eq!(bytes_since(&db, WallTime(0)).unwrap(), 60);
    assert_eq!(first_broken(&db).unwrap(), None);
}

#[test]
fn edits_and_cuts_are_found() {
    for (change, fault) in [
        (
            "UPDATE ledger SET bytes = 11 WHERE seq = 1",
            Fault::Broken(1),
        ),
        (
            "UPDATE ledger SET recipient = 'x' WHERE seq = 3",
            Fault::Broken(3),
        ),
        (
            "UPDATE ledger SET account = 'x' WHERE seq = 2",
            Fault::Broken(2),
        ),
        (
            "UPDATE ledger SET detail = '' WHERE seq = 2",
            Fault::Broken(2),
        ),
        ("DELETE FROM ledger WHERE seq = 2", Fault::Broken(3)),
        ("DELETE FROM ledger WHERE seq = 1", Fault::Front(2)),
        ("DELETE FROM ledger WHERE seq <= 2", Fault::Front(3)),
    ] {
        let (_dir, db) = three();
        db.execute(change, []).unwrap();
        let verdict = verify(&db, &[]).unwrap();
        assert_eq!(verdict.faults, std::slice::from_ref(&fault), "{change}");
        assert!(first_broken(&db).unwrap().is_some(), "{change}");
    }
}

#[test]
fn a_shortened_chain_is_found_by_who_saw_its_end_and_by_nobody_else() {
    let (_dir, db) = three();
    let broker = witness(&db);
    for newest in [2, 0] {
        db.execute("DELETE FROM ledger WHERE seq > ?1", [newest])
            .unwrap();
        assert_eq!(
            verify(&db, &[]).unwrap().faults,
            [],
            "nothing to see in the file"
        );
        let short = Fault::Short {
            newest,
            witness: "the broker".to_owned(),
            known: 3,
        };
        assert_eq!(
            verify(&db, std::slice::from_ref(&broker)).unwrap().faults,
            [short]
        );
    }
    // Many heads of one witness are one fault.
    let more = [1, 2, 3].map(|n| Witness {
        head: LedgerHead {
            n,
            ..broker.head.clone()
        },
        ..broker.clone()
    });
    assert_eq!(verify(&db, &more).unwrap().faults.len(), 1);

    // Written anew, to the same length.
    for bytes in [1, 2, 3, 4] {
        departure(&db, 1_000, bytes);
    }
    let verdict = verify(&db, &[broker]).unwrap();
    let other = Fault::Other {
        known: 3,
        witness: "the broker".to_owned(),
    };
    assert_eq!(verdict.faults, [other]);
}

#[test]
fn heads_that_were_told_are_kept_beside_the_database() {
    let (dir, db) = three();
    heads::keep(dir.path(), WallTime(5), &head(&db).unwrap().unwrap()).unwrap();
    departure(&db, 2_000, 40);
    let kept = heads::read(&heads::path(dir.path())).unwrap();
    assert_eq!(verify(&db, &kept).unwrap().agreed, 1);
    db.execute("DELETE FROM ledger WHERE seq > 2", []).unwrap();
    assert_eq!(verify(&db, &kept).unwrap().faults.len(), 1);
}

#[test]
fn old_records_go_and_the_rest_is_still_proved() {
    let dir = tempfile::tempdir().unwrap();
    let db = store::open(dir.path()).unwrap();
    for day in 0..10 {
        departure(&db, day * DAY, 100);
    }
    let old = witness(&db);
    let now = |day: i64| WallTime((365 + day) * DAY);
    assert_eq!(rotate(&db, now(0), "p").unwrap(), 0, "nothing is old yet");
    assert_eq!(rotate(&db, now(4), "p").unwrap(), 4);
    departure(&db, now(4).0, 50);
    let verdict = verify(&db, &[old]).unwrap();
    assert_eq!((verdict.faults.as_slice(), verdict.agreed), (&[][..], 1));
    let checkpoint = verdict.checkpoint.unwrap();
    assert_eq!(checkpoint.through, 4);

    // The next one adds up, and swallows an old checkpoint as any other record.
    assert_eq!(rotate(&db, now(800), "p").unwrap(), 8);
    let verdict = verify(&db, &[]).unwrap();
    assert_eq!(verdict.faults, []);
    let gone = verdict.checkpoint.unwrap().totals["s3://bucket"];
    assert_eq!(
        gone,
        Gone {
            records: 11,
            bytes: 1_050
        }
    );

    // A front that somebody else cuts off is not what the checkpoint says.
    departure(&db, now(801).0, 1);
    let first: i64 = db
        .query_row("SELECT min(seq) FROM ledger", [], |row| row.get(0))
        .unwrap();
    db.execute("DELETE FROM ledger WHERE seq = ?1", [first])
        .unwrap();
    assert_eq!(verify(&db, &[]).unwrap().faults, [Fault::Front(first + 1)]);
}

#[test]
fn a_witness_from_before_the_cut_is_too_old_to_tell() {
    let dir = tempfile::tempdir().unwrap();
    let db = store::open(dir.path()).unwrap();
    departure(&db, 0, 1);
    let early = witness(&db);
    departure(&db, DAY, 1);
    let last_gone = witness(&db);
    departure(&db, 100 * DAY, 1);
    rotate(&db, WallTime(400 * DAY), "p").unwrap();
    let verdict = verify(&db, &[early, last_gone]).unwrap();
    assert_eq!((verdict.too_old, verdict.agreed), (1, 1));
    assert_eq!(verdict.faults, []);
}

//! Power that goes between a file and its row: what the next start makes of it, wherever the cut was.

use std::collections::BTreeSet;

use proptest::{prelude::*, test_runner::TestCaseError};

use crate::{
    app::clip_contents,
    flow::Rendition,
    outbox::{Orphans, PictureKind, check, list, tests::*},
    recording::{
        ClipEvent, Recorder,
        scripted::{Camera, config},
    },
};

const JPEG: &[u8] = b"\xff\xd8 a picture \xff\xd9";
const BETTER: &[u8] = b"\xff\xd8 a better picture \xff\xd9";

/// How far the picture had come.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Picture {
    None,
    /// File and row.
    Entered,
    /// A file, and no row yet.
    Named,
    /// A newer file than its row says.
    Replaced,
}

/// Where the power went.
#[derive(Debug, Clone)]
struct Cut {
    /// Pictures that the camera had sent.
    pictures: u64,
    /// Files that were not entered any more, at most.
    behind: usize,
    /// Bytes of the file that was being written; none: no file was.
    unfinished: Option<usize>,
    /// The last file that was not entered is cut off, as a disk leaves it that lied about its flush.
    torn: bool,
    picture: Picture,
}

fn cut() -> impl Strategy<Value = Cut> {
    let picture = prop_oneof![
        Just(Picture::None),
        Just(Picture::Entered),
        Just(Picture::Named),
        Just(Picture::Replaced)
    ];
    (
        0u64..120,
        0usize..5,
        proptest::option::of(0usize..300),
        proptest::bool::weighted(0.2),
        picture,
    )
        .prop_map(|(pictures, behind, unfinished, torn, picture)| Cut {
            pictures,
            behind,
            unfinished,
            torn,
            picture,
        })
}

fn files_below(dir: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        match entry.path() {
            path if path.is_dir() => files_below(&path, found),
            path => drop(found.insert(path)),
        }
    }
}

fn after(cut: &Cut) -> Result<(), TestCaseError> {
    let mut home = Home::new();
    let outbox = home.outbox();
    let incident = visit(0.0);
    outbox.alert(&incident, None).unwrap();
    let dir = outbox.incident_dir(&incident).unwrap();

    // The recorder names its files; each is entered, but for the last ones.
    let mut recorder = Recorder::new(Rendition::Sub, &config());
    let mut events = recorder.start(incident.id, dir.clone(), secs(0.0));
    let mut camera = Camera::new(20);
    for _ in 0..cut.pictures {
        events.extend(recorder.packet(&camera.picture()));
    }
    let written: Vec<_> = events
        .into_iter()
        .filter_map(|event| match event {
            ClipEvent::File(file) => Some(file),
            _ => None,
        })
        .collect();
    let (entered, behind) = written.split_at(written.len().saturating_sub(cut.behind));
    for file in entered {
        outbox.media(file).unwrap();
    }
    let torn = behind.last().filter(|_| cut.torn);
    if let Some(file) = torn {
        let bytes = std::fs::read(&file.path).unwrap();
        std::fs::write(&file.path, &bytes[..bytes.len() / 2]).unwrap();
    }
    if let Some(bytes) = cut.unfinished {
        std::fs::create_dir_all(dir.join("sub")).unwrap();
        std::fs::write(dir.join("sub/.00099.m4s.part"), vec![7; bytes]).unwrap();
    }
    if matches!(cut.picture, Picture::Entered | Picture::Replaced) {
        outbox
            .picture(incident.id, PictureKind::Thumb, JPEG)
            .unwrap();
    }
    match cut.picture {
        Picture::Named => std::fs::write(dir.join("thumb.jpg"), JPEG).unwrap(),
        Picture::Replaced => std::fs::write(dir.join("thumb.jpg"), BETTER).unwrap(),
        Picture::None | Picture::Entered => {}
    }
    // A visit whose row never was.
    let stranger = dir.with_file_name(IncidentId::new().to_string());
    std::fs::create_dir_all(stranger.join("sub")).unwrap();
    std::fs::write(stranger.join("sub/init-1.mp4"), "x").unwrap();

    home.reopen();
    let outbox = home.outbox();
    let done = outbox.adopt_orphans(&clip_contents).unwrap();
    let newer = usize::from(matches!(cut.picture, Picture::Named | Picture::Replaced));
    // Segments of which the header was cut off can never be played.
    let lost = torn.map_or(0, |file| match file.kind {
        MediaKind::Init => behind.len(),
        MediaKind::Media => 1,
    });
    let expected = Orphans {
        adopted: behind.len() - lost + newer,
        removed: lost + 1,
    };
    prop_assert_eq!(done, expected);
    prop_assert_eq!(
        outbox.adopt_orphans(&clip_contents).unwrap(),
        Orphans::default()
    );

    prop_assert!(!stranger.exists());
    let checked = check(home.dir.path()).unwrap();
    prop_assert_eq!(&checked.problems, &Vec::<String>::new());
    let mut files = BTreeSet::new();
    files_below(&home.objects(), &mut files);
    files.remove(&dir.join("sub/index.m3u8"));
    prop_assert_eq!(
        checked.files,
        files.len() as u64,
        "{:?} and no other file",
        files
    );

    // The local playlist shows all that is whole, in order, and is over.
    let whole: Vec<_> = written
        .iter()
        .filter(|file| file.kind == MediaKind::Media && files.contains(&file.path))
        .collect();
    if !whole.is_empty() {
        let playlist = read(dir.join("sub/index.m3u8"));
        let shown: Vec<_> = playlist.lines().filter(|l| l.ends_with(".m4s")).collect();
        let expected: Vec<_> = whole
            .iter()
            .map(|f| format!("{:05}.m4s", f.number))
            .collect();
        prop_assert_eq!(shown, expected);
        prop_assert!(playlist.ends_with("#EXT-X-ENDLIST\n"));
        prop_assert!(!playlist.contains("DISCONTINUITY"), "{}", playlist);
    }

    // And all of it leaves.
    let (alerts, store) = (
        Scripted::willing(Takes::Alerts),
        Scripted::willing(Takes::Objects),
    );
    home.start(vec![alerts.clone(), store.clone()]);
    wait_for("everything", || {
        let waiting = |takes| home.outbox().waiting(takes).unwrap();
        waiting(Takes::Alerts) + waiting(Takes::Objects) == 0
    });
    prop_assert_eq!(
        list(home.dir.path(), &BudgetConfig::default()).unwrap(),
        vec![]
    );
    let last = alerts.alerts().pop().unwrap();
    prop_assert_eq!(last.end_reason, Some(EndReason::Interrupted));
    prop_assert_eq!(last.clip.segments as usize, whole.len());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn wherever_the_power_goes_files_and_rows_fit_again(cut in cut()) {
        after(&cut)?;
    }
}

#[test]
fn a_picture_that_is_cut_off_is_no_picture() {
    let mut home = Home::new();
    let incident = visit(0.0);
    home.outbox().alert(&incident, None).unwrap();
    let dir = home.outbox().incident_dir(&incident).unwrap();
    std::fs::write(dir.join("crop.jpg"), &JPEG[..8]).unwrap();
    std::fs::write(home.objects().join("notes.txt"), "not ours").unwrap();
    home.reopen();
    let done = home.outbox().adopt_orphans(&clip_contents).unwrap();
    assert_eq!((done.adopted, done.removed), (0, 1));
    assert!(!dir.join("crop.jpg").exists());
    assert!(
        home.objects().join("notes.txt").exists(),
        "what is not ours stays"
    );
}

#[test]
fn clips_whose_database_was_moved_away_are_set_aside() {
    let mut home = Home::new();
    whole_visit(home.outbox(), 0.0, 1);
    home.stop();
    for name in ["outbox.db", "outbox.db-wal", "outbox.db-shm"] {
        let _ = std::fs::remove_file(home.dir.path().join(name));
    }
    home.reopen();
    let done = home.outbox().adopt_orphans(&clip_contents).unwrap();
    assert_eq!(done, Orphans::default());
    let aside = std::fs::read_dir(home.dir.path()).unwrap().flatten();
    let aside: Vec<_> = aside
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("objects-"))
        .collect();
    assert_eq!(aside.len(), 1);
    let mut files = BTreeSet::new();
    files_below(&aside[0].path(), &mut files);
    assert!(
        files.iter().any(|path| path.ends_with("sub/00001.m4s")),
        "{files:?}"
    );
}

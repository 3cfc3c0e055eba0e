//! What a power cut leaves, and what is made of it.

use super::*;

#[test]
fn a_power_cut_costs_what_was_not_whole_and_nothing_before() {
    let rig = Rig::new();
    let mut stream = rig.stream();
    rig.record(&mut stream, &video(700));
    // The second file is open.
    let files = rig.files();
    let (open, before) = (files.last().unwrap().clone(), rig.timeline());
    assert_eq!(files.len(), 2);
    let whole = fs::read(&open).unwrap();
    assert!(
        format::table(&fs::File::open(&open).unwrap())
            .unwrap()
            .is_none()
    );
    let table = format::scan(&fs::File::open(&open).unwrap())
        .unwrap()
        .unwrap();
    assert!(table.fragments.len() >= 4, "{table:?}");
    drop(stream);
    let mut rig = rig;
    for cut in (0..whole.len()).rev().step_by(whole.len() / 40) {
        for torn in [false, true] {
            // What never reached the disk is missing, or reads as zeros.
            let mut left = whole[..cut].to_vec();
            if torn {
                left.resize(whole.len(), 0);
            }
            fs::write(&open, &left).unwrap();
            let kept = (0..table.fragments.len())
                .take_while(|&n| {
                    let end = table.offset(n + 1) as usize;
                    left.get(..end) == Some(&whole[..end])
                })
                .count();
            rig = rig.restarted();
            let spans = rig.timeline().spans;
            assert_eq!(spans.len(), 1, "cut at {cut}: {spans:?}");
            let end = match kept {
                0 => 60 * SECOND + BEGAN,
                kept => wall(table.at(kept)).0,
            };
            assert_eq!(spans[0].to.0, end, "cut at {cut}");
            assert_eq!(spans[0].from, before.spans[0].from);
            assert_eq!(open.exists(), kept > 0, "cut at {cut}");
            if kept > 0 {
                let mended = format::table(&fs::File::open(&open).unwrap()).unwrap();
                assert_eq!(mended.unwrap().fragments, table.fragments[..kept]);
            }
        }
    }
    // And what is left plays.
    fs::create_dir_all(open.parent().unwrap()).unwrap();
    fs::write(&open, &whole[..whole.len() - 10]).unwrap();
    let rig = rig.restarted();
    let (facts, film) = rig.export(0, 90 * SECOND).unwrap();
    assert_eq!(decoded(&film).0 as u64, facts.frames);
    assert!(facts.frames >= 640, "{}", facts.frames);
}

#[test]
fn a_closed_file_whose_table_was_lost_is_read_again() {
    let rig = Rig::new();
    let mut stream = rig.stream();
    rig.record(&mut stream, &video(100));
    stream.finish(rig.inner());
    let (file, before) = (rig.files()[0].clone(), rig.timeline());
    let bytes = fs::read(&file).unwrap();
    for change in [
        bytes[..bytes.len() - 3].to_vec(),
        [&bytes[..], b"more"].concat(),
        {
            let mut damaged = bytes.clone();
            let at = bytes.len() - 20;
            damaged[at..].fill(0);
            damaged
        },
    ] {
        fs::write(&file, change).unwrap();
        let only_read = Recordings::read_only(
            rig.dir.path(),
            &"home".parse().unwrap(),
            rig.clock.clone(),
            &[],
        );
        let range = before.spans[0];
        let read = only_read.timeline(&door(), range).unwrap();
        assert_eq!(read.spans, before.spans);
        assert_ne!(
            fs::read(&file).unwrap(),
            bytes,
            "who only reads mends nothing"
        );
    }
    let rig = rig.restarted();
    assert_eq!(rig.timeline(), before);
    assert_eq!(fs::read(&file).unwrap(), bytes, "mended as it was");
}

#[test]
fn flushes_are_few() {
    let rig = Rig::new();
    let mut stream = rig.stream();
    rig.record(&mut stream, &video(590));
    let flushes = stream.flushes();
    assert!((5..=14).contains(&flushes), "{flushes} in a minute");
}

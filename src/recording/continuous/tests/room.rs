//! What goes first, and a disk that has no room.

use super::*;

fn policy(rig: &Rig, keep: Duration, quota: u64) {
    let config = RecordingConfig {
        keep,
        quota: crate::config::ByteSize(quota),
        streams: crate::config::RecordedStreams::Sub,
    };
    let policy = Policy {
        config: Some(config),
        masked: false,
        states: Vec::new(),
    };
    rig.inner().policies.lock().insert(door(), policy);
}

#[test]
fn the_oldest_goes_by_quota_and_by_age() {
    let rig = Rig::new();
    let bytes = minutes(&rig, 10);
    let mut sweep = sweep::Sweep::default();
    policy(&rig, WEEK, bytes * 8 + 10);
    sweep.run(rig.inner());
    assert_eq!(rig.files().len(), 8);
    assert!(rig.files().iter().all(|file| file.exists()));
    assert_eq!(rig.timeline().spans[0].from.0, BEGAN + 120 * SECOND);
    // By age: nothing while the clock is unsure.
    policy(&rig, Duration::from_secs(3600), u64::MAX);
    let later = WallTime(BEGAN + 3600 * SECOND + 200 * SECOND);
    rig.clock.set_wall(later, ClockState::Unsure);
    sweep.run(rig.inner());
    assert_eq!(rig.files().len(), 8);
    rig.clock.set_wall(later, ClockState::Good);
    sweep.run(rig.inner());
    assert_eq!(rig.files().len(), 7, "what ended more than an hour ago");
    // Without a policy, as of a camera that is recorded no more, it stays a week.
    rig.inner().policies.lock().clear();
    sweep.run(rig.inner());
    assert_eq!(rig.files().len(), 7);
}

#[test]
fn a_nearly_full_disk_takes_the_oldest_and_then_the_recording_waits() {
    let rig = Rig::with(tempfile::tempdir().unwrap(), 0);
    minutes(&rig, 4);
    assert!(rig.recordings.make_room(1));
    assert_eq!(rig.files().len(), 3, "the oldest alone");
    let rig = Rig::with(rig.dir, u64::MAX).restarted();
    assert_eq!(rig.files().len(), 3);
    let mut stream = rig.stream();
    let mut camera = scripted::Camera::new(10);
    rig.record(&mut stream, &pictures(&mut camera, 100));
    stream.finish(rig.inner());
    assert_eq!(rig.files().len(), 1, "it gave way to the new");
    // Now nothing is left to give.
    assert!(rig.recordings.make_room(1));
    camera.broken = true;
    rig.record(&mut stream, &pictures(&mut camera, 100));
    assert_eq!(rig.files().len(), 0);
    assert!(stream.state.disk.load(Relaxed));
    let told = rig.inner().health_registry.view().troubles["recordings"].clone();
    assert!(
        told.len() == 1 && told[0].contains("the disk is full"),
        "{told:?}"
    );
}

#[test]
fn a_disk_that_refuses_is_a_gap_and_told() {
    let rig = Rig::new();
    fs::write(&rig.inner().root, b"a file in the folder's place").unwrap();
    let mut stream = rig.stream();
    let mut camera = scripted::Camera::new(10);
    rig.record(&mut stream, &pictures(&mut camera, 100));
    assert!(stream.state.disk.load(Relaxed));
    let told = rig.inner().health_registry.view().troubles["recordings"].clone();
    assert!(told[0].contains("cannot be written"), "{told:?}");
}

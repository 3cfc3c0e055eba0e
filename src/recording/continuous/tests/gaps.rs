//! What is missing, and why.

use super::*;

#[test]
fn pauses_and_losses_are_gaps_with_their_cause() {
    let rig = Rig::new();
    let (mut stream, mut camera) = (rig.stream(), scripted::Camera::new(10));
    rig.record(&mut stream, &pictures(&mut camera, 100));
    let feed = Feed(Some(Arc::new(Ends(vec![End {
        role: StreamRole::Sub,
        to: link(1, WhenFull::NewestWins, &WakeSignal::new()).0,
        state: Arc::clone(&stream.state),
        wake_signal: WakeSignal::new(),
    }]))));
    feed.set_mode(Mode::Disarmed);
    assert!(stream.work(rig.inner()));
    assert!(
        rig.inner().index.lock().0[&door()]
            .values()
            .all(|file| file.open.is_none())
    );
    pictures(&mut camera, 100);
    feed.set_mode(Mode::Armed);
    rig.record(&mut stream, &pictures(&mut camera, 100));
    feed.offline(StreamRole::Sub);
    assert!(stream.work(rig.inner()));
    pictures(&mut camera, 100);
    feed.online(StreamRole::Sub);
    rig.record(&mut stream, &pictures(&mut camera, 100));
    drop(feed);
    assert!(!stream.work(rig.inner()), "nothing will come any more");
    let second = |at: i64| WallTime(BEGAN + at * SECOND);
    let gap = |from, to, why| Gap {
        from: second(from),
        to: second(to),
        why,
    };
    let found = rig.timeline();
    assert_eq!(
        found.gaps[..2],
        [gap(10, 20, Why::Paused), gap(30, 40, Why::Away)]
    );
    assert_eq!(found.spans.len(), 3);
    // The film goes on without a pause; what is missing is said.
    let (facts, _) = rig.export(0, 60 * SECOND).unwrap();
    assert_eq!((facts.frames, facts.gaps.len()), (300, 2));
    let range = Range::new(BEGAN, BEGAN + 60_000, LONGEST).unwrap();
    let text = rig.recordings.playlist(&door(), range, None).unwrap();
    assert_eq!(text.matches("#EXT-X-DISCONTINUITY\n").count(), 2, "{text}");
}

#[test]
fn packets_of_before_a_pause_are_not_joined_with_those_after() {
    let state = Arc::<State>::default();
    let (to, packets) = link(64, WhenFull::Refuse, &WakeSignal::new());
    let feed = Feed(Some(Arc::new(Ends(vec![End {
        role: StreamRole::Sub,
        to,
        state,
        wake_signal: WakeSignal::new(),
    }]))));
    let mut camera = scripted::Camera::new(5);
    let mut send = |count| {
        for packet in pictures(&mut camera, count) {
            feed.packet(&packet);
        }
    };
    send(3);
    feed.set_mode(Mode::Disarmed);
    send(1);
    feed.set_mode(Mode::Armed);
    send(4);
    let got: Vec<Packet> = std::iter::from_fn(|| packets.try_recv()).collect();
    let keys: Vec<(bool, bool)> = got.iter().map(|p| (p.key, p.discontinuity)).collect();
    let (key, other, again) = ((true, false), (false, false), (true, true));
    assert_eq!(keys, [key, other, other, again, other, other]);
}

#[test]
fn a_clock_that_is_set_begins_a_file_with_the_right_time() {
    let rig = Rig::new();
    let (mut stream, mut camera) = (rig.stream(), scripted::Camera::new(10));
    rig.clock.set_wall(WallTime(5_000_000), ClockState::Unsure);
    rig.record(&mut stream, &pictures(&mut camera, 300));
    let now = rig.clock.now();
    rig.clock.set_wall(
        WallTime(BEGAN + (now - MediaTime::ZERO) / 1_000_000),
        ClockState::Good,
    );
    rig.record(&mut stream, &pictures(&mut camera, 600));
    stream.finish(rig.inner());
    let found = rig.timeline();
    // The file that was open when it was set keeps its time; the next one has the right one.
    assert_eq!(found.spans.len(), 1, "{found:?}");
    assert_eq!(found.spans[0].from.0, BEGAN + 60 * SECOND);
    assert_eq!(found.spans[0].to.0, BEGAN + 90 * SECOND);
    let (facts, _) = rig.export(60 * SECOND, 90 * SECOND).unwrap();
    assert!(facts.clock_sure);
    // By age only what a right clock has met goes, and that from when it met it.
    let mut sweep = sweep::Sweep::default();
    sweep.run(rig.inner());
    assert_eq!(rig.files().len(), 2);
}

use std::time::{Duration, Instant};

use bytes::Bytes;
use mp4_atom::{Any, ReadFrom};

use super::{view::View, *};
use crate::{
    base::live::{Next, Standing},
    flow::{Codec, Size},
    recording::scripted::{Camera, format},
};

const BOTH: Wanted = Wanted {
    stream: StreamRole::Sub,
    h264: true,
    h265: true,
};

fn door() -> CameraId {
    "door".parse().unwrap()
}

/// A camera and its streams, and how often it was told that somebody watches.
struct Rig {
    live: Live,
    taps: Taps,
    camera: Camera,
    told: Arc<Mutex<Vec<(StreamRole, bool)>>>,
}

impl Rig {
    fn new(about: About) -> Self {
        let (live, told) = (Live::default(), Arc::new(Mutex::new(Vec::new())));
        let hear = Arc::clone(&told);
        let on_watched = Arc::new(move |role, watched| hear.lock().push((role, watched)));
        let taps = live.open(&door(), about, on_watched);
        let camera = Camera::new(10);
        taps.online(StreamRole::Sub, &camera.format);
        Self {
            live,
            taps,
            camera,
            told,
        }
    }

    fn armed() -> Self {
        Self::new(About {
            masked: false,
            has_main: false,
            mode: Mode::Armed,
        })
    }

    fn watch(&self) -> View {
        let mut view = View::begin(&self.taps.sub, BOTH, Arc::default()).unwrap();
        assert_eq!(view.next(), Next::Standing(Standing::Online));
        view
    }

    /// The camera sends `count` pictures.
    fn pictures(&mut self, count: u64) {
        for _ in 0..count {
            let packet = self.camera.picture();
            self.taps.packet(&packet);
        }
    }
}

/// What a viewer gets at `now`: numbers of pictures, `F` for a format, `L` for having caught up.
fn taken(view: &mut View, now: Instant) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        all.push(match view.next_at(now) {
            Next::Nothing => return all,
            Next::CaughtUp => "L".to_owned(),
            Next::Format { .. } => "F".to_owned(),
            Next::Standing(standing) => standing.as_str().to_owned(),
            Next::Ended(why) => format!("{why:?}"),
            Next::Fragment { data, .. } => number(&data).to_string(),
        });
    }
}

fn number(data: &Bytes) -> u64 {
    u64::from_be_bytes(data[..8].try_into().unwrap())
}

fn numbers(range: std::ops::Range<u64>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}

#[test]
fn the_first_viewer_begins_at_the_keyframe_that_the_recorder_has() {
    let mut rig = Rig::armed();
    let kept: Vec<Packet> = (0..14).map(|_| rig.camera.picture()).collect();
    kept.iter().for_each(|packet| rig.taps.packet(packet));
    assert!(rig.told.lock().is_empty(), "nobody watches");
    let mut view = rig.watch();
    assert_eq!(*rig.told.lock(), [(StreamRole::Sub, true)]);
    // Two that are in both: what came before the recorder answered.
    let later: Vec<Packet> = (14..17).map(|_| rig.camera.picture()).collect();
    later.iter().for_each(|packet| rig.taps.packet(packet));
    assert_eq!(taken(&mut view, Instant::now()), [] as [&str; 0]);
    let known = kept[10..].iter().chain(&later[..2]).cloned().collect();
    rig.taps.since_keyframe(StreamRole::Sub, known);
    let all = taken(&mut view, Instant::now());
    let mut wanted = vec!["F".to_owned()];
    wanted.extend(numbers(10..17));
    wanted.push("L".to_owned());
    assert_eq!(all, wanted);
    rig.pictures(1);
    assert_eq!(taken(&mut view, Instant::now()), ["17"]);
    // A second one begins there too, and asks nobody.
    let mut second = rig.watch();
    assert_eq!(taken(&mut second, Instant::now()).len(), 10);
    assert_eq!(rig.told.lock().len(), 1);
    drop(view);
    rig.pictures(1);
    assert_eq!(taken(&mut second, Instant::now()), ["18"]);
    drop(second);
    assert_eq!(rig.told.lock().last(), Some(&(StreamRole::Sub, false)));
    assert_eq!(
        rig.taps.sub.lock().ring.newest_key(),
        None,
        "nothing is kept"
    );
}

#[test]
fn a_keyframe_is_enough_where_the_recorder_says_nothing() {
    let mut rig = Rig::armed();
    rig.camera.next = 5;
    let mut view = rig.watch();
    rig.pictures(8);
    assert_eq!(
        taken(&mut view, Instant::now()),
        ["F", "10", "11", "12", "L"]
    );
    // What comes too late is of no use.
    let late = vec![Camera::new(10).picture()];
    rig.taps.since_keyframe(StreamRole::Sub, late);
    assert_eq!(taken(&mut view, Instant::now()), [] as [&str; 0]);
}

#[test]
fn a_slow_viewer_goes_on_with_a_keyframe() {
    let mut rig = Rig::armed();
    let mut view = rig.watch();
    rig.pictures(3);
    let now = Instant::now();
    assert_eq!(taken(&mut view, now), ["F", "0", "1", "2", "L"]);
    // The viewer takes nothing for 1.5 s: it skips to the next keyframe.
    rig.pictures(5);
    let late = now + Duration::from_millis(1500);
    assert_eq!(taken(&mut view, late), [] as [&str; 0]);
    rig.pictures(4);
    assert_eq!(taken(&mut view, late), ["10", "11"]);
    // Two groups later, what the viewer has not taken is no longer there.
    rig.pictures(28);
    let later = now + Duration::from_millis(1600);
    assert_eq!(taken(&mut view, later)[0], "30");
}

#[test]
fn a_keyframe_that_is_late_is_better_than_none() {
    let mut rig = Rig::armed();
    let mut view = rig.watch();
    rig.pictures(1);
    let now = Instant::now();
    assert_eq!(taken(&mut view, now), ["F", "0", "L"]);
    rig.pictures(12);
    let late = now + Duration::from_secs(5);
    assert_eq!(taken(&mut view, late)[0], "10");
}

#[test]
fn what_is_kept_is_bounded() {
    let mut rig = Rig::armed();
    let mut view = rig.watch();
    rig.pictures(100);
    assert_eq!(rig.taps.sub.lock().ring.first(), 80, "two groups");
    assert_eq!(taken(&mut view, Instant::now())[1], "90");
    // A stream that sends no keyframe and large pictures is shown from its next keyframe on.
    rig.camera.gop = 1_000_000;
    let large = Bytes::from(vec![0; 1_000_000]);
    for _ in 0..50 {
        let mut packet = rig.camera.picture();
        packet.data = large.clone();
        rig.taps.packet(&packet);
    }
    assert_eq!(rig.taps.sub.lock().ring.newest_key(), None);
    assert_eq!(taken(&mut view, Instant::now()), [] as [&str; 0]);
}

#[test]
fn a_new_size_brings_a_new_header() {
    let mut rig = Rig::armed();
    let mut view = rig.watch();
    rig.pictures(5);
    taken(&mut view, Instant::now());
    rig.camera.format = format(Codec::H264, Size::new(1280, 720));
    rig.camera.next = 10;
    rig.pictures(2);
    assert_eq!(taken(&mut view, Instant::now()), ["F", "10", "11"]);
}

#[test]
fn of_a_camera_that_is_switched_off_nothing_is_shown() {
    let mut rig = Rig::armed();
    let mut view = rig.watch();
    rig.pictures(5);
    rig.taps.set_mode(Mode::Disarmed);
    rig.pictures(10);
    assert_eq!(taken(&mut view, Instant::now()), ["paused"]);
    assert_eq!(rig.told.lock().last(), Some(&(StreamRole::Sub, false)));
    rig.taps.set_mode(Mode::Armed);
    assert_eq!(rig.told.lock().last(), Some(&(StreamRole::Sub, true)));
    // The recorder has nothing of before either.
    rig.taps.since_keyframe(StreamRole::Sub, Vec::new());
    rig.pictures(7);
    assert_eq!(
        taken(&mut view, Instant::now()),
        ["online", "F", "20", "21", "L"]
    );
    rig.taps.offline(StreamRole::Sub);
    assert_eq!(taken(&mut view, Instant::now()), ["offline"]);
}

#[test]
fn a_masked_camera_is_never_shown() {
    let mut rig = Rig::armed();
    let mut view = rig.watch();
    rig.pictures(5);
    // A mask is drawn while somebody looks: the camera begins again.
    let masked = About {
        masked: true,
        has_main: false,
        mode: Mode::Armed,
    };
    rig.live.open(&door(), masked, Arc::new(|_, _| {}));
    rig.pictures(20);
    assert_eq!(view.next(), Next::Ended(NoLive::Masked));
    assert_eq!(view.next(), Next::Ended(NoLive::Masked));
    let watched = rig.live.watch(&door(), BOTH, Arc::default());
    assert_eq!(watched.err(), Some(NoLive::Masked));
    assert_eq!(rig.taps.sub.lock().ring.newest_key(), None);
}

#[test]
fn who_cannot_play_it_is_told() {
    let mut rig = Rig::armed();
    let none = Wanted {
        h264: false,
        h265: true,
        ..BOTH
    };
    let refused = |rig: &Rig, wanted| rig.live.watch(&door(), wanted, Arc::default()).err();
    assert_eq!(refused(&rig, none), Some(NoLive::NoH264));
    let h265 = format(Codec::H265, Size::new(640, 360));
    rig.taps.online(StreamRole::Sub, &h265);
    let only_h264 = Wanted {
        h265: false,
        ..BOTH
    };
    assert_eq!(refused(&rig, only_h264), Some(NoLive::NoH265));
    let jpeg = format(Codec::Other, Size::new(640, 360));
    rig.taps.online(StreamRole::Sub, &jpeg);
    assert_eq!(refused(&rig, BOTH), Some(NoLive::Codec));
    let nobody = rig
        .live
        .watch(&"attic".parse().unwrap(), BOTH, Arc::default());
    assert_eq!(nobody.err(), Some(NoLive::Unknown));
    // One who watches when the camera is set to another codec.
    rig.taps.online(StreamRole::Sub, &rig.camera.format);
    let mut view = View::begin(&rig.taps.sub, only_h264, Arc::default()).unwrap();
    rig.camera.format = h265;
    rig.pictures(1);
    assert_eq!(view.next(), Next::Ended(NoLive::NoH265));
}

#[test]
fn a_camera_of_one_stream_has_that_for_both() {
    let rig = Rig::armed();
    let main = Wanted {
        stream: StreamRole::Main,
        ..BOTH
    };
    let _view = rig.live.watch(&door(), main, Arc::default()).unwrap();
    assert_eq!(*rig.told.lock(), [(StreamRole::Sub, true)]);
}

/// What a viewer gets is read by a parser that is not ours: its time begins at zero, and each fragment is one picture.
#[test]
fn the_byte_stream_is_fragmented_mp4() {
    let mut rig = Rig::armed();
    (rig.camera.gop, rig.camera.next) = (100, 1000);
    let mut view = rig.watch();
    rig.pictures(12);
    let mut file = Vec::new();
    loop {
        match view.next() {
            Next::Nothing => break,
            // The scripted header holds no real parameter sets: `real_streams` has those.
            Next::Format { codecs, .. } => assert_eq!(&*codecs, "avc1.64001f"),
            Next::Fragment { head, data, .. } => {
                file.extend_from_slice(&head);
                file.extend_from_slice(&data);
            }
            Next::CaughtUp | Next::Standing(_) | Next::Ended(_) => {}
        }
    }
    let (mut reader, mut starts, mut numbers, mut sequence) =
        (&file[..], Vec::new(), Vec::new(), Vec::new());
    while let Some(atom) = Option::<Any>::read_from(&mut reader).unwrap() {
        match atom {
            Any::Moof(moof) => {
                sequence.push(moof.mfhd.sequence_number);
                let traf = &moof.traf[0];
                starts.push(traf.tfdt.as_ref().unwrap().base_media_decode_time);
                assert_eq!(traf.trun[0].samples.len(), 1);
            }
            Any::Mdat(mdat) => numbers.push(number(&Bytes::from(mdat.data))),
            _ => {}
        }
    }
    assert!(reader.is_empty());
    assert_eq!(numbers, (1000..1012).collect::<Vec<_>>());
    assert_eq!(sequence, (1..=12).collect::<Vec<_>>());
    assert_eq!(starts, (0..12).map(|n| n * 9000).collect::<Vec<_>>());
}

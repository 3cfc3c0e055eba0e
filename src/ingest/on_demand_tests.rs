//! The on-demand decoder on real streams with known numbers of pictures.

use std::{slice, time::Duration};

use crate::{
    base::cpu::StageCpu,
    config::DecoderChoice,
    flow::{Codec, DecodeDemand, Frame, MediaTime, Packet},
};

use super::{Decoder, IdleDecoders, OnDemand, codec::hw_select, setup};
use bytes::Bytes;

use super::samples::{Studio, intra_refresh, packets, x264, x265};

const AWAKE: DecodeDemand = DecodeDemand::Awake {
    every: Duration::ZERO,
};

fn on_demand(max_idle_interval: u64) -> OnDemand {
    OnDemand::new(
        Duration::from_secs(max_idle_interval),
        DecoderChoice::Software,
        Vec::new(),
        StageCpu::default(),
        &IdleDecoders::default(),
    )
}

fn taken(decoder: &mut OnDemand) -> Vec<Frame> {
    std::iter::from_fn(|| decoder.next_frame(MediaTime::ZERO)).collect()
}

fn feed(decoder: &mut OnDemand, packets: &[Packet], demand: DecodeDemand) -> Vec<Frame> {
    let give = |packet: &Packet| {
        decoder.push(packet.clone(), demand).unwrap();
        taken(decoder)
    };
    packets.iter().flat_map(give).collect()
}

fn tenths(frames: &[Frame]) -> Vec<i64> {
    let tenth = |frame: &Frame| (frame.time.secs_f64() * 10.0).round() as i64;
    frames.iter().map(tenth).collect()
}

/// Streams with a keyframe each second.
fn streams(studio: &Studio, frames: u32) -> Vec<(&'static str, Vec<Packet>)> {
    [
        ("plain.mp4", x264(10, 0)),
        ("b.mp4", x264(10, 2)),
        ("closed.mp4", x265(10, false)),
        ("open.mp4", x265(10, true)),
    ]
    .map(|(name, options)| (name, packets(&studio.video(name, frames, &options))))
    .into()
}

#[test]
fn asleep_exactly_the_keyframes_are_decoded_and_each_comes_with_its_own_packet() {
    for (name, packets) in streams(&Studio::new(), 60) {
        let mut decoder = on_demand(2);
        for packet in &packets {
            let frames = feed(&mut decoder, slice::from_ref(packet), DecodeDemand::Asleep);
            assert_eq!(frames.len(), usize::from(packet.key), "{name}");
            assert!(frames.iter().all(|frame| frame.time == packet.time));
        }
        assert_eq!(decoder.decoded(), 6, "{name}");
    }
}

#[test]
fn off_decodes_and_keeps_nothing() {
    let (_, packets) = streams(&Studio::new(), 20).remove(0);
    let mut decoder = on_demand(2);
    feed(&mut decoder, &packets[..15], AWAKE);
    let before = decoder.decoded();
    assert!(feed(&mut decoder, &packets[15..], DecodeDemand::Off).is_empty());
    assert_eq!(decoder.decoded(), before);
    // Armed again, decoding waits for a keyframe: nothing of before was kept.
    let (rest, key): (Vec<_>, Vec<_>) = packets[5..].iter().cloned().partition(|p| !p.key);
    assert!(feed(&mut decoder, &rest, AWAKE).is_empty());
    assert!(!key.is_empty() && !feed(&mut decoder, &key[..1], AWAKE).is_empty());
}

#[test]
fn waking_in_the_middle_of_a_group_gives_every_picture_once_and_in_order() {
    for (name, packets) in streams(&Studio::new(), 60) {
        for wake_at in [10, 11, 17, 23, 30] {
            let mut decoder = on_demand(2);
            let asleep = feed(&mut decoder, &packets[..wake_at], DecodeDemand::Asleep);
            let mut last_look = tenths(&asleep).pop().unwrap();
            if packets[wake_at].key {
                last_look = (packets[wake_at].time.secs_f64() * 10.0).round() as i64 - 1;
            }
            let awake = tenths(&feed(&mut decoder, &packets[wake_at..], AWAKE));
            let all: Vec<i64> = (last_look + 1..).take(awake.len()).collect();
            assert_eq!(awake, all, "{name} woken at {wake_at}");
            assert!(
                awake.len() as i64 >= 59 - last_look - 4,
                "{name}: {awake:?}"
            );
        }
    }
}

#[test]
fn a_burst_at_waking_is_decoded_no_further_than_somebody_looks() {
    for (name, packets) in streams(&Studio::new(), 20) {
        let mut decoder = on_demand(2);
        feed(&mut decoder, &packets[..19], DecodeDemand::Asleep);
        decoder.push(packets[19].clone(), AWAKE).unwrap();
        let before = decoder.decoded();
        for given in 1..=3 {
            assert!(decoder.next_frame(MediaTime::ZERO).is_some(), "{name}");
            // The keyframe is decoded anew, and not given again; what is reordered may come out in pairs.
            assert!(decoder.decoded() - before <= given + 3, "{name}");
        }
    }
}

#[test]
fn falling_asleep_goes_back_to_keyframes() {
    for (name, packets) in streams(&Studio::new(), 60) {
        let mut decoder = on_demand(2);
        feed(&mut decoder, &packets[..25], AWAKE);
        let before = decoder.decoded();
        let keys = packets[25..].iter().filter(|p| p.key).count();
        let frames = feed(&mut decoder, &packets[25..], DecodeDemand::Asleep);
        assert_eq!(frames.len(), keys, "{name}");
        assert_eq!(decoder.decoded() - before, keys as u64, "{name}");
    }
}

#[test]
fn keyframes_that_lean_on_the_past_are_seen_all_the_same() {
    let open = format!("{} -x264-params open-gop=1:ref=3", x264(10, 3));
    let packets = packets(&Studio::new().video("open.mp4", 80, &open));
    for begin in [0, 15] {
        let mut decoder = on_demand(2);
        let asleep = tenths(&feed(
            &mut decoder,
            &packets[begin..50],
            DecodeDemand::Asleep,
        ));
        assert!(asleep.is_sorted() && asleep.len() >= 2, "{asleep:?}");
        let awake = tenths(&feed(&mut decoder, &packets[50..], AWAKE));
        let all: Vec<i64> = (awake[0]..).take(awake.len()).collect();
        assert_eq!(awake, all);
        assert!(
            awake.len() > 25 && awake[0] > *asleep.last().unwrap(),
            "{awake:?}"
        );
    }
}

#[test]
fn at_the_end_nothing_is_held_back() {
    for (name, packets) in streams(&Studio::new(), 30) {
        let mut decoder = on_demand(2);
        let mut frames = feed(&mut decoder, &packets, AWAKE);
        decoder.finish();
        frames.extend(taken(&mut decoder));
        assert_eq!(tenths(&frames), (0..30).collect::<Vec<_>>(), "{name}");
        assert_eq!(decoder.decoded(), 30);
    }
}

#[test]
fn rare_keyframes_are_made_up_for_by_bursts() {
    let studio = Studio::new();
    for (name, options) in [
        ("plain.mp4", x264(100, 0)),
        ("b.mp4", x264(100, 2)),
        ("hevc.mp4", x265(100, false)),
    ] {
        let packets = packets(&studio.video(name, 100, &options));
        let mut decoder = on_demand(2);
        let looks = tenths(&feed(&mut decoder, &packets, DecodeDemand::Asleep));
        assert!((4..=6).contains(&looks.len()), "{name}: {looks:?}");
        // A picture that is shown later than it is coded holds a look up by the depth of reordering.
        assert!(
            looks.windows(2).all(|w| w[1] - w[0] <= 24),
            "{name}: {looks:?}"
        );
    }
}

#[test]
fn a_keyframe_interval_just_above_the_promise_costs_no_bursts_once_it_is_known() {
    let packets = packets(&Studio::new().video("v.mp4", 110, &x264(22, 0)));
    let mut decoder = on_demand(2);
    let looks = tenths(&feed(&mut decoder, &packets, DecodeDemand::Asleep));
    assert_eq!(looks, [0, 20, 22, 44, 66, 88]);
}

#[test]
fn pictures_that_nobody_looks_at_and_nothing_needs_are_not_decoded() {
    let (_, packets) = streams(&Studio::new(), 40).remove(1);
    let droppable = packets.iter().filter(|p| p.droppable).count() as u64;
    assert!(droppable > 10);
    let mut decoder = on_demand(2);
    for packet in &packets {
        let never = MediaTime::from_secs_f64(1e6);
        decoder.push(packet.clone(), AWAKE).unwrap();
        while decoder.next_frame(never).is_some() {}
    }
    assert!(decoder.decoded() <= 40 - droppable);
    assert!(decoder.decoded() >= 40 - droppable - 3);
}

#[test]
fn a_damaged_unit_is_counted_and_the_next_keyframe_heals() {
    let (_, mut packets) = streams(&Studio::new(), 40).remove(0);
    let rubbish: Vec<u8> = [0, 0, 0, 40, 0x65].into_iter().chain([0xff; 39]).collect();
    packets[13].data = Bytes::from(rubbish);
    let mut decoder = on_demand(2);
    let shown = tenths(&feed(&mut decoder, &packets, AWAKE));
    assert!(decoder.corrupt() >= 1);
    assert!((0..13).all(|n| shown.contains(&n)), "{shown:?}");
    assert!((20..40).all(|n| shown.contains(&n)), "{shown:?}");
    assert!(!shown.contains(&15), "{shown:?}");
}

#[test]
fn a_hardware_decoder_that_stumbles_gives_way_to_software() {
    setup::init().unwrap();
    let eight = hw_select::probe_packets(Codec::H264);
    let packets: Vec<_> = (0..24u32)
        .map(|n| Packet {
            time: MediaTime::ZERO + Duration::from_millis(100) * n,
            ..eight[n as usize % 8].clone()
        })
        .collect();
    let mut decoder = on_demand(2);
    // It holds the pictures of such a stream back: no lone keyframe comes out.
    let format = &packets[0].format;
    let hardware = Decoder::in_hardware("openh264dec", format, StageCpu::default());
    decoder.set_decoder(hardware.unwrap());
    let looks = tenths(&feed(&mut decoder, &packets, DecodeDemand::Asleep));
    assert_eq!(looks, [12, 16, 20]);
    assert_eq!(decoder.corrupt(), 3);
}

#[test]
fn a_change_of_size_makes_a_new_decoder() {
    let studio = Studio::new();
    let mut first = packets(&studio.video("a.mp4", 15, &x264(10, 0)));
    let other = studio.ffmpeg(
        "b.mp4",
        "-f lavfi -i testsrc2=size=320x240:rate=10 -frames:v 15 -c:v libx265 -preset ultrafast -x265-params log-level=none:bframes=0",
    );
    let mut second = packets(&other);
    for packet in &mut second {
        packet.time = packet.time + Duration::from_secs(2);
    }
    second[0].discontinuity = true;
    first.extend(second);
    let frames = feed(&mut on_demand(2), &first, AWAKE);
    assert!(frames.len() >= 29, "{}", frames.len());
    assert_eq!(frames.last().unwrap().size.width, 320);
}

/// Mean difference of luma.
fn apart(a: &Frame, b: &Frame) -> f64 {
    let rows = (0..a.size.height as usize).map(|y| a.luma_row(y).iter().zip(b.luma_row(y)));
    let sum: u64 = rows.flatten().map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / f64::from(a.size.width * a.size.height)
}

/// Puts a recovery point of 40 pictures before every twentieth (x265 leaves it out) and calls those keyframes, as the gate does.
fn with_recovery_points(packets: &mut [Packet]) {
    // SEI prefix; recovery point of two bytes: recovery_poc_cnt 40, exact_match_flag.
    const SEI: [u8; 11] = [0, 0, 0, 7, 0x4e, 1, 6, 2, 0x02, 0x85, 0x80];
    for packet in packets.iter_mut().step_by(20) {
        packet.data = Bytes::from([&SEI[..], &packet.data].concat());
        packet.key = true;
    }
}

#[test]
fn intra_refresh_is_entered_at_a_recovery_point_and_looked_at_when_it_is_whole() {
    for codec in [Codec::H264, Codec::H265] {
        let studio = Studio::new();
        let mut all = packets(&studio.video("v.mkv", 120, &intra_refresh(codec, 20)));
        if codec == Codec::H265 {
            with_recovery_points(&mut all);
        }
        let whole = feed(&mut on_demand(2), &all, AWAKE);
        assert_eq!(whole.len(), 120);
        // Joined amid the stream, its keyframe long gone: the gate lets a run begin at a recovery point.
        let joined: Vec<_> = all.iter().filter(|p| p.time.secs_f64() > 3.95).collect();
        let joined: Vec<_> = joined.into_iter().cloned().collect();
        assert!(joined[0].key, "{codec:?}");
        for (demand, most_apart) in [(AWAKE, 1), (DecodeDemand::Asleep, 22)] {
            let mut decoder = on_demand(2);
            let got = feed(&mut decoder, &joined, demand);
            let times = tenths(&got);
            let begin = if codec == Codec::H264 { 60 } else { 80 };
            assert!(
                (begin..begin + 3).contains(&times[0]),
                "{codec:?} {demand:?}: {times:?}"
            );
            let apart_in_time = times.windows(2).map(|pair| pair[1] - pair[0]).max();
            assert!(
                apart_in_time <= Some(most_apart),
                "{codec:?} {demand:?}: {times:?}"
            );
            assert_eq!(decoder.corrupt(), 0, "{codec:?} {demand:?}");
            // Only x264 is held to it: how soon a refresh of x265 is complete is not known here.
            for frame in got.iter().filter(|_| codec == Codec::H264) {
                let right = whole.iter().find(|right| right.time == frame.time);
                let apart = apart(frame, right.unwrap());
                assert!(
                    apart < 1.0,
                    "{codec:?} {demand:?} at {:?}: {apart}",
                    frame.time
                );
            }
        }
    }
}

#[test]
fn keyframes_that_come_seldom_and_irregularly_hold_no_look_up() {
    // As "smart" codecs send them: a keyframe after 2 s, then after 12, 6 and 20.
    let keys = "-forced-idr 1 -force_key_frames 0,2,14,20,40";
    for (name, options) in [("h264.mp4", x264(1000, 0)), ("h265.mp4", x265(1000, false))] {
        let studio = Studio::new();
        let packets = packets(&studio.video(name, 450, &format!("{options} {keys}")));
        assert_eq!(packets.iter().filter(|p| p.key).count(), 5, "{name}");
        let mut decoder = on_demand(2);
        let looks = tenths(&feed(&mut decoder, &packets, DecodeDemand::Asleep));
        let apart = looks.windows(2).map(|pair| pair[1] - pair[0]).max();
        // 2 s and an eighth, and the depth of reordering: a picture may be shown up to 0.4 s later than it is coded.
        assert!(apart <= Some(27), "{name}: {looks:?}");
        assert_eq!(decoder.corrupt(), 0);
        let bytes: usize = packets.iter().map(|p| p.data.len()).sum();
        assert!(bytes < 32_000_000, "all of it fits the ring");
    }
}

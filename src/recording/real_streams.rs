//! Clips of real video, read back by programs and a parser that are not ours.

use std::{fs, path::Path, process::Command};

use mp4_atom::{Any, ReadFrom};

use super::{ClipEvent, Recorder, scripted::config};
use crate::{
    flow::{Codec, IncidentId, MediaFile, MediaKind, MediaTime, Packet, Rendition},
    testing::encoded::Encoded,
};

/// Records all of `packets` as one clip.
fn record(packets: &[Packet], dir: &Path) -> Vec<MediaFile> {
    let mut recorder = Recorder::new(Rendition::Sub, &config());
    let mut events = recorder.start(IncidentId::new(), dir.to_owned(), MediaTime::ZERO);
    for packet in packets {
        events.extend(recorder.packet(packet));
    }
    events.extend(recorder.finish());
    events
        .into_iter()
        .filter_map(|event| match event {
            ClipEvent::File(file) => Some(file),
            _ => None,
        })
        .collect()
}

/// The files one after the other, as a receiver would join them.
fn joined(files: &[MediaFile]) -> Vec<u8> {
    files
        .iter()
        .flat_map(|file| fs::read(&file.path).unwrap())
        .collect()
}

/// What ffmpeg says: presentation times in nanoseconds of every picture that it decodes. No error may come up.
fn decoded(clip: &[u8]) -> Vec<i64> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("clip.mp4");
    fs::write(&path, clip).unwrap();
    let output = Command::new("ffprobe")
        .args([
            "-v",
            "warning",
            "-select_streams",
            "v",
            "-show_entries",
            "frame=pts",
        ])
        .args(["-of", "csv=p=0"])
        .arg(&path)
        .output()
        .expect("ffmpeg is installed");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && complaints.trim().is_empty(),
        "{complaints}"
    );
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| line.trim_end_matches(','))
        .filter(|line| !line.is_empty()) // side data
        .map(|pts| pts.parse::<i64>().unwrap() * 100_000 / 9)
        .collect()
}

fn check(video: Encoded) {
    let dir = tempfile::tempdir().unwrap();
    let packets = video.packets();
    assert_eq!(packets.len(), video.frames as usize);
    let files = record(&packets, dir.path());
    assert!(files.len() > 2, "more than one segment");
    let mut shown: Vec<i64> = packets.iter().map(|packet| packet.pts.nanos()).collect();
    shown.sort_unstable();
    let times = decoded(&joined(&files));
    assert_eq!(times.len(), shown.len());
    for (got, sent) in times.iter().zip(&shown) {
        // FFmpeg moves all times of a track with negative composition offsets by the lowest of them.
        let (got, sent) = (got - times[0], sent - shown[0]);
        assert!((got - sent).abs() < 12_000, "{got} {sent}");
    }
    let sent = packets
        .iter()
        .map(|packet| packet.pts.nanos() * 9 / 100_000)
        .collect();
    parse(&joined(&files), &files, sent);
}

/// Reads the boxes back: segments join, and every picture has its own presentation time, `sent`, in ticks.
fn parse(clip: &[u8], files: &[MediaFile], sent: Vec<i64>) {
    let mut reader = clip;
    let mut shown = Vec::new();
    let (mut next, mut segments, mut moovs) = (None, 0, 0);
    while let Some(atom) = Option::<Any>::read_from(&mut reader).unwrap() {
        match atom {
            Any::Ftyp(ftyp) => assert!(ftyp.compatible_brands.contains(&b"cmf2".into())),
            Any::Moov(moov) => {
                moovs += 1;
                assert_eq!(moov.trak[0].mdia.mdhd.timescale, 90_000);
                let sizes: Vec<_> = moov.trak[0]
                    .mdia
                    .minf
                    .stbl
                    .stsd
                    .codecs
                    .iter()
                    .map(|entry| match entry {
                        mp4_atom::Codec::Avc1(avc1) => (avc1.visual.width, avc1.visual.height),
                        mp4_atom::Codec::Hvc1(hvc1) => (hvc1.visual.width, hvc1.visual.height),
                        other => panic!("{other:?}"),
                    })
                    .collect();
                assert_eq!(sizes, [(160, 96)]);
            }
            Any::Moof(moof) => {
                segments += 1;
                assert_eq!(moof.mfhd.sequence_number, segments);
                let traf = &moof.traf[0];
                let start = traf.tfdt.as_ref().unwrap().base_media_decode_time;
                assert_eq!(start, next.unwrap_or(0));
                let samples: Vec<_> = traf.trun[0].samples.iter().collect();
                let file = files
                    .iter()
                    .find(|f| f.kind == MediaKind::Media && f.number == segments);
                assert_eq!(file.unwrap().frames as usize, samples.len());
                let mut decode = start;
                for sample in samples {
                    let offset = sample.cts.unwrap();
                    shown.push(i64::try_from(decode).unwrap() + offset);
                    decode += u64::from(sample.duration.unwrap());
                }
                next = Some(decode);
            }
            _ => {}
        }
    }
    assert_eq!(shown, sent);
    assert_eq!(moovs, 1);
    assert_eq!(segments as usize, files.len() - 1);
}

#[test]
fn h264_without_b_frames() {
    check(Encoded::new(Codec::H264, 65, 20));
}

#[test]
fn h264_with_b_frames() {
    check(Encoded::new(Codec::H264, 65, 20).b_frames(3, false));
}

#[test]
fn h264_whose_keyframes_are_rare_is_cut_between_them() {
    check(Encoded::new(Codec::H264, 130, 250).b_frames(2, false));
}

#[test]
fn h265_without_b_frames() {
    check(Encoded::new(Codec::H265, 65, 20));
}

#[test]
fn h265_with_closed_gops() {
    check(Encoded::new(Codec::H265, 65, 20).b_frames(3, false));
}

#[test]
fn h265_with_open_gops() {
    check(Encoded::new(Codec::H265, 65, 20).b_frames(4, true));
}

#[test]
fn h265_whose_keyframes_are_rare_is_cut_between_them() {
    check(Encoded::new(Codec::H265, 130, 250).b_frames(4, true));
}

#[test]
fn a_clip_from_the_middle_of_open_gops_leaves_out_what_it_cannot_show() {
    let dir = tempfile::tempdir().unwrap();
    let packets = Encoded::new(Codec::H265, 65, 20)
        .b_frames(4, true)
        .packets();
    let second = packets
        .iter()
        .enumerate()
        .position(|(i, packet)| i > 0 && packet.key)
        .unwrap();
    let rest = &packets[second..];
    let leading = rest
        .iter()
        .filter(|packet| packet.pts < rest[0].pts)
        .count();
    assert!(leading > 0, "the GOP is open");
    let files = record(rest, dir.path());
    assert_eq!(decoded(&joined(&files)).len(), rest.len() - leading);
}

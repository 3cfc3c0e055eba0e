//! Live pictures of real video, read by a program that is not ours.

use std::process::Command;

use super::*;
use crate::{base::live::Next, flow::Codec, testing::encoded::Encoded};

const ANY: Wanted = Wanted {
    stream: StreamRole::Sub,
    h264: true,
    h265: true,
};

/// What a viewer gets who takes each picture as it comes.
fn watched(packets: &[Packet]) -> Vec<u8> {
    let live = Live::default();
    let about = About {
        masked: false,
        has_main: false,
        mode: Mode::Armed,
    };
    let taps = live.open(&"door".parse().unwrap(), about, Arc::new(|_, _| {}));
    let watched = live.watch(&"door".parse().unwrap(), ANY, Arc::default());
    let Ok(mut view) = watched else {
        panic!("no view");
    };
    let mut stream = Vec::new();
    for packet in packets {
        taps.packet(packet);
        loop {
            match view.next() {
                Next::Nothing => break,
                Next::Format { header, .. } => stream.extend_from_slice(&header),
                Next::Fragment { head, data, .. } => {
                    stream.extend_from_slice(&head);
                    stream.extend_from_slice(&data);
                }
                Next::CaughtUp | Next::Standing(_) => {}
                Next::Ended(why) => panic!("{why:?}"),
            }
        }
    }
    stream
}

/// Presentation times, in ticks, of the pictures that ffmpeg decodes; no error may come up. It would warn of decode times that are not
/// the sum of the durations before: those of live pictures are not known when they are written.
fn decoded(stream: &[u8]) -> Vec<i64> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), stream).unwrap();
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-show_entries", "frame=pts"])
        .args(["-of", "csv=p=0"])
        .arg(file.path())
        .output()
        .expect("ffmpeg is installed");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && complaints.trim().is_empty(),
        "{complaints}"
    );
    let times = String::from_utf8_lossy(&output.stdout);
    let lines = times.lines().map(|line| line.trim_end_matches(','));
    let lines = lines.filter(|line| !line.is_empty());
    lines.map(|pts| pts.parse().unwrap()).collect()
}

fn check(video: Encoded) {
    let packets = video.packets();
    let mut shown: Vec<i64> = packets
        .iter()
        .map(|packet| crate::recording::cmaf::ticks(packet.pts.nanos()))
        .collect();
    shown.sort_unstable();
    let times = decoded(&watched(&packets));
    assert_eq!(times.len(), shown.len(), "each picture is decoded");
    for (got, sent) in times.iter().zip(&shown) {
        let (got, sent) = (got - times[0], sent - shown[0]);
        assert!((got - sent).abs() <= 1, "{got} {sent}");
    }
}

#[test]
fn h264() {
    check(Encoded::new(Codec::H264, 65, 20));
}

#[test]
fn h264_with_b_frames() {
    check(Encoded::new(Codec::H264, 65, 20).b_frames(3, false));
}

#[test]
fn h265_with_b_frames() {
    check(Encoded::new(Codec::H265, 65, 20).b_frames(3, false));
}

//! Files as players show them.

use std::path::Path;

use crate::{
    base::cpu::StageCpu,
    flow::{Frame, Packet, Size, StreamRole, Turn},
    ingest::{
        FileSource, IngestError,
        codec::decoder::Decoder,
        samples::{Studio, packets, x264, x265},
    },
};

fn tenths(packets: &[Packet]) -> Vec<i64> {
    let tenth = |packet: &Packet| (packet.time.secs_f64() * 10.0).round() as i64;
    let mut times: Vec<_> = packets.iter().map(tenth).collect();
    times.sort_unstable();
    times
}

fn first_frame(packets: &[Packet]) -> Frame {
    let format = &packets[0].format;
    let mut decoder = Decoder::in_software(format, &[], StageCpu::default()).unwrap();
    let mut frames = decoder.decode(&packets[0]).unwrap();
    frames.extend(decoder.drain());
    frames.remove(0)
}

/// Replaces the first `from` in a file from `after` on.
fn patch(path: &Path, after: &[u8], from: &[u8], to: &[u8]) {
    let mut bytes = std::fs::read(path).unwrap();
    let find = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).position(|w| w == what);
    let start = find(&bytes, after).unwrap();
    let at = start + find(&bytes[start..], from).unwrap();
    bytes[at..at + to.len()].copy_from_slice(to);
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn b_frames_have_the_same_times_in_every_container() {
    let studio = Studio::new();
    for (name, options) in [("h264", x264(20, 3)), ("h265", x265(20, true))] {
        let mp4 = studio.video(&format!("{name}.mp4"), 60, &options);
        let right = packets(&mp4);
        let times = |packets: &[Packet]| -> Vec<i64> {
            packets
                .iter()
                .map(|p| (p.time.secs_f64() * 1000.0).round() as i64)
                .collect()
        };
        for other in ["avi", name, "mkv", "ts"] {
            let copy = match (other, name) {
                // AVI has no agreed name for H.265.
                ("avi", "h265") => continue,
                ("h265", _) => format!("-i {} -c copy -f hevc", mp4.display()),
                _ => format!("-i {} -c copy", mp4.display()),
            };
            let got = packets(&studio.ffmpeg(&format!("{name}.{other}"), &copy));
            assert_eq!(times(&got), times(&right), "{name} in {other}");
        }
    }
}

#[test]
fn a_file_cut_by_copy_is_read_from_its_keyframe_on_and_keeps_its_clock() {
    let studio = Studio::new();
    let whole = studio.video("whole.mp4", 160, &x264(40, 0));
    let cut = format!("-ss 2.5 -i {} -c copy", whole.display());
    let packets = packets(&studio.ffmpeg("cut.mp4", &cut));
    assert_eq!(tenths(&packets), (-25..135).collect::<Vec<_>>());
    assert!(packets[0].key && packets.is_sorted_by_key(|p| p.arrived));
}

#[test]
fn an_empty_edit_waits_as_players_do() {
    let studio = Studio::new();
    let sound = "-f lavfi -i sine=duration=8";
    let late = "-itsoffset 3 -f lavfi -i testsrc2=size=192x128:rate=10:duration=4";
    for (name, begin) in [("late.mp4", 30), ("late.mkv", 30), ("late.ts", 0)] {
        let options = format!(
            "{sound} {late} -map 0:a -map 1:v {} -c:a aac -vsync vfr",
            x264(10, 2)
        );
        let times = tenths(&packets(&studio.ffmpeg(name, &options)));
        assert_eq!(times.len(), 40, "{name}");
        // In a transport stream GStreamer finds no times at all for pictures that begin so late.
        assert_eq!(times[0], begin, "{name}: {times:?}");
        assert!(
            times.windows(2).all(|pair| pair[1] - pair[0] == 1),
            "{name}: {times:?}"
        );
    }
    // With nothing before the pictures there is nothing to wait for.
    let alone = format!("{late} {}", x264(10, 2));
    assert_eq!(tenths(&packets(&studio.ffmpeg("alone.mkv", &alone)))[0], 0);
}

#[test]
fn a_display_matrix_turns_pictures_and_not_what_is_kept() {
    let studio = Studio::new();
    let plain = studio.video("plain.mp4", 5, &x264(5, 0));
    for rotate in [90, 180, 270] {
        let copy = format!(
            "-i {} -c copy -metadata:s:v rotate={rotate}",
            plain.display()
        );
        let turned = studio.ffmpeg(&format!("turned{rotate}.mp4"), &copy);
        let packets = packets(&turned);
        let format = &packets[0].format;
        assert!(format.turn != Turn::NONE, "{rotate}");
        assert_eq!(format.size, Size::new(192, 128), "as coded");
        let frame = first_frame(&packets);
        assert_eq!(frame.size, format.shown_size());
        // As ffmpeg shows it.
        let shown = format!(
            "-i {} -frames:v 1 -f rawvideo -pix_fmt yuv420p",
            turned.display()
        );
        let shown = std::fs::read(studio.ffmpeg("shown.yuv", &shown)).unwrap();
        let (width, height) = (frame.size.width as usize, frame.size.height as usize);
        for (y, row) in shown.chunks(width).take(height).enumerate() {
            assert_eq!(frame.luma_row(y), row, "{rotate}: row {y}");
        }
    }
}

#[test]
fn privacy_masks_lie_on_the_turned_picture() {
    use crate::flow::{NormPoint, Polygon};
    let studio = Studio::new();
    let plain = studio.video("plain.mp4", 5, &x264(5, 0));
    let copy = format!("-i {} -c copy -metadata:s:v rotate=90", plain.display());
    let packets = packets(&studio.ffmpeg("turned.mp4", &copy));
    let corners = [(0.0, 0.0), (1.0, 0.0), (1.0, 0.25), (0.0, 0.25)];
    let top = Polygon(corners.map(|(x, y)| NormPoint { x, y }).to_vec());
    let format = &packets[0].format;
    let mut decoder = Decoder::in_software(format, &[top], StageCpu::default()).unwrap();
    let frame = decoder.decode(&packets[0]).unwrap().remove(0);
    assert_eq!(frame.size, Size::new(128, 192));
    assert!((0..48).all(|row| frame.luma_row(row).iter().all(|&y| y == 16)));
    assert!(frame.luma_row(100).iter().any(|&y| y != 16));
}

#[test]
fn covers_and_tracks_that_hold_no_pictures_are_passed_over() {
    let studio = Studio::new();
    let video = "-f lavfi -i testsrc2=size=192x128:rate=10:duration=3";
    // A still before the film, as a track of its own.
    for name in ["cover.mp4", "cover.mkv", "cover.mov"] {
        let cover = "-f lavfi -i testsrc=size=64x64:rate=1:duration=1";
        let options = format!(
            "{cover} {video} -map 0:v -map 1:v -c:v:0 mjpeg -c:v:1 libx264 -preset ultrafast -g 10 -pix_fmt:v:1 yuv420p"
        );
        let packets = packets(&studio.ffmpeg(name, &options));
        assert_eq!(
            (packets.len(), packets[0].format.size.width),
            (30, 192),
            "{name}"
        );
    }
    // Two tracks of pictures, of which the first says that it holds something else that nobody knows.
    let options = format!("{video} {video} -map 0:v -map 1:v {}", x264(10, 0));
    let two = studio.ffmpeg("two.mp4", &options);
    patch(&two, b"stsd", b"avc1", b"mett");
    assert_eq!(packets(&two).len(), 30);
}

#[test]
fn bytes_after_the_end_of_an_avi_are_no_damage() {
    let studio = Studio::new();
    let path = studio.video("a.avi", 20, &x264(10, 0));
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend(b"recorder 4711, channel 2: this is no part of the file".repeat(9));
    std::fs::write(&path, bytes).unwrap();
    let mut source = FileSource::open(&path, StreamRole::Sub, StageCpu::default()).unwrap();
    let read = std::iter::from_fn(|| source.next_packet().unwrap()).count();
    assert_eq!((read, source.damage()), (20, None));
}

#[test]
fn a_file_without_a_keyframe_says_so() {
    let studio = Studio::new();
    let options = format!("{} -f h264", x264(40, 0));
    let path = studio.video("whole.264", 20, &options);
    // The slices of the keyframe (type 5) become filler (type 12).
    let mut bytes = std::fs::read(&path).unwrap();
    for at in 0..bytes.len() - 4 {
        if bytes[at..at + 3] == [0, 0, 1] && bytes[at + 3] & 0x1f == 5 {
            bytes[at + 3] = 12;
        }
    }
    std::fs::write(&path, bytes).unwrap();
    let refusal = FileSource::open(&path, StreamRole::Sub, StageCpu::default()).err();
    assert!(
        matches!(refusal, Some(IngestError::NoKeyframe { .. })),
        "{refusal:?}"
    );
}

use super::*;
use crate::ingest::samples::{Studio, packets, x264, x265};

fn decoder(packets: &[Packet]) -> Decoder {
    Decoder::in_software(&packets[0].format, &[], StageCpu::default()).unwrap()
}

fn all(decoder: &mut Decoder, packets: &[Packet]) -> Vec<Frame> {
    let mut frames: Vec<_> = packets
        .iter()
        .flat_map(|packet| decoder.decode(packet).unwrap())
        .collect();
    frames.extend(decoder.drain());
    frames
}

#[test]
fn every_codec_gives_every_picture_in_presentation_order() {
    let studio = Studio::new();
    for (name, options) in [
        ("plain.mp4", x264(10, 0)),
        ("b.mp4", x264(10, 2)),
        ("hevc.mp4", x265(10, false)),
        ("open.mp4", x265(10, true)),
        ("old.avi", "-c:v msmpeg4 -g 10".to_owned()),
        ("jpeg.avi", "-c:v mjpeg".to_owned()),
        ("part2.avi", "-c:v mpeg4 -g 10".to_owned()),
        (
            "vp9.mkv",
            "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 10".to_owned(),
        ),
        ("deep.mp4", format!("{} -pix_fmt yuv422p10le", x264(10, 0))),
        ("jpeg.mkv", "-c:v mjpeg".to_owned()),
        ("full.mp4", "-c:v mjpeg -pix_fmt yuvj444p".to_owned()),
        (
            "vp8.mkv",
            "-c:v libvpx -deadline realtime -cpu-used 8 -g 10".to_owned(),
        ),
        (
            "av1.mkv",
            "-c:v libaom-av1 -usage realtime -cpu-used 8 -g 10".to_owned(),
        ),
        ("sorenson.flv", "-c:v flv -g 10".to_owned()),
        ("h263.3gp", "-s 176x144 -c:v h263 -g 10".to_owned()),
        ("part2.mp4", "-c:v mpeg4 -bf 2 -g 10".to_owned()),
        ("part2b.avi", "-c:v mpeg4 -bf 2 -g 10".to_owned()),
        ("mpeg2.mkv", "-c:v mpeg2video -bf 2 -g 10".to_owned()),
        ("raw.avi", "-c:v rawvideo -pix_fmt bgr24".to_owned()),
        ("raw.mkv", "-c:v rawvideo -pix_fmt yuyv422".to_owned()),
    ] {
        let packets = packets(&studio.video(name, 30, &options));
        let frames = all(&mut decoder(&packets), &packets);
        let mut times: Vec<_> = packets.iter().map(|p| p.time).collect();
        times.sort();
        let shown: Vec<_> = frames.iter().map(|f| f.time).collect();
        assert_eq!(shown, times, "{name}");
        let size = packets[0].format.size;
        assert!(size.width >= 176, "{name}");
        assert!(frames.iter().all(|f| f.size == size), "{name}");
        // The test picture is colourful: planes of the right place and stride have contrast.
        for frame in &frames {
            let row = frame.luma_row(64);
            let (low, high) = (row.iter().min().unwrap(), row.iter().max().unwrap());
            assert!(high - low > 100, "{name}");
            let _ = frame.chroma(87, 63);
        }
    }
}

#[test]
fn a_lone_keyframe_gives_its_picture_at_once_and_the_gop_follows_on_the_same_decoder() {
    let studio = Studio::new();
    for (name, options) in [
        ("plain.mp4", x264(10, 0)),
        ("b.mp4", x264(10, 2)),
        ("hevc.mp4", x265(10, false)),
        ("open.mp4", x265(10, true)),
        ("old.avi", "-c:v msmpeg4 -g 10".to_owned()),
    ] {
        let packets = packets(&studio.video(name, 40, &options));
        let mut decoder = decoder(&packets);
        let keys: Vec<_> = (0..packets.len()).filter(|&n| packets[n].key).collect();
        assert!(keys.len() >= 4, "{name}: {keys:?}");
        for round in 0..2 {
            decoder.restart(Feed::KeysAlone);
            for &n in &keys {
                let frames = decoder.decode(&packets[n]).unwrap();
                let times: Vec<_> = frames.iter().map(|f| f.time).collect();
                assert_eq!(times, [packets[n].time], "{name} round {round}");
                assert!(frames[0].key);
            }
            let gop = &packets[keys[2]..keys[3]];
            decoder.restart(Feed::Running);
            let mut shown: Vec<_> = all(&mut decoder, gop).iter().map(|f| f.time).collect();
            shown.retain(|&time| time >= gop[0].time);
            let mut times: Vec<_> = gop.iter().map(|p| p.time).collect();
            times.retain(|&time| time >= gop[0].time);
            times.sort();
            assert_eq!(shown, times, "{name} round {round}");
        }
    }
}

#[test]
fn the_masked_place_is_black() {
    use crate::flow::{NormPoint, Polygon};
    let studio = Studio::new();
    let packets = packets(&studio.video("plain.mp4", 3, &x264(10, 0)));
    let corners = [(0.0, 0.0), (1.0, 0.0), (1.0, 0.5), (0.0, 0.5)];
    let upper = Polygon(corners.map(|(x, y)| NormPoint { x, y }).to_vec());
    let mut decoder =
        Decoder::in_software(&packets[0].format, &[upper], StageCpu::default()).unwrap();
    for frame in all(&mut decoder, &packets) {
        assert!(frame.luma_row(0).iter().all(|&y| y == 16));
        assert!(frame.luma_row(100).iter().any(|&y| y != 16));
    }
}

#[test]
fn pictures_without_reordering_come_out_with_their_unit() {
    let studio = Studio::new();
    let packets = packets(&studio.video("plain.mp4", 20, &x264(10, 0)));
    let mut decoder = decoder(&packets);
    for packet in &packets {
        let frames = decoder.decode(packet).unwrap();
        assert_eq!(frames.len(), 1);
        assert_eq!(frames[0].time, packet.time);
    }
}

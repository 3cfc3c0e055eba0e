use super::*;
use crate::ingest::samples::*;

/// A stream with start codes, as depayloaders give it, from packets.
fn byte_stream(data: &[u8]) -> Vec<Vec<u8>> {
    let unit = |unit: &[u8]| [&[0, 0, 0, 1], unit].concat();
    nal::units(data, 4).map(unit).collect()
}

#[test]
fn a_picture_with_parameter_sets_before_each_slice_stays_one() {
    let studio = Studio::new();
    let options = format!("{} -x264-params slices=4:repeat-headers=1", x264(5, 0));
    let packets = packets(&studio.video("v.mp4", 12, &options));
    let caps = "video/x-h264,stream-format=byte-stream,alignment=au";
    let caps: gst::Caps = caps.parse().unwrap();
    let mut parser = Parser::new(&caps).unwrap();
    let mut got = Vec::new();
    for packet in &packets {
        let parts = byte_stream(&packet.data);
        let kind = |part: &Vec<u8>| part[4] & 0x1f;
        let sets: Vec<u8> = parts
            .iter()
            .filter(|p| matches!(kind(p), 7 | 8))
            .flatten()
            .copied()
            .collect();
        let mut picture = Vec::new();
        for part in &parts {
            if kind(part) == 5 {
                picture.extend(&sets);
            }
            picture.extend(part);
        }
        let mut buffer = gst::Buffer::from_mut_slice(picture);
        let pts = gst::ClockTime::from_nseconds(packet.pts.nanos().unsigned_abs());
        buffer.get_mut().unwrap().set_pts(pts);
        got.extend(parser.push(buffer, &caps));
        got.extend(parser.release());
    }
    assert_eq!(got.len(), 12);
    for (unit, packet) in got.iter().zip(&packets) {
        assert_eq!(unit.key, packet.key);
        assert_eq!(unit.pts, Some(packet.pts));
        let slices = |data: &[u8]| {
            nal::units(data, 4)
                .filter(|u| matches!(u[0] & 0x1f, 1 | 5))
                .count()
        };
        assert_eq!(slices(&unit.data), 4);
    }
}

#[test]
fn short_lengths_become_four_bytes() {
    let long = with_four_byte_lengths(&[0, 2, 0xaa, 0xbb, 0, 1, 0xcc], 2);
    assert_eq!(&long[..], [0, 0, 0, 2, 0xaa, 0xbb, 0, 0, 0, 1, 0xcc]);
}

#[test]
fn only_what_matters_makes_a_new_format() {
    super::setup::init().unwrap();
    let mut formats = Formats::default();
    let mut format = |caps: &str| {
        let caps: gst::Caps = caps.parse().unwrap();
        let buffer = gst::Buffer::from_slice([0, 0, 0, 2, 0x41, 0x9a]);
        formats.unit(buffer, &caps).unwrap().format
    };
    let base =
        "video/x-h264,stream-format=avc,alignment=au,codec_data=(buffer)014d001effe10000,height=2";
    let first = format(&format!("{base},width=4"));
    let faster = format(&format!("{base},width=4,framerate=25/1"));
    assert!(Arc::ptr_eq(&first, &faster));
    let wider = format(&format!("{base},width=8"));
    assert!(!Arc::ptr_eq(&first, &wider) && wider.size == Size::new(8, 2));
}

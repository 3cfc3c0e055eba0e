//! Access units of RTP packets become access units of NAL units, or JPEG images.
//!
//! GStreamer's depayloader and parser do it, in one synchronous line and one push for each picture. They are given what
//! a tidy camera would send: one source, sequence numbers that go on, one marker at the end, and parameter sets before
//! the first picture. Where the stream has none of a kind, those of the description are put before each keyframe;
//! a description that is wrong does no harm where the stream has its own.

use bytes::BytesMut;
use gstreamer as gst;

use super::{
    access_units::AccessUnit,
    packet::{HEADER, PPS, SPS, VPS, set_kind, write_head},
};
use crate::ingest::{
    IngestError,
    bitstream::{parser::Parser, unit::Unit},
    codec::sync_pipeline::SyncPipeline,
    rtsp::protocol::sdp::{Encoding, Track},
    setup,
};

/// The payload type that the elements see.
const PAYLOAD_TYPE: u8 = 96;
const MARKER: u8 = 0x80;
/// Version 2, nothing else.
const PLAIN: u8 = 0x80;

/// Unpacks the pictures of one session.
pub(super) struct Depacketizer {
    parser: Parser,
    /// Sets of the description, with their kind.
    sets: Vec<(u8, Vec<u8>)>,
    /// Kinds of sets that the stream itself has.
    seen: u8,
    /// Nothing has been unpacked yet.
    fresh: bool,
    sequence: u16,
    timestamp: u32,
}

impl Depacketizer {
    /// For pictures of `track` in `encoding`.
    pub(super) fn new(track: &Track, encoding: Encoding) -> Result<Self, IngestError> {
        let (name, elements, wanted) = elements(encoding);
        let made: Result<Vec<_>, _> = elements.iter().copied().map(setup::element).collect();
        let mut made = made?;
        if let Some(between) = between(encoding) {
            let filter = setup::element("capsfilter")?;
            gst::prelude::ObjectExt::set_property(&filter, "caps", caps(between));
            made.insert(1, filter);
        }
        let start = |detail: String| IngestError::Start { detail };
        let line =
            SyncPipeline::new(made, &caps(wanted)).map_err(|error| start(error.to_string()))?;
        let rtp = format!(
            "application/x-rtp,media=video,payload={PAYLOAD_TYPE},clock-rate=90000,encoding-name={name}"
        );
        line.set_caps(&caps(&rtp));
        line.segment(gst::SegmentFlags::empty());
        let kind = |set: &Vec<u8>| (set_kind(encoding, set), set.clone());
        let mut sets: Vec<_> = track
            .sets
            .iter()
            .map(kind)
            .filter(|(kind, _)| *kind != 0)
            .collect();
        // In the order in which they refer to each other.
        sets.sort_by_key(|(kind, _)| [VPS, SPS, PPS].iter().position(|k| k == kind));
        Ok(Self {
            parser: Parser::with(Some(line)),
            sets,
            seen: 0,
            fresh: true,
            sequence: 0,
            timestamp: 0,
        })
    }

    /// Unpacks one picture; gives what can be used of it.
    pub(super) fn push(&mut self, unit: AccessUnit) -> Vec<Unit> {
        self.seen |= unit.content.sets;
        // Before the first picture too: what cannot be decoded yet is then known to be pictures.
        let wanted = unit.content.key || std::mem::take(&mut self.fresh);
        let missing = |(kind, _): &&(u8, Vec<u8>)| wanted && kind & self.seen == 0;
        let sets = self.sets.iter().filter(missing);
        let mut packets: Vec<BytesMut> = sets.map(|(_, set)| single(set)).collect();
        packets.extend(unit.packets);
        if unit.lost {
            self.sequence = self.sequence.wrapping_add(1);
        }
        self.timestamp = self.timestamp.wrapping_add(1);
        let time = u64::try_from(unit.time.nanos()).ok();
        let time = time.map(gst::ClockTime::from_nseconds);
        let last = packets.len().saturating_sub(1);
        let mut list = gst::BufferList::new_sized(packets.len());
        let entries = list.get_mut().expect("a new list has one owner");
        for (at, mut packet) in packets.into_iter().enumerate() {
            let marker = if at == last { MARKER } else { 0 };
            let first = packet[0];
            write_head(
                &mut packet,
                first,
                marker | PAYLOAD_TYPE,
                self.sequence,
                self.timestamp,
            );
            self.sequence = self.sequence.wrapping_add(1);
            let mut buffer = gst::Buffer::from_slice(packet.freeze());
            let owned = buffer.get_mut().expect("a new buffer has one owner");
            owned.set_pts(time);
            entries.add(buffer);
        }
        let mut units = self.parser.push_list(list, unit.time);
        // All of the picture is here: nothing of it comes later.
        units.extend(self.parser.release());
        units
    }
}

/// A packet that holds one unit.
fn single(unit: &[u8]) -> BytesMut {
    let mut packet = BytesMut::zeroed(HEADER + unit.len());
    packet[0] = PLAIN;
    packet[HEADER..].copy_from_slice(unit);
    packet
}

fn caps(text: &str) -> gst::Caps {
    text.parse().expect("capabilities written here are valid")
}

/// The encoding's name in RTP, what unpacks and parses it, and what comes out.
fn elements(encoding: Encoding) -> (&'static str, &'static [&'static str], &'static str) {
    match encoding {
        Encoding::H264 => (
            "H264",
            &["rtph264depay", "h264parse"],
            "video/x-h264,stream-format=avc,alignment=au",
        ),
        Encoding::H265 => (
            "H265",
            &["rtph265depay", "h265parse"],
            "video/x-h265,stream-format=hvc1,alignment=au",
        ),
        Encoding::Jpeg => ("JPEG", &["rtpjpegdepay"], "image/jpeg"),
    }
}

/// Start codes between the two: otherwise keyframes are lost of cameras that join units with start codes.
fn between(encoding: Encoding) -> Option<&'static str> {
    match encoding {
        Encoding::H264 => Some("video/x-h264,stream-format=byte-stream,alignment=au"),
        Encoding::H265 => Some("video/x-h265,stream-format=byte-stream,alignment=au"),
        Encoding::Jpeg => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        flow::MediaTime,
        ingest::{bitstream::nal, rtsp::rtp::packet::Content, samples::*},
    };

    #[test]
    fn a_stamp_that_stands_still_or_goes_back_is_not_made_up_for() {
        let studio = Studio::new();
        let options = format!("{} -x264-params repeat-headers=1", x264(5, 0));
        let pictures = packets(&studio.video("v.mp4", 30, &options));
        let track = Track {
            encoding: Some(Encoding::H264),
            payload_type: 96,
            clock_rate: 90_000,
            control: None,
            sets: Vec::new(),
        };
        let mut depacketizer = Depacketizer::new(&track, Encoding::H264).unwrap();
        let stamps = [1, 2, 3, 4, 5, 5, 5, 5, 5, 5, 4, 3, 3, 3, 20, 20];
        let stamps = stamps.map(|n: i64| MediaTime::from_nanos(n * 1_000_000_000));
        let mut got = Vec::new();
        for (picture, time) in pictures.iter().zip(stamps) {
            let units = depacketizer.push(AccessUnit {
                packets: nal::units(&picture.data, 4).map(single).collect(),
                content: Content {
                    picture: true,
                    start: true,
                    key: picture.key,
                    sets: 0,
                },
                time,
                arrived: time,
                lost: false,
                cut: false,
            });
            got.extend(units.into_iter().filter_map(|unit| unit.pts));
        }
        assert_eq!(got, stamps);
    }
}

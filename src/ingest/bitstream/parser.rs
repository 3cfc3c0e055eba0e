//! From a demuxer's or depayloader's buffers to whole access units with their format.
//!
//! GStreamer's parsers do the work, synchronously; what they get wrong for some cameras is put right here: a picture
//! that they cut in two (parameter sets before each slice) is joined again, and whether decoding can start at a
//! picture is checked against its slices. Presentation times that are missing are put in by [`presentation_order`](super::presentation_order).

use std::{sync::Arc, time::Duration};

use bytes::{BufMut, Bytes, BytesMut};
use gstreamer as gst;

use super::{keyframe_gate::Entries, nal, presentation_order::PresentationOrder, unit::Unit};
use crate::{
    flow::{Codec, MediaTime, Size, StreamFormat, Turn},
    ingest::{
        IngestError,
        codec::sync_pipeline::{Output, SyncPipeline},
        setup,
    },
};

/// The codec of `caps`.
pub(in crate::ingest) fn codec_of(caps: &gst::CapsRef) -> Codec {
    match caps.structure(0).map(|s| s.name().as_str()) {
        Some("video/x-h264") => Codec::H264,
        Some("video/x-h265") => Codec::H265,
        _ => Codec::Other,
    }
}

/// Parses one stream. A change of capabilities at the input is announced by [`set_caps`](Self::set_caps).
pub(in crate::ingest) struct Parser {
    line: Option<SyncPipeline>,
    formats: Formats,
    held: Option<Unit>,
    entries: Entries,
    order: PresentationOrder,
}

impl Parser {
    /// A parser for a live stream with such capabilities.
    pub(in crate::ingest) fn new(caps: &gst::Caps) -> Result<Self, IngestError> {
        Self::ordered(caps, PresentationOrder::live())
    }

    /// A parser for a file's stream, whose pictures are to be turned. It holds some units back, which a camera's must not be.
    pub(in crate::ingest) fn of_file(caps: &gst::Caps, turn: Turn) -> Result<Self, IngestError> {
        let mut parser = Self::ordered(caps, PresentationOrder::of_file())?;
        parser.formats.turn = turn;
        Ok(parser)
    }

    fn ordered(caps: &gst::Caps, order: PresentationOrder) -> Result<Self, IngestError> {
        let (parser, wanted) = match codec_of(caps) {
            Codec::H264 => ("h264parse", "video/x-h264,stream-format=avc,alignment=au"),
            Codec::H265 => ("h265parse", "video/x-h265,stream-format=hvc1,alignment=au"),
            Codec::Other => return Ok(Self::around(None, order)),
        };
        let wanted: gst::Caps = wanted.parse().expect("capabilities written here are valid");
        let line = SyncPipeline::new(vec![setup::element(parser)?], &wanted).map_err(|error| {
            IngestError::Start {
                detail: error.to_string(),
            }
        })?;
        line.set_caps(caps);
        line.segment(gst::SegmentFlags::empty());
        Ok(Self::around(Some(line), order))
    }

    /// A parser of a live stream around `line`, whose elements end in one that parses; none: buffers are access units already.
    pub(in crate::ingest) fn with(line: Option<SyncPipeline>) -> Self {
        Self::around(line, PresentationOrder::live())
    }

    fn around(line: Option<SyncPipeline>, order: PresentationOrder) -> Self {
        Self {
            line,
            formats: Formats::default(),
            held: None,
            entries: Entries::default(),
            order,
        }
    }

    /// Announces new capabilities of the same codec.
    pub(in crate::ingest) fn set_caps(&mut self, caps: &gst::Caps) {
        if let Some(line) = &self.line {
            line.set_caps(caps);
        }
    }

    /// Parses one buffer; gives the units that are known to be whole and when they are shown. The last one is held back until
    /// the next picture starts, or until [`release`](Self::release).
    pub(in crate::ingest) fn push(&mut self, buffer: gst::Buffer, caps: &gst::Caps) -> Vec<Unit> {
        let outputs = match &self.line {
            None => vec![(buffer, caps.clone())],
            // A parser refuses a buffer when it cannot make sense of the stream so far; the next may help.
            Some(line) => line
                .push(buffer)
                .map_or_else(|_| Vec::new(), |()| line.take()),
        };
        let whole = self.join(outputs);
        self.order(whole)
    }

    /// Passes the packets of one access unit, which is stamped `stamp`, through the line; otherwise like [`push`](Self::push).
    pub(in crate::ingest) fn push_list(
        &mut self,
        list: gst::BufferList,
        stamp: MediaTime,
    ) -> Vec<Unit> {
        let outputs = self.line.as_ref().map_or_else(Vec::new, |line| {
            // What was refused may be of use with the next.
            let _ = line.push_list(list);
            line.take()
        });
        let mut whole = self.join(outputs);
        // GStreamer's parsers take a stamp that stands still for none, and put one in by the frame rate.
        if let Some(first) = whole.first_mut().or(self.held.as_mut()) {
            first.pts = Some(stamp);
        }
        self.order(whole)
    }

    /// Gives what is held back, where the caller knows that a picture has ended. What waits for its time goes on waiting.
    pub(in crate::ingest) fn release(&mut self) -> Vec<Unit> {
        let last = self.held.take();
        self.order(last)
    }

    /// Gives all that is left, at the end of the stream.
    pub(in crate::ingest) fn finish(&mut self) -> Vec<Unit> {
        let outputs = self.line.as_ref().map_or_else(Vec::new, |line| {
            line.drain();
            line.take()
        });
        let whole = self.join(outputs);
        let mut units = self.order(whole);
        units.extend(self.release());
        units.extend(self.order.finish());
        units
    }

    fn order(&mut self, whole: impl IntoIterator<Item = Unit>) -> Vec<Unit> {
        let mut units = Vec::new();
        for mut unit in whole {
            self.entries.mark(&mut unit);
            units.extend(self.order.push(unit));
        }
        units
    }

    fn join(&mut self, outputs: Vec<Output>) -> Vec<Unit> {
        let mut whole = Vec::new();
        for (buffer, caps) in outputs {
            let Some(unit) = self.formats.unit(buffer, &caps) else {
                continue;
            };
            match &mut self.held {
                Some(held) if !unit.facts.starts_picture && unit.format == held.format => {
                    held.append(&unit);
                }
                // The start is missing: it cannot be decoded, or there is no picture in it at all.
                None if !unit.facts.starts_picture => {}
                _ => whole.extend(self.held.replace(unit)),
            }
        }
        whole
    }
}

impl Unit {
    /// Adds the rest of the same picture.
    fn append(&mut self, rest: &Self) {
        let mut data = BytesMut::with_capacity(self.data.len() + rest.data.len());
        data.put_slice(&self.data);
        data.put_slice(&rest.data);
        self.data = data.freeze();
        self.key &= rest.facts.intra;
        self.facts.droppable &= rest.facts.droppable;
    }
}

/// Turns capabilities into a format, once for each change.
#[derive(Default)]
pub(in crate::ingest) struct Formats {
    turn: Turn,
    current: Option<(gst::Caps, Arc<StreamFormat>, Layout)>,
}

/// How the units lie in a buffer, from the codec's configuration record.
#[derive(Clone, Copy)]
struct Layout {
    length_size: usize,
    temporal_layers: u8,
    /// Every unit of this codec can be decoded alone, whatever the container says.
    intra_only: bool,
}

impl Formats {
    /// The unit in `buffer`, whose capabilities are `caps`.
    pub(in crate::ingest) fn unit(
        &mut self,
        buffer: gst::Buffer,
        caps: &gst::Caps,
    ) -> Option<Unit> {
        let changed = !matches!(&self.current, Some((known, _, _)) if known == caps);
        if changed {
            let (mut format, layout) = read_format(caps)?;
            format.turn = self.turn;
            // Frame rates and the like come and go in capabilities: only what matters makes a new format.
            match &mut self.current {
                Some((known, old, _)) if same_stream(old, &format) => *known = caps.clone(),
                current => *current = Some((caps.clone(), Arc::new(format), layout)),
            }
        }
        let (_, format, layout) = self.current.as_ref()?;
        let flags = buffer.flags();
        let time = |stamp: Option<gst::ClockTime>| {
            let nanos = stamp.and_then(|t| i64::try_from(t.nseconds()).ok());
            nanos.map(MediaTime::from_nanos)
        };
        let (pts, dts) = (time(buffer.pts()), time(buffer.dts()));
        let duration = buffer.duration().map(Duration::from);
        let mapped = buffer.into_mapped_buffer_readable().ok()?;
        let mut data = Bytes::from_owner(mapped);
        if data.is_empty() {
            return None;
        }
        if format.codec != Codec::Other && layout.length_size != 4 {
            data = with_four_byte_lengths(&data, layout.length_size);
        }
        let facts = nal::facts(format.codec, layout.temporal_layers, &data);
        Some(Unit {
            format: Arc::clone(format),
            pts,
            dts,
            duration: duration.filter(|d| !d.is_zero()),
            key: facts.intra
                && (layout.intra_only || !flags.contains(gst::BufferFlags::DELTA_UNIT)),
            facts,
            discontinuity: flags.contains(gst::BufferFlags::DISCONT),
            data,
        })
    }
}

fn same_stream(a: &StreamFormat, b: &StreamFormat) -> bool {
    a.codec == b.codec
        && a.size == b.size
        && a.turn == b.turn
        && a.codec_data == b.codec_data
        && a.codec_name == b.codec_name
}

fn read_format(caps: &gst::Caps) -> Option<(StreamFormat, Layout)> {
    let structure = caps.structure(0)?;
    let codec = codec_of(caps);
    let dimension = |name| {
        structure
            .get::<i32>(name)
            .ok()
            .and_then(|n| u32::try_from(n).ok())
    };
    let record = structure
        .get::<gst::Buffer>("codec_data")
        .ok()
        .and_then(|b| b.into_mapped_buffer_readable().ok())
        .map(|mapped| Bytes::copy_from_slice(&mapped))
        .unwrap_or_default();
    let layout = Layout {
        length_size: match codec {
            Codec::H264 => usize::from(record.get(4)? & 3) + 1,
            Codec::H265 => usize::from(record.get(21)? & 3) + 1,
            Codec::Other => 4,
        },
        temporal_layers: match codec {
            Codec::H265 => (record.get(21)? >> 3) & 7,
            _ => 0,
        },
        intra_only: is_intra_only(structure.name()),
    };
    let mut codec_data = record.to_vec();
    match codec {
        Codec::H264 => codec_data[4] |= 3,
        Codec::H265 => codec_data[21] |= 3,
        Codec::Other => codec_data.clear(),
    }
    let mut caps = caps.copy();
    if codec == Codec::Other
        && let Some(fields) = caps.make_mut().structure_mut(0)
    {
        // Demuxers give whole pictures, which decoders of JPEG want to be told; and some pass on colours that the file leaves
        // open, which nothing understands.
        if fields.name() == "image/jpeg" {
            fields.set("parsed", true);
        }
        if fields.name() != "video/x-raw" {
            fields.remove_field("colorimetry");
        }
    }
    if layout.length_size != 4 {
        let record = gst::Buffer::from_slice(codec_data.clone());
        caps.make_mut().set("codec_data", record);
    }
    let format = StreamFormat {
        codec,
        size: Size::new(
            dimension("width").unwrap_or(0),
            dimension("height").unwrap_or(0),
        ),
        turn: Turn::NONE,
        codec_data: codec_data.into(),
        codec_name: codec_name(structure),
        caps: caps.to_string(),
    };
    Some((format, layout))
}

/// Whether every picture of such a codec is coded on its own.
fn is_intra_only(name: &str) -> bool {
    let moving = [
        "video/x-raw",
        "video/x-jpc",
        "video/x-dnxhd",
        "video/x-prores",
        "video/x-huffyuv",
        "video/x-dv",
    ];
    name.starts_with("image/") || moving.contains(&name)
}

/// The codec's name for people.
pub(in crate::ingest) fn codec_name(structure: &gst::StructureRef) -> String {
    let version = |name| structure.get::<i32>(name).unwrap_or(0);
    match structure.name().as_str() {
        "video/x-h264" => "H.264".to_owned(),
        "video/x-h265" => "H.265".to_owned(),
        "video/x-msmpeg" => format!("Microsoft MPEG-4 version {}", version("msmpegversion")),
        "video/mpeg" => match version("mpegversion") {
            4 => "MPEG-4 part 2".to_owned(),
            n => format!("MPEG-{n}"),
        },
        "image/jpeg" => "Motion JPEG".to_owned(),
        "video/x-divx" => "DivX".to_owned(),
        "video/x-raw" => "raw video".to_owned(),
        "video/x-h263" => "H.263".to_owned(),
        other => other
            .trim_start_matches("video/x-")
            .trim_start_matches("video/")
            .trim_start_matches("image/")
            .to_uppercase(),
    }
}

/// The same units with four bytes of length before each.
pub(in crate::ingest) fn with_four_byte_lengths(data: &[u8], length_size: usize) -> Bytes {
    let mut out = BytesMut::with_capacity(data.len() + 64);
    for unit in nal::units(data, length_size) {
        out.put_u32(
            u32::try_from(unit.len()).expect("a unit's length was read from at most four bytes"),
        );
        out.put_slice(unit);
    }
    out.freeze()
}

#[cfg(test)]
#[path = "parser_tests.rs"]
mod tests;

//! H.264 out of decoded pictures: for clips that no browser plays as the camera sent them, or that must not leave as it did.
//!
//! In: frames in the order in which they are shown. Out: packets, one for each, a keyframe every two seconds. Synchronous, on the
//! caller's thread, with one thread and without pictures that refer forward: the encoder holds one picture back at most, until the
//! next one says how long it is shown.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use gstreamer as gst;
use gstreamer_video as gst_video;

use gst::prelude::*;

use super::sync_pipeline::SyncPipeline;
use crate::{
    base::cpu::{Stage, StageCpu},
    flow::{ColourMatrix, ColourRange, Frame, MediaTime, Packet, PixelLayout, Size, StreamRole},
    ingest::{IngestError, bitstream::parser::Formats, setup},
};

/// The encoder moves times that are smaller than a thousand hours; these are larger.
const BIAS: i64 = 4_000_000_000_000_000;
/// Longest time without a keyframe.
const KEY_EVERY: Duration = Duration::from_secs(2);
/// Frames without a keyframe at most, whatever their times say.
const KEY_FRAMES: u32 = 60;

/// What the pictures are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// All that is kept of a visit.
    Evidence,
    /// A look at what is kept in better quality beside it: small, because it is sent as well.
    Preview,
}

impl Purpose {
    /// Most pixels across.
    fn widest(self) -> u32 {
        match self {
            Self::Evidence => 1280,
            Self::Preview => 640,
        }
    }

    /// Constant rate factor of x264: larger is smaller and worse.
    fn rate_factor(self) -> u32 {
        match self {
            Self::Evidence => 26,
            Self::Preview => 31,
        }
    }
}

/// Encodes one run of frames of one size.
pub struct Encoder {
    line: SyncPipeline,
    formats: Formats,
    source: (Size, PixelLayout),
    stages: StageCpu,
    pending: VecDeque<Times>,
    last_key: Option<MediaTime>,
    begun: bool,
}

#[derive(Clone, Copy)]
struct Times {
    time: MediaTime,
    arrived: MediaTime,
    stream: StreamRole,
}

/// The size at which a picture of `size` is encoded: not too wide, and even both ways.
fn target(size: Size, widest: u32) -> Size {
    let width = size.width.min(widest);
    let height = u64::from(size.height) * u64::from(width) / u64::from(size.width.max(1));
    let even = |length: u32| (length & !1).max(2);
    Size::new(even(width), even(height as u32))
}

impl Encoder {
    /// An encoder for frames like `frame`, made for `purpose`. CPU time is added to [`Stage::Clip`].
    ///
    /// # Errors
    /// When GStreamer has no H.264 encoder.
    pub fn new(frame: &Frame, purpose: Purpose, stages: StageCpu) -> Result<Self, IngestError> {
        let refused = |detail: &dyn std::fmt::Display| IngestError::Start {
            detail: detail.to_string(),
        };
        let size = target(frame.size, purpose.widest());
        let wanted = gst_video::VideoCapsBuilder::new()
            .format(gst_video::VideoFormat::I420)
            .width(size.width.cast_signed())
            .height(size.height.cast_signed())
            .build();
        let filter = setup::element("capsfilter")?;
        filter.set_property("caps", &wanted);
        let encoder = setup::element("x264enc")?;
        encoder.set_property_from_str("speed-preset", "ultrafast");
        encoder.set_property_from_str("tune", "zerolatency");
        encoder.set_property_from_str("pass", "qual");
        encoder.set_property("quantizer", purpose.rate_factor());
        encoder.set_property("key-int-max", KEY_FRAMES);
        encoder.set_property("threads", 1u32);
        encoder.set_property("aud", false);
        let elements = vec![
            setup::element("videoscale")?,
            setup::element("videoconvert")?,
            filter,
            encoder,
        ];
        let caps = "video/x-h264,stream-format=avc,alignment=au";
        let caps: gst::Caps = caps.parse().expect("capabilities written here are valid");
        let line = SyncPipeline::new(elements, &caps).map_err(|error| refused(&error))?;
        let input = caps_of(frame).ok_or_else(|| refused(&"no such pictures"))?;
        if !line.set_caps(&input) {
            return Err(refused(&"the H.264 encoder refuses the pictures"));
        }
        line.segment(gst::SegmentFlags::empty());
        Ok(Self {
            line,
            formats: Formats::default(),
            source: (frame.size, frame.layout),
            stages,
            pending: VecDeque::new(),
            last_key: None,
            begun: false,
        })
    }

    /// Whether `frame` can follow the ones before.
    #[must_use]
    pub fn takes(&self, frame: &Frame) -> bool {
        self.source == (frame.size, frame.layout)
    }

    /// Encodes one frame; gives the packets that are whole.
    pub fn push(&mut self, frame: &Frame) -> Vec<Packet> {
        let stages = self.stages.clone();
        stages.time(Stage::Clip, || {
            let due = self
                .last_key
                .is_none_or(|last| frame.time.since(last) >= KEY_EVERY);
            if due {
                self.last_key = Some(frame.time);
                self.line
                    .event(gst_video::DownstreamForceKeyUnitEvent::builder().build());
            }
            self.pending.push_back(Times {
                time: frame.time,
                arrived: frame.arrived,
                stream: frame.stream,
            });
            if self.line.push(buffer_of(frame)).is_err() {
                tracing::debug!(?frame, "a picture could not be encoded");
            }
            self.packets()
        })
    }

    /// The packets of the pictures that it still holds, at the end of the run: it takes none after
    /// that.
    pub fn drain(&mut self) -> Vec<Packet> {
        let stages = self.stages.clone();
        stages.time(Stage::Clip, || {
            self.line.drain();
            self.packets()
        })
    }

    fn packets(&mut self) -> Vec<Packet> {
        let mut packets = Vec::new();
        for (buffer, caps) in self.line.take() {
            let Some(unit) = self.formats.unit(buffer, &caps) else {
                continue;
            };
            let time = unit
                .pts
                .map(|pts| pts.before(Duration::from_nanos(BIAS.unsigned_abs())));
            let known = |times: &Times| Some(times.time) == time;
            let Some(place) = self.pending.iter().position(known) else {
                continue;
            };
            let times = self.pending[place];
            self.pending.drain(..=place);
            packets.push(Packet {
                stream: times.stream,
                format: Arc::clone(&unit.format),
                time: times.time,
                pts: times.time,
                duration: unit.duration,
                key: unit.key,
                droppable: false,
                discontinuity: !std::mem::replace(&mut self.begun, true),
                data: unit.data,
                arrived: times.arrived,
            });
        }
        packets
    }
}

fn video_format(layout: PixelLayout) -> gst_video::VideoFormat {
    match layout {
        PixelLayout::I420 => gst_video::VideoFormat::I420,
        PixelLayout::Nv12 => gst_video::VideoFormat::Nv12,
    }
}

fn caps_of(frame: &Frame) -> Option<gst::Caps> {
    let colours = gst_video::VideoColorimetry::new(
        match frame.range {
            ColourRange::Full => gst_video::VideoColorRange::Range0_255,
            ColourRange::Video => gst_video::VideoColorRange::Range16_235,
        },
        match frame.matrix {
            ColourMatrix::Bt601 => gst_video::VideoColorMatrix::Bt601,
            ColourMatrix::Bt709 => gst_video::VideoColorMatrix::Bt709,
        },
        gst_video::VideoTransferFunction::Bt709,
        gst_video::VideoColorPrimaries::Bt709,
    );
    gst_video::VideoInfo::builder(
        video_format(frame.layout),
        frame.size.width,
        frame.size.height,
    )
    .colorimetry(&colours)
    .build()
    .ok()?
    .to_caps()
    .ok()
}

/// The frame's own memory, with a note on where its planes lie.
fn buffer_of(frame: &Frame) -> gst::Buffer {
    let mut buffer = gst::Buffer::from_slice(frame.data.clone());
    let fields = buffer.get_mut().expect("a new buffer has one owner");
    let nanos = u64::try_from(frame.time.nanos() + BIAS).unwrap_or(0);
    fields.set_pts(gst::ClockTime::from_nseconds(nanos));
    let planes = match frame.layout {
        PixelLayout::I420 => &frame.planes[..],
        PixelLayout::Nv12 => &frame.planes[..2],
    };
    let offsets: Vec<usize> = planes.iter().map(|plane| plane.offset).collect();
    let strides: Vec<i32> = planes.iter().map(|plane| plane.stride as i32).collect();
    let noted = gst_video::VideoMeta::add_full(
        fields,
        gst_video::VideoFrameFlags::empty(),
        video_format(frame.layout),
        frame.size.width,
        frame.size.height,
        &offsets,
        &strides,
    );
    if noted.is_err() {
        tracing::debug!(?frame, "planes of an unusual kind");
    }
    buffer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::DecoderChoice,
        flow::Codec,
        ingest::{Decoder, Feed, samples::*},
    };

    fn decoded(packets: &[Packet]) -> Vec<Frame> {
        let choice = DecoderChoice::Software;
        let mut decoder =
            Decoder::new(&packets[0].format, choice, &[], StageCpu::default()).unwrap();
        decoder.restart(Feed::Running);
        let mut frames: Vec<_> = packets
            .iter()
            .flat_map(|packet| decoder.decode(packet).unwrap())
            .collect();
        frames.extend(decoder.drain());
        frames
    }

    #[test]
    fn each_picture_comes_back_with_its_time_and_as_it_was() {
        let studio = Studio::new();
        let source = packets(&studio.video("v.mkv", 50, &x265(25, true)));
        let frames = decoded(&source);
        let mut encoder = Encoder::new(&frames[0], Purpose::Evidence, StageCpu::default()).unwrap();
        let mut made: Vec<Packet> = frames
            .iter()
            .flat_map(|frame| encoder.push(frame))
            .collect();
        assert!(made.len() + 1 >= frames.len(), "more than one is held back");
        made.extend(encoder.drain());
        assert_eq!(made.len(), frames.len(), "and given at the end");
        assert_eq!(made[0].format.codec, Codec::H264);
        assert_eq!(
            (made[0].format.size, made[0].stream),
            (Size::new(192, 128), StreamRole::Sub)
        );
        assert!(made[0].key && made[0].discontinuity && !made[1].discontinuity);
        let keys: Vec<_> = made
            .iter()
            .filter(|packet| packet.key)
            .map(|packet| packet.time)
            .collect();
        assert!(
            keys.windows(2)
                .all(|pair| pair[1].since(pair[0]) <= KEY_EVERY),
            "{keys:?}"
        );
        for (packet, frame) in made.iter().zip(&frames) {
            assert_eq!((packet.time, packet.arrived), (frame.time, frame.arrived));
        }
        let again = decoded(&made);
        assert_eq!(again.len(), made.len());
        for (made, frame) in again.iter().zip(&frames) {
            let apart: u64 = (0..128)
                .flat_map(|row| made.luma_row(row).iter().zip(frame.luma_row(row)))
                .map(|(a, b)| u64::from(a.abs_diff(*b)))
                .sum();
            assert!(apart < 128 * 192 * 6, "{apart}");
        }
    }

    #[test]
    fn wide_pictures_become_narrower_and_keep_their_shape() {
        assert_eq!(target(Size::new(1920, 1080), 1280), Size::new(1280, 720));
        assert_eq!(target(Size::new(640, 361), 640), Size::new(640, 360));
        assert_eq!(target(Size::new(3840, 1080), 1280), Size::new(1280, 360));
    }
}

//! One decoder of one stream. Synchronous: what it is given has come out as pictures when the call returns.
//!
//! Pictures of the processor's are not copied: a [`Frame`] refers to the decoder's own buffer, with the strides that it
//! has there.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use gstreamer as gst;
use gstreamer_video as gst_video;

use super::{
    IngestError, decoders,
    line::{Line, Output},
    mask::Mask,
    nal, setup, turn,
};
use crate::{
    base::cpu::{Stage, StageCpu},
    config::DecoderChoice,
    flow::{
        Codec, ColourMatrix, ColourRange, Frame, MediaTime, Packet, PixelLayout, Plane, Polygon,
        Size, StreamFormat, StreamRole,
    },
};

/// GStreamer's times are not negative: media times are moved by this much inside the decoder.
const BIAS: i64 = 1_000_000_000_000_000;
/// Units whose pictures have not come out; more than any codec reorders, so older ones were skipped by the decoder.
const PENDING: usize = 64;

/// Why there is no picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// No decoder.
    #[error(transparent)]
    Missing(#[from] IngestError),
    /// The decoder does not take this stream at all.
    #[error(
        "the decoder refuses this {codec} stream: set the camera to H.264 or H.265, 8 bit, 4:2:0"
    )]
    Refused {
        /// The codec's name for people.
        codec: String,
    },
    /// This unit is damaged.
    #[error("a damaged picture was left out; if this goes on, check the camera's network")]
    Corrupt,
}

/// How the next units follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feed {
    /// Every unit in decode order.
    Running,
    /// Lone keyframes: each picture comes out at once instead of waiting for those that could be shown before it.
    KeysAlone,
}

/// The elements of a decoder, which are of no stream while none is decoded.
pub(super) struct Engine {
    line: Line,
    hardware: bool,
    /// Its streams have these capabilities, to the letter.
    pub(super) caps: String,
    /// What it was made for.
    pub(super) choice: DecoderChoice,
    progressive: bool,
    geometry: Option<(gst::Caps, gst_video::VideoInfo)>,
}

/// A decoder for one [`StreamFormat`].
pub struct Decoder {
    engine: Engine,
    format: Arc<StreamFormat>,
    mask: Mask,
    stages: StageCpu,
    pending: VecDeque<Pending>,
    feed: Feed,
    /// Time of the first unit since the restart.
    start: Option<MediaTime>,
    /// Each unit makes one picture, so that one that does not come out is known to be damaged.
    one_to_one: bool,
}

/// What a frame takes over from its unit.
#[derive(Clone, Copy)]
struct Pending {
    time: MediaTime,
    arrived: MediaTime,
    stream: StreamRole,
    key: bool,
}

impl Engine {
    /// What [`Decoder::new`] works with.
    pub(super) fn new(
        format: &Arc<StreamFormat>,
        choice: DecoderChoice,
    ) -> Result<Self, DecodeError> {
        setup::init()?;
        if choice == DecoderChoice::Auto
            && let Some(name) = decoders::hardware(format.codec)
        {
            match Self::in_hardware(&name, format) {
                Ok(engine) => return Ok(engine),
                Err(error) => {
                    tracing::warn!(decoder = %name, stream = ?format, "in software instead: {error}")
                }
            }
        }
        let elements = decoders::software(format)?.into_iter().collect();
        Self::of(elements, false, format, choice)
    }

    fn in_hardware(name: &str, format: &Arc<StreamFormat>) -> Result<Self, DecodeError> {
        // Some want start codes where packets have lengths.
        let parser = match format.codec {
            Codec::H264 => Some(setup::element("h264parse")?),
            Codec::H265 => Some(setup::element("h265parse")?),
            Codec::Other => None,
        };
        let elements = parser.into_iter().chain([setup::element(name)?]);
        Self::of(elements.collect(), true, format, DecoderChoice::Auto)
    }

    fn of(
        mut elements: Vec<gst::Element>,
        hardware: bool,
        format: &Arc<StreamFormat>,
        choice: DecoderChoice,
    ) -> Result<Self, DecodeError> {
        let refused = || DecodeError::Refused {
            codec: format.codec_name.clone(),
        };
        let caps: gst::Caps = format.caps.parse().map_err(|_| refused())?;
        elements.push(setup::element("videoconvert")?);
        let wanted = gst_video::VideoCapsBuilder::new()
            .format_list([gst_video::VideoFormat::I420, gst_video::VideoFormat::Nv12])
            .build();
        let line = Line::new(elements, &wanted).map_err(|_| refused())?;
        if !line.set_caps(&caps) {
            return Err(refused());
        }
        line.segment(gst::SegmentFlags::empty());
        Ok(Self {
            line,
            hardware,
            caps: format.caps.clone(),
            choice,
            progressive: is_progressive(&caps),
            geometry: None,
        })
    }
}

impl Decoder {
    /// A decoder for `format`, ready for a first keyframe: one in hardware where `choice` leaves it to the machine, and
    /// one there has been tried. `privacy_mask` is painted on every picture. CPU time is added to [`Stage::Decode`].
    ///
    /// # Errors
    /// When no installed decoder takes the format.
    pub fn new(
        format: &Arc<StreamFormat>,
        choice: DecoderChoice,
        privacy_mask: &[Polygon],
        stages: StageCpu,
    ) -> Result<Self, DecodeError> {
        let engine = Engine::new(format, choice)?;
        Ok(Self::with(
            engine,
            format,
            Mask::new(privacy_mask.to_vec()),
            stages,
        ))
    }

    /// A decoder that works on the processor.
    #[cfg(test)]
    pub(super) fn in_software(
        format: &Arc<StreamFormat>,
        privacy_mask: &[Polygon],
        stages: StageCpu,
    ) -> Result<Self, DecodeError> {
        Self::new(format, DecoderChoice::Software, privacy_mask, stages)
    }

    /// The hardware decoder `name`.
    pub(super) fn in_hardware(
        name: &str,
        format: &Arc<StreamFormat>,
        stages: StageCpu,
    ) -> Result<Self, DecodeError> {
        let engine = Engine::in_hardware(name, format)?;
        Ok(Self::with(engine, format, Mask::new(Vec::new()), stages))
    }

    /// Puts `engine` to work on a stream of its capabilities. It holds nothing of another stream after
    /// [`restart`](Self::restart).
    pub(super) fn with(
        engine: Engine,
        format: &Arc<StreamFormat>,
        mask: Mask,
        stages: StageCpu,
    ) -> Self {
        Self {
            one_to_one: format.codec != Codec::Other && engine.progressive,
            engine,
            format: Arc::clone(format),
            mask,
            stages,
            pending: VecDeque::new(),
            feed: Feed::Running,
            start: None,
        }
    }

    /// The elements, for another stream. They hold nothing of this one.
    pub(super) fn into_engine(self) -> Engine {
        self.engine.line.flush();
        self.engine
    }

    /// Whether it works in hardware.
    pub(super) fn is_hardware(&self) -> bool {
        self.engine.hardware
    }

    /// What it decodes.
    #[must_use]
    pub fn format(&self) -> &Arc<StreamFormat> {
        &self.format
    }

    /// Forgets what it holds; the next unit must be a keyframe.
    pub fn restart(&mut self, feed: Feed) {
        self.feed = feed;
        self.start = None;
        self.engine.line.flush();
        self.pending.clear();
        // With these flags a decoder gives each picture at once, and forgets it.
        self.engine.line.segment(match feed {
            Feed::Running => gst::SegmentFlags::empty(),
            Feed::KeysAlone => {
                gst::SegmentFlags::TRICKMODE | gst::SegmentFlags::TRICKMODE_KEY_UNITS
            }
        });
    }

    /// Decodes one unit; gives the pictures that are complete by now, in presentation order.
    ///
    /// # Errors
    /// [`DecodeError::Corrupt`] when the decoder stumbled; it goes on best from the next keyframe.
    pub fn decode(&mut self, packet: &Packet) -> Result<Vec<Frame>, DecodeError> {
        let stages = self.stages.clone();
        stages.time(Stage::Decode, || {
            if self.pending.len() == PENDING {
                self.pending.pop_front();
            }
            self.pending.push_back(Pending {
                time: packet.time,
                arrived: packet.arrived,
                stream: packet.stream,
                key: packet.key,
            });
            let start = *self.start.get_or_insert(packet.time);
            if leans(packet).is_some() {
                // Pictures are missing until the next such keyframe where decoding starts at this one.
                self.one_to_one = false;
            }
            let pushed = self.engine.line.push(buffer_of(packet));
            if self.engine.line.complaints() > 0 || pushed.is_err() {
                return Err(DecodeError::Corrupt);
            }
            let frames = self.frames();
            let shown = frames.last().map_or(start, |frame| frame.time);
            // Leading pictures of the first keyframe are left out for good reason, all others must come in order.
            let lost = |unit: &Pending| unit.time < shown && unit.time >= start;
            let silent = self.feed == Feed::KeysAlone && frames.is_empty();
            if self.one_to_one && (silent || self.pending.iter().any(lost)) {
                return Err(DecodeError::Corrupt);
            }
            Ok(frames)
        })
    }

    /// The pictures that it still holds. The next unit must be a keyframe, after [`restart`](Self::restart).
    pub fn drain(&mut self) -> Vec<Frame> {
        let stages = self.stages.clone();
        stages.time(Stage::Decode, || {
            self.engine.line.drain();
            self.frames()
        })
    }

    fn frames(&mut self) -> Vec<Frame> {
        let outputs = self.engine.line.take();
        outputs.into_iter().filter_map(|o| self.frame(o)).collect()
    }

    fn frame(&mut self, (buffer, caps): Output) -> Option<Frame> {
        let pts = i64::try_from(buffer.pts()?.nseconds()).ok()?;
        let time = MediaTime::from_nanos(pts - BIAS);
        let unit = self.pending.iter().position(|unit| unit.time == time)?;
        let unit = self.pending.remove(unit)?;
        let geometry = &mut self.engine.geometry;
        if geometry.as_ref().is_none_or(|(known, _)| *known != caps) {
            let info = gst_video::VideoInfo::from_caps(&caps).ok()?;
            *geometry = Some((caps, info));
        }
        let (_, info) = geometry.as_ref()?;
        let size = Size::new(info.width(), info.height());
        let layout = match info.format() {
            gst_video::VideoFormat::Nv12 => PixelLayout::Nv12,
            _ => PixelLayout::I420,
        };
        let planes = planes(&buffer, info, layout);
        let mapped = buffer.into_mapped_buffer_readable().ok()?;
        let data = if self.engine.hardware {
            // Hardware has few buffers, and a picture may be kept for as long as a visit lasts.
            Bytes::copy_from_slice(&mapped)
        } else {
            Bytes::from_owner(mapped)
        };
        let colours = info.colorimetry();
        let frame = Frame {
            time,
            arrived: unit.arrived,
            stream: unit.stream,
            key: unit.key,
            size,
            layout,
            range: match colours.range() {
                gst_video::VideoColorRange::Range0_255 => ColourRange::Full,
                _ => ColourRange::Video,
            },
            matrix: match colours.matrix() {
                gst_video::VideoColorMatrix::Bt601 | gst_video::VideoColorMatrix::Fcc => {
                    ColourMatrix::Bt601
                }
                _ => ColourMatrix::Bt709,
            },
            planes,
            data,
        };
        // Masks are drawn on the picture that people see.
        Some(self.mask.paint(turn::frame(frame, self.format.turn)))
    }
}

/// Whether `packet` is a keyframe that gives no picture alone, and how many pictures that follow it are not whole when decoding
/// starts there: H.264 with recovery points instead of IDR pictures, of which libav takes the jump of the frame number for lost
/// pictures, and intra refresh (`gate`).
pub(super) fn leans(packet: &Packet) -> Option<u32> {
    let codec = packet.format.codec;
    if !packet.key || codec == Codec::Other {
        return None;
    }
    let facts = nal::facts(codec, 0, &packet.data);
    let leans = match codec {
        Codec::H264 => facts.open,
        _ => !facts.intra,
    };
    leans.then_some(facts.recovery.unwrap_or(0))
}

/// Whether `caps` are of whole pictures; of interlaced video each field may be a unit of its own.
fn is_progressive(caps: &gst::Caps) -> bool {
    let mode = caps.structure(0).map(|s| s.get::<String>("interlace-mode"));
    !matches!(mode, Some(Ok(mode)) if mode != "progressive")
}

fn buffer_of(packet: &Packet) -> gst::Buffer {
    let mut buffer = gst::Buffer::from_slice(packet.data.clone());
    let fields = buffer.get_mut().expect("a new buffer has one owner");
    let nanos = u64::try_from(packet.time.nanos() + BIAS).unwrap_or(0);
    fields.set_pts(gst::ClockTime::from_nseconds(nanos));
    fields.set_duration(packet.duration.and_then(|d| d.try_into().ok()));
    if !packet.key {
        fields.set_flags(gst::BufferFlags::DELTA_UNIT);
    }
    buffer
}

/// Where the planes lie: as the buffer says, or packed as usual for such pictures.
fn planes(buffer: &gst::BufferRef, info: &gst_video::VideoInfo, layout: PixelLayout) -> [Plane; 3] {
    let (offsets, strides) = match buffer.meta::<gst_video::VideoMeta>() {
        Some(meta) => (meta.offset().to_vec(), meta.stride().to_vec()),
        None => (info.offset().to_vec(), info.stride().to_vec()),
    };
    let (width, height) = (info.width() as usize, info.height() as usize);
    let plane = |n: usize| Plane {
        offset: offsets[n],
        stride: usize::try_from(strides[n]).unwrap_or(0),
        width: if n == 0 { width } else { width.div_ceil(2) },
        height: if n == 0 { height } else { height.div_ceil(2) },
    };
    match layout {
        PixelLayout::I420 => [plane(0), plane(1), plane(2)],
        PixelLayout::Nv12 => [plane(0), plane(1), plane(1)],
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{Studio, packets, x264, x265};
    use super::*;

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
        use crate::flow::NormPoint;
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
}

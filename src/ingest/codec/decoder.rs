//! One decoder of one stream. Synchronous: what it is given has come out as pictures when the call returns.
//!
//! Pictures of the processor's are not copied: a [`Frame`] refers to the decoder's own buffer, with the strides that it
//! has there.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use gstreamer as gst;
use gstreamer_video as gst_video;

use super::{
    engine::Engine, error::DecodeError, privacy_mask::PrivacyMask, rotation, sync_pipeline::Output,
};
use crate::{
    base::cpu::{Stage, StageCpu},
    flow::{
        Codec, ColourMatrix, ColourRange, Frame, MediaTime, Packet, PixelLayout, Plane, Size,
        StreamFormat, StreamRole,
    },
    ingest::bitstream::nal,
};

/// GStreamer's times are not negative: media times are moved by this much inside the decoder.
const BIAS: i64 = 1_000_000_000_000_000;
/// Units whose pictures have not come out; more than any codec reorders, so older ones were skipped by the decoder.
const PENDING: usize = 64;

/// How the next units follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feed {
    /// Every unit in decode order.
    Running,
    /// Lone keyframes: each picture comes out at once instead of waiting for those that could be shown before it.
    KeysAlone,
}

/// A decoder for one [`StreamFormat`].
pub struct Decoder {
    engine: Engine,
    format: Arc<StreamFormat>,
    mask: PrivacyMask,
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

impl Decoder {
    /// The hardware decoder `name`.
    pub(in crate::ingest) fn in_hardware(
        name: &str,
        format: &Arc<StreamFormat>,
        stages: StageCpu,
    ) -> Result<Self, DecodeError> {
        let engine = Engine::in_hardware(name, format)?;
        Ok(Self::with(
            engine,
            format,
            PrivacyMask::new(Vec::new()),
            stages,
        ))
    }

    /// Puts `engine` to work on a stream of its capabilities. It holds nothing of another stream after
    /// [`restart`](Self::restart).
    pub(in crate::ingest) fn with(
        engine: Engine,
        format: &Arc<StreamFormat>,
        mask: PrivacyMask,
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
    pub(in crate::ingest) fn into_engine(self) -> Engine {
        self.engine.line.flush();
        self.engine
    }

    /// Whether it works in hardware.
    pub(in crate::ingest) fn is_hardware(&self) -> bool {
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
        Some(self.mask.paint(rotation::frame(frame, self.format.turn)))
    }
}

/// Whether `packet` is a keyframe that gives no picture alone, and how many pictures that follow it are not whole when decoding
/// starts there: H.264 with recovery points instead of IDR pictures, of which libav takes the jump of the frame number for lost
/// pictures, and intra refresh (`keyframe_gate`).
pub(in crate::ingest) fn leans(packet: &Packet) -> Option<u32> {
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
#[path = "decoder_tests.rs"]
mod tests;

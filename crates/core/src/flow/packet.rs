//! Encoded pictures on their way from a source to the decoder and to the clip.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;

use super::{MediaTime, Size, Turn};

/// Which of a camera's streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StreamRole {
    /// The stream that is watched, and the only one where a camera has just one.
    Sub,
    /// The second stream, of full quality, kept for clips.
    Main,
}

/// How the pictures are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// AVC.
    H264,
    /// HEVC.
    H265,
    /// Anything else that can be decoded: it is watched, but its clip cannot be cut without re-encoding.
    Other,
}

impl Codec {
    /// Whether its access units can enter CMAF segments as they are.
    #[must_use]
    pub fn fits_cmaf(self) -> bool {
        self != Self::Other
    }
}

/// What stays the same from packet to packet. A new `Arc` means that something changed.
#[derive(Clone, PartialEq, Eq)]
pub struct StreamFormat {
    /// Coding.
    pub codec: Codec,
    /// Size of the coded picture in pixels, as the stream says.
    pub size: Size,
    /// How the picture is turned before anybody looks at it.
    pub turn: Turn,
    /// The payload of the `avcC` or `hvcC` box (ISO/IEC 14496-15); empty for [`Codec::Other`].
    pub codec_data: Bytes,
    /// The codec's display name, such as "H.264" or "MPEG-4 part 2".
    pub codec_name: String,
    /// Capabilities as the decoder wants them; opaque to every room but `ingest`.
    pub caps: String,
}

impl StreamFormat {
    /// Size of the picture as it is looked at, in pixels.
    #[must_use]
    pub fn shown_size(&self) -> Size {
        self.turn.size(self.size)
    }
}

impl fmt::Debug for StreamFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.shown_size();
        write!(f, "{} {}x{}", self.codec_name, size.width, size.height)
    }
}

/// One access unit: everything that codes one picture.
#[derive(Clone)]
pub struct Packet {
    /// Of which stream.
    pub stream: StreamRole,
    /// Format in force.
    pub format: Arc<StreamFormat>,
    /// Presentation time on the box's monotonic time line. In decode order it need not rise (B-frames).
    pub time: MediaTime,
    /// Presentation time as the stream gave it. Exact distances within a run; says nothing across runs.
    pub pts: MediaTime,
    /// How long it is shown, where the stream says so.
    pub duration: Option<Duration>,
    /// Decoding can start here (IDR, or the CRA/BLA of an open GOP).
    pub key: bool,
    /// No other picture refers to it (`nal_ref_idc` 0, or a sub-layer non-reference picture).
    pub droppable: bool,
    /// Time, format or content does not continue the packet before: a new run begins here.
    pub discontinuity: bool,
    /// NAL units with a four-byte length before each (`avc` and `hvc1` stream format); as demuxed for [`Codec::Other`].
    pub data: Bytes,
    /// When it was received: the box's monotonic time live, its own time in replay.
    pub arrived: MediaTime,
}

impl fmt::Debug for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} {:?}{}{} {} B",
            self.stream,
            self.time,
            if self.key { " key" } else { "" },
            if self.discontinuity {
                " discontinuity"
            } else {
                ""
            },
            self.data.len()
        )
    }
}

//! Single steps of a clip, for benches.

use super::{
    buffer::continuity::Runs,
    clip::{
        files::Content,
        segments::{Piece, Segmenter},
    },
    cmaf::fmp4,
};
use crate::{config::ClipConfig, flow::Packet};

/// Makes media segments out of packets and leaves the disk out.
pub struct Muxer {
    runs: Runs,
    segmenter: Segmenter,
    segments: u32,
}

impl Muxer {
    /// Cuts as `config` says.
    #[must_use]
    pub fn new(config: &ClipConfig) -> Self {
        Self {
            runs: Runs::default(),
            segmenter: Segmenter::new(config.into()),
            segments: 0,
        }
    }

    /// Takes in the stream's next packet; gives the bytes of the segment that became whole by it, boxes and digest made.
    pub fn packet(&mut self, packet: &Packet) -> Option<u64> {
        self.segmenter.push(self.runs.admit(packet)?);
        let piece = self.segmenter.next_piece(None, false)?;
        Some(self.mux(&piece))
    }

    /// The bytes of the last segment, once no packet comes any more.
    pub fn finish(&mut self) -> Option<u64> {
        let piece = self.segmenter.next_piece(None, true)?;
        Some(self.mux(&piece))
    }

    fn mux(&mut self, piece: &Piece) -> u64 {
        self.segments += 1;
        let segment = fmp4::segment(self.segments, piece.decode_time, &piece.samples);
        Content::from(segment).bytes
    }
}

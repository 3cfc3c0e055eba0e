//! Single steps of ingest, for benches and fuzzing.

pub use super::rtsp::bench_api::{connection, description, packets};
use super::{
    bitstream::{nal, parser},
    file::container,
    gop_buffer::GopBuffer,
};
use crate::flow::{Codec, Packet};

/// The current group of pictures, as the on-demand decoder keeps it while a camera sleeps.
#[derive(Default)]
pub struct UnitRing(GopBuffer);

impl UnitRing {
    /// Adds a unit that nobody has decoded yet; gives how many the group has by now.
    pub fn push(&mut self, packet: Packet) -> usize {
        self.0.push(packet, 0);
        self.0.current_len()
    }
}

/// Everything that is read in an access unit whose units have `length_size` bytes (1 to 4) of length before each. Gives the unit with
/// four bytes of length before each.
#[must_use]
pub fn access_unit(codec: Codec, temporal_layers: u8, length_size: usize, data: &[u8]) -> Vec<u8> {
    let unit = parser::with_four_byte_lengths(data, length_size);
    let _ = nal::facts(codec, temporal_layers, &unit);
    unit.to_vec()
}

/// Whether a file ends before its outermost boxes do.
#[must_use]
pub fn ends_early(file: &[u8]) -> bool {
    container::ends_early(std::io::Cursor::new(file))
}

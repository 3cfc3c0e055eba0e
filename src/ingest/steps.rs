//! Single steps of ingest, for benches.

use super::ring::Ring;
use crate::flow::Packet;

/// The current group of pictures, as the on-demand decoder keeps it while a camera sleeps.
#[derive(Default)]
pub struct UnitRing(Ring);

impl UnitRing {
    /// Adds a unit that nobody has decoded yet; gives how many the group has by now.
    pub fn push(&mut self, packet: Packet) -> usize {
        self.0.push(packet, 0);
        self.0.current_len()
    }
}

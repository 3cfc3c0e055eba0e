//! How much of a stream must have arrived before it is read. Pure.
//!
//! To be woken for a packet costs more than to read it. A camera that is asleep is looked at by its keyframes alone; the
//! pictures between them are kept for the pre-roll, and nothing waits for them. So they are read a few at a time: the reader
//! is woken when half of a keyframe has arrived, and then for every packet until the keyframe is whole. A keyframe
//! is larger than that half, so it waits for nothing that comes after it; one that is much smaller than those before it
//! is found after [`LONGEST`] at the latest.

use std::time::Duration;

/// What has arrived is read after so long, however little it is. Well below what the time line takes for the network's
/// mood.
pub(in crate::ingest::rtsp) const LONGEST: Duration = Duration::from_millis(400);
/// No more is left waiting in the system's memory, in bytes: with hundreds of cameras it adds up.
const MOST: usize = 48 * 1024;

/// Learns the size of a stream's keyframes.
#[derive(Debug, Default)]
pub(in crate::ingest::rtsp) struct Batches {
    /// Bytes of the last keyframe.
    keyframe: usize,
}

impl Batches {
    /// A keyframe of `bytes` is whole.
    pub(in crate::ingest::rtsp) fn keyframe(&mut self, bytes: usize) {
        self.keyframe = bytes;
    }

    /// How many bytes to wait for. `prompt`: each packet is wanted at once; `amid`: part of a keyframe has been read.
    pub(in crate::ingest::rtsp) fn mark(&self, prompt: bool, amid: bool) -> usize {
        if prompt || amid {
            1
        } else {
            (self.keyframe / 2).clamp(1, MOST)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleeping_camera_waits_for_half_a_keyframe() {
        let mut batches = Batches::default();
        assert_eq!(batches.mark(false, false), 1, "none has come");
        batches.keyframe(30_000);
        assert_eq!(batches.mark(false, false), 15_000);
        assert_eq!(batches.mark(true, false), 1);
        assert_eq!(batches.mark(false, true), 1);
        batches.keyframe(1_000_000);
        assert_eq!(batches.mark(false, false), MOST);
        batches.keyframe(0);
        assert_eq!(batches.mark(false, false), 1);
    }
}

//! ISO base media file format boxes as bytes: a length, a four-letter type, then the content.

use crate::flow::{Size, Turn};

/// Writes big-endian fields and nested boxes into memory.
#[derive(Debug, Default)]
pub(in crate::recording) struct BoxWriter(Vec<u8>);

impl BoxWriter {
    /// Room for `bytes` from the start.
    pub(in crate::recording) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// What was written.
    pub(in crate::recording) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Bytes so far: the position of what comes next.
    pub(in crate::recording) fn len(&self) -> usize {
        self.0.len()
    }

    pub(in crate::recording) fn u16(&mut self, value: u16) {
        self.bytes(&value.to_be_bytes());
    }

    pub(in crate::recording) fn u32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    pub(in crate::recording) fn i32(&mut self, value: i32) {
        self.bytes(&value.to_be_bytes());
    }

    pub(in crate::recording) fn u64(&mut self, value: u64) {
        self.bytes(&value.to_be_bytes());
    }

    pub(in crate::recording) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// `count` bytes of zero: reserved fields, and fields whose value is nought.
    pub(in crate::recording) fn zeros(&mut self, count: usize) {
        self.0.resize(self.0.len() + count, 0);
    }

    /// Replaces the 32-bit field written at `position`.
    pub(in crate::recording) fn set_u32(&mut self, position: usize, value: u32) {
        self.0[position..position + 4].copy_from_slice(&value.to_be_bytes());
    }

    /// A box of type `kind` around what `content` writes.
    pub(in crate::recording) fn boxed(&mut self, kind: &[u8; 4], content: impl FnOnce(&mut Self)) {
        let start = self.len();
        self.u32(0);
        self.bytes(kind);
        content(self);
        let length = u32::try_from(self.len() - start).expect("headers stay far below 4 GiB");
        self.set_u32(start, length);
    }

    /// A box that begins with a version and 24 bits of flags.
    pub(in crate::recording) fn full(
        &mut self,
        kind: &[u8; 4],
        version: u8,
        flags: u32,
        content: impl FnOnce(&mut Self),
    ) {
        self.boxed(kind, |w| {
            w.u32(u32::from(version) << 24 | flags);
            content(w);
        });
    }

    /// The transformation matrix of `mvhd` and `tkhd` (ISO/IEC 14496-12, 8.3.2) that turns pictures of such a size.
    pub(in crate::recording) fn matrix(&mut self, turn: Turn, size: Size) {
        const ONE: i32 = 0x1_0000;
        let [a, b, c, d] = turn.matrix().map(|sign| ONE * i32::from(sign));
        let (right, down) = turn.shift(size.width, size.height);
        let fixed = |pixels: u32| (pixels << 16).cast_signed();
        for value in [a, b, 0, c, d, 0, fixed(right), fixed(down), 0x4000_0000] {
            self.i32(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_nest_and_know_their_length() {
        let mut w = BoxWriter::default();
        w.boxed(b"outr", |w| w.full(b"innr", 1, 0x20, |w| w.u16(7)));
        assert_eq!(
            w.into_bytes(),
            [
                &[0, 0, 0, 22][..],
                b"outr",
                &[0, 0, 0, 14],
                b"innr",
                &[1, 0, 0, 0x20, 0, 7]
            ]
            .concat()
        );
    }
}

//! A decoded picture.

use std::fmt;

use bytes::Bytes;

use super::{MediaTime, Size, StreamRole};

/// How chroma is stored. Always 8 bits, 4:2:0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PixelLayout {
    /// Three planes: Y, U, V.
    I420,
    /// Two planes: Y, and U and V interleaved.
    Nv12,
}

/// What the luma numbers mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColourRange {
    /// 16 is black, 235 white (what cameras send unless they say otherwise).
    Video,
    /// 0 is black, 255 white.
    Full,
}

/// Matrix from YUV to RGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColourMatrix {
    /// ITU-R BT.601, standard definition.
    Bt601,
    /// ITU-R BT.709, high definition.
    Bt709,
}

/// Where a plane lies in [`Frame::data`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plane {
    /// First byte.
    pub offset: usize,
    /// Bytes from one row to the next.
    pub stride: usize,
    /// Samples (for NV12 chroma: pairs) in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

/// A decoded picture; cheap to clone, never changed once it has left the decoder.
#[derive(Clone)]
pub struct Frame {
    /// Presentation time.
    pub time: MediaTime,
    /// When its access unit was received.
    pub arrived: MediaTime,
    /// Of which stream.
    pub stream: StreamRole,
    /// Whether it was coded without reference to others.
    pub key: bool,
    /// Size in pixels.
    pub size: Size,
    /// How chroma is stored.
    pub layout: PixelLayout,
    /// Luma range.
    pub range: ColourRange,
    /// Matrix.
    pub matrix: ColourMatrix,
    /// Y, U, V; for NV12 the third is the same as the second.
    pub planes: [Plane; 3],
    /// All planes.
    pub data: Bytes,
}

impl Frame {
    /// One row of the luma plane, `size.width` samples.
    #[must_use]
    pub fn luma_row(&self, row: usize) -> &[u8] {
        let plane = self.planes[0];
        let start = plane.offset + row * plane.stride;
        &self.data[start..start + plane.width]
    }

    /// Chroma (U, V) at chroma position `x`, `y` (half the picture's).
    #[must_use]
    pub fn chroma(&self, x: usize, y: usize) -> (u8, u8) {
        match self.layout {
            PixelLayout::I420 => {
                let (u, v) = (self.planes[1], self.planes[2]);
                (
                    self.data[u.offset + y * u.stride + x],
                    self.data[v.offset + y * v.stride + x],
                )
            }
            PixelLayout::Nv12 => {
                let uv = self.planes[1];
                let at = uv.offset + y * uv.stride + 2 * x;
                (self.data[at], self.data[at + 1])
            }
        }
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} {}x{}",
            self.time, self.size.width, self.size.height
        )
    }
}

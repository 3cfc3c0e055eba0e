//! From decoded YUV to RGB, in fixed point.
//!
//! Coefficients from ITU-R BT.601 and BT.709; "video" range maps 16..235 (luma) and 16..240 (chroma) to 0..255.

use crate::flow::{ColourMatrix, ColourRange, Frame};

/// A conversion for one range and matrix. 16 fractional bits.
#[derive(Debug, Clone, Copy)]
pub struct YuvToRgb {
    black: i32,
    luma: i32,
    red_v: i32,
    green_u: i32,
    green_v: i32,
    blue_u: i32,
}

impl YuvToRgb {
    /// The conversion for such frames.
    #[must_use]
    pub fn new(range: ColourRange, matrix: ColourMatrix) -> Self {
        let (kr, kb) = match matrix {
            ColourMatrix::Bt601 => (0.299, 0.114),
            ColourMatrix::Bt709 => (0.2126, 0.0722),
        };
        let (black, luma, chroma) = match range {
            ColourRange::Video => (16, 255.0 / 219.0, 255.0 / 224.0),
            ColourRange::Full => (0, 1.0, 1.0),
        };
        let kg = 1.0 - kr - kb;
        let fixed = |x: f64| (x * 65536.0).round() as i32;
        Self {
            black,
            luma: fixed(luma),
            red_v: fixed(2.0 * (1.0 - kr) * chroma),
            green_u: fixed(2.0 * (1.0 - kb) * kb / kg * chroma),
            green_v: fixed(2.0 * (1.0 - kr) * kr / kg * chroma),
            blue_u: fixed(2.0 * (1.0 - kb) * chroma),
        }
    }

    /// The conversion for `frame`.
    #[must_use]
    pub fn of(frame: &Frame) -> Self {
        Self::new(frame.range, frame.matrix)
    }

    /// One sample to red, green, blue.
    #[must_use]
    #[inline]
    pub fn rgb(&self, y: u8, u: u8, v: u8) -> [u8; 3] {
        let y = (i32::from(y) - self.black) * self.luma + 32768;
        let (u, v) = (i32::from(u) - 128, i32::from(v) - 128);
        let to_byte = |x: i32| (x >> 16).clamp(0, 255) as u8;
        [
            to_byte(y + self.red_v * v),
            to_byte(y - self.green_u * u - self.green_v * v),
            to_byte(y + self.blue_u * u),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_colours_come_back() {
        let c = YuvToRgb::new(ColourRange::Video, ColourMatrix::Bt601);
        assert_eq!(c.rgb(16, 128, 128), [0, 0, 0]);
        assert_eq!(c.rgb(235, 128, 128), [255, 255, 255]);
        let [r, g, b] = c.rgb(81, 90, 240); // pure red in BT.601
        assert!(r > 250 && g < 5 && b < 5, "{r} {g} {b}");
        let full = YuvToRgb::new(ColourRange::Full, ColourMatrix::Bt709);
        assert_eq!(full.rgb(0, 128, 128), [0, 0, 0]);
        assert_eq!(full.rgb(255, 128, 128), [255, 255, 255]);
    }
}

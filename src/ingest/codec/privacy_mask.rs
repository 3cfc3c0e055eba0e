//! Paints privacy masks on decoded pictures.

use bytes::{Bytes, BytesMut};

use crate::flow::{ColourRange, Frame, NormPoint, PixelLayout, Plane, Polygon};

/// Neutral chroma.
const GREY: u8 = 128;

/// Polygons that nobody may look into.
#[derive(Debug, Clone, Default)]
pub(in crate::ingest) struct PrivacyMask(Vec<Polygon>);

impl PrivacyMask {
    pub(in crate::ingest) fn new(polygons: Vec<Polygon>) -> Self {
        Self(polygons)
    }

    /// The frame with the masked places black. A picture without masks is passed on as it is, without a copy.
    pub(in crate::ingest) fn paint(&self, frame: Frame) -> Frame {
        if self.0.is_empty() {
            return frame;
        }
        let black = match frame.range {
            ColourRange::Video => 16,
            ColourRange::Full => 0,
        };
        let mut data = BytesMut::from(&frame.data[..]);
        let [luma, u, v] = frame.planes;
        for polygon in &self.0 {
            fill(polygon, &mut data, luma, 1, black);
            match frame.layout {
                PixelLayout::I420 => {
                    fill(polygon, &mut data, u, 1, GREY);
                    fill(polygon, &mut data, v, 1, GREY);
                }
                PixelLayout::Nv12 => fill(polygon, &mut data, u, 2, GREY),
            }
        }
        Frame {
            data: Bytes::from(data),
            ..frame
        }
    }
}

/// Fills the polygon in one plane: each row between its crossings with the polygon's edges (even-odd rule). A sample
/// that the polygon touches is painted, so that chroma does not show what luma hides.
fn fill(polygon: &Polygon, data: &mut [u8], plane: Plane, bytes_per_sample: usize, value: u8) {
    let (width, height) = (plane.width as f32, plane.height as f32);
    for row in 0..plane.height {
        let mut spans = vec![false; plane.width];
        for part in [0.02, 0.25, 0.5, 0.75, 0.98] {
            let y = (row as f32 + part) / height;
            for pair in crossings(polygon, y).chunks_exact(2) {
                let from = (pair[0] * width).floor().clamp(0.0, width) as usize;
                let to = (pair[1] * width).ceil().clamp(0.0, width) as usize;
                spans[from..to.max(from)].fill(true);
            }
        }
        let start = plane.offset + row * plane.stride;
        for (x, _) in spans.iter().enumerate().filter(|(_, inside)| **inside) {
            let at = start + x * bytes_per_sample;
            data[at..at + bytes_per_sample].fill(value);
        }
    }
}

/// Where the polygon's edges cross the height `y`, from left to right; always an even number.
fn crossings(Polygon(points): &Polygon, y: f32) -> Vec<f32> {
    let next = points.iter().cycle().skip(1);
    let mut xs: Vec<f32> = points
        .iter()
        .zip(next)
        .filter(|(a, b)| (a.y > y) != (b.y > y))
        .map(|(a, b): (&NormPoint, &NormPoint)| a.x + (y - a.y) / (b.y - a.y) * (b.x - a.x))
        .collect();
    xs.sort_by(f32::total_cmp);
    xs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{ColourMatrix, MediaTime, Size, StreamRole};

    fn grey_frame(layout: PixelLayout) -> Frame {
        let (w, h) = (16, 8);
        let plane = |offset, stride, width, height| Plane {
            offset,
            stride,
            width,
            height,
        };
        let planes = match layout {
            PixelLayout::I420 => [
                plane(0, w, w, h),
                plane(w * h, w / 2, w / 2, h / 2),
                plane(w * h * 5 / 4, w / 2, w / 2, h / 2),
            ],
            PixelLayout::Nv12 => [
                plane(0, w, w, h),
                plane(w * h, w, w / 2, h / 2),
                plane(w * h, w, w / 2, h / 2),
            ],
        };
        Frame {
            time: MediaTime::ZERO,
            arrived: MediaTime::ZERO,
            stream: StreamRole::Sub,
            key: true,
            size: Size::new(16, 8),
            layout,
            range: ColourRange::Video,
            matrix: ColourMatrix::Bt601,
            planes,
            data: Bytes::from(vec![200; w * h * 3 / 2]),
        }
    }

    #[test]
    fn the_left_half_goes_black_in_both_layouts() {
        let half = [(0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)];
        let half = Polygon(half.map(|(x, y)| NormPoint { x, y }).to_vec());
        for layout in [PixelLayout::I420, PixelLayout::Nv12] {
            let before = grey_frame(layout);
            let after = PrivacyMask::new(vec![half.clone()]).paint(before.clone());
            for row in 0..8 {
                assert_eq!(after.luma_row(row)[..8], [16; 8]);
                assert_eq!(after.luma_row(row)[8..], [200; 8]);
            }
            assert_eq!(after.chroma(3, 2), (128, 128));
            assert_eq!(after.chroma(4, 2), (200, 200));
            assert_eq!(
                before.luma_row(0)[0],
                200,
                "the decoder's own picture is untouched"
            );
        }
    }

    #[test]
    fn without_masks_nothing_is_copied() {
        let frame = grey_frame(PixelLayout::I420);
        let same = PrivacyMask::default().paint(frame.clone());
        assert_eq!(same.data.as_ptr(), frame.data.as_ptr());
    }
}

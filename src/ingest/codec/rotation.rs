//! Turns decoded pictures, and says of a camera's packets that theirs are to be turned.
//!
//! In: frames as they were coded, or packets. Out: frames as people look at them; packets whose format says how.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;

use crate::{
    flow::{Frame, Packet, PixelLayout, Plane, StreamFormat, Turn},
    ingest::{PacketSink, SourceState},
};

/// Samples that are turned together: eight rows of eight bytes fit the processor's registers.
const TILE: usize = 8;

/// The picture turned by `turn`, in three planes of its own. One that is not to be turned is passed on as it is.
pub(in crate::ingest) fn frame(frame: Frame, turn: Turn) -> Frame {
    if turn == Turn::NONE {
        return frame;
    }
    let sources: [(Plane, usize, usize); 3] = match frame.layout {
        PixelLayout::I420 => [0, 1, 2].map(|n| (frame.planes[n], 0, 1)),
        PixelLayout::Nv12 => [(0, 0, 1), (1, 0, 2), (1, 1, 2)]
            .map(|(plane, first, step)| (frame.planes[plane], first, step)),
    };
    let samples = |plane: &Plane| plane.width * plane.height;
    let mut data = Vec::with_capacity(sources.iter().map(|(plane, ..)| samples(plane)).sum());
    let planes = sources.map(|(plane, first, step)| {
        let offset = data.len();
        let turned = turned(&frame.data, plane, first, step, turn);
        data.extend_from_slice(&turned);
        let (width, height) = match turn.swaps_sides() {
            true => (plane.height, plane.width),
            false => (plane.width, plane.height),
        };
        Plane {
            offset,
            stride: width,
            width,
            height,
        }
    });
    Frame {
        size: turn.size(frame.size),
        layout: PixelLayout::I420,
        planes,
        data: Bytes::from(data),
        ..frame
    }
}

/// One plane, whose samples are `step` bytes apart and begin at the byte `first`.
fn turned(data: &[u8], plane: Plane, first: usize, step: usize, turn: Turn) -> Vec<u8> {
    // Rows of single bytes are what everything below works on.
    let row = |y: usize| &data[plane.offset + y * plane.stride..][..plane.width * step];
    let packed: Vec<u8>;
    let rows: Vec<&[u8]> = if step == 1 {
        (0..plane.height).map(row).collect()
    } else {
        let every = |y| row(y).iter().skip(first).step_by(step).copied();
        packed = (0..plane.height).flat_map(every).collect();
        packed.chunks_exact(plane.width.max(1)).collect()
    };
    let [a, b, c, d] = turn.matrix();
    if turn.swaps_sides() {
        return transposed(&rows, plane.width, c < 0, b < 0);
    }
    let mut out = Vec::with_capacity(plane.width * plane.height);
    for n in 0..rows.len() {
        let row = rows[if d < 0 { rows.len() - 1 - n } else { n }];
        match a < 0 {
            true => out.extend(row.iter().rev()),
            false => out.extend_from_slice(row),
        }
    }
    out
}

/// Rows become columns: from right to left where `leftward`, from the bottom up where `upward`.
fn transposed(rows: &[&[u8]], width: usize, leftward: bool, upward: bool) -> Vec<u8> {
    let height = rows.len();
    let mut out = vec![0; width * height];
    // The source row that becomes the column `x`, and the row of the result that the source's column `y` becomes.
    let source = |x: usize| rows[if leftward { height - 1 - x } else { x }];
    let target = |y: usize| if upward { width - 1 - y } else { y };
    let (whole_x, whole_y) = (height - height % TILE, width - width % TILE);
    for x in (0..whole_x).step_by(TILE) {
        for y in (0..whole_y).step_by(TILE) {
            let mut tile = [0; TILE];
            for (n, row) in tile.iter_mut().enumerate() {
                let bytes = source(x + n)[y..y + TILE].try_into();
                *row = u64::from_le_bytes(bytes.expect("a tile is eight bytes wide"));
            }
            transpose(&mut tile);
            for (n, row) in tile.iter().enumerate() {
                let start = target(y + n) * height + x;
                out[start..start + TILE].copy_from_slice(&row.to_le_bytes());
            }
        }
    }
    for x in 0..height {
        let from = if x < whole_x { whole_y } else { 0 };
        for y in from..width {
            out[target(y) * height + x] = source(x)[y];
        }
    }
    out
}

/// Transposes eight by eight bytes in three rounds of exchanges (after H. S. Warren, Hacker's Delight, 7-3).
fn transpose(tile: &mut [u64; TILE]) {
    for (apart, shift, mask) in [
        (4, 32, 0x0000_0000_ffff_ffff),
        (2, 16, 0x0000_ffff_0000_ffff),
        (1, 8, 0x00ff_00ff_00ff_00ff),
    ] {
        for upper in (0..TILE).filter(|row| row & apart == 0) {
            let exchanged = ((tile[upper] >> shift) ^ tile[upper + apart]) & mask;
            tile[upper + apart] ^= exchanged;
            tile[upper] ^= exchanged << shift;
        }
    }
}

/// The same sink, told of every packet that its picture is to be turned.
#[must_use]
pub fn turned_sink(sink: Box<dyn PacketSink>, turn: Turn) -> Box<dyn PacketSink> {
    match turn == Turn::NONE {
        true => sink,
        false => Box::new(TurnedSink {
            sink,
            turn,
            known: None,
        }),
    }
}

struct TurnedSink {
    sink: Box<dyn PacketSink>,
    turn: Turn,
    /// A format as it came, and turned.
    known: Option<(Arc<StreamFormat>, Arc<StreamFormat>)>,
}

impl TurnedSink {
    fn turned(&mut self, format: &Arc<StreamFormat>) -> Arc<StreamFormat> {
        match &self.known {
            Some((plain, turned)) if Arc::ptr_eq(plain, format) => Arc::clone(turned),
            _ => {
                let turned = Arc::new(StreamFormat {
                    turn: self.turn,
                    ..StreamFormat::clone(format)
                });
                self.known = Some((Arc::clone(format), Arc::clone(&turned)));
                turned
            }
        }
    }
}

impl PacketSink for TurnedSink {
    fn packet(&mut self, mut packet: Packet) {
        packet.format = self.turned(&packet.format);
        self.sink.packet(packet);
    }

    fn state(&mut self, state: SourceState) {
        let state = match state {
            SourceState::Online(format) => SourceState::Online(self.turned(&format)),
            other => other,
        };
        self.sink.state(state);
    }

    fn attention(&self) -> Option<watch::Receiver<bool>> {
        self.sink.attention()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{ColourMatrix, ColourRange, MediaTime, Size, StreamRole};

    /// A picture with room after each row, in which every sample is another.
    fn picture(width: usize, height: usize, layout: PixelLayout) -> Frame {
        let chroma = (width.div_ceil(2), height.div_ceil(2));
        let plane = |offset, width, height, bytes| Plane {
            offset,
            stride: width * bytes + 5,
            width,
            height,
        };
        let luma = plane(3, width, height, 1);
        let after = luma.offset + luma.stride * height;
        let planes = match layout {
            PixelLayout::I420 => {
                let u = plane(after, chroma.0, chroma.1, 1);
                [
                    luma,
                    u,
                    plane(after + u.stride * chroma.1, chroma.0, chroma.1, 1),
                ]
            }
            PixelLayout::Nv12 => {
                let both = plane(after, chroma.0, chroma.1, 2);
                [luma, both, both]
            }
        };
        let length = planes[2].offset + planes[2].stride * chroma.1;
        Frame {
            time: MediaTime::ZERO,
            arrived: MediaTime::ZERO,
            stream: StreamRole::Sub,
            key: true,
            size: Size::new(width as u32, height as u32),
            layout,
            range: ColourRange::Video,
            matrix: ColourMatrix::Bt709,
            planes,
            data: (0..length)
                .map(|n| (n * 7 + n / 251) as u8)
                .collect::<Vec<_>>()
                .into(),
        }
    }

    fn turns() -> Vec<Turn> {
        let signs = [-1, 1];
        let pairs = signs.iter().flat_map(|&p| signs.map(|q| (p, q)));
        pairs
            .flat_map(|(p, q)| [[p, 0, 0, q], [0, p, q, 0]])
            .map(|matrix| Turn::from_matrix(matrix).unwrap())
            .collect()
    }

    #[test]
    fn every_sample_lands_where_the_matrix_says() {
        for layout in [PixelLayout::I420, PixelLayout::Nv12] {
            for (width, height) in [(16, 8), (21, 13), (8, 30), (1, 1), (40, 17)] {
                for turn in turns() {
                    let before = picture(width, height, layout);
                    let after = frame(before.clone(), turn);
                    assert_eq!(after.size, turn.size(before.size));
                    let [a, b, c, d] = turn.matrix().map(isize::from);
                    let place = |x: usize, y: usize, w: usize, h: usize| {
                        let (x, y) = (x as isize, y as isize);
                        let (right, down) = turn.shift(w as isize - 1, h as isize - 1);
                        (
                            (a * x + c * y + right) as usize,
                            (b * x + d * y + down) as usize,
                        )
                    };
                    for y in 0..height {
                        for x in 0..width {
                            let (to_x, to_y) = place(x, y, width, height);
                            assert_eq!(before.luma_row(y)[x], after.luma_row(to_y)[to_x]);
                        }
                    }
                    let (w, h) = (width.div_ceil(2), height.div_ceil(2));
                    for y in 0..h {
                        for x in 0..w {
                            let (to_x, to_y) = place(x, y, w, h);
                            assert_eq!(before.chroma(x, y), after.chroma(to_x, to_y));
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_picture_that_is_upright_is_not_copied() {
        let before = picture(64, 32, PixelLayout::I420);
        let after = frame(before.clone(), Turn::NONE);
        assert_eq!(before.data.as_ptr(), after.data.as_ptr());
    }
}

//! From a decoded picture to a model's input: cut, shrink, letterbox, convert, normalise.
//!
//! Luma and chroma planes are resized on their own, straight from the decoder's memory, by a triangle filter that
//! widens with the scale (no aliasing when shrinking); only the few pixels of the input are converted to colours.
//! Buffers belong to the [`Preparer`] and are reused: nothing of ours is allocated after the first look of a size.

use fast_image_resize::{
    FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer,
    images::{TypedCroppedImage, TypedImage, TypedImageRef},
    pixels::{U8, U8x2},
};

use super::{
    InferError,
    registry::card::{Anchor, Colour, Input, Resize},
};
use crate::{
    base::colour::YuvToRgb,
    flow::{ColourRange, Frame, NormRect, PixelLayout, Plane, Size},
};

/// A number of an input tensor.
pub(super) trait Number: Copy + Default {
    /// From a colour value by the plane's normalisation.
    fn from_colour(value: u8, scale: f32, shift: f32) -> Self;
}

impl Number for f32 {
    #[inline]
    fn from_colour(value: u8, scale: f32, shift: f32) -> Self {
        f32::from(value) * scale + shift
    }
}

impl Number for u8 {
    #[inline]
    fn from_colour(value: u8, _: f32, _: f32) -> Self {
        value
    }
}

/// Where a part of the picture lies in the input; the way back for boxes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Mapping {
    source: NormRect,
    left: usize,
    top: usize,
    width: usize,
    height: usize,
}

impl Mapping {
    fn new(source: NormRect, pixels: (f64, f64), size: Size, input: &Input) -> Self {
        let (full_width, full_height) = (size.width as usize, size.height as usize);
        let (width, height) = match input.resize {
            Resize::Stretch => (full_width, full_height),
            Resize::Letterbox => {
                let scale =
                    (f64::from(size.width) / pixels.0).min(f64::from(size.height) / pixels.1);
                let fit =
                    |length: f64, most: usize| ((length * scale).round() as usize).clamp(1, most);
                (fit(pixels.0, full_width), fit(pixels.1, full_height))
            }
        };
        let (left, top) = match input.anchor {
            Anchor::TopLeft => (0, 0),
            Anchor::Centre => ((full_width - width) / 2, (full_height - height) / 2),
        };
        Self {
            source,
            left,
            top,
            width,
            height,
        }
    }

    /// A box in pixels of the input (left, top, right, bottom) as a place in the whole picture.
    pub(super) fn to_picture(self, edges: [f32; 4]) -> NormRect {
        let x = |edge: f32| {
            self.source.x0 + (edge - self.left as f32) / self.width as f32 * self.source.width()
        };
        let y = |edge: f32| {
            self.source.y0 + (edge - self.top as f32) / self.height as f32 * self.source.height()
        };
        NormRect::new(x(edges[0]), y(edges[1]), x(edges[2]), y(edges[3]))
    }
}

/// Turns pictures into tensors.
pub(super) struct Preparer {
    resizer: Resizer,
    /// Resized Y, U and V.
    planes: [Vec<u8>; 3],
    /// Resized chroma of NV12, before U and V are parted.
    pairs: Vec<u8>,
    /// A plane whose last row ends before its stride, copied.
    copy: Vec<u8>,
}

impl Preparer {
    pub(super) fn new() -> Self {
        Self {
            resizer: Resizer::new(),
            planes: Default::default(),
            pairs: Vec::new(),
            copy: Vec::new(),
        }
    }

    /// The luma plane, stretched to `size`, in video range (16 black, 235 white). `out` becomes as long as needed.
    pub(super) fn luma(
        &mut self,
        frame: &Frame,
        size: Size,
        out: &mut Vec<u8>,
    ) -> Result<(), InferError> {
        check(frame)?;
        out.resize(size.width as usize * size.height as usize, 0);
        let (width, height) = (size.width as usize, size.height as usize);
        self.plane::<U8>(frame, 0, &NormRect::FULL, (width, height), out)?;
        if frame.range == ColourRange::Full {
            for value in out {
                // 219 steps instead of 255, rounded; cannot exceed 235.
                *value = (16 + (u32::from(*value) * 219 + 127) / 255) as u8;
            }
        }
        Ok(())
    }

    /// The part `region` of a picture as planes of `size` in the card's order. `out` becomes as long as needed.
    pub(super) fn colours<T: Number>(
        &mut self,
        frame: &Frame,
        region: NormRect,
        input: &Input,
        size: Size,
        out: &mut Vec<T>,
    ) -> Result<Mapping, InferError> {
        check(frame)?;
        let source = cut(frame.size, region);
        let pixels = (
            f64::from(source.width()) * f64::from(frame.size.width),
            f64::from(source.height()) * f64::from(frame.size.height),
        );
        let mapping = Mapping::new(source, pixels, size, input);
        self.resize(frame, &source, (mapping.width, mapping.height))?;
        out.resize(3 * size.width as usize * size.height as usize, T::default());
        self.convert(frame, input, mapping, size.width as usize, out);
        Ok(mapping)
    }

    /// Fills `planes` with the part `source` at `target` pixels.
    fn resize(
        &mut self,
        frame: &Frame,
        source: &NormRect,
        target: (usize, usize),
    ) -> Result<(), InferError> {
        let area = target.0 * target.1;
        let mut planes = std::mem::take(&mut self.planes);
        planes.iter_mut().for_each(|plane| plane.resize(area, 0));
        let mut done = self.plane::<U8>(frame, 0, source, target, &mut planes[0]);
        match frame.layout {
            PixelLayout::I420 => {
                for (index, plane) in planes.iter_mut().enumerate().skip(1) {
                    done =
                        done.and_then(|()| self.plane::<U8>(frame, index, source, target, plane));
                }
            }
            PixelLayout::Nv12 => {
                let mut pairs = std::mem::take(&mut self.pairs);
                pairs.resize(2 * area, 0);
                done = done.and_then(|()| self.plane::<U8x2>(frame, 1, source, target, &mut pairs));
                let [_, us, vs] = &mut planes;
                for ((pair, u), v) in pairs.chunks_exact(2).zip(us).zip(vs) {
                    (*u, *v) = (pair[0], pair[1]);
                }
                self.pairs = pairs;
            }
        }
        self.planes = planes;
        done
    }

    /// Resizes one plane of pixels `P` (bytes, or pairs of bytes).
    fn plane<P: PixelTrait>(
        &mut self,
        frame: &Frame,
        index: usize,
        source: &NormRect,
        target: (usize, usize),
        out: &mut [u8],
    ) -> Result<(), InferError> {
        let broken = |reason: &dyn std::fmt::Display| InferError::BadFrame(reason.to_string());
        let plane = frame.planes[index];
        let rows = strided(frame, plane, size_of::<P>(), &mut self.copy);
        let (stride, data) = rows;
        let view = TypedImageRef::<P>::from_buffer(stride as u32, plane.height as u32, data)
            .map_err(|e| broken(&e))?;
        // The stride's padding must not be seen by the filter.
        let (width, height) = (plane.width as u32, plane.height as u32);
        let view =
            TypedCroppedImage::from_ref(&view, 0, 0, width, height).map_err(|e| broken(&e))?;
        let mut target = TypedImage::<P>::from_buffer(target.0 as u32, target.1 as u32, out)
            .map_err(|e| broken(&e))?;
        let (left, across) = span(source.x0, source.x1, frame.size.width, plane.width);
        let (top, down) = span(source.y0, source.y1, frame.size.height, plane.height);
        let options = ResizeOptions::new()
            .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
            .crop(left, top, across, down)
            .use_alpha(false);
        self.resizer
            .resize_typed(&view, &mut target, &options)
            .map_err(|e| broken(&e))
    }

    fn convert<T: Number>(
        &self,
        frame: &Frame,
        input: &Input,
        mapping: Mapping,
        width: usize,
        out: &mut [T],
    ) {
        let convert = YuvToRgb::of(frame);
        // Index of the colour (0 red, 1 green, 2 blue) of each output plane.
        let order: [usize; 3] = if input.colour == Colour::Bgr {
            [2, 1, 0]
        } else {
            [0, 1, 2]
        };
        let scale = input.std.map(f32::recip);
        let shift: [f32; 3] = std::array::from_fn(|plane| -input.mean[plane] * scale[plane]);
        let pad: [T; 3] =
            std::array::from_fn(|plane| T::from_colour(input.pad, scale[plane], shift[plane]));
        let area = out.len() / 3;
        let (first, rest) = out.split_at_mut(area);
        let (second, third) = rest.split_at_mut(area);
        let mut outs = [first, second, third];
        let content = mapping.left..mapping.left + mapping.width;
        for row in 0..area / width {
            let line = row * width..(row + 1) * width;
            let inside = row
                .checked_sub(mapping.top)
                .filter(|source| *source < mapping.height);
            let Some(source) = inside else {
                for (out, pad) in outs.iter_mut().zip(pad) {
                    out[line.clone()].fill(pad);
                }
                continue;
            };
            let [a, b, c] = &mut outs;
            let lines = [&mut a[line.clone()], &mut b[line.clone()], &mut c[line]];
            let [a, b, c] = lines.map(|line| {
                let (before, rest) = line.split_at_mut(content.start);
                let (middle, after) = rest.split_at_mut(mapping.width);
                (before, middle, after)
            });
            for (plane, pad) in [&mut *a.0, &mut *b.0, &mut *c.0].into_iter().zip(pad) {
                plane.fill(pad);
            }
            for (plane, pad) in [&mut *a.2, &mut *b.2, &mut *c.2].into_iter().zip(pad) {
                plane.fill(pad);
            }
            let source = source * mapping.width..(source + 1) * mapping.width;
            let [ys, us, vs] = [0, 1, 2].map(|plane: usize| &self.planes[plane][source.clone()]);
            let chroma = us.iter().zip(vs);
            let targets = a.1.iter_mut().zip(b.1).zip(c.1);
            for ((y, (u, v)), ((a, b), c)) in ys.iter().zip(chroma).zip(targets) {
                let rgb = convert.rgb(*y, *u, *v);
                *a = T::from_colour(rgb[order[0]], scale[0], shift[0]);
                *b = T::from_colour(rgb[order[1]], scale[1], shift[1]);
                *c = T::from_colour(rgb[order[2]], scale[2], shift[2]);
            }
        }
    }
}

/// `region` within the picture and at least two pixels large; the whole picture where nothing is left.
fn cut(size: Size, region: NormRect) -> NormRect {
    let region = region.clamped();
    let large =
        region.width() * size.width as f32 >= 2.0 && region.height() * size.height as f32 >= 2.0;
    if large { region } else { NormRect::FULL }
}

/// Start and length along one axis of a plane, in its samples. A chroma plane of an odd picture reaches half a sample
/// beyond it: what counts are the picture's pixels.
fn span(from: f32, to: f32, pixels: u32, samples: usize) -> (f64, f64) {
    let subsampled = samples as u32 != pixels;
    let per_picture = if subsampled {
        f64::from(pixels) / 2.0
    } else {
        f64::from(pixels)
    };
    let start = f64::from(from) * per_picture;
    let length = (f64::from(to) * per_picture - start).min(samples as f64 - start);
    (start, length)
}

/// A plane's stride in pixels of `pixel` bytes and its memory from its first byte, whole rows to the last.
fn strided<'a>(
    frame: &'a Frame,
    plane: Plane,
    pixel: usize,
    copy: &'a mut Vec<u8>,
) -> (usize, &'a [u8]) {
    let bytes = &frame.data[plane.offset..];
    if bytes.len() >= plane.stride * plane.height && plane.stride.is_multiple_of(pixel) {
        return (plane.stride / pixel, bytes);
    }
    copy.clear();
    for row in bytes.chunks(plane.stride).take(plane.height) {
        copy.extend_from_slice(&row[..plane.width * pixel]);
    }
    (plane.width, copy)
}

/// Whether the planes are where the frame says and as large as its layout demands.
fn check(frame: &Frame) -> Result<(), InferError> {
    let (width, height) = (frame.size.width as usize, frame.size.height as usize);
    let halves = (width.div_ceil(2), height.div_ceil(2));
    let pairs = usize::from(frame.layout == PixelLayout::Nv12) + 1;
    let expected = [
        (width, height, 1),
        (halves.0, halves.1, pairs),
        (halves.0, halves.1, pairs),
    ];
    for (plane, (width, height, pixel)) in frame.planes.iter().zip(expected) {
        let end = (height.max(1) - 1)
            .checked_mul(plane.stride)
            .and_then(|rows| rows.checked_add(plane.offset)?.checked_add(width * pixel));
        let inside =
            end.is_some_and(|end| end <= frame.data.len()) && plane.stride >= width * pixel;
        if width == 0 || (plane.width, plane.height) != (width, height) || !inside {
            return Err(InferError::BadFrame(format!(
                "{}x{} with a plane of {}x{} at stride {} in {} bytes",
                frame.size.width,
                frame.size.height,
                plane.width,
                plane.height,
                plane.stride,
                frame.data.len()
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "preprocess_tests.rs"]
mod tests;

//! Pictures of an incident: what a person looks at first.
//!
//! In: a decoded frame and the subject's box. Out: JPEG bytes. The luma and chroma planes are scaled before they become
//! RGB, so the cost follows the picture's size, not the camera's.

use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image, ImageRef},
};
use image::{ExtendedColorType, codecs::jpeg::JpegEncoder};

use super::ClipError;
use crate::{
    base::colour::YuvToRgb,
    flow::{Frame, NormRect, PixelLayout, Plane, Size},
};

/// JPEG quality, 1..100.
const QUALITY: u8 = 80;
/// A crop is at most this high, in pixels.
const CROP_HEIGHT: u32 = 480;
/// A crop shows this share of the subject's width and height around it on every side.
const CROP_MARGIN: f32 = 0.15;
/// Colour of the box: signal orange, which clothes, plants and stone rarely have.
const BOX_COLOUR: [u8; 3] = [255, 106, 0];

/// The whole picture as JPEG, at most `max_width` pixels wide and never enlarged, with a box around the subject.
///
/// # Errors
/// When the frame has no usable size.
pub fn thumbnail(
    frame: &Frame,
    subject: Option<NormRect>,
    max_width: u32,
) -> Result<Vec<u8>, ClipError> {
    let width = frame.size.width.min(max_width).max(1);
    let mut picture = scaled(frame, NormRect::FULL, fitting(frame.size, width))?;
    if let Some(rect) = subject
        .map(|rect| rect.clamped())
        .filter(NormRect::is_sound)
    {
        picture.draw_box(rect);
    }
    picture.jpeg(frame)
}

/// The subject with a margin as JPEG, at most 480 pixels high and never enlarged.
///
/// # Errors
/// When the frame has no usable size, or the subject lies outside it.
pub fn crop(frame: &Frame, subject: NormRect) -> Result<Vec<u8>, ClipError> {
    let area = subject.grown(CROP_MARGIN).clamped();
    if !area.is_sound() {
        return Err(failed(frame, "the box to cut out lies outside it"));
    }
    let source = Size::new(
        (area.width() * frame.size.width as f32).round() as u32,
        (area.height() * frame.size.height as f32).round() as u32,
    );
    let height = source.height.clamp(1, CROP_HEIGHT);
    let width = scale(source.width.max(1), height, source.height.max(1));
    scaled(frame, area, Size::new(width, height))?.jpeg(frame)
}

/// The size of `width` with the aspect ratio of `size`.
fn fitting(size: Size, width: u32) -> Size {
    Size::new(width, scale(size.height, width, size.width.max(1)))
}

/// `length` times `to` over `from`, at least one.
fn scale(length: u32, to: u32, from: u32) -> u32 {
    let exact = f64::from(length) * f64::from(to) / f64::from(from);
    (exact.round() as u32).max(1)
}

fn failed(frame: &Frame, why: impl ToString) -> ClipError {
    ClipError::Picture {
        width: frame.size.width,
        height: frame.size.height,
        why: why.to_string(),
    }
}

/// RGB, eight bits each.
struct Picture {
    size: Size,
    pixels: Vec<u8>,
}

/// The part `area` of the frame at `size`.
fn scaled(frame: &Frame, area: NormRect, size: Size) -> Result<Picture, ClipError> {
    let mut resizer = Resizer::new();
    let mut plane = |plane: Plane, pixel: PixelType| {
        let samples = packed(frame, plane, pixel);
        let (width, height) = (plane.width as u32, plane.height as u32);
        let source = ImageRef::new(width, height, &samples, pixel).map_err(|e| failed(frame, e))?;
        let mut target = Image::new(size.width, size.height, pixel);
        // Single precision may end a hair outside the picture, which the resizer refuses.
        let part = |from: f32, to: f32, length: u32| {
            let (from, to) = (
                f64::from(from) * f64::from(length),
                f64::from(to) * f64::from(length),
            );
            (from, (to - from).min(f64::from(length) - from))
        };
        let (left, wide) = part(area.x0, area.x1, width);
        let (top, high) = part(area.y0, area.y1, height);
        let options = ResizeOptions::new()
            .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
            .crop(left, top, wide, high);
        resizer
            .resize(&source, &mut target, &options)
            .map_err(|e| failed(frame, e))?;
        Ok(target.into_vec())
    };
    let luma = plane(frame.planes[0], PixelType::U8)?;
    let chroma: Vec<(u8, u8)> = match frame.layout {
        PixelLayout::I420 => {
            let u = plane(frame.planes[1], PixelType::U8)?;
            u.into_iter()
                .zip(plane(frame.planes[2], PixelType::U8)?)
                .collect()
        }
        PixelLayout::Nv12 => plane(frame.planes[1], PixelType::U8x2)?
            .chunks_exact(2)
            .map(|pair| (pair[0], pair[1]))
            .collect(),
    };
    let colours = YuvToRgb::of(frame);
    let pixels = luma
        .iter()
        .zip(&chroma)
        .flat_map(|(&y, &(u, v))| colours.rgb(y, u, v))
        .collect();
    Ok(Picture { size, pixels })
}

/// A plane without the padding at the end of its rows.
fn packed(frame: &Frame, plane: Plane, pixel: PixelType) -> Vec<u8> {
    let row = plane.width * pixel.size();
    let rows = frame.data[plane.offset..].chunks(plane.stride.max(1));
    rows.take(plane.height)
        .flat_map(|bytes| &bytes[..row])
        .copied()
        .collect()
}

impl Picture {
    /// Draws the outline of `rect` inwards, two pixels wide, three on larger pictures.
    fn draw_box(&mut self, rect: NormRect) {
        const LARGE: u32 = 480;
        let Size { width, height } = self.size;
        let line = if width >= LARGE { 3 } else { 2 };
        let pixel = |share: f32, length: u32| ((share * length as f32) as u32).min(length - 1);
        let (left, right) = (pixel(rect.x0, width), pixel(rect.x1, width));
        let (top, bottom) = (pixel(rect.y0, height), pixel(rect.y1, height));
        for y in top..=bottom {
            for x in left..=right {
                let inside = (x >= left + line && x + line <= right)
                    && (y >= top + line && y + line <= bottom);
                if !inside {
                    let at = 3 * (y as usize * width as usize + x as usize);
                    self.pixels[at..at + 3].copy_from_slice(&BOX_COLOUR);
                }
            }
        }
    }

    fn jpeg(&self, frame: &Frame) -> Result<Vec<u8>, ClipError> {
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, QUALITY)
            .encode(
                &self.pixels,
                self.size.width,
                self.size.height,
                ExtendedColorType::Rgb8,
            )
            .map_err(|e| failed(frame, e))?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use image::{ImageFormat, Rgb, RgbImage};

    use super::*;
    use crate::flow::{ColourMatrix, ColourRange, MediaTime, StreamRole};

    /// A frame that is dark grey on the left half and red on the right, rows padded to a multiple of 64.
    fn frame(size: Size, layout: PixelLayout) -> Frame {
        let (w, h) = (size.width as usize, size.height as usize);
        let (half, rows) = (w.div_ceil(2), h.div_ceil(2));
        let padded = |width: usize| width.next_multiple_of(64);
        let mut data = Vec::new();
        let mut plane =
            |width: usize, height: usize, step: usize, left: [u8; 2], right: [u8; 2]| {
                let stride = padded(width * step);
                let offset = data.len();
                for _ in 0..height {
                    for x in 0..width {
                        let value = if x < width / 2 { left } else { right };
                        data.extend_from_slice(&value[..step]);
                    }
                    data.resize(data.len() + stride - width * step, 0xee);
                }
                Plane {
                    offset,
                    stride,
                    width,
                    height,
                }
            };
        let luma = plane(w, h, 1, [60, 0], [81, 0]);
        let planes = match layout {
            PixelLayout::I420 => [
                luma,
                plane(half, rows, 1, [128, 0], [90, 0]),
                plane(half, rows, 1, [128, 0], [240, 0]),
            ],
            PixelLayout::Nv12 => {
                let both = plane(half, rows, 2, [128, 128], [90, 240]);
                [luma, both, both]
            }
        };
        Frame {
            time: MediaTime::ZERO,
            arrived: MediaTime::ZERO,
            stream: StreamRole::Sub,
            key: true,
            size,
            layout,
            range: ColourRange::Video,
            matrix: ColourMatrix::Bt601,
            planes,
            data: Bytes::from(data),
        }
    }

    fn read(jpeg: &[u8]) -> RgbImage {
        image::load_from_memory_with_format(jpeg, ImageFormat::Jpeg)
            .unwrap()
            .to_rgb8()
    }

    fn close(pixel: &Rgb<u8>, colour: [u8; 3]) -> bool {
        pixel.0.iter().zip(colour).all(|(&a, b)| a.abs_diff(b) < 40)
    }

    #[test]
    fn a_thumbnail_keeps_aspect_and_colours_in_both_layouts() {
        for layout in [PixelLayout::I420, PixelLayout::Nv12] {
            let picture =
                read(&thumbnail(&frame(Size::new(1280, 720), layout), None, 640).unwrap());
            assert_eq!(picture.dimensions(), (640, 360));
            assert!(close(picture.get_pixel(100, 180), [51, 51, 51]));
            assert!(close(picture.get_pixel(500, 180), [255, 0, 0]));
        }
    }

    #[test]
    fn a_small_picture_is_not_enlarged() {
        let small = frame(Size::new(322, 182), PixelLayout::I420);
        assert_eq!(
            read(&thumbnail(&small, None, 640).unwrap()).dimensions(),
            (322, 182)
        );
    }

    #[test]
    fn the_subject_is_framed() {
        let scene = frame(Size::new(1280, 720), PixelLayout::I420);
        let subject = NormRect::new(0.1, 0.25, 0.3, 0.75);
        let picture = read(&thumbnail(&scene, Some(subject), 640).unwrap());
        for (x, y) in [(65, 180), (191, 180), (128, 91), (128, 269)] {
            assert!(
                close(picture.get_pixel(x, y), BOX_COLOUR),
                "{x} {y} {:?}",
                picture.get_pixel(x, y)
            );
        }
        assert!(
            close(picture.get_pixel(128, 180), [51, 51, 51]),
            "not filled"
        );
        // A box that a detector guessed beyond the edge still closes.
        let beyond = NormRect::new(-0.2, -0.2, 0.5, 1.4);
        let picture = read(&thumbnail(&scene, Some(beyond), 640).unwrap());
        assert!(close(picture.get_pixel(1, 180), BOX_COLOUR));
        assert!(close(picture.get_pixel(100, 358), BOX_COLOUR));
    }

    #[test]
    fn a_crop_is_the_subject_with_a_margin() {
        let scene = frame(Size::new(1920, 1080), PixelLayout::Nv12);
        let picture = read(&crop(&scene, NormRect::new(0.6, 0.1, 0.7, 0.9)).unwrap());
        // 192x864 pixels grow by 15 % on each side: 250x1080 (cut at the edge) becomes 480 high.
        assert_eq!(picture.height(), 480);
        assert!(
            (picture.width() as i32 - 111).abs() <= 1,
            "{}",
            picture.width()
        );
        assert!(close(picture.get_pixel(50, 240), [255, 0, 0]));
        let error = crop(&scene, NormRect::new(1.5, 0.1, 1.7, 0.9)).unwrap_err();
        assert!(error.to_string().contains("outside"), "{error}");
    }

    #[test]
    fn one_pixel_of_a_subject_is_enough() {
        let scene = frame(Size::new(64, 48), PixelLayout::I420);
        let speck = NormRect::new(0.5, 0.5, 0.501, 0.501);
        assert_eq!(read(&crop(&scene, speck).unwrap()).dimensions(), (1, 1));
        assert!(thumbnail(&scene, Some(speck), 640).is_ok());
    }
}

//! Small renditions of pictures: what a card of the page shows. A page of incidents weighs a quarter of what the pictures weigh, which
//! counts where the page is opened over a slow link.
//!
//! In: JPEG as a box has sent it. Out: JPEG of a few kilobytes, made once and kept in memory. One is made at a time, off the async
//! workers; a picture that cannot be read, or is small already, is handed on as it is.

use std::{collections::VecDeque, io::Cursor, sync::Arc};

use bytes::Bytes;
use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image, ImageRef},
};
use image::{
    DynamicImage, ExtendedColorType, ImageFormat, ImageReader, Limits, codecs::jpeg::JpegEncoder,
};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

/// Width, in pixels: a card on a screen of ordinary density.
const WIDTH: u32 = 384;
/// JPEG quality, 1..100.
const QUALITY: u8 = 60;
/// Largest picture that is made smaller, in bytes; those of a box have at most a tenth of it.
pub(super) const LARGEST: usize = 2 * 1024 * 1024;
/// Longest side of a picture that is read, in pixels.
const LONGEST_SIDE: u32 = 8192;
/// Memory that reading one may take.
const MEMORY: u64 = 64 * 1024 * 1024;
/// Bytes of renditions that are kept.
const KEPT: usize = 6 * 1024 * 1024;

/// Renditions by name, the newest last.
#[derive(Default)]
struct Kept {
    all: VecDeque<(String, Bytes)>,
    bytes: usize,
}

impl Kept {
    fn get(&self, name: &str) -> Option<Bytes> {
        let found = self.all.iter().find(|(known, _)| known == name);
        found.map(|(_, jpeg)| jpeg.clone())
    }

    fn put(&mut self, name: String, jpeg: Bytes) {
        self.bytes += jpeg.len();
        self.all.push_back((name, jpeg));
        while self.bytes > KEPT
            && let Some((_, oldest)) = self.all.pop_front()
        {
            self.bytes -= oldest.len();
        }
    }
}

/// Makes and keeps renditions. Cheap to clone.
#[derive(Clone)]
pub(in crate::hub) struct Small {
    kept: Arc<Mutex<Kept>>,
    one: Arc<Semaphore>,
}

impl Default for Small {
    fn default() -> Self {
        Self {
            kept: Arc::default(),
            one: Arc::new(Semaphore::new(1)),
        }
    }
}

impl Small {
    /// The rendition that was kept under `name`, which changes with the picture.
    pub(super) fn kept(&self, name: &str) -> Option<Bytes> {
        self.kept.lock().get(name)
    }

    /// The small rendition of `jpeg`, kept under `name`.
    pub(super) async fn make(&self, name: String, jpeg: Bytes) -> Bytes {
        let Ok(_turn) = self.one.acquire().await else {
            return jpeg;
        };
        if let Some(kept) = self.kept(&name) {
            return kept;
        }
        let whole = jpeg.clone();
        let made = tokio::task::spawn_blocking(move || smaller(&whole)).await;
        let small = match made {
            Ok(Some(small)) => Bytes::from(small),
            _ => jpeg,
        };
        self.kept.lock().put(name, small.clone());
        small
    }
}

/// A smaller `jpeg`; none where it cannot be read or would not be smaller.
fn smaller(jpeg: &[u8]) -> Option<Vec<u8>> {
    let mut reader = ImageReader::with_format(Cursor::new(jpeg), ImageFormat::Jpeg);
    let mut limits = Limits::default();
    limits.max_image_width = Some(LONGEST_SIDE);
    limits.max_image_height = Some(LONGEST_SIDE);
    limits.max_alloc = Some(MEMORY);
    reader.limits(limits);
    let whole: image::RgbImage = match reader.decode().ok()? {
        DynamicImage::ImageRgb8(rgb) => rgb,
        other => other.to_rgb8(),
    };
    let (width, height) = whole.dimensions();
    if width <= WIDTH || height == 0 {
        return None;
    }
    let high = (u64::from(height) * u64::from(WIDTH)).div_ceil(u64::from(width));
    let high = u32::try_from(high).ok()?;
    let source = ImageRef::new(width, height, whole.as_raw(), PixelType::U8x3).ok()?;
    let mut target = Image::new(WIDTH, high, PixelType::U8x3);
    let how = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    Resizer::new().resize(&source, &mut target, &how).ok()?;
    let mut small = Vec::new();
    JpegEncoder::new_with_quality(&mut small, QUALITY)
        .encode(target.buffer(), WIDTH, high, ExtendedColorType::Rgb8)
        .ok()?;
    (small.len() < jpeg.len()).then_some(small)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clip,
        flow::{MediaTime, NormRect},
        testing::models::Painter,
    };

    fn picture(width: u32, height: u32) -> Bytes {
        let painter = Painter::new(width, height);
        let frame = painter.frame(MediaTime::ZERO, |x, y| {
            [(40 + (x * 7 + y * 13) % 160) as u8, 120, 136]
        });
        let rect = NormRect::new(0.2, 0.2, 0.5, 0.8);
        clip::thumbnail(&frame, Some(rect), 640).unwrap().into()
    }

    #[tokio::test]
    async fn a_card_gets_a_picture_of_its_own_size_once() {
        let (small, whole) = (Small::default(), picture(1280, 720));
        let made = small.make("a 1".to_owned(), whole.clone()).await;
        let read = image::load_from_memory_with_format(&made, ImageFormat::Jpeg).unwrap();
        assert_eq!((read.width(), read.height()), (384, 216));
        assert!(
            made.len() * 2 < whole.len(),
            "{} of {}",
            made.len(),
            whole.len()
        );
        assert_eq!(small.kept("a 1"), Some(made.clone()));
        let again = small
            .make("a 1".to_owned(), Bytes::from_static(b"other"))
            .await;
        assert_eq!(again, made);
    }

    #[tokio::test]
    async fn what_is_small_or_no_picture_is_handed_on() {
        let small = Small::default();
        let little = picture(320, 180);
        assert_eq!(small.make("a".to_owned(), little.clone()).await, little);
        let none = Bytes::from_static(b"no picture");
        assert_eq!(small.make("b".to_owned(), none.clone()).await, none);
    }

    #[test]
    fn what_is_kept_has_a_bound() {
        let mut kept = Kept::default();
        for n in 0..100 {
            kept.put(n.to_string(), Bytes::from(vec![0; 100_000]));
        }
        assert!(kept.bytes <= KEPT && kept.get("99").is_some() && kept.get("0").is_none());
    }
}

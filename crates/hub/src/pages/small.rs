//! Small renditions of pictures: what a card of the page shows. A page of incidents weighs a quarter of what the pictures weigh, which
//! counts where the page is opened over a slow link.
//!
//! In: JPEG as a box has sent it. Out: JPEG of a few kilobytes, made once and kept in memory. A thread of its own makes one after the
//! other; a picture that cannot be read, is small already, or would have to wait behind too many others is handed on as it is.

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
use tokio::sync::{mpsc, oneshot};

use crate::base::tasks::Tasks;

/// Width, in pixels: enough to recognise who came; where the link is quick the page fetches the whole picture next.
const WIDTH: u32 = 256;
/// JPEG quality, 1..100.
const QUALITY: u8 = 50;
/// Largest picture that is made smaller, in bytes; those of a box have at most a tenth of it.
pub(super) const LARGEST: usize = 2 * 1024 * 1024;
/// Longest side of a picture that is read, in pixels.
const LONGEST_SIDE: u32 = 8192;
/// Memory that reading one may take.
const MEMORY: u64 = 64 * 1024 * 1024;
/// Bytes of renditions that are kept.
const KEPT: usize = 6 * 1024 * 1024;
/// Pictures that may wait to be made smaller.
const WAITING: usize = 32;

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
        if self.get(&name).is_some() {
            return;
        }
        self.bytes += jpeg.len();
        self.all.push_back((name, jpeg));
        while self.bytes > KEPT
            && let Some((_, oldest)) = self.all.pop_front()
        {
            self.bytes -= oldest.len();
        }
    }
}

/// A picture to make smaller, and who waits for it.
type Order = (Bytes, oneshot::Sender<Option<Vec<u8>>>);

/// Makes and keeps renditions. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Small {
    kept: Arc<Mutex<Kept>>,
    orders: mpsc::Sender<Order>,
}

impl Small {
    /// Starts the thread; it ends with `tasks`.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub(crate) fn start(tasks: &Tasks) -> std::io::Result<Self> {
        let (orders, mut queue) = mpsc::channel::<Order>(WAITING);
        let (stop, runtime) = (tasks.token().clone(), tasks.runtime().clone());
        tasks.thread("small-pictures", move || {
            loop {
                let next = runtime.block_on(async {
                    tokio::select! {
                        () = stop.cancelled() => None,
                        next = queue.recv() => next,
                    }
                });
                let Some((jpeg, answer)) = next else { return };
                let _ = answer.send(smaller(&jpeg));
            }
        })?;
        Ok(Self {
            kept: Arc::default(),
            orders,
        })
    }

    /// The rendition that was kept under `name`, which changes with the picture.
    pub(super) fn kept(&self, name: &str) -> Option<Bytes> {
        self.kept.lock().get(name)
    }

    /// The small rendition of `jpeg`, kept under `name`.
    pub(super) async fn make(&self, name: String, jpeg: Bytes) -> Bytes {
        let (answer, answered) = oneshot::channel();
        if self.orders.try_send((jpeg.clone(), answer)).is_err() {
            return jpeg;
        }
        let small = match answered.await {
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

    fn picture(width: u32, height: u32) -> Bytes {
        let grey = |x, y| image::Rgb([(40 + (x * 7 + y * 13) % 160) as u8, 120, 136]);
        let mut jpeg = Vec::new();
        JpegEncoder::new_with_quality(&mut jpeg, 80)
            .encode_image(&image::RgbImage::from_fn(width, height, grey))
            .unwrap();
        jpeg.into()
    }

    fn small() -> (Small, Tasks) {
        let runtime = tokio::runtime::Handle::current();
        let tasks = Tasks::new(runtime, tokio_util::sync::CancellationToken::new());
        (Small::start(&tasks).unwrap(), tasks)
    }

    #[tokio::test]
    async fn a_card_gets_a_picture_of_its_own_size() {
        let ((small, tasks), whole) = (small(), picture(1280, 720));
        let made = small.make("a 1".to_owned(), whole.clone()).await;
        let read = image::load_from_memory_with_format(&made, ImageFormat::Jpeg).unwrap();
        assert_eq!((read.width(), read.height()), (256, 144));
        assert!(
            made.len() * 2 < whole.len(),
            "{} of {}",
            made.len(),
            whole.len()
        );
        assert_eq!(small.kept("a 1"), Some(made));
        tasks.token().cancel();
    }

    #[tokio::test]
    async fn what_is_small_or_no_picture_is_handed_on() {
        let (small, tasks) = small();
        let little = picture(240, 180);
        assert_eq!(small.make("a".to_owned(), little.clone()).await, little);
        let none = Bytes::from_static(b"no picture");
        assert_eq!(small.make("b".to_owned(), none.clone()).await, none);
        tasks.token().cancel();
        // Without the thread too.
        while !small.orders.is_closed() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        let whole = picture(1280, 720);
        assert_eq!(small.make("c".to_owned(), whole.clone()).await, whole);
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

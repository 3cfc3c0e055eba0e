//! Models, golden vectors and pictures for tests.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::{
    config::ModelsConfig,
    flow::{
        ColourMatrix, ColourRange, Detection, Frame, Label, MediaTime, NormRect, PixelLayout,
        Plane, Size, StreamRole,
    },
};

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The repository's folder of models.
#[must_use]
pub fn dir() -> PathBuf {
    checkout().join("models")
}

/// The models as configured by default, wherever the test runs.
#[must_use]
pub fn config() -> ModelsConfig {
    require();
    ModelsConfig {
        dir: dir(),
        ..ModelsConfig::default()
    }
}

/// Says what to do where the inference library is missing. It is part of the set-up: tests do not pass without.
///
/// # Panics
/// When it is missing.
pub fn require() {
    let vendored = checkout().join("vendor/onnxruntime/lib/libonnxruntime.so");
    assert!(
        env::var_os("ORT_DYLIB_PATH").is_some() || vendored.exists(),
        "these tests need ONNX Runtime: run `make setup` first, or set ORT_DYLIB_PATH"
    );
}

/// The example card `name` of the models' README.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn example_card(name: &str) -> String {
    let text = fs::read_to_string(dir().join("README.md")).unwrap_or_default();
    let wanted = format!("name = \"{name}\"");
    text.split("```toml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .find(|card| card.lines().any(|line| line == wanted))
        .unwrap_or_else(|| panic!("models/README.md has no card {name}"))
        .to_owned()
}

/// A file that lies beside the checkout on some machines and is no part of it. Tests that need one are ignored unless
/// `make test` finds it.
///
/// # Panics
/// When it is missing.
#[must_use]
pub fn beside(path: &str) -> PathBuf {
    let path = checkout().join("../shared").join(path);
    assert!(path.exists(), "{} is missing", path.display());
    path
}

/// A golden vector of the models' recipe.
///
/// # Panics
/// When it is missing or has another form.
#[must_use]
pub fn golden<T: DeserializeOwned>(name: &str) -> T {
    let path = dir().join("golden").join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!(
            "{} cannot be read ({error}): fetch it again with `git checkout`",
            path.display()
        )
    });
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Boxes as detections; class `n` becomes the label with that number.
///
/// # Panics
/// When there is no such label.
pub fn as_detections(boxes: impl Iterator<Item = ([f32; 4], f32, usize)>) -> Vec<Detection> {
    boxes
        .map(|([x0, y0, x1, y1], score, class)| Detection {
            rect: NormRect::new(x0, y0, x1, y1),
            label: Label::ALL[class],
            score,
            clothes: None,
        })
        .collect()
}

/// Colours by pixel: `paint(x, y)` gives Y, U and V.
pub struct Painter {
    /// Size in pixels.
    pub size: Size,
    /// How chroma is stored.
    pub layout: PixelLayout,
    /// What the numbers mean.
    pub range: ColourRange,
    /// Bytes at the end of each row that belong to no pixel. They are filled with 255.
    pub slack: usize,
}

impl Painter {
    /// I420 in video range without slack: what most decoders give.
    #[must_use]
    pub fn new(width: u32, height: u32) -> Self {
        Self {
            size: Size::new(width, height),
            layout: PixelLayout::I420,
            range: ColourRange::Video,
            slack: 0,
        }
    }

    /// A picture at `time`. Chroma is taken at the upper left pixel of each two by two. The last row has no slack.
    pub fn frame(&self, time: MediaTime, paint: impl Fn(usize, usize) -> [u8; 3]) -> Frame {
        let (width, height) = (self.size.width as usize, self.size.height as usize);
        let halves = (width.div_ceil(2), height.div_ceil(2));
        let mut data = Vec::new();
        let mut plane =
            |width: usize, height: usize, pixel: usize, value: &dyn Fn(usize, usize) -> u8| {
                let offset = data.len();
                for y in 0..height {
                    data.extend((0..width * pixel).map(|x| value(x, y)));
                    data.resize(data.len() + self.slack, 255);
                }
                Plane {
                    offset,
                    stride: width * pixel + self.slack,
                    width,
                    height,
                }
            };
        let luma = plane(width, height, 1, &|x, y| paint(x, y)[0]);
        let planes = match self.layout {
            PixelLayout::I420 => {
                let u = plane(halves.0, halves.1, 1, &|x, y| paint(2 * x, 2 * y)[1]);
                let v = plane(halves.0, halves.1, 1, &|x, y| paint(2 * x, 2 * y)[2]);
                [luma, u, v]
            }
            PixelLayout::Nv12 => {
                let uv = plane(halves.0, halves.1, 2, &|x, y| {
                    paint(2 * (x / 2), 2 * y)[1 + x % 2]
                });
                [luma, uv, uv]
            }
        };
        data.truncate(data.len() - self.slack);
        Frame {
            time,
            arrived: time,
            stream: StreamRole::Sub,
            key: true,
            size: self.size,
            layout: self.layout,
            range: self.range,
            matrix: ColourMatrix::Bt601,
            planes,
            data: Bytes::from(data),
        }
    }
}

/// The picture of the golden vectors as a decoder would give it.
///
/// # Panics
/// When it is missing.
#[must_use]
pub fn golden_picture() -> Frame {
    photograph(&dir().join("golden/picture.jpg"))
}

/// A photograph as a decoder would give it.
///
/// # Panics
/// When it is missing.
#[must_use]
pub fn photograph(path: &Path) -> Frame {
    let picture = image::open(path)
        .unwrap_or_else(|error| {
            panic!(
                "{} cannot be read ({error}): fetch it again with `git checkout`",
                path.display()
            )
        })
        .to_rgb8();
    let painter = Painter::new(picture.width(), picture.height());
    painter.frame(MediaTime::ZERO, |x, y| {
        let [r, g, b] = picture.get_pixel(x as u32, y as u32).0.map(f32::from);
        let luma = 16.0 + (65.481 * r + 128.553 * g + 24.966 * b) / 255.0;
        let u = 128.0 + (-37.797 * r - 74.203 * g + 112.0 * b) / 255.0;
        let v = 128.0 + (112.0 * r - 93.786 * g - 18.214 * b) / 255.0;
        [luma, u, v].map(|value| value.round() as u8)
    })
}

//! Model cards: the small TOML file beside each model that says what it is and how to feed and read it.
//!
//! A card names its file and the file's sha256; a model is only ever loaded from bytes that were checked against it.

use std::{fmt, fs, path::PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::{
    flow::{Label, Size},
    infer::InferError,
};

/// What a model is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// Foreground against a background that is learnt as it goes.
    Motion,
    /// Boxes of persons and other classes.
    Person,
}

/// What a model computes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 8-bit integers: fast where the processor has dot products for them.
    Int8,
    /// 32-bit floats.
    Float,
}

/// Order of the colour planes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Colour {
    Bgr,
    Rgb,
    Luma,
}

/// Type of the input's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Element {
    Float32,
    Uint8,
}

/// How a picture becomes as large as the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resize {
    /// Its aspect ratio is kept, the rest is padded.
    Letterbox,
    /// It fills the input.
    Stretch,
}

/// Where a letterboxed picture lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Anchor {
    #[default]
    TopLeft,
    Centre,
}

/// Order of the input's axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// Batch, plane, row, column.
    Nchw,
}

/// The input that takes the picture.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Its name in the graph.
    pub name: String,
    /// Order of axes.
    pub layout: Layout,
    /// Order of planes.
    pub colour: Colour,
    /// Type of numbers.
    #[serde(rename = "type")]
    pub element: Element,
    /// Width and height of each size that the model may be run at; see [`Input::size_for`].
    pub sizes: Vec<[u32; 2]>,
    /// How a picture is fitted.
    pub resize: Resize,
    /// Where a letterboxed picture lies.
    #[serde(default)]
    pub anchor: Anchor,
    /// Value of every plane in the padding, 0..255, before normalisation.
    #[serde(default)]
    pub pad: u8,
    /// Subtracted from each plane, 0..255, in the order of `colour`.
    #[serde(default)]
    pub mean: [f32; 3],
    /// Each plane is divided by it after that.
    #[serde(default = "ones")]
    pub std: [f32; 3],
}

fn ones() -> [f32; 3] {
    [1.0; 3]
}

impl Input {
    /// The size nearest in aspect ratio to a picture (by the ratio of the ratios).
    #[must_use]
    pub fn size_for(&self, picture: Size) -> Size {
        let sizes: Vec<Size> = self.sizes().collect();
        picture
            .nearest_shape(&sizes)
            .expect("a card that was read has at least one size")
    }

    /// All sizes.
    pub fn sizes(&self) -> impl Iterator<Item = Size> {
        self.sizes
            .iter()
            .map(|&[width, height]| Size::new(width, height))
    }
}

/// How to read the outputs. Which of the settings a head needs is the head's business (see `infer::heads`).
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadCard {
    /// Name in the table of heads, or `motion`.
    pub kind: String,
    /// Names in the graph, in the head's order.
    pub outputs: Vec<String>,
    /// Input pixels from cell to cell, for each scale.
    #[serde(default)]
    pub strides: Vec<u32>,
    /// Bins of a distance's distribution.
    #[serde(default)]
    pub bins: usize,
    /// Motion: noise variance assumed at the first look.
    pub initial_spread: Option<f32>,
    /// Motion: seconds in which the background follows the picture.
    pub tau_s: Option<f32>,
    /// Motion: share of foreground from which the scene counts as a new one.
    pub new_scene: Option<f32>,
}

#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Labels {
    names: Vec<String>,
}

/// Where detections begin and when two are one.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// Score from which one look is a sighting, 0..1.
    pub score: f32,
    /// Overlap (intersection over union) above which the weaker of two boxes of a class goes.
    pub nms_iou: f32,
}

/// A model's card. Unknown keys are refused.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    pub(super) version: u32,
    /// Name in the configuration; the card is `NAME.toml`.
    pub name: String,
    /// What for.
    pub task: Task,
    /// The model's file, beside the card.
    pub file: String,
    pub(super) sha256: String,
    /// Where it comes from, for people.
    pub origin: String,
    /// Its licence (SPDX expression).
    pub licence: String,
    /// What it computes with.
    pub precision: Precision,
    /// Card of the same model in the other precision.
    pub sibling: Option<String>,
    /// How to feed it.
    pub input: Input,
    /// How to read it.
    pub head: HeadCard,
    #[serde(default)]
    pub(super) labels: Labels,
    thresholds: Option<Thresholds>,
    #[serde(skip)]
    pub(super) dir: PathBuf,
}

impl Card {
    /// The label of each class; none for a class that is of no use here.
    #[must_use]
    pub fn classes(&self) -> Vec<Option<Label>> {
        self.labels
            .names
            .iter()
            .map(|name| name.parse().ok())
            .collect()
    }

    /// Where detections begin and when two are one; a person model's card always has them.
    #[must_use]
    pub fn thresholds(&self) -> Option<Thresholds> {
        self.thresholds
    }

    /// The sha256 of the model's file, in hexadecimal digits.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Where the model's file is.
    #[must_use]
    pub fn model_path(&self) -> PathBuf {
        self.dir.join(&self.file)
    }

    /// The model's bytes, checked against the card.
    ///
    /// # Errors
    /// When the file cannot be read or is not the one that the card tells of.
    pub fn model(&self) -> Result<Vec<u8>, InferError> {
        let path = self.model_path();
        let bytes = fs::read(&path).map_err(|error| InferError::NoModel {
            path: path.clone(),
            reason: error.to_string(),
        })?;
        let found = hex::encode(Sha256::digest(&bytes));
        if found == self.sha256 {
            Ok(bytes)
        } else {
            Err(InferError::Mismatch { path, found })
        }
    }
}

impl fmt::Display for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (task, precision) = match (self.task, self.precision) {
            (Task::Motion, _) => ("motion", ""),
            (Task::Person, Precision::Int8) => ("person", ", int8"),
            (Task::Person, Precision::Float) => ("person", ", float"),
        };
        write!(f, "{} ({task}{precision}, {})", self.name, self.licence)
    }
}

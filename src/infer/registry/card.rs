//! Model cards: the small TOML file beside each model that says what it is and how to feed and read it.
//!
//! A card names its file and the file's sha256; a model is only ever loaded from bytes that were checked against it.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::model_folder;
use crate::{
    flow::{Label, Size},
    infer::{InferError, detect::heads, motion},
};

const VERSION: u32 = 1;

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
struct Labels {
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
    version: u32,
    /// Name in the configuration; the card is `NAME.toml`.
    pub name: String,
    /// What for.
    pub task: Task,
    /// The model's file, beside the card.
    pub file: String,
    sha256: String,
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
    labels: Labels,
    thresholds: Option<Thresholds>,
    #[serde(skip)]
    dir: PathBuf,
}

impl Card {
    /// Reads and checks the card `name` in the folder `dir`.
    ///
    /// # Errors
    /// When there is no such card or it is not valid.
    pub fn read(dir: &Path, name: &str) -> Result<Self, InferError> {
        let path = dir.join(format!("{name}.toml"));
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let names = model_folder::names(dir).join(", ");
                let hint = if names.is_empty() {
                    "set models.dir to the folder of the models, which holds motion.toml and person.toml".to_owned()
                } else {
                    format!("set models.motion or models.person to one of: {names}")
                };
                return Err(InferError::NoCard { path, hint });
            }
            Err(error) => {
                let reason = error.to_string();
                return Err(InferError::BadCard { path, reason });
            }
        };
        Self::parse(dir, name, &text).map_err(|reason| InferError::BadCard { path, reason })
    }

    pub(in crate::infer) fn parse(dir: &Path, name: &str, text: &str) -> Result<Self, String> {
        let mut card: Self = toml::from_str(text)
            .map_err(|error| error.to_string().trim_end().replace('\n', " "))?;
        dir.clone_into(&mut card.dir);
        card.check(name)?;
        Ok(card)
    }

    fn check(&self, name: &str) -> Result<(), String> {
        let fail = |reason: &str| Err(reason.to_owned());
        if self.version != VERSION {
            return Err(format!(
                "version is {}, this program reads {VERSION}",
                self.version
            ));
        }
        if self.name != name {
            return Err(format!(
                "name is \"{}\", but the file's name says \"{name}\"",
                self.name
            ));
        }
        if Path::new(&self.file).components().count() != 1 || self.file.starts_with('.') {
            return fail("file must be a plain name beside the card");
        }
        if self.sha256.len() != 64
            || !self
                .sha256
                .bytes()
                .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        {
            return fail("sha256 must be 64 of 0-9 and a-f");
        }
        let input = &self.input;
        let sound =
            |size: Size| (16..=4096).contains(&size.width) && (16..=4096).contains(&size.height);
        if input.sizes.is_empty() || !input.sizes().all(sound) {
            return fail("input.sizes must hold at least one [width, height] of 16 to 4096 each");
        }
        if !input.mean.iter().all(|m| m.is_finite())
            || !input.std.iter().all(|s| s.is_finite() && *s > 0.0)
        {
            return fail("input.mean must be finite and input.std above zero");
        }
        if input.element == Element::Uint8 && (input.mean != [0.0; 3] || input.std != [1.0; 3]) {
            return fail("an input of type uint8 cannot have mean and std");
        }
        match self.task {
            Task::Motion => self.check_motion(),
            Task::Person => self.check_person(),
        }
    }

    fn check_motion(&self) -> Result<(), String> {
        let (input, head) = (&self.input, &self.head);
        if (input.colour, input.element, input.resize)
            != (Colour::Luma, Element::Uint8, Resize::Stretch)
        {
            return Err(
                "a motion model takes colour \"luma\", type \"uint8\", resize \"stretch\""
                    .to_owned(),
            );
        }
        if head.kind != "motion" {
            return Err("a motion model's head must be of kind \"motion\"".to_owned());
        }
        for name in [motion::BACKGROUND_OUT, motion::SPREAD_OUT, motion::MASK] {
            if !head.outputs.iter().any(|output| output == name) {
                return Err(format!("a motion head needs the output \"{name}\""));
            }
        }
        let positive = |value: Option<f32>| value.is_some_and(|v| v.is_finite() && v > 0.0);
        if !(positive(head.initial_spread) && positive(head.tau_s) && positive(head.new_scene)) {
            return Err(
                "a motion head needs initial_spread, tau_s and new_scene above zero".to_owned(),
            );
        }
        Ok(())
    }

    fn check_person(&self) -> Result<(), String> {
        if self.input.colour == Colour::Luma {
            return Err("a person model takes colour \"bgr\" or \"rgb\"".to_owned());
        }
        let Some(thresholds) = self.thresholds else {
            return Err("a person model needs [thresholds]".to_owned());
        };
        let share = |value: f32| value > 0.0 && value < 1.0;
        if !share(thresholds.score) || !share(thresholds.nms_iou) {
            return Err("thresholds must lie between 0 and 1".to_owned());
        }
        if !self.classes().contains(&Some(Label::Person)) {
            return Err("labels.names must hold \"person\"".to_owned());
        }
        let head = heads::by_name(&self.head.kind)
            .ok_or_else(|| format!("head.kind must be one of: {}", heads::names()))?;
        (head.check)(&self.head)?;
        if let Some(size) = self.input.sizes().find(|size| {
            let uneven = |stride: &u32| size.width % stride != 0 || size.height % stride != 0;
            self.head.strides.iter().any(uneven)
        }) {
            return Err(format!(
                "input size {}x{} is not a multiple of every stride",
                size.width, size.height
            ));
        }
        Ok(())
    }

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

#[cfg(test)]
#[path = "card_tests.rs"]
pub(in crate::infer) mod tests;

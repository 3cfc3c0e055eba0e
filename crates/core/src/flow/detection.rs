//! What a model saw in one picture.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::NormRect;

/// What kind of thing. Names as in COCO.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Label {
    Person,
    Bicycle,
    Car,
    Cat,
    Dog,
}

impl Label {
    /// Every label, in the order of the enum.
    pub const ALL: [Self; 5] = [Self::Person, Self::Bicycle, Self::Car, Self::Cat, Self::Dog];

    /// The name in configuration and on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Bicycle => "bicycle",
            Self::Car => "car",
            Self::Cat => "cat",
            Self::Dog => "dog",
        }
    }
}

impl FromStr for Label {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|l| l.as_str() == text).ok_or(())
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What somebody wears, as far as a few colours tell it: mean luma and chroma of the upper and of the lower body.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Clothes {
    /// Y, U, V of the upper body, then of the lower.
    pub bands: [[f32; 3]; 2],
}

impl Clothes {
    /// Differences in luma and in chroma that mean as much as each other. Between two people of a crowd the mean is about
    /// twice what one person shows from one second to the next.
    const SCALE: [f32; 3] = [40.0, 12.0, 12.0];

    /// How different two are: 0 for the same, around 0.3 for the same person a second later, 0.8 for any two people.
    #[must_use]
    pub fn distance(&self, other: &Self) -> f32 {
        let squares = self.bands.iter().zip(&other.bands).flat_map(|(a, b)| {
            let scaled = |at: usize| ((a[at] - b[at]) / Self::SCALE[at]).powi(2);
            (0..3).map(scaled)
        });
        (squares.sum::<f32>() / 6.0).sqrt()
    }

    /// Moves towards `other` by this share.
    pub fn follow(&mut self, other: &Self, share: f32) {
        for (mine, new) in self
            .bands
            .iter_mut()
            .flatten()
            .zip(other.bands.iter().flatten())
        {
            *mine += share * (new - *mine);
        }
    }
}

/// One box of one look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// Where, in the whole picture.
    pub rect: NormRect,
    /// What.
    pub label: Label,
    /// How sure, 0..1.
    pub score: f32,
    /// What it wears; none where nobody looked.
    pub clothes: Option<Clothes>,
}

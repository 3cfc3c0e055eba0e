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

/// One box of one look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// Where, in the whole picture.
    pub rect: NormRect,
    /// What.
    pub label: Label,
    /// How sure, 0..1.
    pub score: f32,
}

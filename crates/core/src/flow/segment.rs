//! Finished pieces of a clip on disk.

use std::{fmt, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::{IncidentId, MediaTime, StreamRole};

/// One version of a clip's pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rendition {
    /// The watched stream.
    Sub,
    /// The stream of full quality.
    Main,
    /// A re-encoded version that any browser plays.
    Preview,
}

impl Rendition {
    /// The folder's name in object keys.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sub => "sub",
            Self::Main => "main",
            Self::Preview => "preview",
        }
    }
}

impl From<StreamRole> for Rendition {
    fn from(role: StreamRole) -> Self {
        match role {
            StreamRole::Sub => Self::Sub,
            StreamRole::Main => Self::Main,
        }
    }
}

impl fmt::Display for Rendition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What kind of file of a clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaKind {
    /// `init-N.mp4`: the header that media segments need.
    Init,
    /// `NNNNN.m4s`: pictures.
    Media,
}

/// A file of a clip that is whole, on disk and will not change.
#[derive(Debug, Clone, PartialEq)]
pub struct MediaFile {
    /// The incident in whose folder it lies.
    pub incident: IncidentId,
    /// Of which rendition.
    pub rendition: Rendition,
    /// Header or pictures.
    pub kind: MediaKind,
    /// Number within its kind, from 1.
    pub number: u32,
    /// For pictures: the number of the header they need.
    pub init: u32,
    /// Where it is.
    pub path: PathBuf,
    /// Length in bytes.
    pub bytes: u64,
    /// SHA-256 of the content.
    pub sha256: [u8; 32],
    /// Presentation time of its first picture (zero length for a header).
    pub start: MediaTime,
    /// How long it plays.
    pub duration: Duration,
    /// Pictures in it.
    pub frames: u32,
    /// It does not continue the one before: the playlist needs EXT-X-DISCONTINUITY.
    pub discontinuity: bool,
}

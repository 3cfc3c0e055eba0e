//! What the recorder tells of clips and their files, in the order in which it happened on disk.

use super::ClipError;
use crate::flow::{IncidentId, MediaFile, MediaTime, Rendition};

/// What became of clips and their files.
#[derive(Debug)]
pub enum ClipEvent {
    /// A file is on disk, in the folder of the incident that it names, and will not change.
    File(MediaFile),
    /// The clip of `incident` goes on with a file that lies in another incident's folder. `discontinuity` is as this
    /// clip sees it.
    Uses {
        /// Whose clip.
        incident: IncidentId,
        /// The file, told before by [`ClipEvent::File`].
        file: MediaFile,
    },
    /// The clip is complete: no more files will come.
    Closed {
        /// Whose clip.
        incident: IncidentId,
        /// Of which stream.
        rendition: Rendition,
        /// Start of its first picture and end of its last; none where no picture came.
        span: Option<(MediaTime, MediaTime)>,
    },
    /// There will be no clip. Told once, and instead of [`ClipEvent::Closed`].
    Refused {
        /// Whose clip.
        incident: IncidentId,
        /// Of which stream.
        rendition: Rendition,
        /// Why.
        error: ClipError,
    },
    /// A file could not be written.
    Trouble {
        /// In whose folder.
        incident: IncidentId,
        /// Why.
        error: ClipError,
        /// Given up; otherwise it is held and tried again.
        lost: bool,
    },
}

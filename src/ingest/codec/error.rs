//! Why there is no frame.

use crate::ingest::IngestError;

/// Why there is no picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// No decoder.
    #[error(transparent)]
    Missing(#[from] IngestError),
    /// The decoder does not take this stream at all.
    #[error(
        "the decoder refuses this {codec} stream: set the camera to H.264 or H.265, 8 bit, 4:2:0"
    )]
    Refused {
        /// The codec's name for people.
        codec: String,
    },
    /// This unit is damaged.
    #[error("a damaged picture was left out; if this goes on, check the camera's network")]
    Corrupt,
}

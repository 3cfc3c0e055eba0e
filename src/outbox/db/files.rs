//! Files that must survive a power cut, with the errors of this room: [`crate::base::durable`] writes them.

use std::path::Path;

use crate::base::durable::{self, Flush};
use crate::outbox::OutboxError;

/// Makes `dir` and what is missing above it, and flushes each folder that got a new entry.
///
/// # Errors
/// When the system refuses.
pub(in crate::outbox) fn make_dir(dir: &Path) -> Result<(), OutboxError> {
    durable::make_dir(dir).map_err(|error| OutboxError::file(dir, "created", error))
}

/// Puts `bytes` at `path`, whole or not at all.
pub(in crate::outbox) fn write(path: &Path, bytes: &[u8], flush: Flush) -> Result<(), OutboxError> {
    durable::write_pieces(path, [bytes], flush)
        .map_err(|error| OutboxError::file(path, "written", error))
}

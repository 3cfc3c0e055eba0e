//! From packets to the files of a clip.
//!
//! | file | what it does |
//! |---|---|
//! | `recorder` | one stream of one camera: which incidents want what of it |
//! | `open_clip` | one incident's clip of one stream |
//! | `segments` | where it is cut, and decode times |
//! | `write_queue` | files on their way to disk, held while it refuses |
//! | `files` | files that are whole or not there |

pub(super) mod files;
mod open_clip;
pub(super) mod recorder;
pub(super) mod segments;
mod write_queue;

//! The last seconds of a stream as it came: `preroll` for clips, `ring` for other uses, and where a
//! stream is continuous (`continuity`).

pub(super) mod continuity;
pub(super) mod preroll;
pub(super) mod ring;

//! What the bytes of a stream say: whole access units out of what demuxers and depayloaders give, where
//! decoding can begin, and when each frame is shown.
//!
//! | file | what it does |
//! |---|---|
//! | `nal`, `parameter_sets`, `picture_order` | what the headers of NAL units say, in which order frames are shown; pure |
//! | `bits` | reads those headers; pure |
//! | `presentation_order` | presentation times where they are missing; pure |
//! | `unit`, `parser` | access units with their format |
//! | `keyframe_gate` | where a run of packets may begin; pure |

mod bits;
pub(super) mod keyframe_gate;
pub(super) mod nal;
mod parameter_sets;
pub(super) mod parser;
mod picture_order;
mod presentation_order;
#[cfg(test)]
mod presentation_order_tests;
pub(super) mod unit;

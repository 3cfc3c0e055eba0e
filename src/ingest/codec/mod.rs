//! From access units to frames and back, on the caller's thread.
//!
//! | file | what it does |
//! |---|---|
//! | `sync_pipeline` | a chain of GStreamer's elements that works synchronously |
//! | `decoder`, `engine` | one decoder, and the elements of which it is made |
//! | `hw_select`, `software` | which element decodes: hardware that has passed a trial, or software |
//! | `error` | why there is no frame |
//! | `idle_decoders` | decoders that no stream needs at the moment |
//! | `rotation`, `privacy_mask` | what is done to a frame before anybody sees it |
//! | `encoder` | H.264 out of frames |

pub(super) mod decoder;
pub(super) mod encoder;
pub(super) mod engine;
pub(super) mod error;
pub(super) mod hw_select;
pub(super) mod idle_decoders;
pub(super) mod privacy_mask;
pub(super) mod rotation;
mod software;
pub(super) mod sync_pipeline;

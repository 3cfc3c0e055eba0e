//! The models at work: `service` starts a thread for each, `client` is one camera's way to both,
//! `inference_worker` decides whose request is next, and `spare_turns` when a camera may ask though
//! nothing moves.

pub(super) mod client;
pub(super) mod inference_worker;
pub(super) mod service;
mod spare_turns;

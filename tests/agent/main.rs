//! The real program and what is around it, each a process of its own: what arrives is read by programs that this project did not write.
//!
//! One program for all of these, so that they are linked once.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy knows only by their attribute"
)]

#[path = "../support/mod.rs"]
mod support;

mod clips;
mod discovery;
mod e2e;
mod jpeg_camera;
mod ledger;
mod secrets;

//! Cameras that misbehave, watched by the real agent: nothing crashes, leaks or spins, the camera beside them does not
//! notice, each state is told in one clear sentence in log and health, and pictures come again when the camera is well.
//!
//! Each test has an agent with several cameras at once, as a home has. docs/reliability.md lists what is proved here.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy knows only by their attribute"
)]

#[path = "../bad_input/home.rs"]
mod home;
#[path = "../program/mod.rs"]
mod program;

mod checks;
mod connections;
mod encodings;
mod hangs;
mod recordings;
mod streams;
mod street;
mod zoo;

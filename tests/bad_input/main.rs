//! Whatever is wrong, the real program says it once, in one plain sentence that tells what to do next; all the rest keeps
//! running; and nothing that was flagged is lost.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy knows only by their attribute"
)]

#[path = "../program/mod.rs"]
mod program;

mod cameras;
mod commands;
mod disk;
mod files;
mod home;
mod receivers;
mod start;

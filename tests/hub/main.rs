//! The hub and its boxes as processes of their own: everything arrives, and nobody gets at what is another one's.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy knows only by their attribute"
)]

#[path = "../support/mod.rs"]
mod support;

mod accounts;
mod boxes;
mod broker;
mod caddy;
mod elsewhere;
mod faults;
mod folder;
mod home;
mod hour;
mod parts;
mod proxy;
mod rig;
mod visitor;

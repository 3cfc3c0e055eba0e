//! Commands for developers and what they are made of (feature `dev`): virtual cameras, demo, benches.

pub mod bench;
pub mod camera;
pub mod demo;
mod limits;
pub(super) mod receive;
mod test_services;

//! Helpers for tests and benches: no part of the agent.
//!
//! May import every room; no room imports it outside its tests.

pub mod broker;
pub mod certificates;
pub mod disk;
pub mod encoded;
pub mod films;
pub mod incidents;
pub mod log;
pub mod models;
pub mod partner;
pub mod proxy;

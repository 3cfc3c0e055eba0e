//! What a program says about itself: log, metrics, states, and its CPU time.

pub mod board;
pub mod cpu;
pub mod seldom;
pub mod telemetry;

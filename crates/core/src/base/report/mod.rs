//! What a program says about itself: log, metrics, states, and its CPU time.

pub mod cpu;
pub mod health_registry;
pub mod log_throttle;
pub mod telemetry;

//! What every part of Lares stands on: nouns, units, the configuration and everything that leaves a program as text.
//!
//! It opens no connection, and knows neither GStreamer nor ONNX Runtime. The map of the whole is in `src/lib.rs` of the repository.

pub mod base;
pub mod config;
pub mod flow;
pub mod wire;

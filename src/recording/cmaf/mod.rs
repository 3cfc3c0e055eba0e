//! What clips and live streams are written with: ISO base media files, as CMAF.
//!
//! | file | what it does |
//! |---|---|
//! | `boxes` | boxes as bytes |
//! | `fmp4` | headers and media segments |
//! | `fmp4_reader` | what such a file says of itself |

pub(super) mod boxes;
pub(super) mod fmp4;
pub mod fmp4_reader;

pub use super::buffer::continuity::{Runs, Unit, same_pictures};
pub use fmp4::{Sample, TIMESCALE, fragment, init, ticks};

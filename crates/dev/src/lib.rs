//! What developers have and a customer's box has not: virtual RTSP cameras, and helpers of tests and benches.
//!
//! It knows what every part knows, and neither the box nor the hub. The map of the whole is in `src/lib.rs` of the repository.

#[doc(hidden)]
pub mod testing;
pub mod vcam;

use lares_core::{base, config, flow, wire};

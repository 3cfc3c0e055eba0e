//! Models: what moves in a picture, and who is in it.
//!
//! In: decoded [`Frame`](crate::flow::Frame)s. Out: [`MotionReport`](crate::flow::MotionReport)s and
//! [`Detection`](crate::flow::Detection)s in places of the whole picture. In between: model cards, which of two
//! precisions this machine runs best, sessions of ONNX
//! Runtime (one thread owns each; cameras take turns), the way from pixels to tensors, and the heads that read answers.
//!
//! It never decides what a sighting means, follows nothing from picture to picture but the motion model's background,
//! and never keeps a picture longer than its look. No frame is queued: a camera's newer look replaces its older one, and a
//! look that may wait is not asked for before its turn has come.
//! The only room that names `ort`. Imports `flow`, `base`, `config`.

pub mod card;
mod changed;
mod clothes;
mod desk;
mod error;
mod eyes;
mod heads;
mod hidden;
mod model;
mod motion;
mod nms;
mod person;
mod prepare;
mod regions;
mod runtime;
mod service;
mod shelf;
mod siblings;
mod spare;
#[doc(hidden)]
pub mod steps;
mod timings;

pub use card::{Card, Precision, Task};
pub use desk::Rank;
pub use error::InferError;
pub use eyes::{CameraInfer, Look, Seen, Trigger};
pub use service::Infer;
pub use shelf::list;
pub use siblings::{Shelved, Standing, survey};

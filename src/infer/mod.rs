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

#[doc(hidden)]
pub mod bench_api;
mod detect;
mod error;
mod model;
mod motion;
mod preprocess;
mod registry;
mod runtime;
mod worker;

pub use error::InferError;
pub use registry::card;
pub use registry::card::{Card, Precision, Task};
pub use registry::model_folder::list;
pub use registry::variants::{Comparison, ModelEntry, survey};
pub use worker::client::{CameraInfer, DetectRequest, DetectResult, Trigger};
pub use worker::inference_worker::Priority;
pub use worker::service::Infer;

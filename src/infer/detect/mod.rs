//! The person model: from a frame to boxes (`person`), by the heads that read a model's answer (`heads`),
//! without doubled boxes (`nms`), each with a few colours to tell people apart (`appearance`).

mod appearance;
pub(super) mod heads;
pub(super) mod nms;
pub(super) mod person;

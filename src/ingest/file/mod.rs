//! Video files as a source: `container` takes a file apart, `mp4` reads what GStreamer keeps from us, and
//! `source` gives packets one by one.

pub(super) mod container;
mod mp4;
pub(super) mod source;
#[cfg(test)]
mod source_tests;

//! The hub's store: what boxes upload, over S3, on a plain folder.
//!
//! In: signed requests. Out: objects on disk and as they are asked for. `folder` knows files, `s3` who may do what, `limits`
//! what is deleted when it is too old or too much. None of them reads what an object holds.

mod folder;
mod limits;
mod promise;
mod s3;
mod signature;

pub(super) use folder::{Facts, Folder};
pub(super) use limits::{Shares, Stored, delete, look, too_much};
pub(super) use s3::endpoint;

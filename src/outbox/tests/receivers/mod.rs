//! Receivers that others made, and stand-ins that hold us to their documentation.

mod folder;
pub(super) mod mqtt;
mod ntfy;
pub(super) mod s3;
mod tls;
mod webdav;
mod webhook;
mod wire;

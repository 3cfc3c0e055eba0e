//! A window into sessions: what is said, heard and received, as it is, for whoever writes it down.

use std::{fmt, sync::Arc};

/// Sees what passes between sessions and their camera. Called on the threads of receiving: must not block for long.
///
/// What it sees has secrets in it.
pub trait Observer: Send + Sync {
    /// A request or an answer of ours.
    fn said(&self, message: &[u8]);
    /// A request or an answer of the camera.
    fn heard(&self, message: &[u8]);
    /// An RTP packet of the video track, or an RTCP packet that belongs to it.
    fn packet(&self, rtcp: bool, packet: &[u8]);
}

/// Somebody who looks on, or nobody.
#[derive(Clone, Default)]
pub(super) struct Window(pub(super) Option<Arc<dyn Observer>>);

impl Window {
    pub(super) fn said(&self, message: &[u8]) {
        if let Some(observer) = &self.0 {
            observer.said(message);
        }
    }

    pub(super) fn heard(&self, message: &[u8]) {
        if let Some(observer) = &self.0 {
            observer.heard(message);
        }
    }

    pub(super) fn packet(&self, rtcp: bool, packet: &[u8]) {
        if let Some(observer) = &self.0 {
            observer.packet(rtcp, packet);
        }
    }
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "observed"
        } else {
            "unobserved"
        })
    }
}

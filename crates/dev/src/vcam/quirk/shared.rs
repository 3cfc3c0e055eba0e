//! What the parts of one camera share: what it has seen, its connections, and the two sides of a session.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::io::AsyncWrite;

use super::{camera::Camera, login::Gate};
use crate::base::tasks::Tasks;

/// How long a sender may wait for a viewer that does not read.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// Requests that are remembered of one camera.
const REMEMBERED: usize = 2_000;

/// What a camera has seen of its viewers.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Connections that were accepted.
    pub connections: u64,
    /// Requests: when, and the method.
    pub requests: Vec<(Instant, String)>,
    /// Requests without the right login.
    pub refused: u64,
    /// Answers to requests of the camera's own.
    pub answers: Vec<String>,
    /// Sessions whose PLAY was granted.
    pub granted: u64,
    /// When a viewer had taken the first pictures of a session.
    pub played: Vec<Instant>,
    /// When the camera ended a session.
    pub ended: Vec<Instant>,
    /// Pictures that were sent.
    pub pictures: u64,
}

/// What the connections of a camera share.
pub(super) struct Shared {
    pub(super) camera: Arc<Camera>,
    pub(super) port: u16,
    pub(super) gate: Option<Mutex<Gate>>,
    pub(super) seen: Arc<Mutex<Seen>>,
    pub(super) tasks: Tasks,
    pub(super) connections: AtomicU64,
}

impl Shared {
    pub(super) fn note(&self, method: &str) {
        let mut seen = self.seen.lock();
        if seen.requests.len() < REMEMBERED {
            seen.requests.push((Instant::now(), method.to_owned()));
        }
    }
}

/// The half of a connection that is written to.
pub(super) type Wire = tokio::sync::Mutex<Box<dyn AsyncWrite + Send + Unpin>>;

/// What the two sides of a session share.
pub(super) struct Session {
    /// Packets that the viewer has sent.
    pub(super) reports: AtomicU32,
    /// When the viewer last kept the session alive.
    pub(super) alive: Mutex<Instant>,
}

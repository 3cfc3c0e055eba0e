//! Virtual RTSP cameras: video files served as if a camera sent them live, for demo, bench and tests.
//!
//! In: MP4, MKV or TS files with H.264 or H.265. Out: RTSP sessions (TCP interleaved, UDP, or TLS), one shared session per
//! camera, in real time by the file's own picture times, lap after lap without a jump in the timestamps. Parameter sets
//! come in-band with each keyframe. Each camera has two addresses, `/cam1`, `/cam2`, ... and its file's stem.
//!
//! By default a camera begins at its first picture when the first client plays, and stops when the last one leaves;
//! who joins in between comes in the middle of a GOP, as with a real camera. A client that stalls loses packets and
//! holds up nobody. Faults can be ordered for tests, at once or by a [`Script`]: silence, restarts, lost and
//! damaged packets, clocks that are wrong, another video.
//!
//! Never decodes or encodes, never carries sound, never listens off loopback without a password.
//! Imports `base` and, for `Secret` and `ByteSize`, `config`.

mod director;
mod error;
mod factory;
mod listener;
mod pacer;
pub mod quirk;
mod script;
mod server;
mod tamper;
#[cfg(test)]
mod tests;
mod timeline;
mod video;

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

pub use error::VcamError;
pub use script::{Fault, Script, Step};
pub use server::VirtualCameras;

use crate::config::{Secret, Transport};

/// How clients prove who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Authentication {
    /// RFC 2617 digest: what cameras do.
    #[default]
    Digest,
    /// User and password in the clear: what old cameras do.
    Basic,
}

/// When a video begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Begin {
    /// At its first picture, when the first client plays.
    #[default]
    WithFirstClient,
    /// When the cameras are served, watched or not; a session begins at the next keyframe.
    AtOnce,
}

/// What a camera shows when it is asked for by `rtsps://`, both files in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsIdentity {
    /// The certificate, and those that lead to its authority.
    pub certificate: PathBuf,
    /// The certificate's private key, without a password.
    pub key: PathBuf,
}

/// How cameras are served.
#[derive(Debug, Clone)]
pub struct CameraOptions {
    /// Where to listen; port 0: any free one.
    pub listen: SocketAddr,
    /// User that clients must give.
    pub user: Option<String>,
    /// Password that clients must give.
    pub password: Option<Secret>,
    /// How they give it.
    pub authentication: Authentication,
    /// How often a video is played before its stream ends; none: for ever.
    pub laps: Option<u64>,
    /// When a video begins.
    pub begin: Begin,
    /// Pace, 1 being real time; timestamps follow it.
    pub speed: f64,
    /// By what clients may have their packets; [`Transport::Auto`]: as they like.
    pub transport: Transport,
    /// Serves over TLS, and only so.
    pub tls: Option<TlsIdentity>,
    /// What goes wrong.
    pub script: Script,
}

impl Default for CameraOptions {
    /// Loopback, any free port, no password, for ever, in real time.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            user: None,
            password: None,
            authentication: Authentication::default(),
            laps: None,
            begin: Begin::default(),
            speed: 1.0,
            transport: Transport::default(),
            tls: None,
            script: Script::default(),
        }
    }
}

//! Every kind of odd camera: its name, what it does, and what a viewer must make of it. A new one is one more entry.
//!
//! | file | whose oddity is in |
//! |---|---|
//! | `packets` | RTP: markers, sources, payloads |
//! | `stamps` | timestamps and pace |
//! | `codecs` | what is encoded, and how |
//! | `description` | SDP |
//! | `addresses` | addresses of streams and tracks |
//! | `dialogue` | requests and answers |
//! | `keepalive` | time-outs of sessions |
//! | `login` | users and passwords |
//! | `transport` | UDP and TLS |
//! | `endings` | how sessions end |
//! | `hostile` | what an attacker would send |
//! | `variants` | well-known faults in other words |

mod addresses;
mod codecs;
mod description;
mod dialogue;
mod endings;
mod hostile;
mod keepalive;
mod login;
mod packets;
mod stamps;
mod transport;
mod variants;

use std::sync::Arc;

use super::{Camera, Clip};
use crate::vcam::TlsIdentity;

/// What a viewer must make of a camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Its pictures come steadily, in one session, and nothing is wrong.
    Plays,
    /// Its pictures come steadily, in one session, and these words tell what is odd.
    PlaysAndTells(&'static [&'static str]),
    /// Its pictures come steadily, in one session; these words may tell what is odd; none:
    /// anything may be told.
    PlaysAndMayTell(&'static [&'static str]),
    /// It ends its sessions; the viewer is back within five seconds each time.
    Returns,
    /// Something unreadable comes once; five seconds later at most its pictures come again, in this session or another.
    Recovers,
    /// It ends sessions by what the viewer does; the viewer finds another way, and the last sixth of the time is quiet.
    Learns,
    /// No picture can come; health says `offline` and these words.
    Tells(&'static [&'static str]),
    /// Whatever comes, the viewer bears it: memory, CPU and the tries to connect are bounded.
    Borne,
}

/// Which password the viewer has, where the camera asks for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Password {
    /// The right one.
    Right,
    /// Another.
    Wrong,
    /// None.
    None,
}

/// A kind of camera.
#[derive(Clone, Copy)]
pub struct Kind {
    /// A word for it: the camera's id in the tests.
    pub name: &'static str,
    /// What it does, in a few words.
    pub about: &'static str,
    /// What a viewer must make of it.
    pub right: Right,
    /// Such a camera.
    pub make: fn(&Films) -> Camera,
    /// How long it must be watched, in seconds.
    pub seconds: u32,
    /// Share of its pictures that must come.
    pub share: f64,
    /// Which password the viewer has.
    pub password: Password,
    /// More lines of its `[[cameras]]` block.
    pub config: &'static str,
}

impl Kind {
    const fn new(name: &'static str, about: &'static str, make: fn(&Films) -> Camera) -> Self {
        Self {
            name,
            about,
            right: Right::Plays,
            make,
            seconds: 10,
            share: 0.7,
            password: Password::Right,
            config: "",
        }
    }

    const fn right(self, right: Right) -> Self {
        Self { right, ..self }
    }

    const fn seconds(self, seconds: u32) -> Self {
        Self { seconds, ..self }
    }

    const fn share(self, share: f64) -> Self {
        Self { share, ..self }
    }

    const fn password(self, password: Password) -> Self {
        Self { password, ..self }
    }

    const fn config(self, config: &'static str) -> Self {
        Self { config, ..self }
    }
}

/// What the cameras show, and the certificates of those with TLS.
#[derive(Clone)]
pub struct Films {
    /// 320x240 at 10 pictures a second, H.264, a keyframe each second.
    pub plain: Arc<Clip>,
    /// The same larger.
    pub large: Arc<Clip>,
    /// H.265.
    pub h265: Arc<Clip>,
    /// H.264 with B-frames.
    pub reordered: Arc<Clip>,
    /// H.265 with B-frames in open groups of pictures.
    pub h265_reordered: Arc<Clip>,
    /// H.264 with intra refresh: one keyframe, then recovery points.
    pub refreshed: Arc<Clip>,
    /// H.264 with a keyframe each 20 s.
    pub rare: Arc<Clip>,
    /// Motion JPEG.
    pub images: Arc<Clip>,
    /// A certificate that the viewer's authority has signed.
    pub trusted: TlsIdentity,
    /// One that nobody has signed.
    pub strange: TlsIdentity,
}

impl Films {
    fn plain(&self) -> Camera {
        Camera::new(Arc::clone(&self.plain))
    }

    fn h265(&self) -> Camera {
        Camera::new(Arc::clone(&self.h265))
    }
}

/// The kinds by what is odd about them.
pub const CATALOG: &[(&str, &[Kind])] = &[
    ("packets", packets::KINDS),
    ("stamps", stamps::KINDS),
    ("codecs", codecs::KINDS),
    ("description", description::KINDS),
    ("addresses", addresses::KINDS),
    ("dialogue", dialogue::KINDS),
    ("keepalive", keepalive::KINDS),
    ("login", login::KINDS),
    ("transport", transport::KINDS),
    ("endings", endings::KINDS),
    ("hostile", hostile::KINDS),
    ("variants", variants::KINDS),
];

/// Every kind.
pub fn all() -> impl Iterator<Item = &'static Kind> {
    CATALOG.iter().flat_map(|(_, kinds)| kinds.iter())
}

/// The kind of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Kind> {
    all().find(|kind| kind.name == name)
}

//! How a page reaches live pictures, wherever they come from: the box in this program, or one day another one.
//!
//! In: which camera a viewer asks for, and which codecs its browser plays. Out: a byte stream for Media Source Extensions, in
//! pieces that the viewer takes when its connection has room. Nothing waits for a viewer.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Notify;

use crate::flow::{CameraId, StreamRole};

/// What a viewer asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Which stream; a camera of one stream has that for both.
    pub stream: StreamRole,
    /// The browser plays H.264.
    pub h264: bool,
    /// The browser plays H.265.
    pub h265: bool,
}

impl Wanted {
    /// Of the list that go2rtc's clients send, such as `avc1.640029,hvc1.1.6.L153.B0,mp4a.40.2`.
    #[must_use]
    pub fn from_codecs(stream: StreamRole, codecs: &str) -> Self {
        let plays = |names: [&str; 2]| {
            let mut all = codecs.split(',').map(str::trim);
            all.any(|codec| names.iter().any(|name| codec.starts_with(name)))
        };
        Self {
            stream,
            h264: plays(["avc1", "avc3"]),
            h265: plays(["hvc1", "hev1"]),
        }
    }
}

/// Whether there are pictures to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The camera is received.
    Online,
    /// It is not, at the moment.
    Offline,
    /// It is switched off.
    Paused,
}

impl Standing {
    /// The word of the protocol.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Offline => "offline",
            Self::Paused => "paused",
        }
    }
}

/// Why there is no live view of a camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoLive {
    /// There is no such camera.
    Unknown,
    /// The packets of a camera hold what its privacy mask hides.
    Masked,
    /// The viewer's browser does not play H.264.
    NoH264,
    /// The viewer's browser does not play H.265.
    NoH265,
    /// The codec fits no fragment: Motion JPEG and others.
    Codec,
    /// The camera belongs to a box elsewhere.
    Remote,
}

impl NoLive {
    /// One sentence for the viewer.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Unknown => "There is no such camera",
            Self::Masked => "A camera with a privacy mask has no live view yet",
            Self::NoH264 => "This browser does not play H.264: use another one for live pictures",
            Self::NoH265 => {
                "This browser does not play H.265: set the camera to H.264, or use Safari or Chrome with hardware decoding"
            }
            Self::Codec => {
                "The camera sends Motion JPEG or another codec that has no live view: set it to H.264"
            }
            Self::Remote => "There is no live view of a box elsewhere yet",
        }
    }
}

/// What a viewer gets next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Nothing for now: the viewer is woken when there is more.
    Nothing,
    /// All that had been kept has been given: what follows is of now. Comes once, and again after a change of standing.
    CaughtUp,
    /// Whether there are pictures to come has changed.
    Standing(Standing),
    /// The pictures that follow need this header.
    Format {
        /// What is in it, as a browser wants it named: `avc1.64001f`.
        codecs: Arc<str>,
        /// `ftyp` and `moov`.
        header: Bytes,
    },
    /// One picture.
    Fragment {
        /// Decoding can start here.
        key: bool,
        /// `moof`, and the head of `mdat`.
        head: Bytes,
        /// What is in `mdat`; shared with all who keep it.
        data: Bytes,
    },
    /// There will be nothing more.
    Ended(NoLive),
}

/// One viewer's position in one stream. Dropping it ends the view.
pub trait LiveView: Send {
    /// What comes next for a viewer who is ready to take it. A viewer who was away too long goes on with a keyframe.
    fn next(&mut self) -> Next;
}

/// Cameras with live pictures.
pub trait LiveSource: Send + Sync + 'static {
    /// Begins to watch `camera`; `wake` is told when there is something to take.
    ///
    /// # Errors
    /// Why there is no live view of it.
    fn watch(
        &self,
        camera: &CameraId,
        wanted: Wanted,
        wake: Arc<Notify>,
    ) -> Result<Box<dyn LiveView>, NoLive>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_codecs_says_what_is_played() {
        let of = |codecs| {
            let wanted = Wanted::from_codecs(StreamRole::Sub, codecs);
            (wanted.h264, wanted.h265)
        };
        assert_eq!(of("avc1.640029,avc1.64002A,mp4a.40.2"), (true, false));
        assert_eq!(of("avc1.640029, hvc1.1.6.L153.B0"), (true, true));
        assert_eq!(of("hev1.1.6.L153.B0"), (false, true));
        assert_eq!(of(""), (false, false));
        assert_eq!(of("mp4a.40.2,flac,\u{fffd}"), (false, false));
    }
}

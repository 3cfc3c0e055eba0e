//! Live pictures: packets of a camera, as a byte stream that browsers play, for as long as somebody watches.
//!
//! In: the packets of a camera's streams, beside the recorder, and from the recorder's ring what came since the last
//! keyframe. Out: a header and a fragment for each picture, through [`LiveView`](crate::base::live::LiveView). Nothing is decoded.
//!
//! While nobody watches a stream, a packet costs one look at a flag. While somebody does, packets are kept of two groups of pictures
//! at most, shared with everybody else who holds them; a viewer is a place among them, never a queue. Who cannot keep up
//! goes on with a newer keyframe.
//!
//! Never here: a wait for a viewer, pixels, sockets. A camera with a privacy mask has no live view: its packets hold what the
//! mask hides. Imports `flow`, `base` and `recording`; `camera` drives it.

mod codecs;
mod decode_time;
#[cfg(test)]
mod real_streams;
mod ring;
mod stream;
#[cfg(test)]
mod tests;
mod view;

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::Notify;

pub use self::stream::OnWatched;
use self::{stream::Stream, view::View};
use crate::{
    base::live::{LiveSource, LiveView, NoLive, Wanted},
    flow::{CameraId, Mode, Packet, StreamFormat, StreamRole},
};

/// What live pictures need to know of a camera.
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// It has a privacy mask.
    pub masked: bool,
    /// It has a second stream.
    pub has_main: bool,
    /// Whether it is watched at all.
    pub mode: Mode,
}

/// The streams of all cameras of this box. Cheap to clone.
#[derive(Clone, Default)]
pub struct Live(Arc<Mutex<BTreeMap<CameraId, Entry>>>);

struct Entry {
    has_main: bool,
    taps: Taps,
}

/// Where a camera's packets go, for those who watch. Cheap to clone.
#[derive(Clone)]
pub struct Taps {
    sub: Arc<Stream>,
    main: Arc<Stream>,
}

impl Live {
    /// A camera begins, or begins again with another configuration; who watches it stays.
    pub fn open(&self, camera: &CameraId, about: About, on_watched: OnWatched) -> Taps {
        let taps = {
            let mut all = self.0.lock();
            let entry = all.entry(camera.clone()).or_insert_with(|| Entry {
                has_main: about.has_main,
                taps: Taps {
                    sub: Arc::new(Stream::new(StreamRole::Sub)),
                    main: Arc::new(Stream::new(StreamRole::Main)),
                },
            });
            entry.has_main = about.has_main;
            entry.taps.clone()
        };
        for stream in [&taps.sub, &taps.main] {
            stream.open(
                about.masked,
                about.mode == Mode::Disarmed,
                on_watched.clone(),
            );
        }
        taps
    }
}

impl LiveSource for Live {
    fn watch(
        &self,
        camera: &CameraId,
        wanted: Wanted,
        wake: Arc<Notify>,
    ) -> Result<Box<dyn LiveView>, NoLive> {
        let stream = {
            let all = self.0.lock();
            let entry = all.get(camera).ok_or(NoLive::Unknown)?;
            match wanted.stream {
                StreamRole::Main if entry.has_main => entry.taps.main.clone(),
                _ => entry.taps.sub.clone(),
            }
        };
        Ok(Box::new(View::begin(&stream, wanted, wake)?))
    }
}

impl Taps {
    fn of(&self, role: StreamRole) -> &Stream {
        match role {
            StreamRole::Sub => &self.sub,
            StreamRole::Main => &self.main,
        }
    }

    /// A packet has arrived; it is on its way to the recorder already.
    pub fn packet(&self, packet: &Packet) {
        self.of(packet.stream).packet(packet);
    }

    /// The packets since the last keyframe, as the recorder has them: what was asked for when the first viewer came.
    pub fn since_keyframe(&self, role: StreamRole, packets: Vec<Packet>) {
        self.of(role).since_keyframe(packets);
    }

    /// A stream is received in this format.
    pub fn online(&self, role: StreamRole, format: &Arc<StreamFormat>) {
        self.of(role).online(format);
    }

    /// A stream is not received.
    pub fn offline(&self, role: StreamRole) {
        self.of(role).offline();
    }

    /// Of a camera that is switched off nothing is shown, and nothing of before.
    pub fn set_mode(&self, mode: Mode) {
        for stream in [&self.sub, &self.main] {
            stream.pause(mode == Mode::Disarmed);
        }
    }
}

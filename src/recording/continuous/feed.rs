//! Where a camera's packets enter its recording: bounded links, and never a wait. A camera that is not recorded has none.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU8, Ordering::Relaxed},
};

use crate::{
    base::{
        link::{Sender, WakeSignal},
        recordings::Why,
    },
    flow::{Mode, Packet, StreamRole},
};

/// A camera's way into its recording. Cheap to clone; when the last one is dropped, the recording is closed.
#[derive(Clone, Default)]
pub struct Feed(pub(super) Option<Arc<Ends>>);

/// The ends of a camera's streams.
pub(super) struct Ends(pub(super) Vec<End>);

pub(super) struct End {
    pub(super) role: StreamRole,
    pub(super) to: Sender<Packet>,
    pub(super) state: Arc<State>,
    pub(super) wake_signal: WakeSignal,
}

/// What a stream's writer needs to know beside its packets.
#[derive(Debug, Default)]
pub(super) struct State {
    paused: AtomicBool,
    away: AtomicBool,
    gone: AtomicBool,
    /// The disk refuses; said by the writer.
    pub(super) disk: AtomicBool,
    /// After a pause the stream begins again with a keyframe.
    begins: AtomicBool,
    /// Why packets were missing since it was last asked.
    why: AtomicU8,
}

/// Causes that the sending side knows, as numbers; 0 is none.
const AWAY: u8 = 1;
const PAUSED: u8 = 2;

impl State {
    pub(super) fn is_paused(&self) -> bool {
        self.paused.load(Relaxed)
    }

    pub(super) fn is_away(&self) -> bool {
        self.away.load(Relaxed)
    }

    /// Nothing comes any more.
    pub(super) fn is_gone(&self) -> bool {
        self.gone.load(Relaxed)
    }

    /// Why packets were missing since the last call.
    pub(super) fn take_why(&self) -> Option<Why> {
        match self.why.swap(0, Relaxed) {
            AWAY => Some(Why::Away),
            PAUSED => Some(Why::Paused),
            _ => None,
        }
    }

    /// Why nothing is recorded at this moment.
    pub(super) fn why_now(&self) -> Option<Why> {
        if self.is_gone() {
            Some(Why::Off)
        } else if self.is_paused() {
            Some(Why::Paused)
        } else if self.disk.load(Relaxed) {
            Some(Why::Disk)
        } else {
            self.is_away().then_some(Why::Away)
        }
    }

    fn pause(&self, paused: bool) {
        if paused {
            self.why.store(PAUSED, Relaxed);
            self.begins.store(true, Relaxed);
        }
        self.paused.store(paused, Relaxed);
    }
}

impl Feed {
    /// A packet has arrived; it is on its way to the record job already. Of a camera that is not recorded this is one look.
    pub fn packet(&self, packet: &Packet) {
        let Some(end) = self.end(packet.stream) else {
            return;
        };
        let state = &end.state;
        if state.is_paused() {
            return;
        }
        let mut packet = packet.clone();
        if state.begins.load(Relaxed) {
            if !packet.key {
                return;
            }
            packet.discontinuity = true;
            state.begins.store(false, Relaxed);
        }
        // Keyframes wake the writer; it finds the others then, or when it looks at the clock.
        let _taken = if packet.key {
            end.to.send(packet)
        } else {
            end.to.send_quietly(packet)
        };
    }

    /// A stream is received.
    pub fn online(&self, role: StreamRole) {
        if let Some(end) = self.end(role) {
            end.state.away.store(false, Relaxed);
        }
    }

    /// A stream is not received.
    pub fn offline(&self, role: StreamRole) {
        if let Some(end) = self.end(role) {
            end.state.why.store(AWAY, Relaxed);
            end.state.away.store(true, Relaxed);
        }
    }

    /// Of a camera that is switched off nothing is recorded.
    pub fn set_mode(&self, mode: Mode) {
        for end in self.0.iter().flat_map(|ends| &ends.0) {
            end.state.pause(mode == Mode::Disarmed);
            end.wake_signal.raise();
        }
    }

    fn end(&self, role: StreamRole) -> Option<&End> {
        self.0.as_ref()?.0.iter().find(|end| end.role == role)
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        for end in &self.0 {
            end.state.gone.store(true, Relaxed);
            end.wake_signal.raise();
        }
    }
}

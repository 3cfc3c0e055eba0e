//! What waits for the transcoder, in order: steps, and packets between them.
//!
//! Bounded in memory by number and bytes. Of a preview the oldest whole group of pictures goes when there is no more room.
//! Where the encoded clip is all that is kept (a masked camera), packets go to a file first ([`Spill`]), and only what the
//! file cannot hold is lost. Whatever is lost is counted. Putting in never waits for the transcoder.

use std::collections::VecDeque;

use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;

use super::{
    Item, Step,
    spill::{Extent, Spill},
};
use crate::{
    base::link::WakeSignal,
    flow::{CameraId, Packet},
};

/// Steps that wait at most; there are a few for each incident. Pauses beyond that are left out.
const MOST_STEPS: usize = 1000;

/// How much may wait.
#[derive(Debug)]
pub(in crate::camera) struct Limits {
    /// Packets in memory.
    pub(in crate::camera) packets: usize,
    /// Bytes in memory.
    pub(in crate::camera) bytes: u64,
    /// Bytes on disk, and where; none: what has no room in memory is left out.
    pub(in crate::camera) spill: Option<(std::path::PathBuf, u64)>,
}

/// The queue; shared by the record job, which puts in, and the transcode job, which takes out.
pub(in crate::camera) struct TranscodeQueue {
    camera: CameraId,
    limits: Limits,
    state: Mutex<State>,
    wake_signal: WakeSignal,
    lost: Counter,
}

struct State {
    steps: VecDeque<(u64, Step)>,
    packets: VecDeque<Waiting>,
    /// Packets put in so far.
    put: u64,
    memory: u64,
    in_memory: usize,
    spill: Option<Spill>,
    /// The next packet put in does not continue the one before.
    gap: bool,
    closed: bool,
    told: bool,
}

struct Waiting {
    number: u64,
    /// Without its data where that is in the file.
    packet: Packet,
    lead: bool,
    spilled: Option<Extent>,
}

impl TranscodeQueue {
    /// An empty queue that raises `wake_signal`. What is left out is added to `lost`.
    pub(in crate::camera) fn new(
        camera: &CameraId,
        limits: Limits,
        wake_signal: WakeSignal,
        lost: Counter,
    ) -> Self {
        let spill = limits.spill.clone();
        Self {
            camera: camera.clone(),
            limits,
            state: Mutex::new(State {
                steps: VecDeque::new(),
                packets: VecDeque::new(),
                put: 0,
                memory: 0,
                in_memory: 0,
                spill: spill.map(|(folder, most)| Spill::new(folder, most)),
                gap: false,
                closed: false,
                told: false,
            }),
            wake_signal,
            lost,
        }
    }

    /// Puts something in. The transcoder is woken for steps and keyframes.
    pub(super) fn put(&self, item: Item) {
        let mut state = self.state.lock();
        let wake = match item {
            Item::Step(step) => {
                let at = state.put;
                let spare = matches!(step, Step::Pause { .. } | Step::Resume { .. });
                if !spare || state.steps.len() < MOST_STEPS {
                    state.steps.push_back((at, step));
                }
                true
            }
            Item::Packet { packet, lead } => {
                let key = packet.key;
                self.put_packet(&mut state, packet, lead);
                key
            }
        };
        drop(state);
        if wake {
            self.wake_signal.raise();
        }
    }

    /// The oldest thing that waits. Data that lies on disk is read without holding up who puts in.
    pub(super) fn take(&self) -> Option<Item> {
        loop {
            let waiting = {
                let mut state = self.state.lock();
                let next = state.packets.front().map(|waiting| waiting.number);
                if let Some((at, _)) = state.steps.front()
                    && next.is_none_or(|next| *at <= next)
                {
                    return state.steps.pop_front().map(|(_, step)| Item::Step(step));
                }
                state.pop()?
            };
            let Waiting {
                mut packet,
                lead,
                spilled,
                ..
            } = waiting;
            if let Some(extent) = spilled {
                let data = extent.read();
                let mut state = self.state.lock();
                if let Some(spill) = &mut state.spill {
                    spill.release(&extent);
                }
                match data {
                    Ok(data) => packet.data = data,
                    Err(error) => {
                        self.lose(&mut state, 1, Some(&error));
                        state.mark_gap();
                        continue;
                    }
                }
            }
            return Some(Item::Packet { packet, lead });
        }
    }

    /// There will be no more.
    pub(in crate::camera) fn close(&self) {
        self.state.lock().closed = true;
        self.wake_signal.raise();
    }

    /// Whether there will be no more.
    pub(super) fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    /// Whether what waits is all that is kept of a visit.
    pub(in crate::camera) fn is_evidence(&self) -> bool {
        self.limits.spill.is_some()
    }

    /// Packets that wait.
    pub(in crate::camera) fn len(&self) -> usize {
        self.state.lock().packets.len()
    }

    /// What waits is not looked at any more; where it is all that is kept of a visit, it is.
    pub(super) fn disarmed(&self) {
        if !self.is_evidence() {
            self.forget();
        }
    }

    /// Leaves out all packets that wait.
    pub(super) fn forget(&self) {
        let mut state = self.state.lock();
        while state.pop_and_release().is_some() {}
        state.gap = true;
    }

    fn put_packet(&self, state: &mut State, mut packet: Packet, lead: bool) {
        if state.gap && state.spill.is_some() && !packet.key {
            return self.lose(state, 1, None);
        }
        let bytes = packet.data.len() as u64;
        let mut spilled = None;
        if !self.has_room(state, bytes) {
            match state.spill.as_mut().map(|spill| spill.write(&packet.data)) {
                None => {
                    let mut lost = 0;
                    while !self.has_room(state, bytes) && !state.packets.is_empty() {
                        lost += state.drop_oldest_gop();
                    }
                    self.lose(state, lost, None);
                }
                Some(Ok(Some(extent))) => {
                    packet.data = bytes::Bytes::new();
                    spilled = Some(extent);
                }
                // What is older is worth as much, and is whole: this group of pictures is left out.
                Some(refused) => {
                    state.gap = true;
                    return self.lose(state, 1, refused.err().as_ref());
                }
            }
        }
        packet.discontinuity |= std::mem::take(&mut state.gap);
        if spilled.is_none() {
            state.in_memory += 1;
            state.memory += bytes;
        }
        let number = state.put;
        state.put += 1;
        state.packets.push_back(Waiting {
            number,
            packet,
            lead,
            spilled,
        });
    }

    fn has_room(&self, state: &State, bytes: u64) -> bool {
        state.in_memory < self.limits.packets && state.memory + bytes <= self.limits.bytes
    }

    fn lose(&self, state: &mut State, packets: u64, error: Option<&std::io::Error>) {
        self.lost.inc_by(packets);
        if std::mem::replace(&mut state.told, true) {
            return;
        }
        match error {
            Some(error) => {
                tracing::error!(camera = %self.camera, %error, "packets that wait to be encoded cannot be written to the data disk: pictures are left out");
            }
            None => {
                tracing::warn!(camera = %self.camera, "this machine is too slow to encode the camera's clips again: pictures are left out");
            }
        }
    }
}

impl State {
    fn pop(&mut self) -> Option<Waiting> {
        let waiting = self.packets.pop_front()?;
        if waiting.spilled.is_none() {
            self.in_memory -= 1;
            self.memory -= waiting.packet.data.len() as u64;
        }
        Some(waiting)
    }

    fn pop_and_release(&mut self) -> Option<Waiting> {
        let waiting = self.pop()?;
        if let (Some(spill), Some(extent)) = (&mut self.spill, &waiting.spilled) {
            spill.release(extent);
        }
        Some(waiting)
    }

    /// Drops from the front up to the next keyframe, and marks the gap; how many.
    fn drop_oldest_gop(&mut self) -> u64 {
        let mut lost = 0;
        while self.pop_and_release().is_some() {
            lost += 1;
            if self.packets.front().is_some_and(|next| next.packet.key) {
                break;
            }
        }
        self.mark_gap();
        lost
    }

    fn mark_gap(&mut self) {
        match self.packets.front_mut() {
            Some(next) => next.packet.discontinuity = true,
            None => self.gap = true,
        }
    }
}

#[cfg(test)]
mod tests;

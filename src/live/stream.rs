//! One stream of one camera, and who watches it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use super::{
    codecs,
    decode_time::DecodeTimes,
    ring::{Header, Ring, Unit},
};
use crate::{
    base::live::{NoLive, Standing, Wanted},
    flow::{Codec, Packet, StreamFormat, StreamRole},
    recording::cmaf::{self, Runs},
};

/// Told when the first viewer of a stream comes (true) and when the last one goes. Must not block.
pub type OnWatched = Arc<dyn Fn(StreamRole, bool) + Send + Sync>;

/// Packets that may wait for the recorder to say what came before them: of 30 a second ten seconds.
const MOST_EARLY: usize = 300;

pub(super) struct Stream {
    role: StreamRole,
    /// Somebody watches, and may.
    watched: AtomicBool,
    inner: Mutex<Inner>,
    /// Held while it is told whether somebody watches, so that the last word is the truth.
    telling: Mutex<Option<OnWatched>>,
}

#[derive(Default)]
pub(super) struct Inner {
    masked: bool,
    paused: bool,
    online: bool,
    /// The format of what is received, as far as it is known.
    format: Option<Arc<StreamFormat>>,
    header: Option<(Arc<StreamFormat>, Arc<Header>)>,
    runs: Runs,
    run: u64,
    times: DecodeTimes,
    pub(super) ring: Ring,
    /// What has come since the first viewer came, until what was before it is here.
    early: Option<Vec<Packet>>,
    /// What was before is still to be asked for.
    asks: bool,
    viewers: BTreeMap<u64, Arc<Notify>>,
    next_viewer: u64,
}

impl Stream {
    pub(super) fn new(role: StreamRole) -> Self {
        Self {
            role,
            watched: AtomicBool::new(false),
            inner: Mutex::default(),
            telling: Mutex::default(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock()
    }

    /// The camera begins, or begins again.
    pub(super) fn open(&self, masked: bool, paused: bool, on_watched: OnWatched) {
        *self.telling.lock() = Some(on_watched);
        self.change(|inner| {
            inner.masked = masked;
            inner.paused = paused;
            inner.online = false;
            inner.forget();
        });
    }

    pub(super) fn online(&self, format: &Arc<StreamFormat>) {
        let mut inner = self.inner.lock();
        inner.online = true;
        inner.format = Some(Arc::clone(format));
        inner.wake();
    }

    pub(super) fn offline(&self) {
        let mut inner = self.inner.lock();
        inner.online = false;
        inner.wake();
    }

    pub(super) fn pause(&self, paused: bool) {
        self.change(|inner| {
            if inner.paused != paused {
                inner.paused = paused;
                inner.forget();
            }
        });
    }

    /// Adds a viewer. Returns its number.
    pub(super) fn enter(&self, wanted: Wanted, wake: Arc<Notify>) -> Result<u64, NoLive> {
        let mut number = 0;
        let mut refused = None;
        self.change(|inner| {
            refused = inner.refusal(wanted);
            if refused.is_some() {
                return;
            }
            let first = inner.viewers.is_empty();
            number = inner.next_viewer;
            inner.next_viewer += 1;
            inner.viewers.insert(number, wake);
            if first {
                inner.forget();
            }
        });
        refused.map_or(Ok(number), Err)
    }

    pub(super) fn leave(&self, viewer: u64) {
        self.change(|inner| {
            inner.viewers.remove(&viewer);
            if inner.viewers.is_empty() {
                inner.forget();
            }
        });
    }

    /// Changes who watches or who may, and tells the camera what has come of it.
    fn change(&self, change: impl FnOnce(&mut Inner)) {
        let telling = self.telling.lock();
        let (news, now) = {
            let mut inner = self.inner.lock();
            change(&mut inner);
            let now = !inner.viewers.is_empty() && !inner.paused && !inner.masked;
            inner.wake();
            let asks = std::mem::take(&mut inner.asks);
            let before = self.watched.swap(now, Ordering::Relaxed);
            (before != now || asks, now)
        };
        if let Some(tell) = &*telling
            && news
        {
            tell(self.role, now);
        }
    }

    pub(super) fn packet(&self, packet: &Packet) {
        if !self.watched.load(Ordering::Relaxed) {
            return;
        }
        let mut inner = self.inner.lock();
        if inner.paused || inner.masked {
            return;
        }
        if let Some(early) = &mut inner.early {
            if !packet.key && early.len() < MOST_EARLY {
                early.push(packet.clone());
                return;
            }
            // A keyframe needs nothing that was before it.
            inner.early = None;
        }
        inner.take(packet);
        inner.wake();
    }

    pub(super) fn since_keyframe(&self, packets: Vec<Packet>) {
        let mut inner = self.inner.lock();
        let Some(early) = inner.early.take() else {
            return;
        };
        // Both hold the same bytes where they overlap.
        let seam = packets.last().and_then(|last| {
            let same = |packet: &Packet| packet.data.as_ptr() == last.data.as_ptr();
            early.iter().position(same)
        });
        let rest = early.iter().skip(seam.map_or(0, |at| at + 1));
        for packet in packets.iter().chain(rest) {
            inner.take(packet);
        }
        inner.wake();
    }
}

impl Inner {
    /// Nothing that was is shown from here on.
    fn forget(&mut self) {
        self.ring.clear();
        self.runs.interrupt();
        let waits = !self.viewers.is_empty() && !self.paused && !self.masked;
        self.early = waits.then(Vec::new);
        self.asks = waits;
    }

    fn wake(&self) {
        for wake in self.viewers.values() {
            wake.notify_one();
        }
    }

    fn take(&mut self, packet: &Packet) {
        let Some(unit) = self.runs.admit(packet) else {
            return;
        };
        self.format = Some(Arc::clone(&packet.format));
        let Some(header) = self.header(&packet.format) else {
            return;
        };
        let fresh = std::mem::replace(&mut self.run, unit.run) != unit.run;
        let shown = cmaf::ticks(unit.at.nanos());
        self.ring.push(Unit {
            key: packet.key,
            droppable: packet.droppable,
            timing: self.times.next(shown, packet.key, fresh),
            at: Instant::now(),
            header,
            data: packet.data.clone(),
        });
    }

    /// The header that pictures of `format` need; none where there is no such thing.
    fn header(&mut self, format: &Arc<StreamFormat>) -> Option<Arc<Header>> {
        if let Some((known, header)) = &self.header
            && cmaf::same_pictures(known, format)
            && known.turn == format.turn
        {
            return Some(Arc::clone(header));
        }
        let header = Arc::new(Header {
            codecs: codecs::name(format)?.into(),
            bytes: Bytes::from(cmaf::init(format).ok()?),
        });
        self.header = Some((Arc::clone(format), Arc::clone(&header)));
        Some(header)
    }

    /// Why a viewer that asks for `wanted` gets nothing, as far as is known.
    pub(super) fn refusal(&self, wanted: Wanted) -> Option<NoLive> {
        if self.masked {
            return Some(NoLive::Masked);
        }
        match self.format.as_ref()?.codec {
            Codec::H264 => (!wanted.h264).then_some(NoLive::NoH264),
            Codec::H265 => (!wanted.h265).then_some(NoLive::NoH265),
            Codec::Other => Some(NoLive::Codec),
        }
    }

    pub(super) fn standing(&self) -> Standing {
        match (self.paused, self.online) {
            (true, _) => Standing::Paused,
            (false, true) => Standing::Online,
            (false, false) => Standing::Offline,
        }
    }
}

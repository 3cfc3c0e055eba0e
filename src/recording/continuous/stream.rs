//! One stream of one camera on its way into files.
//!
//! In: packets. Out: a file a minute, each beginning on a keyframe; the index knows each fragment as soon as it is written. What the
//! disk refuses is a gap, and is tried again after a while.

use std::{
    io,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use super::{
    Inner,
    feed::State,
    file::Growing,
    format::{Head, LONGEST_FILE, TICKS_MS},
    index::Entry,
    place::{self, Key},
};
use crate::{
    base::{
        link::Receiver,
        recordings::Why,
        telemetry::{CameraPartLabel, Metrics},
    },
    flow::{CameraId, ClockState, Packet, StreamRole},
    recording::{
        ClipError,
        buffer::continuity::Runs,
        clip::segments::{CutRule, Piece, Segmenter},
        cmaf::fmp4,
    },
};

/// A file is closed at the first keyframe after so long, in ticks ...
const FILE: i64 = 60 * 90_000;
/// ... or, keyframe or not, after so long.
const LONGEST: i64 = 10 * FILE;
/// A clock that is this far off was set, in ticks: the recording goes on with the right time.
const CLOCK_SET: i64 = 90_000;
/// When pieces are cut: at keyframes, or when a longer one would be lost with the power.
const CUT: CutRule = CutRule {
    target: Duration::from_secs(2),
    longest: Duration::from_secs(4),
    bytes: 4 << 20,
};
/// After the disk has refused, it is tried again after this long.
const TRY_AGAIN: Duration = Duration::from_secs(10);

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

pub(super) struct Stream {
    camera: CameraId,
    role: StreamRole,
    packets: Receiver<Packet>,
    pub(super) state: Arc<State>,
    dropped: u64,
    runs: Runs,
    segmenter: Segmenter,
    /// Of which chain the last piece was, and ticks since 1970 at its zero.
    chain: Option<(u64, i64)>,
    file: Option<(Key, Growing)>,
    /// Counts fragments.
    number: u32,
    /// Why nothing was recorded before what comes next; none while it goes on.
    gap: Option<Why>,
    refused: Option<Instant>,
    unsuited_told: bool,
}

impl Stream {
    pub(super) fn new(
        camera: CameraId,
        role: StreamRole,
        packets: Receiver<Packet>,
        state: Arc<State>,
    ) -> Self {
        Self {
            camera,
            role,
            packets,
            state,
            dropped: 0,
            runs: Runs::default(),
            segmenter: Segmenter::new(CUT),
            chain: None,
            file: None,
            number: 0,
            gap: Some(Why::Off),
            refused: None,
            unsuited_told: false,
        }
    }

    #[cfg(test)]
    pub(super) fn flushes(&self) -> u32 {
        self.file.as_ref().map_or(0, |(_, file)| file.flushes)
    }

    /// Writes what waits; false when nothing will come any more, and everything is closed.
    pub(super) fn work(&mut self, inner: &Inner) -> bool {
        let (gone, away) = (self.state.is_gone(), self.state.is_away());
        if self.state.is_paused() {
            while self.packets.try_recv().is_some() {}
            self.finish(inner);
            return !gone;
        }
        let dropped = self.packets.dropped();
        if dropped > self.dropped {
            self.count_dropped(dropped - self.dropped, &inner.metrics);
            self.dropped = dropped;
            self.gap.get_or_insert(Why::Busy);
        }
        while let Some(packet) = self.packets.try_recv() {
            self.packet(&packet, inner);
        }
        if gone || away {
            self.finish(inner);
        }
        !gone
    }

    fn count_dropped(&self, lost: u64, metrics: &Metrics) {
        let label = CameraPartLabel {
            camera: self.camera.to_string(),
            part: "recording",
        };
        metrics.dropped.get_or_create(&label).inc_by(lost);
        tracing::warn!(
            camera = %self.camera,
            lost,
            "packets were not recorded: the disk is too slow for what it is asked to record"
        );
    }

    pub(super) fn packet(&mut self, packet: &Packet, inner: &Inner) {
        let Some(unit) = self.runs.admit(packet) else {
            return;
        };
        if !self.segmenter.continues_with(&unit) {
            self.rest(inner);
        }
        self.segmenter.push(unit);
        while let Some(piece) = self.segmenter.next_piece(None, false) {
            self.piece(&piece, inner);
        }
    }

    /// Writes what is held, and closes the file.
    fn rest(&mut self, inner: &Inner) {
        while let Some(piece) = self.segmenter.next_piece(None, true) {
            self.piece(&piece, inner);
        }
        self.close(inner);
    }

    /// The same, and what comes next begins with a keyframe.
    pub(super) fn finish(&mut self, inner: &Inner) {
        self.rest(inner);
        self.runs.interrupt();
    }

    fn piece(&mut self, piece: &Piece, inner: &Inner) {
        if self
            .refused
            .is_some_and(|refused| refused.elapsed() < TRY_AGAIN)
        {
            return;
        }
        if let Err(error) = self.try_piece(piece, inner) {
            self.close(inner);
            self.refuse(&error, inner);
        }
    }

    fn try_piece(&mut self, piece: &Piece, inner: &Inner) -> io::Result<()> {
        let decode = i64::try_from(piece.decode_time).unwrap_or(i64::MAX);
        let same_chain = self.chain.filter(|(chain, _)| *chain == piece.chain);
        if let (Some((_, file)), Some((_, zero))) = (&self.file, same_chain) {
            let lasts = zero + decode - file.table.start;
            let bytes = u64::from(file.table.data_end) + 2 * CUT.bytes;
            if piece.key && lasts >= FILE || lasts >= LONGEST || bytes > LONGEST_FILE {
                self.close(inner);
            }
        } else {
            self.close(inner);
        }
        if self.file.is_none() {
            let goes_on = self.gap.is_none() && same_chain.is_some();
            if !goes_on && !piece.key {
                return Ok(());
            }
            self.open(piece, same_chain.map(|(_, zero)| zero + decode), inner)?;
        }
        let Some(((_, zero), (key, file))) = self.chain.zip(self.file.as_mut()) else {
            return Ok(());
        };
        let lasts: u64 = piece.samples.iter().map(|s| u64::from(s.duration)).sum();
        let start = zero + decode;
        let end = start.saturating_add(i64::try_from(lasts).unwrap_or(i64::MAX));
        self.number = self.number.wrapping_add(1);
        let chunks = fmp4::segment(self.number, start.cast_unsigned(), &piece.samples);
        let before = file.table.data_end;
        let (key, frames) = (*key, piece.samples.len());
        match file.add(&chunks, frames, piece.key, end) {
            // The oldest recording gives way to the newest.
            Err(error) if is_full(&error) && inner.make_room(2 * CUT.bytes) => {
                file.add(&chunks, frames, piece.key, end)?;
            }
            added => added?,
        }
        file.flush_in_time()?;
        let label = CameraPartLabel {
            camera: self.camera.to_string(),
            part: place::word(self.role),
        };
        let written = u64::from(file.table.data_end - before);
        inner
            .metrics
            .recorded_bytes
            .get_or_create(&label)
            .inc_by(written);
        let entry = Entry {
            open: Some(file.table.clone()),
            ..Entry::closed(&file.table, u64::from(file.table.data_end))
        };
        inner.enter(&self.camera, key, entry);
        if self.refused.take().is_some() || std::mem::take(&mut self.unsuited_told) {
            self.state.disk.store(false, Relaxed);
            inner.trouble(&self.camera, None);
        }
        Ok(())
    }

    /// Begins a file with `piece`, which by the chain so far begins at `follows`.
    fn open(&mut self, piece: &Piece, follows: Option<i64>, inner: &Inner) -> io::Result<()> {
        let decode = i64::try_from(piece.decode_time).unwrap_or(i64::MAX);
        let now = inner.clock.wall_at(piece.start).0.max(0) * TICKS_MS;
        let set = follows.is_some_and(|follows| (now - follows).abs() > CLOCK_SET);
        let start = follows.filter(|_| !set).unwrap_or(now);
        let before = match follows {
            Some(_) if self.gap.is_none() => set.then_some(Why::Clock),
            _ => Some(self.gap.or(self.state.take_why()).unwrap_or(Why::Stream)),
        };
        let format = &piece.format;
        let init = match fmp4::init(format) {
            Ok(init) => init,
            Err(error) => return self.unsuited(&error, inner),
        };
        inner.check_room()?;
        let head = Head {
            v: 1,
            camera: self.camera.clone(),
            clock_sure: inner.clock.state() == ClockState::Good,
            before,
            codec: format.codec_name.clone(),
            width: format.shown_size().width,
            height: format.shown_size().height,
        };
        let mut key = (start.div_euclid(TICKS_MS), self.role);
        let begun = loop {
            let path = place::path(&inner.root, &self.camera, key);
            match Growing::begin(path, &init, head.clone(), start) {
                // A clock that went back to the very millisecond.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => key.0 += 1,
                begun => break begun?,
            }
        };
        self.chain = Some((piece.chain, start - decode));
        self.file = Some((key, begun));
        self.gap = None;
        self.state.take_why();
        Ok(())
    }

    fn unsuited(&mut self, error: &ClipError, inner: &Inner) -> io::Result<()> {
        if !std::mem::replace(&mut self.unsuited_told, true) {
            inner.trouble(
                &self.camera,
                Some(format!("{} is not recorded: {error}", self.camera)),
            );
        }
        Ok(())
    }

    fn close(&mut self, inner: &Inner) {
        let Some((key, file)) = self.file.take() else {
            return;
        };
        let table = file.table.clone();
        match file.close() {
            Ok(Some(bytes)) => inner.enter(&self.camera, key, Entry::closed(&table, bytes)),
            Ok(None) => inner.forget(&self.camera, key),
            Err(error) => {
                // It lies without a table, and is read by a scan.
                let bytes = u64::from(table.data_end);
                inner.enter(&self.camera, key, Entry::closed(&table, bytes));
                self.refuse(&error, inner);
            }
        }
    }

    fn refuse(&mut self, error: &io::Error, inner: &Inner) {
        self.refused = Some(Instant::now());
        self.state.disk.store(true, Relaxed);
        self.gap = Some(Why::Disk);
        let sentence = if is_full(error) {
            format!(
                "the recording of {} waits: the disk is full, and what is left is kept for incidents; free some space or lower \
                 quota in [cameras.recording]",
                self.camera
            )
        } else {
            format!(
                "the recording of {} cannot be written: {error}; check that data_dir is on a mounted disk and that Lares may \
                 write to it",
                self.camera
            )
        };
        inner.trouble(&self.camera, Some(sentence));
    }
}

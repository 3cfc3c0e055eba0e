//! From RTP packets to packets on the box's time line, for one session.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::BytesMut;

use super::{
    access_units::{AccessUnit, AccessUnits},
    depacketize::Depacketizer,
    losses::Losses,
    packet::{Head, Sniffer},
};
use crate::{
    flow::{MediaTime, Packet, StreamFormat, StreamRole},
    ingest::{
        IngestError, PacketSink, SourceState,
        bitstream::{keyframe_gate::StartGate, unit::Unit},
        rtsp::{
            diagnostics::Diagnostics,
            protocol::sdp::{Encoding, Track},
            transport::batch::Batches,
        },
        time::timeline::Timeline,
    },
};

/// Data that gives no picture for so long is worth a word.
const USABLE_WITHIN: Duration = Duration::from_secs(10);

/// Receives one stream.
pub(in crate::ingest::rtsp) struct Receiver {
    role: StreamRole,
    track: Track,
    encoding: Encoding,
    ssrc: Option<u32>,
    sniffer: Sniffer,
    units: AccessUnits,
    batches: Batches,
    depacketizer: Depacketizer,
    gate: StartGate,
    timeline: Timeline,
    format: Option<Arc<StreamFormat>>,
    /// The next packet begins a run.
    fresh: bool,
    last_pts: MediaTime,
    pub(in crate::ingest::rtsp) quality: Diagnostics,
    losses: Losses,
    /// Arrival of the last picture that was of use, or of the session's first data.
    used: Option<MediaTime>,
    /// Whole pictures have come since.
    whole: bool,
    /// It was told that nothing is of use.
    unusable: bool,
}

impl Receiver {
    /// For packets of `track`, from the source `ssrc` where the camera has announced it.
    pub(in crate::ingest::rtsp) fn new(
        role: StreamRole,
        track: Track,
        ssrc: Option<u32>,
        quality: Diagnostics,
    ) -> Result<Self, IngestError> {
        // Nothing said: most likely, until the stream shows what it is.
        let encoding = track.encoding.unwrap_or(Encoding::H264);
        Ok(Self {
            role,
            encoding,
            ssrc,
            sniffer: Sniffer::default(),
            units: AccessUnits::new(&track, encoding, ssrc),
            batches: Batches::default(),
            depacketizer: Depacketizer::new(&track, encoding)?,
            track,
            gate: StartGate::default(),
            timeline: Timeline::default(),
            format: None,
            fresh: true,
            last_pts: MediaTime::ZERO,
            quality,
            losses: Losses::default(),
            used: None,
            whole: false,
            unusable: false,
        })
    }

    /// How many bytes to wait for before more is read; `prompt`: each packet is wanted at once.
    pub(in crate::ingest::rtsp) fn mark(&self, prompt: bool) -> usize {
        self.batches.mark(prompt, self.units.amid_keyframe())
    }

    /// Takes one packet of the stream's channel or port; whether it is one of RTP with something in it.
    pub(in crate::ingest::rtsp) fn packet(
        &mut self,
        packet: BytesMut,
        arrived: MediaTime,
        sink: &mut dyn PacketSink,
    ) -> bool {
        if self.quality.connected() {
            let counted = self.losses.packet(&packet, self.units.source());
            if let Some(state) = self.quality.losses(counted, Instant::now()) {
                sink.state(state);
            }
        }
        let Some(head) = Head::read(&packet) else {
            return false;
        };
        if let Some(shown) = self.sniffer.look(head.payload(&packet))
            && shown != self.encoding
        {
            self.encoding_is(shown, sink);
        }
        for unit in self.units.packet(packet, &head, arrived) {
            self.access_unit(unit, sink);
        }
        true
    }

    /// The stream is not what the description says.
    fn encoding_is(&mut self, shown: Encoding, sink: &mut dyn PacketSink) {
        let Ok(depacketizer) = Depacketizer::new(&self.track, shown) else {
            return;
        };
        if let Some(said) = self.track.encoding
            && let Some(state) = self.quality.disagrees(said, shown)
        {
            sink.state(state);
        }
        self.encoding = shown;
        self.depacketizer = depacketizer;
        self.units = AccessUnits::new(&self.track, shown, self.ssrc);
        self.begin_run();
    }

    fn begin_run(&mut self) {
        self.gate = StartGate::default();
        self.fresh = true;
    }

    fn access_unit(&mut self, unit: AccessUnit, sink: &mut dyn PacketSink) {
        let (arrived, cut) = (unit.arrived, unit.cut);
        if unit.content.key {
            self.batches
                .keyframe(unit.packets.iter().map(BytesMut::len).sum());
        }
        for unit in self.depacketizer.push(unit) {
            if cut && !unit.key {
                self.begin_run();
            }
            self.unit(unit, arrived, sink);
        }
        let used = *self.used.get_or_insert(arrived);
        if arrived.since(used) > USABLE_WITHIN && !self.unusable {
            self.unusable = true;
            self.begin_run();
            sink.state(SourceState::Unusable(self.quality.unusable(self.whole)));
        }
    }

    fn unit(&mut self, unit: Unit, arrived: MediaTime, sink: &mut dyn PacketSink) {
        let pts = unit.pts.unwrap_or(self.last_pts);
        self.last_pts = pts;
        self.whole = true;
        let placed = self.timeline.place(pts, arrived);
        if let Some(state) = self.quality.clock(placed.relied) {
            sink.state(state);
        }
        let changed = self
            .format
            .as_ref()
            .is_none_or(|format| !Arc::ptr_eq(format, &unit.format));
        if placed.stepped || changed {
            // A run begins where decoding can.
            self.begin_run();
            self.format = Some(Arc::clone(&unit.format));
        }
        if !self.gate.lets_in(&unit) {
            return;
        }
        (self.used, self.whole, self.unusable) = (Some(arrived), false, false);
        let discontinuity = std::mem::take(&mut self.fresh);
        if discontinuity {
            sink.state(SourceState::Online(Arc::clone(&unit.format)));
        }
        sink.packet(Packet {
            stream: self.role,
            format: unit.format,
            time: placed.time,
            pts: if placed.relied { pts } else { placed.time },
            duration: unit.duration,
            key: unit.key,
            droppable: unit.facts.droppable,
            discontinuity,
            data: unit.data,
            arrived,
        });
    }
}

//! From depayloaded pictures to packets on the box's time line, for one RTSP session.

use std::{sync::Arc, time::Duration};

use gstreamer as gst;
use parking_lot::Mutex;

use super::{
    SourceState,
    gate::StartGate,
    parse::{Parser, Unit},
    quality::Quality,
    rtsp::SharedSink,
    timeline::Timeline,
};
use crate::{
    base::clock::Clock,
    flow::{MediaTime, Packet, StreamFormat, StreamRole},
};

/// Data that gives no picture for so long is worth a word.
const USABLE_WITHIN: Duration = Duration::from_secs(10);

/// Receives on the session's thread.
pub(super) struct Receiver {
    role: StreamRole,
    clock: Arc<dyn Clock>,
    sink: SharedSink,
    parser: Option<Parser>,
    caps: Option<gst::Caps>,
    gate: StartGate,
    timeline: Timeline,
    format: Option<Arc<StreamFormat>>,
    /// The next packet begins a run.
    fresh: bool,
    last_pts: MediaTime,
    quality: Arc<Mutex<Quality>>,
    /// Arrival of the last picture that was of use, or of the session's first data.
    used: Option<MediaTime>,
    /// Whole pictures have come since.
    units: bool,
    /// It was told that nothing is of use.
    unusable: bool,
}

impl Receiver {
    pub(super) fn new(
        role: StreamRole,
        clock: Arc<dyn Clock>,
        sink: SharedSink,
        quality: Arc<Mutex<Quality>>,
    ) -> Self {
        Self {
            role,
            clock,
            sink,
            parser: None,
            caps: None,
            gate: StartGate::default(),
            timeline: Timeline::default(),
            format: None,
            fresh: true,
            last_pts: MediaTime::ZERO,
            quality,
            used: None,
            units: false,
            unusable: false,
        }
    }

    /// Takes one depayloaded picture.
    pub(super) fn sample(&mut self, sample: &gst::Sample) {
        let arrived = self.clock.now();
        let (Some(buffer), Some(caps)) = (sample.buffer_owned(), sample.caps_owned()) else {
            return;
        };
        if self.parser.is_none() {
            self.parser = Parser::new(&caps).ok();
        }
        let Some(parser) = &mut self.parser else {
            return;
        };
        if self.caps.as_ref() != Some(&caps) {
            parser.set_caps(&caps);
        }
        let mut units = parser.push(buffer, &caps);
        // RTP marks the end of a picture: nothing of it comes later.
        units.extend(parser.release());
        self.caps = Some(caps);
        for unit in units {
            self.unit(unit, arrived);
        }
        let used = *self.used.get_or_insert(arrived);
        if arrived.since(used) > USABLE_WITHIN && !self.unusable {
            self.unusable = true;
            self.gate = StartGate::default();
            self.fresh = true;
            let problem = self.quality.lock().unusable(self.units);
            self.sink.lock().state(SourceState::Unusable(problem));
        }
    }

    fn unit(&mut self, unit: Unit, arrived: MediaTime) {
        let pts = unit.pts.unwrap_or(self.last_pts);
        self.last_pts = pts;
        self.units = true;
        let placed = self.timeline.place(pts, arrived);
        let news = self.quality.lock().clock(placed.relied);
        if let Some(state) = news {
            self.sink.lock().state(state);
        }
        let changed = self
            .format
            .as_ref()
            .is_none_or(|format| !Arc::ptr_eq(format, &unit.format));
        if placed.stepped || changed {
            // A run begins where decoding can.
            self.gate = StartGate::default();
            self.fresh = true;
            self.format = Some(Arc::clone(&unit.format));
        }
        if !self.gate.lets_in(&unit) {
            return;
        }
        (self.used, self.units, self.unusable) = (Some(arrived), false, false);
        let discontinuity = std::mem::take(&mut self.fresh);
        let mut sink = self.sink.lock();
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

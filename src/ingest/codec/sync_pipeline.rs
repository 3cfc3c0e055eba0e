//! A chain of elements that works synchronously: what goes in at one end has come out at the other when the call returns.
//!
//! The two ends are pads of our own, as in GStreamer's test harness, so that no queue, no thread and no clock stands
//! between a buffer and its result. Only for elements that have no thread of their own (parsers, converters, software
//! decoders with one thread), and for others that a trial has shown to work like these (`hw_select`).

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use gstreamer as gst;
use gstreamer_video as gst_video;

use gst::prelude::*;
use parking_lot::Mutex;

/// What came out: a buffer and the capabilities in force for it.
pub(in crate::ingest) type Output = (gst::Buffer, gst::Caps);

/// The chain. Stopped and released when dropped.
pub(in crate::ingest) struct SyncPipeline {
    elements: Vec<gst::Element>,
    input: gst::Pad,
    output: gst::Pad,
    bus: gst::Bus,
    complaints: Arc<AtomicUsize>,
    out: Arc<Mutex<Vec<Output>>>,
}

/// The elements do not take such a stream, or refuse to start.
#[derive(Debug, thiserror::Error)]
#[error("the elements {0} cannot be put to work")]
pub(in crate::ingest) struct LineError(String);

impl SyncPipeline {
    /// Links `elements` in this order and starts them. What comes out matches `wanted`.
    pub(in crate::ingest) fn new(
        elements: Vec<gst::Element>,
        wanted: &gst::Caps,
    ) -> Result<Self, LineError> {
        let out = Arc::new(Mutex::new(Vec::new()));
        let complaints = Arc::new(AtomicUsize::new(0));
        let line = Self {
            bus: counting_bus(Arc::clone(&complaints)),
            complaints,
            input: input_pad(),
            output: output_pad(wanted.clone(), Arc::clone(&out)),
            elements,
            out,
        };
        line.start().ok_or_else(|| {
            let names: Vec<_> = line.elements.iter().map(|e| e.name()).collect();
            LineError(names.join(", "))
        })?;
        Ok(line)
    }

    fn start(&self) -> Option<()> {
        gst::Element::link_many(&self.elements).ok()?;
        let first = self.elements.first()?.static_pad("sink")?;
        let last = self.elements.last()?.static_pad("src")?;
        self.input.link(&first).ok()?;
        last.link(&self.output).ok()?;
        self.output.set_active(true).ok()?;
        for element in self.elements.iter().rev() {
            element.set_bus(Some(&self.bus));
            element.set_state(gst::State::Playing).ok()?;
        }
        self.input.set_active(true).ok()?;
        self.event(gst::event::StreamStart::new("lares"));
        Some(())
    }

    /// Sends an event in; whether it was taken.
    pub(in crate::ingest) fn event(&self, event: gst::Event) -> bool {
        self.input.push_event(event)
    }

    /// Announces what the next buffers are; whether the elements take it.
    pub(in crate::ingest) fn set_caps(&self, caps: &gst::Caps) -> bool {
        self.event(gst::event::Caps::new(caps))
    }

    /// Begins a segment of time from zero on.
    pub(in crate::ingest) fn segment(&self, flags: gst::SegmentFlags) -> bool {
        let mut segment = gst::FormattedSegment::<gst::ClockTime>::new();
        segment.set_flags(flags);
        self.event(gst::event::Segment::new(&segment))
    }

    /// Forgets all data and state in the elements; capabilities stay.
    pub(in crate::ingest) fn flush(&self) {
        self.event(gst::event::FlushStart::new());
        self.event(gst::event::FlushStop::new(true));
        self.out.lock().clear();
    }

    /// Pushes one buffer through; [`take`](Self::take) has the result.
    pub(in crate::ingest) fn push(&self, buffer: gst::Buffer) -> Result<(), gst::FlowError> {
        self.input.push(buffer).map(|_| ())
    }

    /// Pushes several buffers through at once; [`take`](Self::take) has the results.
    pub(in crate::ingest) fn push_list(&self, list: gst::BufferList) -> Result<(), gst::FlowError> {
        self.input.push_list(list).map(|_| ())
    }

    /// Pushes everything out that the elements still hold.
    pub(in crate::ingest) fn drain(&self) {
        self.event(gst::event::Eos::new());
    }

    /// What has come out since the last call.
    pub(in crate::ingest) fn take(&self) -> Vec<Output> {
        std::mem::take(&mut *self.out.lock())
    }

    /// How many warnings and errors the elements have told since the last call.
    pub(in crate::ingest) fn complaints(&self) -> usize {
        self.complaints.swap(0, Ordering::Relaxed)
    }
}

impl Drop for SyncPipeline {
    fn drop(&mut self) {
        // Stopping software elements cannot fail, and there is nothing to be done if it does.
        let _ = self.input.set_active(false);
        for element in &self.elements {
            let _ = element.set_state(gst::State::Null);
        }
        let _ = self.output.set_active(false);
    }
}

/// A bus that counts warnings and errors and keeps nothing: a message that stays on a bus keeps its element alive, and
/// the element its bus.
fn counting_bus(complaints: Arc<AtomicUsize>) -> gst::Bus {
    let bus = gst::Bus::new();
    bus.set_sync_handler(move |_, message| {
        let kind = message.type_();
        if kind == gst::MessageType::Warning || kind == gst::MessageType::Error {
            complaints.fetch_add(1, Ordering::Relaxed);
        }
        gst::BusSyncReply::Drop
    });
    bus
}

fn input_pad() -> gst::Pad {
    gst::Pad::builder(gst::PadDirection::Src)
        .name("in")
        // Upstream events (quality of service, reconfigure) have no addressee here.
        .event_function(|_, _, _| true)
        .query_function(|pad, _, query| match query.view_mut() {
            gst::QueryViewMut::Caps(q) => {
                let caps = pad.current_caps().unwrap_or_else(gst::Caps::new_any);
                let caps = q
                    .filter_owned()
                    .map_or(caps.clone(), |f| f.intersect(&caps));
                q.set_result(&caps);
                true
            }
            // So that decoders that care hold fewer pictures back.
            gst::QueryViewMut::Latency(q) => {
                q.set(true, gst::ClockTime::ZERO, gst::ClockTime::NONE);
                true
            }
            _ => false,
        })
        .build()
}

fn output_pad(wanted: gst::Caps, out: Arc<Mutex<Vec<Output>>>) -> gst::Pad {
    gst::Pad::builder(gst::PadDirection::Sink)
        .name("out")
        .chain_function(move |pad, _, buffer| {
            let caps = pad.current_caps().ok_or(gst::FlowError::NotNegotiated)?;
            out.lock().push((buffer, caps));
            Ok(gst::FlowSuccess::Ok)
        })
        .event_function(|_, _, _| true)
        .query_function(move |_, _, query| match query.view_mut() {
            gst::QueryViewMut::Caps(q) => {
                let caps = q.filter_owned().map_or(wanted.clone(), |f| {
                    f.intersect_with_mode(&wanted, gst::CapsIntersectMode::First)
                });
                q.set_result(&caps);
                true
            }
            gst::QueryViewMut::AcceptCaps(q) => {
                let fits = q.caps_owned().can_intersect(&wanted);
                q.set_result(fits);
                true
            }
            // With this answer decoders write into padded buffers and hand those out: no copy is made.
            gst::QueryViewMut::Allocation(q) => {
                q.add_allocation_meta::<gst_video::VideoMeta>(None);
                true
            }
            _ => false,
        })
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::samples::*;

    #[test]
    fn nothing_of_a_line_outlives_it() {
        let studio = Studio::new();
        let packets = packets(&studio.video("v.mp4", 5, &x264(5, 0)));
        let caps: gst::Caps = packets[0].format.caps.parse().unwrap();
        let parser = gst::ElementFactory::make("h264parse").build().unwrap();
        let line = SyncPipeline::new(vec![parser], &gst::Caps::new_any()).unwrap();
        assert!(line.set_caps(&caps) && line.segment(gst::SegmentFlags::empty()));
        for packet in &packets {
            line.push(gst::Buffer::from_slice(packet.data.clone()))
                .unwrap();
        }
        assert_eq!(line.take().len(), 5);
        // A message that is left lying on a bus keeps its element, and the element its bus.
        let (element, bus) = (line.elements[0].downgrade(), line.bus.downgrade());
        drop(line);
        assert!(element.upgrade().is_none() && bus.upgrade().is_none());
    }
}

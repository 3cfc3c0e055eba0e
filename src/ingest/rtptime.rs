//! RTP timestamps become presentation times, on the thread that reads the connection.
//!
//! It stands where RTSP sessions have a jitter buffer. That one hands each packet to a thread of its own, which sets a timer for it:
//! over TCP, where nothing is late and nothing overtakes, all it gives is the time that is worked out here. Sender reports
//! are not used: one stream is not to be played in step with another.

use gstreamer as gst;

use gst::{glib, prelude::*, subclass::prelude::*};
use parking_lot::Mutex;

/// Clock rate of H.264 and H.265 in RTP (RFC 6184, 8.1; RFC 7798, 7.1), for a session that names none.
const CLOCK_RATE: u32 = 90_000;

/// Where times begin, in nanoseconds: pictures may be shown before the one that came first.
const ORIGIN: i64 = 3_600_000_000_000;

/// The time line of a stream whose timestamps wrap after 32 bits. Pure.
#[derive(Debug)]
struct Unwrapped {
    clock_rate: u32,
    last: Option<u32>,
    /// Ticks since the first timestamp.
    ticks: i64,
}

impl Default for Unwrapped {
    fn default() -> Self {
        Self {
            clock_rate: CLOCK_RATE,
            last: None,
            ticks: 0,
        }
    }
}

impl Unwrapped {
    /// Nanoseconds of `timestamp`, on a line without wraps that starts at [`ORIGIN`]. Each step is taken the short way round.
    fn place(&mut self, timestamp: u32) -> u64 {
        let step = timestamp.wrapping_sub(self.last.unwrap_or(timestamp)) as i32;
        self.last = Some(timestamp);
        self.ticks += i64::from(step);
        let nanos = i128::from(self.ticks) * 1_000_000_000 / i128::from(self.clock_rate);
        let time = i128::from(ORIGIN) + nanos;
        u64::try_from(time).unwrap_or_else(|_| {
            // So far back is a jump: whoever places pictures in time sees it all the same.
            self.ticks = 0;
            ORIGIN as u64
        })
    }
}

/// Takes the place of a jitter buffer.
#[derive(Debug)]
pub struct Element {
    src: gst::Pad,
    sink: gst::Pad,
    times: Mutex<Unwrapped>,
}

#[glib::object_subclass]
impl ObjectSubclass for Element {
    const NAME: &'static str = "LaresRtpTime";
    type Type = RtpTime;
    type ParentType = gst::Element;

    fn with_class(class: &Self::Class) -> Self {
        let template = |name| {
            class
                .pad_template(name)
                .expect("pad_templates() names each of them")
        };
        let sink = gst::Pad::builder_from_template(&template("sink"))
            .chain_function(|_, parent, buffer| {
                Self::catch_panic_pad_function(
                    parent,
                    || Err(gst::FlowError::Error),
                    |element| element.take(buffer),
                )
            })
            .event_function(|pad, parent, event| {
                Self::catch_panic_pad_function(
                    parent,
                    || false,
                    |element| element.learn(pad, event),
                )
            })
            .flags(gst::PadFlags::PROXY_CAPS | gst::PadFlags::PROXY_ALLOCATION)
            .build();
        let src = gst::Pad::builder_from_template(&template("src")).build();
        Self {
            src,
            sink,
            times: Mutex::default(),
        }
    }
}

impl ObjectImpl for Element {
    fn properties() -> &'static [glib::ParamSpec] {
        // The session sets it without asking whether it is there.
        static PROPERTIES: std::sync::LazyLock<Vec<glib::ParamSpec>> =
            std::sync::LazyLock::new(|| vec![glib::ParamSpecUInt::builder("latency").build()]);
        &PROPERTIES
    }

    fn property(&self, _: usize, _: &glib::ParamSpec) -> glib::Value {
        0u32.to_value()
    }

    fn set_property(&self, _: usize, _: &glib::Value, _: &glib::ParamSpec) {}

    fn constructed(&self) {
        self.parent_constructed();
        for pad in [&self.sink, &self.src] {
            self.obj()
                .add_pad(pad)
                .expect("a new element has no pad of that name");
        }
    }
}

impl GstObjectImpl for Element {}

impl ElementImpl for Element {
    fn pad_templates() -> &'static [gst::PadTemplate] {
        use gst::{PadDirection::*, PadPresence::*};
        static TEMPLATES: std::sync::LazyLock<Vec<gst::PadTemplate>> =
            std::sync::LazyLock::new(|| {
                [
                    ("sink", Sink, Always, "application/x-rtp"),
                    ("src", Src, Always, "application/x-rtp"),
                    ("sink_rtcp", Sink, Request, "application/x-rtcp"),
                ]
                .into_iter()
                .map(|(name, direction, presence, caps)| {
                    let caps = gst::Caps::builder(caps).build();
                    gst::PadTemplate::new(name, direction, presence, &caps)
                        .expect("names and directions written here are valid")
                })
                .collect()
            });
        &TEMPLATES
    }

    /// The session's reports come here, to be thrown away.
    fn request_new_pad(
        &self,
        template: &gst::PadTemplate,
        name: Option<&str>,
        _: Option<&gst::Caps>,
    ) -> Option<gst::Pad> {
        let pad = gst::Pad::builder_from_template(template)
            .name(name.unwrap_or("sink_rtcp"))
            .chain_function(|_, _, _| Ok(gst::FlowSuccess::Ok))
            .event_function(|_, _, _| true)
            .build();
        pad.set_active(true).ok()?;
        self.obj().add_pad(&pad).ok()?;
        Some(pad)
    }

    fn release_pad(&self, pad: &gst::Pad) {
        let _ = self.obj().remove_pad(pad);
    }
}

impl Element {
    fn take(&self, mut buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        /// Of the fixed part of an RTP header (RFC 3550, 5.1), up to the end of the timestamp.
        const HEAD: usize = 8;
        let mut head = [0; HEAD];
        if buffer.size() >= HEAD && buffer.copy_to_slice(0, &mut head).is_ok() {
            let timestamp = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
            let time = self.times.lock().place(timestamp);
            let buffer = buffer.make_mut();
            buffer.set_pts(gst::ClockTime::from_nseconds(time));
            buffer.set_dts(gst::ClockTime::NONE);
        }
        self.src.push(buffer)
    }

    fn learn(&self, pad: &gst::Pad, event: gst::Event) -> bool {
        if let gst::EventView::Caps(caps) = event.view()
            && let Some(rate) = caps.caps().structure(0).and_then(clock_rate)
        {
            self.times.lock().clock_rate = rate;
        }
        gst::Pad::event_default(pad, Some(&*self.obj()), event)
    }
}

fn clock_rate(caps: &gst::StructureRef) -> Option<u32> {
    let rate = caps.get::<i32>("clock-rate").ok()?;
    u32::try_from(rate).ok().filter(|rate| *rate > 0)
}

glib::wrapper! {
    /// An element that sets the presentation time of RTP packets.
    pub struct RtpTime(ObjectSubclass<Element>) @extends gst::Element, gst::Object;
}

/// A new one.
pub(super) fn element() -> gst::Element {
    glib::Object::new::<RtpTime>().upcast()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::line::Line, *};

    proptest! {
        #[test]
        fn steps_are_kept_across_wraps(
            first in any::<u32>(),
            steps in prop::collection::vec(-9_000i32..900_000, 1..100),
        ) {
            let mut line = Unwrapped::default();
            prop_assert_eq!(line.place(first), ORIGIN as u64);
            let (mut timestamp, mut ticks) = (first, 0i64);
            for step in steps {
                timestamp = timestamp.wrapping_add(step as u32);
                ticks += i64::from(step);
                let expected = i128::from(ORIGIN) + i128::from(ticks) * 100_000 / 9;
                prop_assert_eq!(i128::from(line.place(timestamp)), expected);
            }
        }

        #[test]
        fn whatever_comes_has_a_time(timestamps in prop::collection::vec(any::<u32>(), 1..200)) {
            let mut line = Unwrapped::default();
            for timestamp in timestamps {
                prop_assert!(i64::try_from(line.place(timestamp)).is_ok());
            }
        }
    }

    #[test]
    fn packets_pass_with_their_time() {
        super::super::setup::init().unwrap();
        let rtp = |text: &str| text.parse::<gst::Caps>().unwrap();
        let line = Line::new(vec![element()], &rtp("application/x-rtp")).unwrap();
        assert!(line.set_caps(&rtp("application/x-rtp,media=video,clock-rate=1000")));
        assert!(line.segment(gst::SegmentFlags::empty()));
        let packets: [&[u8]; 3] = [
            &[0x80, 96, 0, 1, 0, 0, 0, 5, 1, 2, 3, 4],
            &[0x80, 96, 0, 2, 0, 0, 1, 5, 1, 2, 3, 4],
            &[0x80, 96],
        ];
        for packet in packets {
            line.push(gst::Buffer::from_slice(packet)).unwrap();
        }
        let times: Vec<_> = line.take().iter().map(|(buffer, _)| buffer.pts()).collect();
        assert_eq!(
            times[1].unwrap() - times[0].unwrap(),
            gst::ClockTime::from_mseconds(256)
        );
        assert_eq!(times[2], None);
    }
}

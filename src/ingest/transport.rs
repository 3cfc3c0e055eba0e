//! How a session's pictures travel: inside the RTSP connection, plain or over TLS, or as datagrams.
//!
//! TCP repairs what the network loses, so nothing holds its packets back. UDP's pass a jitter buffer, which puts them
//! in order and waits a little for those that are late.

use std::sync::Arc;

use gstreamer as gst;
// The GIO that GStreamer's RTSP does its TLS with.
use gstreamer_rtsp_server::gio;

use gst::prelude::*;
use parking_lot::Mutex;

use super::{rtptime, session::End};
use crate::config::{SourceConfig, Transport};

/// How long the jitter buffer waits for a datagram that is late, in milliseconds: several times what Wi-Fi delays,
/// and little beside the second by which the lanes join streams.
const REORDER_WITHIN_MS: u32 = 200;

/// What carries the packets of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carrier {
    Tcp,
    Udp,
}

impl Carrier {
    /// The one to try first.
    pub(super) fn first(transport: Transport) -> Self {
        match transport {
            Transport::Auto | Transport::Tcp => Self::Tcp,
            Transport::Udp => Self::Udp,
        }
    }

    /// The one to try after a session that ended so. Nobody's pictures go unencrypted because TLS was asked for.
    pub(super) fn after(self, end: &End, config: &SourceConfig) -> Self {
        let other = match self {
            Self::Tcp => Self::Udp,
            Self::Udp => Self::Tcp,
        };
        let free = config.transport == Transport::Auto && config.url.scheme() != "rtsps";
        match end {
            End::TransportRefused if free => other,
            _ => self,
        }
    }

    /// Tells the element.
    pub(super) fn configure(self, rtspsrc: &gst::Element) {
        match self {
            Self::Tcp => {
                rtspsrc.set_property_from_str("protocols", "tcp");
                rtspsrc.set_property("latency", 0u32);
                rtspsrc.set_property_from_str("buffer-mode", "none");
            }
            Self::Udp => {
                rtspsrc.set_property_from_str("protocols", "udp");
                rtspsrc.set_property("latency", REORDER_WITHIN_MS);
                // The buffer's timers need to know when a packet was to be expected, which mode "none" leaves out.
                rtspsrc.set_property_from_str("buffer-mode", "slave");
                // Silence is noticed by whoever runs the session, as with TCP.
                rtspsrc.set_property("timeout", 0u64);
            }
        }
    }
}

/// Spares a session over TCP a thread and a timer for each packet: there is no jitter to be taken out.
pub(super) fn leave_out_jitter_buffer(rtspsrc: &gst::Element) {
    rtspsrc.connect("new-manager", false, |args| {
        let manager = args[1].get::<gst::Element>().ok()?;
        manager.connect("request-jitterbuffer", false, |_| {
            Some(rtptime::element().to_value())
        });
        None
    });
}

/// Has `ca_file` vouch for the camera's certificate, in place of the system's authorities. The name in the certificate
/// is checked either way.
pub(super) fn trust(rtspsrc: &gst::Element, config: &SourceConfig) -> Result<(), End> {
    let Some(path) = &config.ca_file else {
        return Ok(());
    };
    let authorities = gio::TlsFileDatabase::new(path).map_err(|error| End::Authorities {
        path: path.clone(),
        reason: error.message().trim_end_matches('.').to_owned(),
    })?;
    rtspsrc.set_property("tls-database", authorities);
    Ok(())
}

/// Packets of a session that arrived, and that did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Arrivals {
    pub(super) arrived: u64,
    pub(super) lost: u64,
}

/// The jitter buffers of a session, asked for what they lost.
#[derive(Default, Clone)]
pub(super) struct Losses(Arc<Mutex<Vec<gst::glib::WeakRef<gst::Element>>>>);

impl Losses {
    /// Finds the jitter buffers of `rtspsrc` when they come.
    pub(super) fn watch(&self, rtspsrc: &gst::Element) {
        let buffers = Arc::clone(&self.0);
        rtspsrc.connect("new-manager", false, move |args| {
            let manager = args[1].get::<gst::Element>().ok()?;
            let buffers = Arc::clone(&buffers);
            manager.connect("new-jitterbuffer", false, move |args| {
                let buffer = args[1].get::<gst::Element>().ok()?;
                buffers.lock().push(buffer.downgrade());
                None
            });
            None
        });
    }

    /// Counts since the session's start.
    pub(super) fn so_far(&self) -> Arrivals {
        let mut sum = Arrivals::default();
        for buffer in self.0.lock().iter().filter_map(gst::glib::WeakRef::upgrade) {
            let stats = buffer.property::<gst::Structure>("stats");
            sum.arrived += stats.get::<u64>("num-pushed").unwrap_or(0);
            sum.lost += stats.get::<u64>("num-lost").unwrap_or(0);
        }
        sum
    }
}

//! From payload bytes to bytes on the wire: what all protocols share. Pure.
//!
//! Assumed, and for MQTT and S3 compared with a packet count (`tests/agent/ledger.rs`): IPv4 and TCP with timestamps (52 bytes a
//! packet, 1448 of content in each), one packet of ours to acknowledge each answer, TLS 1.3 records of at most 16 kB (22 bytes
//! each), and the heads of the protocols, which each receiver knows; those of WebDAV and of alerts by HTTP are reckoned only.
//! Counted is what leaves the house; what comes in (acknowledgements, answers) is not. What lies below IP (Ethernet, PPPoE, the
//! tunnels of a mobile network), lost packets that were sent twice, and uploads that failed half-way are not in it either.

/// IPv4 and TCP headers with timestamps.
pub(super) const PACKET: f64 = 52.0;
/// What fits beside them into 1500 bytes.
const CONTENT: f64 = 1448.0;
/// Header, content type and tag of a TLS 1.3 record ...
const TLS_RECORD: f64 = 22.0;
/// ... which holds at most this much.
const TLS_CONTENT: f64 = 16_384.0;

/// A sum over records of one kind to one recipient.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    /// Records.
    pub(crate) records: u64,
    /// Packets, where the records count them themselves.
    pub(crate) count: u64,
    /// Payload bytes.
    pub(crate) bytes: u64,
}

/// What was sent, and to whom.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent<'a> {
    /// As the ledger names the recipient.
    pub(crate) recipient: &'a str,
    /// Values of the moment and signs of life, whose packets are counted.
    pub(crate) live: bool,
    /// How much.
    pub(crate) sum: Sum,
}

impl Sent<'_> {
    /// What a TLS record adds, where there is TLS.
    pub(super) fn record(secure: bool) -> f64 {
        if secure { TLS_RECORD } else { 0.0 }
    }

    /// The payload with the headers of its packets and records.
    pub(super) fn stretched(&self, secure: bool) -> f64 {
        let record = Self::record(secure);
        self.sum.bytes as f64 * (1.0 + PACKET / CONTENT + record / TLS_CONTENT)
    }

    /// How many.
    pub(super) fn records(&self) -> f64 {
        self.sum.records as f64
    }
}

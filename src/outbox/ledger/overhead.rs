//! From payload bytes to bytes on the wire: what the network adds, as an estimate. Pure.
//!
//! Assumed, and for MQTT and S3 compared with a packet count (`tests/agent/ledger.rs`): IPv4 and TCP with timestamps (52 bytes a packet, 1448 of
//! content in each), one packet of ours to acknowledge each answer, TLS 1.3 records of at most 16 kB (22 bytes each), and the
//! heads of the protocols below; those of WebDAV and of alerts by HTTP are reckoned only. Counted is what leaves the house; what comes in (acknowledgements, answers) is not. What
//! lies below IP (Ethernet, PPPoE, the tunnels of a mobile network), lost packets that were sent twice, and uploads that
//! failed half-way are not in it either. A folder has no overhead here: what a NAS's own protocol adds is not known.

/// IPv4 and TCP headers with timestamps.
const PACKET: f64 = 52.0;
/// What fits beside them into 1500 bytes.
const CONTENT: f64 = 1448.0;
/// Header, content type and tag of a TLS 1.3 record ...
const TLS_RECORD: f64 = 22.0;
/// ... which holds at most this much.
const TLS_CONTENT: f64 = 16_384.0;
/// Fixed header, topic, packet identifier and properties of an alert.
const MQTT_ALERT: f64 = 48.0;
/// Request line and signed headers of an upload to S3.
const S3_HEAD: f64 = 800.0;
/// Packets of ours around an upload: the acknowledgement of the answer, and a share of opening and closing connections.
const S3_PACKETS: f64 = 2.5;
/// Heads of the requests that an object takes at a WebDAV server: PUT, MOVE, and a share of those for folders.
const WEBDAV_HEAD: f64 = 700.0;
/// Packets of ours around these.
const WEBDAV_PACKETS: f64 = 4.5;
/// Request line and headers of an alert by HTTP ...
const POST_HEAD: f64 = 350.0;
/// ... packets of ours around it, with those that open and close its connection ...
const POST_PACKETS: f64 = 6.0;
/// ... and what a TLS handshake sends.
const HANDSHAKE: f64 = 450.0;

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

/// About how many bytes that was on the wire.
pub(crate) fn on_wire(kind: &str, recipient: &str, sum: Sum) -> u64 {
    let (records, bytes) = (sum.records as f64, sum.bytes as f64);
    let posted = recipient.starts_with("webhook ") || recipient.starts_with("ntfy ");
    let secure = recipient.starts_with("mqtts://")
        || recipient.starts_with("webdavs://")
        || posted && recipient.contains(" https://")
        || recipient.contains(" at https://")
        || recipient.ends_with(" at Amazon S3");
    let record = if secure { TLS_RECORD } else { 0.0 };
    let stretched = bytes * (1.0 + PACKET / CONTENT + record / TLS_CONTENT);
    let total = if recipient.starts_with("mqtt") {
        if kind == super::LIVE {
            // Heads of MQTT are in its bytes.
            stretched + sum.count as f64 * (PACKET + record)
        } else {
            // One packet with the alert, one that acknowledges the PUBACK.
            stretched + records * (MQTT_ALERT + record + 2.0 * PACKET)
        }
    } else if recipient.starts_with("s3://") {
        stretched + records * (S3_HEAD + record + S3_PACKETS * PACKET)
    } else if recipient.starts_with("webdav") {
        stretched + records * (WEBDAV_HEAD + 2.0 * record + WEBDAV_PACKETS * PACKET)
    } else if posted {
        let handshake = if secure { HANDSHAKE } else { 0.0 };
        stretched + records * (POST_HEAD + record + handshake + POST_PACKETS * PACKET)
    } else {
        bytes
    };
    total.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Sum = Sum {
        records: 1,
        count: 1,
        bytes: 100_000,
    };

    #[test]
    fn tls_costs_more_than_none_and_a_folder_costs_nothing() {
        let wire = |kind, recipient| on_wire(kind, recipient, ONE);
        assert_eq!(wire("media", "folder /mnt/nas"), 100_000);
        let plain = wire("media", "s3://b/ at http://h/");
        assert!((104_000..105_500).contains(&plain), "{plain}");
        for secure in ["s3://b/ at https://h/", "s3://b/ at Amazon S3"] {
            assert!(wire("media", secure) > plain);
        }
        assert!(wire("alert", "mqtts://h:8883") > wire("alert", "mqtt://h:1883"));
        assert!(wire("media", "webdavs://h/") > wire("media", "webdav://h/"));
        for (secure, plain) in [
            ("webhook https://h/", "webhook http://h/"),
            ("ntfy https://h/", "ntfy http://h/"),
        ] {
            let plain = wire("alert", plain);
            assert!(wire("alert", secure) > plain && plain > 104_000);
        }
    }

    #[test]
    fn keep_alives_are_mostly_packets() {
        let pings = Sum {
            records: 1,
            count: 1440,
            bytes: 1440,
        };
        let wire = on_wire(crate::outbox::ledger::LIVE, "mqtt://h:1883", pings);
        assert_eq!(wire, 76_372);
    }
}

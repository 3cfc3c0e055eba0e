//! What the ledger and the data plan count of a connection beside topics and payloads, in bytes.

/// What goes with each live value below MQTT: headers of TLS, TCP and IP, and an acknowledgement of TCP.
pub(super) const ON_THE_WIRE: u64 = 110;

// What the ledger counts of the connection itself. MQTT adds this to the topic and payload of a live value ...
pub(super) const PUBLISH_HEAD: u64 = 6;
// ... this to the topic of a subscription ...
pub(super) const SUBSCRIBE_HEAD: u64 = 9;
// ... and these are whole packets. CONNECT is an estimate that does not depend on the password's length.
pub(super) const CONNECT: u64 = 120;
pub(super) const PINGREQ: u64 = 2;
pub(super) const PUBACK: u64 = 4;
pub(super) const DISCONNECT: u64 = 4;
/// What a TLS handshake sends, without a client certificate.
pub(super) const TLS_HANDSHAKE: u64 = 400;
/// SYN, its acknowledgement, CONNECT, the CONNACK's acknowledgement.
pub(super) const CONNECT_PACKETS: u64 = 4;
/// Fixed header, topic, packet identifier and properties of an alert.
pub(super) const ALERT: f64 = 48.0;

//! How bytes and datagrams come from a camera, whatever they mean.
//!
//! | file | what it does |
//! |---|---|
//! | `connection` | TCP or TLS; messages and packets in any order |
//! | `tls` | which certificates are trusted |
//! | `udp` | datagrams in order |
//! | `batch` | how much must have arrived before it is read; pure |
//! | `connect_limit` | how many sessions are opened at a device at a time |

pub(super) mod batch;
pub(super) mod connect_limit;
pub(super) mod connection;
pub(super) mod tls;
pub(super) mod udp;

//! Connections as box and hub both make them: to what receives (TLS, HTTP, MQTT, S3, and the pace of the link), and from who asks
//! ([`server`]).
//!
//! In: an address, a login and certificates from the configuration. Out: clients, and of a connection that failed one
//! sentence on what to do. It knows no document and no database, and never tries anything twice.

pub mod http;
pub mod mqtt;
pub mod pace;
pub mod s3;
pub mod server;
pub mod tls;

use lares_core::{base, config};
use tls::TlsError;

/// Why an address of the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// The address is of no use.
    #[error("{setting} = \"{url}\" cannot be used: {reason}")]
    Address {
        /// Key in the configuration.
        setting: &'static str,
        /// Its value, without a password.
        url: String,
        /// What is wrong and what to write instead.
        reason: String,
    },
    /// Certificates.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Whether a failure says that a name could not be turned into an address. The system has no error code for it.
pub fn name_is_unknown(text: &str) -> bool {
    text.contains("failed to lookup address")
}

//! Connections to what receives, as box and hub both make them: TLS, HTTP, MQTT, S3, and the pace of the link.
//!
//! In: an address, a login and certificates from the configuration. Out: clients, and of a connection that failed one
//! sentence on what to do. It knows no document and no database, and never tries anything twice.

pub(crate) mod http;
pub(crate) mod mqtt;
pub mod pace;
pub(crate) mod s3;
pub mod tls;

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
pub(crate) fn name_is_unknown(text: &str) -> bool {
    text.contains("failed to lookup address")
}

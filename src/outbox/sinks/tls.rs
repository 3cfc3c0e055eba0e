//! Whom to trust: the system's certificates, and those of a file from the configuration.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};

/// Why certificates could not be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read.
    #[error("the certificates in {path} cannot be read ({source}): check ca_file")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It holds none.
    #[error("{path} holds no certificate in PEM form: check ca_file")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The library refuses.
    #[error("TLS cannot be set up ({0})")]
    Setup(#[from] rustls::Error),
}

/// The PEM text of `path`, known to hold at least one certificate.
pub(super) fn read_pem(path: &Path) -> Result<Vec<u8>, TlsError> {
    let pem = std::fs::read(path).map_err(|source| TlsError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    let found = CertificateDer::pem_slice_iter(&pem).flatten().count();
    if found == 0 {
        return Err(TlsError::Empty {
            path: path.to_owned(),
        });
    }
    Ok(pem)
}

/// A client that trusts the system's certificates and those in `ca_file`.
pub(super) fn client(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca_file {
        let pem = read_pem(path)?;
        for certificate in CertificateDer::pem_slice_iter(&pem).flatten() {
            roots.add(certificate)?;
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

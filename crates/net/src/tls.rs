//! Whom to trust: the system's certificates, and those of a file from the configuration. And who we are, where a receiver asks.
//!
//! In: paths of PEM files. Out: settings for a connection, and of a handshake that failed one sentence on what to do. It never
//! keeps a key for longer than it takes to read it.

use std::{
    error::Error,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    AlertDescription, CertificateError, ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
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
    /// Our own certificate or its key is of no use.
    #[error(
        "{path} cannot be used as this box's certificate ({reason}): check mqtt.client_cert and mqtt.client_key_file"
    )]
    Own {
        /// The certificate's file, or the key's.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The library refuses.
    #[error("TLS cannot be set up ({0})")]
    Setup(#[from] rustls::Error),
}

/// Our own certificate, in PEM files.
#[derive(Debug, Clone, Copy)]
pub struct Own<'a> {
    /// The certificate, and those between it and its authority.
    pub certificate: &'a Path,
    /// Its key.
    pub key: &'a Path,
}

/// The PEM text of `path`, known to hold at least one certificate.
pub fn read_pem(path: &Path) -> Result<Vec<u8>, TlsError> {
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

/// A client that trusts the system's certificates and those in `ca_file`, and shows `own` to who asks for one.
pub fn client(ca_file: Option<&Path>, own: Option<Own<'_>>) -> Result<Arc<ClientConfig>, TlsError> {
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
        .with_root_certificates(roots);
    Ok(Arc::new(match own {
        Some(own) => {
            let (chain, key) = own.read()?;
            let unfit = |error: rustls::Error| own.unfit(own.certificate, error);
            config.with_client_auth_cert(chain, key).map_err(unfit)?
        }
        None => config.with_no_client_auth(),
    }))
}

impl Own<'_> {
    fn unfit(&self, path: &Path, reason: impl ToString) -> TlsError {
        TlsError::Own {
            path: path.to_owned(),
            reason: reason.to_string(),
        }
    }

    fn read(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
        let text = |path| std::fs::read(path).map_err(|error| self.unfit(path, error));
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&text(self.certificate)?)
            .flatten()
            .collect();
        if chain.is_empty() {
            return Err(self.unfit(self.certificate, "it holds no certificate in PEM form"));
        }
        let key = PrivateKeyDer::from_pem_slice(&text(self.key)?)
            .map_err(|_| self.unfit(self.key, "it holds no private key in PEM form"))?;
        Ok((chain, key))
    }
}

/// Of a connection that failed: whether it was for want of trust, and then what to do, as the rest of a sentence. `section` is that of
/// the configuration, `address` its key with the receiver's address.
pub fn distrust(error: &(dyn Error + 'static), section: &str, address: &str) -> Option<String> {
    let text = match rustls_error(error)? {
        rustls::Error::InvalidCertificate(why) => match why {
            CertificateError::UnknownIssuer => format!(
                "its certificate was issued by an authority that is not known here: name that authority's certificate in {section}.ca_file"
            ),
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "its certificate has expired: renew it there, and check this box's clock".to_owned()
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "its certificate is not valid yet: check this box's clock".to_owned()
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                format!("its certificate is for another name: write that name in {section}.{address}")
            }
            other => format!("its certificate is not good, {other}: check {section}.ca_file"),
        },
        rustls::Error::AlertReceived(alert) => match alert {
            AlertDescription::CertificateRequired
            | AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateUnknown
            | AlertDescription::AccessDenied
                if section == "mqtt" =>
            {
                "it does not take this box's certificate, or asks for one: check mqtt.client_cert and mqtt.client_key_file".to_owned()
            }
            other => format!("it ended the handshake ({other:?})"),
        },
        rustls::Error::InvalidMessage(_) => {
            format!("it does not speak TLS: check {section}.{address}")
        }
        other => format!("{other}"),
    };
    Some(text)
}

/// What rustls said, below whatever was wrapped around it.
fn rustls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // An I/O error counts what it wraps as itself, not as its source.
        let wrapped = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        if let Some(found) = wrapped.and_then(|wrapped| rustls_error(wrapped)) {
            return Some(found);
        }
        next = error.source();
    }
    None
}

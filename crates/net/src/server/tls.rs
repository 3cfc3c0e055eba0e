//! TLS of our own ports: a certificate and its key in two files, read again when they are renewed, or made here.
//!
//! Files that are renewed with faults in them change nothing: the certificate before goes on, and the log says why.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use parking_lot::Mutex;
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use sha2::{Digest, Sha256};
use tokio::{net::TcpStream, sync::watch};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::base::tasks::Tasks;

/// How often to look whether the files have been renewed.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// The first byte of a TLS connection: a record of its handshake.
const HANDSHAKE: u8 = 22;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file.
    #[error(
        "the certificate {path} cannot be used: {reason}. Name a certificate and its key, both in PEM, that this user can read"
    )]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Making one.
    #[error(
        "no certificate can be made: {0}. Name your own with certificate and private_key under [hub]"
    )]
    Make(String),
}

impl TlsError {
    fn file(path: &Path, reason: impl ToString) -> Self {
        Self::File {
            path: path.to_owned(),
            reason: reason.to_string(),
        }
    }
}

/// Where certificate and key lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The certificate with its chain, in PEM.
    pub certificate: PathBuf,
    /// Its private key, in PEM.
    pub key: PathBuf,
}

/// The certificate of some ports. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct Tls {
    files: Files,
    current: Arc<Current>,
    acceptor: TlsAcceptor,
    renewed: watch::Sender<()>,
}

/// A connection to a port with TLS.
pub enum Greeted {
    /// With TLS.
    Secure(Box<TlsStream<TcpStream>>),
    /// Without, and it does not leave this machine: the box that the hub runs in, or a proxy. It needs none.
    Here(TcpStream),
    /// Without, from elsewhere.
    Plain(TcpStream),
}

/// Whether both ends of a connection are on this machine.
fn is_here(socket: &TcpStream, peer: SocketAddr) -> bool {
    let own = socket.local_addr();
    peer.ip().to_canonical().is_loopback() || own.is_ok_and(|own| own.ip() == peer.ip())
}

#[derive(Debug)]
struct Current(Mutex<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.lock()))
    }
}

impl Tls {
    /// Reads certificate and key.
    ///
    /// # Errors
    /// When a file cannot be read or the two do not belong together.
    pub fn load(files: Files) -> Result<Self, TlsError> {
        let current = Arc::new(Current(Mutex::new(Arc::new(read(&files)?))));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::file(&files.certificate, error))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        Ok(Self {
            files,
            current,
            acceptor: TlsAcceptor::from(Arc::new(config)),
            renewed: watch::channel(()).0,
        })
    }

    /// The files.
    #[must_use]
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// SHA-256 of the certificate, as browsers show it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let key = self.current.0.lock();
        let der = key.cert.first().map_or(&[][..], |cert| cert.as_ref());
        let pairs: Vec<String> = Sha256::digest(der)
            .iter()
            .map(|byte| format!("{byte:02X}"))
            .collect();
        pairs.join(":")
    }

    /// Hears of each renewal.
    #[must_use]
    pub fn renewals(&self) -> watch::Receiver<()> {
        self.renewed.subscribe()
    }

    /// Waits for the first byte from `peer`, and for the handshake where it begins one.
    ///
    /// # Errors
    /// When the client goes away, or the handshake fails.
    pub async fn greet(&self, socket: TcpStream, peer: SocketAddr) -> io::Result<Greeted> {
        let mut first = [0];
        if socket.peek(&mut first).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(if first == [HANDSHAKE] {
            Greeted::Secure(Box::new(self.acceptor.accept(socket).await?))
        } else if is_here(&socket, peer) {
            Greeted::Here(socket)
        } else {
            Greeted::Plain(socket)
        })
    }

    /// Looks again and again whether the files have been renewed, until `tasks` stop.
    pub fn watch(&self, tasks: &Tasks) {
        let (tls, stop) = (self.clone(), tasks.token().clone());
        tasks.spawn("certificate", async move {
            let mut seen = changed(&tls.files);
            while tokio::time::timeout(LOOK_EVERY, stop.cancelled())
                .await
                .is_err()
            {
                let now = changed(&tls.files);
                if now != seen {
                    seen = now;
                    tls.renew();
                }
            }
        });
    }

    /// Reads the files again; what is wrong with them is said, and the certificate before goes on.
    pub(super) fn renew(&self) {
        match read(&self.files) {
            Ok(key) => {
                *self.current.0.lock() = Arc::new(key);
                tracing::info!(
                    fingerprint = self.fingerprint(),
                    "the certificate was renewed"
                );
                let _ = self.renewed.send(());
            }
            Err(error) => tracing::warn!("{error}; the certificate before it is used further"),
        }
    }
}

fn changed(files: &Files) -> [Option<SystemTime>; 2] {
    let of = |path: &Path| {
        std::fs::metadata(path)
            .and_then(|meta| meta.modified())
            .ok()
    };
    [of(&files.certificate), of(&files.key)]
}

fn read(files: &Files) -> Result<CertifiedKey, TlsError> {
    let failed = |reason: &dyn ToString| TlsError::file(&files.certificate, reason.to_string());
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect)
        .map_err(|error| failed(&error))?;
    if chain.is_empty() {
        return Err(failed(&"there is none in the file"));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| TlsError::file(&files.key, error))?;
    CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|error| failed(&error))
}

/// A certificate that nobody has signed but itself, for `names`; certificate and key in PEM.
///
/// It has no end: a box whose clock is wrong must be reached as well.
///
/// # Errors
/// When a name cannot stand in a certificate.
pub fn self_signed(names: Vec<String>) -> Result<(String, String), TlsError> {
    let made = rcgen::generate_simple_self_signed(names)
        .map_err(|error| TlsError::Make(error.to_string()))?;
    Ok((made.cert.pem(), made.signing_key.serialize_pem()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn write(files: &Files, name: &str) {
        let (certificate, key) = self_signed(vec![name.to_owned()]).unwrap();
        fs::write(&files.certificate, certificate).unwrap();
        fs::write(&files.key, key).unwrap();
    }

    #[test]
    fn a_renewed_certificate_is_taken_and_a_broken_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files {
            certificate: dir.path().join("cert.pem"),
            key: dir.path().join("key.pem"),
        };
        let none = Tls::load(files.clone()).err().unwrap().to_string();
        assert!(none.contains("cert.pem"), "{none}");
        write(&files, "cams.example");
        let tls = Tls::load(files.clone()).unwrap();
        let first = tls.fingerprint();
        assert_eq!(first.len(), 32 * 3 - 1, "{first}");
        let mut renewals = tls.renewals();
        write(&files, "cams.example");
        tls.renew();
        let second = tls.fingerprint();
        assert_ne!(first, second);
        assert!(renewals.has_changed().unwrap());
        renewals.mark_unchanged();
        // A key of another certificate.
        let (certificate, _) = self_signed(vec!["other.example".to_owned()]).unwrap();
        fs::write(&files.certificate, certificate).unwrap();
        tls.renew();
        assert_eq!(tls.fingerprint(), second);
        assert!(!renewals.has_changed().unwrap());
    }
}

//! Whom a camera's TLS is trusted by: the system's authorities, or those of `ca_file` in their place.
//!
//! Many cameras sign their certificate themselves. rustls takes such a one for an authority that must not act as a
//! server; here it is trusted where exactly this certificate is named in `ca_file`, whatever name it bears.

use std::{fmt, io, path::Path, sync::Arc};

use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};

use crate::{
    config::SourceConfig,
    ingest::rtsp::end_reason::{Distrust, SessionEnd},
};

/// What TLS sessions to one camera have in common.
#[derive(Clone)]
pub(in crate::ingest::rtsp) struct Trust(Arc<ClientConfig>);

impl Trust {
    /// For a `rtsps://` camera; none for others.
    pub(in crate::ingest::rtsp) fn new(config: &SourceConfig) -> Result<Option<Self>, SessionEnd> {
        if config.url.scheme() != "rtsps" {
            return Ok(None);
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        let mut named = Vec::new();
        match &config.ca_file {
            None => {
                let system = rustls_native_certs::load_native_certs().certs;
                roots.add_parsable_certificates(system);
            }
            Some(path) => {
                named = certificates(path)?;
                roots.add_parsable_certificates(named.iter().cloned());
            }
        }
        let verifier = Verifier {
            authorities: match roots.is_empty() {
                true => None,
                false => {
                    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
                        .build()
                        .ok()
                }
            },
            named,
            provider: provider.clone(),
        };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| SessionEnd::OldTls)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Ok(Some(Self(Arc::new(config))))
    }

    pub(in crate::ingest::rtsp) fn client(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.0)
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, SessionEnd> {
    let unfit = |reason: String| SessionEnd::Authorities {
        path: path.to_owned(),
        reason,
    };
    let pem = std::fs::read(path).map_err(|error| unfit(error.to_string()))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let found = found.map_err(|error| unfit(error.to_string()))?;
    match found.is_empty() {
        true => Err(unfit("it holds no certificate".to_owned())),
        false => Ok(found),
    }
}

/// The name that a certificate must bear.
pub(in crate::ingest::rtsp) fn server_name(host: &str) -> Option<ServerName<'static>> {
    ServerName::try_from(host.to_owned()).ok()
}

/// What became of a TLS handshake.
pub(in crate::ingest::rtsp) fn diagnosis(error: &io::Error) -> SessionEnd {
    let Some(error) = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>())
    else {
        return SessionEnd::Unreachable;
    };
    use rustls::{AlertDescription as Alert, CertificateError as Why};
    match error {
        Error::InvalidCertificate(why) => SessionEnd::Untrusted(match why {
            Why::NotValidForName | Why::NotValidForNameContext { .. } => Distrust::Name,
            Why::Expired
            | Why::ExpiredContext { .. }
            | Why::NotValidYet
            | Why::NotValidYetContext { .. } => Distrust::Time,
            Why::BadSignature | Why::BadEncoding => Distrust::Weak,
            Why::Other(other) if other.to_string().contains("Unsupported") => Distrust::Weak,
            why if format!("{why:?}").contains("Unsupported") => Distrust::Weak,
            _ => Distrust::Issuer,
        }),
        Error::AlertReceived(
            Alert::ProtocolVersion | Alert::HandshakeFailure | Alert::InsufficientSecurity,
        )
        | Error::PeerIncompatible(_) => SessionEnd::OldTls,
        // Something that is not TLS, most often RTSP without it.
        Error::InvalidMessage(_) => SessionEnd::NotTls,
        _ => SessionEnd::OldTls,
    }
}

struct Verifier {
    authorities: Option<Arc<WebPkiServerVerifier>>,
    /// Certificates of `ca_file`.
    named: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").finish_non_exhaustive()
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self
            .named
            .iter()
            .any(|named| named.as_ref() == end_entity.as_ref())
        {
            return Ok(ServerCertVerified::assertion());
        }
        let issuer = Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let authorities = self.authorities.as_ref().ok_or(issuer.clone())?;
        let verified = authorities.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        verified.map_err(|error| match error {
            // Signed by another authority of the same name.
            Error::InvalidCertificate(rustls::CertificateError::BadSignature) => issuer,
            error => error,
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

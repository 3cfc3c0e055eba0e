//! The hub's own ports: who may connect, how long, how much they may send, and how it is kept from others on the way.
//!
//! A port that only this machine can reach is plain. One that others can reach has TLS: with the certificate of the configuration,
//! or one that the hub makes at its first start and keeps, so that its fingerprint stays the same. It is plain only where the
//! configuration says so. A certificate that cannot be used keeps its ports shut.

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    time::Duration,
};

use super::needed::Needed;
use crate::{HubError, keys::write_private};
use crate::{
    base::tasks::Tasks,
    config::HubConfig,
    net::server::{
        Limits, Pace, Server,
        names::Names,
        proxy::Proxies,
        tls::{self, Files, Tls},
    },
};

/// Browsers: a page has a few connections, one of them for events, for hours. Beside them those that have not logged in.
const BROWSERS: (usize, usize, Duration) = (64, 256, Duration::from_secs(6 * 3600));
/// What browsers send is short.
const REQUESTS: Pace = Pace {
    patience: Duration::from_secs(10),
    per_second: 1000,
    most: 256 * 1024,
};
/// Boxes: each has a few uploads at once. Beside them those that have not shown a key.
const BOXES: (usize, usize, Duration) = (64, 1000, Duration::from_secs(3600));
/// Uploads come over lines that may be slow, or away for a moment.
const UPLOADS: Pace = Pace {
    patience: Duration::from_secs(60),
    per_second: 500,
    most: 65_000_000,
};

/// How the page is served.
///
/// # Errors
/// When its certificate cannot be used.
pub(crate) fn page(config: &HubConfig, tasks: &Tasks) -> Result<Server, HubError> {
    let (strangers, known, life) = BROWSERS;
    let limits = Limits::new(strangers, known, life, REQUESTS);
    server("page", limits, config.listen, config, tasks)
}

/// How the store is served.
///
/// # Errors
/// When its certificate cannot be used.
pub(crate) fn store(config: &HubConfig, tasks: &Tasks) -> Result<Server, HubError> {
    let (strangers, known, life) = BOXES;
    let limits = Limits::new(strangers, known, life, UPLOADS);
    server("store", limits, config.store_listen, config, tasks)
}

fn server(
    name: &'static str,
    limits: Limits,
    address: SocketAddr,
    config: &HubConfig,
    tasks: &Tasks,
) -> Result<Server, HubError> {
    Ok(Server {
        name,
        limits,
        proxies: Proxies::new(&config.trusted_proxies),
        tls: watched(name, config, address, tasks)?,
    })
}

/// The certificate of the broker's port, where it has one.
///
/// # Errors
/// When it cannot be used or made.
pub(crate) fn broker_tls(config: &HubConfig, tasks: &Tasks) -> Result<Option<Tls>, HubError> {
    watched("broker", config, config.broker_listen, tasks)
}

/// A certificate that is read again when it is renewed.
fn watched(
    name: &'static str,
    config: &HubConfig,
    address: SocketAddr,
    tasks: &Tasks,
) -> Result<Option<Tls>, HubError> {
    let tls = tls(config, address)?;
    if let Some(tls) = &tls {
        tls.watch(tasks);
        tracing::info!(port = name, fingerprint = tls.fingerprint(), "TLS");
    }
    Ok(tls)
}

/// Whether a port at `address` has TLS.
pub(crate) fn has_tls(config: &HubConfig, address: SocketAddr) -> bool {
    !address.ip().to_canonical().is_loopback() && !config.plain_http
}

/// Where browsers find what listens at `address`.
pub(crate) fn url(config: &HubConfig, address: SocketAddr) -> String {
    let scheme = if has_tls(config, address) {
        "https"
    } else {
        "http"
    };
    format!("{scheme}://{address}")
}

/// The certificate of a port at `address`, where it has one; made where there is none yet.
///
/// # Errors
/// When it cannot be used or made.
pub(crate) fn tls(config: &HubConfig, address: SocketAddr) -> Result<Option<Tls>, HubError> {
    if !has_tls(config, address) {
        return Ok(None);
    }
    let files = files(config);
    if config.certificate.is_none() && !(files.certificate.exists() && files.key.exists()) {
        make(config, &files)?;
    }
    Ok(Some(Tls::load(files)?))
}

/// Where the certificate lies, or is put.
fn files(config: &HubConfig) -> Files {
    let own = config.dir.join("tls");
    match &config.certificate {
        Some((certificate, key)) => Files {
            certificate: certificate.clone(),
            key: key.clone(),
        },
        None => Files {
            certificate: own.join("certificate.pem"),
            key: own.join("key.pem"),
        },
    }
}

/// What `lares check` says of the certificate, after what it says of the page.
///
/// # Errors
/// When it cannot be used.
pub(crate) fn certificate(config: &HubConfig) -> Result<String, HubError> {
    let mut ports = vec![config.listen];
    let needed = Needed::of(config);
    ports.extend(needed.store.then_some(config.store_listen));
    ports.extend(needed.broker.then_some(config.broker_listen));
    let open: Vec<_> = ports
        .into_iter()
        .filter(|port| !port.ip().is_loopback())
        .collect();
    if open.is_empty() {
        return Ok(String::new());
    }
    if config.plain_http {
        return Ok("; others on the network can read along (plain_http)".to_owned());
    }
    let files = files(config);
    if config.certificate.is_none() && !files.certificate.exists() {
        return Ok("; its certificate is made at the first start".to_owned());
    }
    let fingerprint = Tls::load(files)?.fingerprint();
    Ok(format!(
        "; SHA-256 fingerprint of its certificate: {fingerprint}"
    ))
}

/// How boxes elsewhere reach one of the hub's ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Whether it has TLS.
    pub tls: bool,
    /// The certificate that they have to trust, in PEM, where no authority has signed it.
    pub trust: Option<String>,
}

/// How boxes elsewhere reach what listens at `address`: store or broker.
///
/// # Errors
/// When the certificate cannot be used or made.
pub fn access(config: &HubConfig, address: SocketAddr) -> Result<Access, HubError> {
    let Some(tls) = tls(config, address)? else {
        return Ok(Access {
            tls: false,
            trust: None,
        });
    };
    let own = config.certificate.is_none();
    let path = &tls.files().certificate;
    let read = || std::fs::read_to_string(path).map_err(|error| HubError::file(path, error));
    Ok(Access {
        tls: true,
        trust: own.then(read).transpose()?,
    })
}

/// Makes a certificate for all names and addresses by which this machine is known.
fn make(config: &HubConfig, files: &Files) -> Result<(), HubError> {
    let mut names: Vec<String> = Names::new(&config.server_names)
        .all()
        .filter(|name| rustls::pki_types::ServerName::try_from(*name).is_ok())
        .map(str::to_owned)
        .collect();
    names.push("localhost".to_owned());
    let listens = [config.listen, config.store_listen, config.broker_listen];
    let loopback = [
        IpAddr::from([127, 0, 0, 1]),
        IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
    ];
    let addresses = listens
        .iter()
        .map(SocketAddr::ip)
        .chain(loopback)
        .chain(outward());
    names.extend(
        addresses
            .filter(|address| !address.is_unspecified())
            .map(|address| address.to_string()),
    );
    names.sort();
    names.dedup();
    let (certificate, key) = tls::self_signed(names)?;
    if let Some(dir) = files.key.parent() {
        use std::os::unix::fs::DirBuilderExt;
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(|error| HubError::file(dir, error))?;
    }
    write_private(&files.key, key.as_bytes())?;
    write_private(&files.certificate, certificate.as_bytes())
}

/// The addresses from which this machine would speak to others. Nothing is sent.
fn outward() -> Vec<IpAddr> {
    // Addresses for documentation, which are nobody's.
    let there = [("0.0.0.0:0", "192.0.2.1:9"), ("[::]:0", "[2001:db8::1]:9")];
    let own = |(from, to): (&str, &str)| {
        let socket = UdpSocket::bind(from).ok()?;
        socket.connect(to).ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    there.into_iter().filter_map(own).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn config(listen: &str) -> (tempfile::TempDir, HubConfig) {
        let dir = tempfile::tempdir().unwrap();
        let mut config = HubConfig::new(dir.path().join("hub"));
        config.listen = listen.parse().unwrap();
        (dir, config)
    }

    #[test]
    fn a_port_that_others_reach_has_tls_unless_the_configuration_says_otherwise() {
        let (_dir, mut config) = config("127.0.0.1:8080");
        assert!(tls(&config, config.listen).unwrap().is_none());
        assert_eq!(certificate(&config).unwrap(), "");
        for open in ["0.0.0.0:8080", "192.0.2.7:8080", "[::]:8080"] {
            config.listen = open.parse().unwrap();
            assert!(tls(&config, config.listen).unwrap().is_some(), "{open}");
            assert_eq!(url(&config, config.listen), format!("https://{open}"));
        }
        config.plain_http = true;
        assert!(tls(&config, config.listen).unwrap().is_none());
        assert_eq!(url(&config, config.listen), "http://[::]:8080");
        assert!(certificate(&config).unwrap().contains("read along"));
    }

    #[test]
    fn a_certificate_is_made_once_and_its_key_is_nobody_elses() {
        let (_dir, mut config) = config("192.0.2.7:8080");
        config.server_names = vec!["cams.example".to_owned(), "not a name".to_owned()];
        assert!(certificate(&config).unwrap().contains("first start"));
        let first = tls(&config, config.listen).unwrap().unwrap().fingerprint();
        let again = tls(&config, config.listen).unwrap().unwrap().fingerprint();
        assert_eq!(first, again);
        assert!(certificate(&config).unwrap().contains(&first));
        let files = files(&config);
        let mode = std::fs::metadata(&files.key).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0);
        let plain = access(&config, config.store_listen).unwrap();
        assert!(!plain.tls && plain.trust.is_none());
        config.store_listen = "192.0.2.7:9000".parse().unwrap();
        let secure = access(&config, config.store_listen).unwrap();
        assert!(secure.tls && secure.trust.unwrap().contains("BEGIN CERTIFICATE"));
        // The broker alone off loopback is told of as well.
        let (_dir, mut broker) = super::tests::config("127.0.0.1:8080");
        broker.broker_listen = "192.0.2.7:1883".parse().unwrap();
        broker.broker_wanted = true;
        assert!(certificate(&broker).unwrap().contains("first start"));
        // One that cannot be used keeps the port shut, and says which it is.
        config.certificate = Some((files.key.clone(), files.key));
        let error = tls(&config, config.listen).err().unwrap().to_string();
        assert!(error.contains("key.pem cannot be used"), "{error}");
        assert!(certificate(&config).is_err());
    }
}

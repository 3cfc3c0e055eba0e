//! Debian's mosquitto as a child process on a free loopback port, with passwords and TLS where a test wants them.
//!
//! It can be stopped, killed and started again on the same port, with or without what it remembered.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::certificates::{Authority, Good, Pair, run};

const PROGRAM: &str = "/usr/sbin/mosquitto";
const START_WITHIN: Duration = Duration::from_secs(10);

/// What the broker asks of its clients.
#[derive(Debug, Clone, Default)]
pub struct Demands {
    /// User and password; none: anyone may connect.
    pub login: Option<(String, String)>,
    /// Further users with their passwords, beside the one of `login`.
    pub others: Vec<(String, String)>,
    /// TLS, with a certificate for `localhost` from an authority of its own.
    pub tls: bool,
    /// TLS with this certificate instead; [`Broker::ca_file`] stays its own authority's.
    pub certificate: Option<Pair>,
    /// Only clients with a certificate of its authority may come in.
    pub client_certificate: bool,
    /// Lines of an access list, such as `topic read #`.
    pub access: Vec<String>,
}

/// A running (or stopped) mosquitto. Dropping it ends the process.
pub struct Broker {
    child: Option<Child>,
    folder: TempDir,
    port: u16,
    authority: Option<Authority>,
}

impl Broker {
    /// Starts a broker that makes these demands, and waits until it listens.
    ///
    /// # Errors
    /// When mosquitto (or, for TLS, openssl) is missing or does not start.
    pub fn start(demands: &Demands) -> io::Result<Self> {
        let folder = TempDir::with_prefix("lares-broker-")?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let mut config = vec![
            format!("listener {port} 127.0.0.1"),
            "user root".to_owned(),
            "persistence true".to_owned(),
            format!("persistence_location {}/", folder.path().display()),
            "log_type error".to_owned(),
        ];
        match &demands.login {
            Some((user, password)) => {
                let file = at("passwords");
                run(
                    "mosquitto_passwd",
                    &["-b", "-c", &file, user, password],
                    folder.path(),
                )?;
                for (user, password) in &demands.others {
                    run(
                        "mosquitto_passwd",
                        &["-b", &file, user, password],
                        folder.path(),
                    )?;
                }
                config.push("allow_anonymous false".to_owned());
                config.push(format!("password_file {file}"));
            }
            None => config.push("allow_anonymous true".to_owned()),
        }
        if !demands.access.is_empty() {
            fs::write(at("access"), demands.access.join("\n") + "\n")?;
            config.push(format!("acl_file {}", at("access")));
        }
        let mut authority = None;
        if demands.tls {
            let own = Authority::new(folder.path())?;
            let pair = match &demands.certificate {
                Some(pair) => pair.clone(),
                None => own.issue("server", "DNS:localhost,IP:127.0.0.1", Good::Now)?,
            };
            config.push(format!("certfile {}", pair.certificate.display()));
            config.push(format!("keyfile {}", pair.key.display()));
            if demands.client_certificate {
                config.push(format!("cafile {}", own.certificate().display()));
                config.push("require_certificate true".to_owned());
            }
            authority = Some(own);
        }
        fs::write(at("mosquitto.conf"), config.join("\n") + "\n")?;
        let mut broker = Self {
            child: None,
            folder,
            port,
            authority,
        };
        broker.restart()?;
        Ok(broker)
    }

    /// Port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Address for a client.
    #[must_use]
    pub fn url(&self) -> String {
        if self.authority.is_some() {
            format!("mqtts://localhost:{}", self.port)
        } else {
            format!("mqtt://127.0.0.1:{}", self.port)
        }
    }

    /// Its authority, where there is TLS.
    #[must_use]
    pub fn authority(&self) -> Option<&Authority> {
        self.authority.as_ref()
    }

    /// The authority's certificate, where there is TLS.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Ends it at once, as a power cut does.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Deletes what it remembered; it must not be running.
    pub fn forget(&mut self) {
        let _ = fs::remove_file(self.folder.path().join("mosquitto.db"));
    }

    /// Starts it again on the same port, and waits until it listens.
    ///
    /// # Errors
    /// When it does not start.
    pub fn restart(&mut self) -> io::Result<()> {
        self.kill();
        let log = fs::File::create(self.folder.path().join("log"))?;
        let config = self.folder.path().join("mosquitto.conf");
        let child = Command::new(PROGRAM)
            .arg("-c")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        self.child = Some(child);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let deadline = Instant::now() + START_WITHIN;
        while TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_err() {
            if Instant::now() > deadline {
                let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
                return Err(io::Error::other(format!("mosquitto did not start: {log}")));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}

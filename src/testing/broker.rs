//! Debian's mosquitto as a child process on a free loopback port, with passwords and TLS where a test wants them.
//!
//! It can be stopped, killed and started again on the same port, with or without what it remembered.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

const PROGRAM: &str = "/usr/sbin/mosquitto";
const START_WITHIN: Duration = Duration::from_secs(10);

/// What the broker asks of its clients.
#[derive(Debug, Clone, Default)]
pub struct Demands {
    /// User and password; none: anyone may connect.
    pub login: Option<(String, String)>,
    /// TLS, with a certificate for `localhost` from an authority of its own.
    pub tls: bool,
    /// Lines of an access list, such as `topic read #`.
    pub access: Vec<String>,
}

/// A running (or stopped) mosquitto. Dropping it ends the process.
pub struct Broker {
    child: Option<Child>,
    folder: TempDir,
    port: u16,
    tls: bool,
}

fn run(program: &str, arguments: &[&str], folder: &Path) -> io::Result<()> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()?;
    if output.status.success() {
        Ok(())
    } else {
        Err(io::Error::other(format!(
            "{program} failed: {}",
            String::from_utf8_lossy(&output.stderr)
        )))
    }
}

/// Makes `ca.pem`, and `server.pem` with `server.key` signed by it.
fn make_certificates(folder: &Path) -> io::Result<()> {
    fs::write(
        folder.join("names"),
        "subjectAltName=DNS:localhost,IP:127.0.0.1\n",
    )?;
    let key = [
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
    ];
    let mut authority = vec!["req", "-x509", "-days", "2", "-subj", "/CN=Test authority"];
    authority.extend(key);
    authority.extend(["-keyout", "ca.key", "-out", "ca.pem"]);
    run("openssl", &authority, folder)?;
    let mut request = vec!["req", "-subj", "/CN=localhost"];
    request.extend(key);
    request.extend(["-keyout", "server.key", "-out", "server.csr"]);
    run("openssl", &request, folder)?;
    let sign = "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem";
    run("openssl", &sign.split(' ').collect::<Vec<_>>(), folder)
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
                config.push("allow_anonymous false".to_owned());
                config.push(format!("password_file {file}"));
            }
            None => config.push("allow_anonymous true".to_owned()),
        }
        if !demands.access.is_empty() {
            fs::write(at("access"), demands.access.join("\n") + "\n")?;
            config.push(format!("acl_file {}", at("access")));
        }
        if demands.tls {
            make_certificates(folder.path())?;
            config.push(format!("certfile {}", at("server.pem")));
            config.push(format!("keyfile {}", at("server.key")));
        }
        fs::write(at("mosquitto.conf"), config.join("\n") + "\n")?;
        let mut broker = Self {
            child: None,
            folder,
            port,
            tls: demands.tls,
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
        if self.tls {
            format!("mqtts://localhost:{}", self.port)
        } else {
            format!("mqtt://127.0.0.1:{}", self.port)
        }
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

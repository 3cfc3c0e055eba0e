//! An authority of one's own, by `openssl`: certificates for servers and clients, good ones and bad ones.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Runs a program in `folder`; its message when it fails.
pub(super) fn run(program: &str, arguments: &[&str], folder: &Path) -> io::Result<()> {
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

/// For how long a certificate is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Good {
    /// From now on, for two days.
    Now,
    /// A day of 2020.
    LongAgo,
}

/// A certificate and its key, in PEM.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// An authority that keeps its files in a folder.
#[derive(Debug)]
pub struct Authority {
    folder: PathBuf,
}

const NEW_KEY: [&str; 5] = [
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
];

const CONFIG: &str = "[ca]\ndefault_ca=own\n[own]\ndatabase=index\nnew_certs_dir=.\nserial=serial\nunique_subject=no\n\
                      default_md=sha256\npolicy=any\n[any]\ncommonName=supplied\n";

impl Authority {
    /// A new one, in `folder`; its own certificate is `ca.pem` there.
    ///
    /// # Errors
    /// When `openssl` is missing or fails.
    pub fn new(folder: &Path) -> io::Result<Self> {
        let mut arguments = vec!["req", "-x509", "-days", "2", "-subj", "/CN=Test authority"];
        arguments.extend(NEW_KEY);
        arguments.extend(["-keyout", "ca.key", "-out", "ca.pem"]);
        run("openssl", &arguments, folder)?;
        fs::write(folder.join("ca.cnf"), CONFIG)?;
        fs::write(folder.join("index"), "")?;
        fs::write(folder.join("serial"), "01\n")?;
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// Its own certificate.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// A certificate called `name` (also the name of its files) for `names`, such as `DNS:localhost,IP:127.0.0.1`.
    ///
    /// # Errors
    /// When `openssl` fails.
    pub fn issue(&self, name: &str, names: &str, good: Good) -> io::Result<Pair> {
        let file = |kind: &str| format!("{name}.{kind}");
        let (key, request, certificate) = (file("key"), file("csr"), file("pem"));
        let extensions = file("ext");
        fs::write(
            self.folder.join(&extensions),
            format!("basicConstraints=CA:FALSE\nsubjectAltName={names}\n"),
        )?;
        let subject = format!("/CN={name}");
        let mut arguments = vec!["req", "-subj", &subject];
        arguments.extend(NEW_KEY);
        arguments.extend(["-keyout", &key, "-out", &request]);
        run("openssl", &arguments, &self.folder)?;
        let mut arguments = vec!["ca", "-config", "ca.cnf", "-batch", "-notext"];
        arguments.extend([
            "-cert",
            "ca.pem",
            "-keyfile",
            "ca.key",
            "-extfile",
            &extensions,
        ]);
        arguments.extend(match good {
            Good::Now => ["-days", "2"].as_slice(),
            Good::LongAgo => &[
                "-startdate",
                "20200101000000Z",
                "-enddate",
                "20200102000000Z",
            ],
        });
        arguments.extend(["-in", &request, "-out", &certificate]);
        run("openssl", &arguments, &self.folder)?;
        Ok(Pair {
            certificate: self.folder.join(certificate),
            key: self.folder.join(key),
        })
    }
}

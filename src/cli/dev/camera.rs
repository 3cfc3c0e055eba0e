//! `lares camera`: serves video files as RTSP cameras until it is told to stop.

use std::{
    fs,
    io::{self, Read, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};
use tokio_util::sync::CancellationToken;

use crate::{
    base::tasks::Tasks,
    config::{Secret, Transport},
    vcam::{Authentication, CameraOptions, Script, TlsIdentity, VirtualCameras},
};

/// Environment variable that holds the cameras' password. There is no argument for it: arguments are seen by everybody
/// on the machine.
pub const PASSWORD_VARIABLE: &str = "LARES_CAMERA_PASSWORD";

const EXAMPLES: &str = "\
Examples:
  lares camera --listen 127.0.0.1:8554 evening.mp4      rtsp://127.0.0.1:8554/cam1
  lares camera --listen 127.0.0.1:0 main.mp4 sub.mp4    two cameras on any free port
  LARES_CAMERA_PASSWORD=... lares camera --user viewer --listen 0.0.0.0:8554 evening.mp4";

/// Serve video files as looping RTSP cameras.
///
/// Each video (H.264 or H.265 in MP4, MKV or TS) becomes a camera of its own at /cam1, /cam2, ... and at its file's
/// name. It begins when the first client plays and repeats for ever.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct CameraArgs {
    /// Where to listen; port 0 is any free port
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8554")]
    pub listen: SocketAddr,
    /// User that clients must give; the password comes from --password-file or LARES_CAMERA_PASSWORD
    #[arg(long)]
    pub user: Option<String>,
    /// File whose first line is the password
    #[arg(long, value_name = "FILE", requires = "user")]
    pub password_file: Option<PathBuf>,
    /// Ask for the password in the clear (Basic) instead of by Digest
    #[arg(long, requires = "user")]
    pub basic: bool,
    /// Serve over TLS, as rtsps://, with the certificate in this PEM file
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_certificate: Option<PathBuf>,
    /// The certificate's private key, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub tls_key: Option<PathBuf>,
    /// Send pictures by this transport only: tcp or udp; auto leaves the choice to clients
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = transport)]
    pub transport: Transport,
    /// Misbehave as this file says: a line for each fault, such as "5s 1 stall 3s" (see docs/reliability.md)
    #[arg(long, value_name = "FILE")]
    pub script: Option<PathBuf>,
    /// Play each video once and end its stream, instead of looping
    #[arg(long)]
    pub once: bool,
    /// Stop when standard input closes, so that the cameras do not outlive the program that started them
    #[arg(long)]
    pub until_stdin_closes: bool,
    /// The videos, one camera each
    #[arg(required = true, value_name = "VIDEO")]
    pub videos: Vec<PathBuf>,
}

impl CameraArgs {
    fn options(&self) -> anyhow::Result<CameraOptions> {
        Ok(CameraOptions {
            listen: self.listen,
            user: self.user.clone(),
            password: self.password(std::env::var(PASSWORD_VARIABLE).ok())?,
            authentication: if self.basic {
                Authentication::Basic
            } else {
                Authentication::Digest
            },
            laps: self.once.then_some(1),
            transport: self.transport,
            tls: self
                .tls_certificate
                .clone()
                .zip(self.tls_key.clone())
                .map(|(certificate, key)| TlsIdentity { certificate, key }),
            script: self.script()?,
            ..CameraOptions::default()
        })
    }

    fn script(&self) -> anyhow::Result<Script> {
        let Some(file) = &self.script else {
            return Ok(Script::default());
        };
        let text = fs::read_to_string(file).with_context(|| {
            format!("cannot read the script {}: check --script", file.display())
        })?;
        Ok(Script::parse(
            &text,
            file.parent().unwrap_or(Path::new("")),
        )?)
    }

    fn password(&self, variable: Option<String>) -> anyhow::Result<Option<Secret>> {
        if self.user.is_none() {
            return Ok(None);
        }
        let text = match &self.password_file {
            Some(file) => fs::read_to_string(file).with_context(|| {
                format!(
                    "cannot read the password from {}: check --password-file",
                    file.display()
                )
            })?,
            None => variable.with_context(|| {
                format!("--user needs a password: set {PASSWORD_VARIABLE} or give --password-file")
            })?,
        };
        let password = text.lines().next().unwrap_or_default();
        if password.is_empty() {
            bail!(
                "the password is empty: write one on the first line of --password-file, or in {PASSWORD_VARIABLE}"
            );
        }
        Ok(Some(Secret::new(password)))
    }
}

fn transport(text: &str) -> Result<Transport, String> {
    match text {
        "auto" => Ok(Transport::Auto),
        "tcp" => Ok(Transport::Tcp),
        "udp" => Ok(Transport::Udp),
        _ => Err("choose auto, tcp or udp".to_owned()),
    }
}

/// Serves the videos until Ctrl-C, SIGTERM or, where asked for, the end of standard input.
///
/// Writes `camera N ADDRESS VIDEO` for each to `out`, then `ready`.
///
/// # Errors
/// When a video cannot be played, the address not be listened on, or the password not be found.
pub fn run(args: CameraArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let options = args.options()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot wait for signals")?;
    // Heard from the start: a stop while it reads large files takes effect at once.
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        )
    };
    let tasks = Tasks::new(runtime.handle().clone(), CancellationToken::new());
    let owner_gone = if args.until_stdin_closes {
        Some(end_of_input(&tasks, io::stdin())?)
    } else {
        None
    };
    let cameras = VirtualCameras::serve(&args.videos, options)?;
    announce(&cameras, &args.videos, out).context("cannot print the cameras' addresses")?;
    runtime.block_on(async {
        let owner_gone = async {
            match owner_gone {
                // A lost sender says the same: the reading thread has ended.
                Some(gone) => drop(gone.await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = owner_gone => {}
        }
    });
    Ok(())
}

fn announce(cameras: &VirtualCameras, videos: &[PathBuf], out: &mut dyn Write) -> io::Result<()> {
    for (index, video) in videos.iter().enumerate() {
        let url = cameras.url(index);
        writeln!(out, "camera {} {url} {}", index + 1, video.display())?;
    }
    writeln!(out, "ready")?;
    out.flush()
}

/// Resolves when `input` has ended. The thread that reads it ends with it, or with the process.
fn end_of_input(
    tasks: &Tasks,
    mut input: impl Read + Send + 'static,
) -> anyhow::Result<oneshot::Receiver<()>> {
    let (tell, told) = oneshot::channel();
    tasks
        .thread("stdin", move || {
            let mut scratch = [0; 256];
            loop {
                match input.read(&mut scratch) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Ok(0) | Err(_) => break,
                    Ok(_) => {}
                }
            }
            // Nobody listens any more when the program is already ending.
            let _ = tell.send(());
        })
        .context("cannot watch standard input")?;
    Ok(told)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::vcam::Fault;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        camera: CameraArgs,
    }

    fn parse(line: &[&str]) -> Result<CameraArgs, clap::Error> {
        Line::try_parse_from([&["camera"], line].concat()).map(|line| line.camera)
    }

    #[test]
    fn passwords_come_from_the_environment_or_a_file_and_never_from_an_argument() {
        assert!(parse(&["--password", "x", "a.mp4"]).is_err());
        let args = parse(&["--user", "u", "a.mp4"]).unwrap();
        let secret = args.password(Some("from env".into())).unwrap();
        assert_eq!(secret, Some(Secret::new("from env")));
        let error = args.password(None).unwrap_err().to_string();
        assert!(error.contains(PASSWORD_VARIABLE), "{error}");

        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("password");
        fs::write(&file, "from file\n").unwrap();
        let args = parse(&[
            "--user",
            "u",
            "--password-file",
            file.to_str().unwrap(),
            "a.mp4",
        ]);
        let secret = args.unwrap().password(Some("ignored".into())).unwrap();
        assert_eq!(secret, Some(Secret::new("from file")));
    }

    #[test]
    fn a_script_and_a_certificate_are_read_from_files() {
        assert!(parse(&["--tls-certificate", "a.pem", "a.mp4"]).is_err());
        assert!(parse(&["--transport", "pigeon", "a.mp4"]).is_err());
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("script");
        fs::write(&file, "5s 1 swap=b.mp4\n").unwrap();
        let args = parse(&["--script", file.to_str().unwrap(), "a.mp4"]).unwrap();
        let script = args.options().unwrap().script;
        assert_eq!(
            script.steps[0].fault,
            Fault::Swap(dir.path().join("b.mp4")),
            "a path starts at the script's folder"
        );
    }

    #[test]
    fn an_empty_password_is_refused() {
        let args = parse(&["--user", "u", "a.mp4"]).unwrap();
        assert!(args.password(Some(String::new())).is_err());
    }

    #[test]
    fn a_password_without_a_user_is_not_looked_for() {
        let args = parse(&["a.mp4"]).unwrap();
        assert_eq!(args.password(Some("left over".into())).unwrap(), None);
        assert!(parse(&["--basic", "a.mp4"]).is_err());
        assert!(parse(&[]).is_err());
    }

    #[test]
    fn the_end_of_input_is_told() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let tasks = Tasks::new(runtime.handle().clone(), CancellationToken::new());
        let told = end_of_input(&tasks, io::Cursor::new(b"chatter".to_vec())).unwrap();
        assert_eq!(runtime.block_on(told), Ok(()));
        assert!(tasks.close(std::time::Duration::from_secs(5)).is_empty());
    }
}

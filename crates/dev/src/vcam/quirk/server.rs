//! Where odd cameras are listened for, what each has seen of its viewers, and one connection from end to end.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
};
use tokio_util::sync::CancellationToken;

use super::{
    camera::Camera,
    dialogue::Dialogue,
    login::Gate,
    shared::{Seen, Shared},
};
use crate::{base::tasks::Tasks, vcam::TlsIdentity};

/// How long the cameras may take to end.
const GRACE: Duration = Duration::from_secs(5);

/// Cameras, each on a port of its own of 127.0.0.1. They end when this is dropped.
pub struct Server {
    tasks: Tasks,
    runtime: Option<Runtime>,
}

impl Seen {
    /// Requests of this method.
    #[must_use]
    pub fn asked(&self, method: &str) -> usize {
        let requests = self.requests.iter();
        requests.filter(|(_, name)| name == method).count()
    }

    /// How long viewers were away after each end that the camera made; none: they are not back.
    #[must_use]
    pub fn absences(&self) -> Vec<Option<Duration>> {
        let back = |end: &Instant| {
            let mut played = self.played.iter();
            played.find(|played| *played > end).map(|back| *back - *end)
        };
        self.ended.iter().map(back).collect()
    }
}

/// A camera that is listened for.
#[derive(Clone)]
pub struct Running {
    port: u16,
    path: &'static str,
    secure: bool,
    seen: Arc<Mutex<Seen>>,
}

impl Running {
    /// Its address, without user and password.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.secure { "rtsps" } else { "rtsp" };
        format!("{scheme}://127.0.0.1:{}{}", self.port, self.path)
    }

    /// What it has seen so far.
    #[must_use]
    pub fn seen(&self) -> Seen {
        self.seen.lock().clone()
    }
}

impl Server {
    /// A server without cameras, on `threads` threads of its own.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start(threads: usize) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("quirk")
            .enable_all()
            .build()?;
        Ok(Self {
            tasks: Tasks::new(runtime.handle().clone(), CancellationToken::new()),
            runtime: Some(runtime),
        })
    }

    /// Adds a camera on a free port.
    ///
    /// # Errors
    /// When there is no port, or its certificate cannot be read.
    pub fn add(&self, camera: Camera) -> io::Result<Running> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = self.tasks.runtime().block_on(TcpListener::bind(address))?;
        let port = listener.local_addr()?.port();
        let tls = camera.tls.as_ref().map(acceptor).transpose()?;
        let running = Running {
            port,
            path: camera.path,
            secure: tls.is_some(),
            seen: Arc::default(),
        };
        let shared = Arc::new(Shared {
            port,
            gate: camera.login.clone().map(Gate::new).map(Mutex::new),
            seen: Arc::clone(&running.seen),
            camera: Arc::new(camera),
            tasks: self.tasks.clone(),
            connections: AtomicU64::new(0),
        });
        self.tasks
            .spawn("quirk", listen(listener, tls, Arc::clone(&shared)));
        Ok(running)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let stubborn = self.tasks.close(GRACE);
        if !stubborn.is_empty() {
            tracing::warn!(?stubborn, "odd cameras do not stop");
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn acceptor(identity: &TlsIdentity) -> io::Result<TlsAcceptor> {
    let certificates = CertificateDer::pem_file_iter(&identity.certificate)
        .and_then(Iterator::collect)
        .map_err(io::Error::other)?;
    let key = PrivateKeyDer::from_pem_file(&identity.key).map_err(io::Error::other)?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder
                .with_no_client_auth()
                .with_single_cert(certificates, key)
        })
        .map_err(io::Error::other)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn listen(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    let token = shared.tasks.token().clone();
    loop {
        let accepted = tokio::select! {
            () = token.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else { continue };
        let (tls, shared) = (tls.clone(), Arc::clone(&shared));
        let tasks = shared.tasks.clone();
        tasks.spawn("quirk-viewer", async move {
            // A viewer that goes away in the middle is none of the camera's affairs.
            let _ = connection(stream, tls, shared).await;
        });
    }
}

async fn connection(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    shared: Arc<Shared>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    if shared.camera.resets {
        stream.set_zero_linger()?;
    }
    shared.seen.lock().connections += 1;
    let number = shared.connections.fetch_add(1, Ordering::Relaxed);
    let token = shared.tasks.token().child_token();
    match tls {
        None => {
            // Not halves of tokio's own, which say goodbye (FIN) before a reset when they are dropped.
            let (from, to) = tokio::io::split(stream);
            talk(from, to, number, shared, token).await;
        }
        Some(tls) => {
            let accepted = tokio::select! {
                () = token.cancelled() => return Ok(()),
                accepted = tls.accept(stream) => accepted?,
            };
            let (from, to) = tokio::io::split(accepted);
            talk(from, to, number, shared, token).await;
        }
    }
    Ok(())
}

async fn talk(
    from: impl AsyncRead + Send + Unpin + 'static,
    to: impl AsyncWrite + Send + Unpin + 'static,
    number: u64,
    shared: Arc<Shared>,
    token: CancellationToken,
) {
    let dialogue = Dialogue::new(Box::new(to), number, shared, token.clone());
    tokio::select! {
        () = token.cancelled() => {}
        () = dialogue.run(from) => {}
    }
    // The sender of this connection ends too, and with the last half the connection.
    token.cancel();
}

//! Where the cameras are listened for: opened, closed and opened again, as a camera that restarts does.

use std::{
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use gstreamer::glib;
use gstreamer_rtsp_server as rtsp;
use gstreamer_rtsp_server::prelude::*;
use parking_lot::Mutex;

use super::VcamError;
use crate::base::link::WakeSignal;

/// How often sessions of UDP clients that vanished are looked for.
const SWEEP: Duration = Duration::from_secs(5);

/// The server's socket and its sessions.
pub(super) struct Listener {
    server: rtsp::RTSPServer,
    sessions: rtsp::RTSPSessionPool,
    context: glib::MainContext,
    address: SocketAddr,
    accept: Mutex<Option<glib::Source>>,
    sweep: glib::Source,
    visited: Arc<AtomicBool>,
}

impl Listener {
    /// Binds the address now, so that the caller learns at once when it is taken. Rings `wake_signal` for each client.
    pub(super) fn open(
        server: rtsp::RTSPServer,
        context: glib::MainContext,
        address: SocketAddr,
        wake_signal: WakeSignal,
    ) -> Result<Self, VcamError> {
        // A thread for each client: one that waits for its camera's first keyframe must not hold up the others.
        let threads = rtsp::RTSPThreadPool::new();
        threads.set_max_threads(-1);
        server.set_thread_pool(Some(&threads));
        let sessions = rtsp::RTSPSessionPool::new();
        server.set_session_pool(Some(&sessions));
        let visited = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&visited);
        server.connect_client_connected(move |_, _| {
            seen.store(true, Ordering::Release);
            wake_signal.raise();
        });
        let accept = attach(&server, &context, address)?;
        let port = u16::try_from(server.bound_port()).unwrap_or(address.port());
        let pool = sessions.clone();
        let sweep = glib::timeout_source_new(SWEEP, None, glib::Priority::LOW, move || {
            pool.cleanup();
            glib::ControlFlow::Continue
        });
        sweep.attach(Some(&context));
        Ok(Self {
            server,
            sessions,
            context,
            address: SocketAddr::new(address.ip(), port),
            accept: Mutex::new(Some(accept)),
            sweep,
            visited,
        })
    }

    /// Listens again, on the same port, after [`refuse`](Self::refuse).
    pub(super) fn accept(&self) -> Result<(), VcamError> {
        let mut accept = self.accept.lock();
        if accept.is_none() {
            *accept = Some(attach(&self.server, &self.context, self.address)?);
        }
        Ok(())
    }

    /// Listens no more: connections are refused.
    pub(super) fn refuse(&self) {
        if let Some(accept) = self.accept.lock().take() {
            accept.destroy();
        }
    }

    /// Cuts all connections. Clients may come back at once.
    pub(super) fn disconnect_all(&self) {
        self.server
            .client_filter(Some(&mut |_, _| rtsp::RTSPFilterResult::Remove));
        self.sessions
            .filter(Some(&mut |_, _| rtsp::RTSPFilterResult::Remove));
    }

    /// Whether a client has ever connected.
    pub(super) fn was_visited(&self) -> bool {
        self.visited.load(Ordering::Acquire)
    }

    /// Connections open now.
    pub(super) fn clients(&self) -> usize {
        self.server.client_filter(None).len()
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.refuse();
        self.sweep.destroy();
    }
}

fn attach(
    server: &rtsp::RTSPServer,
    context: &glib::MainContext,
    address: SocketAddr,
) -> Result<glib::Source, VcamError> {
    let failed = |reason: String| VcamError::Listen {
        listen: address,
        reason,
    };
    server.set_address(&address.ip().to_string());
    server.set_service(&address.port().to_string());
    let id = server
        .attach(Some(context))
        // The server does not say why; the system does when it is asked for the same.
        .map_err(|error| match TcpListener::bind(address) {
            Err(reason) => failed(reason.to_string()),
            Ok(_) => failed(error.to_string()),
        })?;
    context
        .find_source_by_id(&id)
        .ok_or_else(|| failed("the server did not start".to_owned()))
}

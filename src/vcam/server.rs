//! The RTSP server around the cameras: addresses, credentials, faults on order, and the end.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use gstreamer as gst;
use gstreamer::glib;
use gstreamer_rtsp as gst_rtsp;
use gstreamer_rtsp_server as rtsp;
use gstreamer_rtsp_server::prelude::*;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::{
    Authentication, Begin, CameraOptions, VcamError,
    factory::{Mount, VcamFactory},
    pacer::{Pace, Pacer},
    video::Video,
};
use crate::base::tasks::Tasks;

/// How often sessions of UDP clients that vanished are looked for.
const SWEEP: Duration = Duration::from_secs(5);
/// The role of whoever gave the right password.
const VIEWER: &str = "viewer";
/// How long the two threads may take to end.
const GRACE: Duration = Duration::from_secs(5);

/// Running virtual cameras. They stop, and their threads end, when this is dropped.
pub struct VirtualCameras {
    server: rtsp::RTSPServer,
    sessions: rtsp::RTSPSessionPool,
    context: glib::MainContext,
    main: glib::MainLoop,
    sources: Vec<glib::Source>,
    address: SocketAddr,
    cameras: Vec<Camera>,
    pacer: Pacer,
    tasks: Tasks,
    runtime: Option<tokio::runtime::Runtime>,
}

struct Camera {
    mount: Arc<Mount>,
    stem: Option<String>,
}

impl VirtualCameras {
    /// Reads `videos` and serves each as a camera of its own.
    ///
    /// # Errors
    /// When a video cannot be played, or the address cannot be listened on.
    pub fn serve(videos: &[PathBuf], options: CameraOptions) -> Result<Self, VcamError> {
        if videos.is_empty() {
            return Err(VcamError::NoVideos);
        }
        if !(0.01..=100.0).contains(&options.speed) {
            return Err(VcamError::Speed(options.speed));
        }
        let auth_needed = match (&options.user, &options.password) {
            (Some(_), Some(_)) => true,
            (None, None) => false,
            _ => return Err(VcamError::HalfCredentials),
        };
        if !auth_needed && !options.listen.ip().is_loopback() {
            return Err(VcamError::OpenToAll {
                listen: options.listen,
            });
        }
        gst::init().map_err(|error| VcamError::Start(error.to_string()))?;
        let loaded = load_all(videos)?;

        let pacer = Pacer::new(Pace {
            speed: options.speed,
            laps: options.laps,
            running_since: (options.begin == Begin::AtOnce).then(Instant::now),
        });
        let server = rtsp::RTSPServer::new();
        server.set_address(&options.listen.ip().to_string());
        server.set_service(&options.listen.port().to_string());
        // A thread for each client: one that waits for its camera's first keyframe must not hold up the others.
        let threads = rtsp::RTSPThreadPool::new();
        threads.set_max_threads(-1);
        server.set_thread_pool(Some(&threads));
        let sessions = rtsp::RTSPSessionPool::new();
        server.set_session_pool(Some(&sessions));
        if let Some(auth) = authentication(&options) {
            server.set_auth(Some(&auth));
        }
        let cameras = mount_all(&server, videos, loaded, &pacer, auth_needed);

        let context = glib::MainContext::new();
        let main = glib::MainLoop::new(Some(&context), false);
        let sources = listen(&server, &sessions, &context, options.listen)?;
        let port = u16::try_from(server.bound_port()).unwrap_or(options.listen.port());

        // Threads come from `Tasks`, which asks for a runtime; no async work runs on this one.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .map_err(VcamError::Thread)?;
        let tasks = Tasks::new(runtime.handle().clone(), CancellationToken::new());
        let cameras = Self {
            server,
            sessions,
            context,
            main,
            sources,
            address: SocketAddr::new(options.listen.ip(), port),
            cameras,
            pacer,
            tasks,
            runtime: Some(runtime),
        };
        cameras.start()?;
        Ok(cameras)
    }

    fn start(&self) -> Result<(), VcamError> {
        let (pacer, token) = (self.pacer.clone(), self.tasks.token().clone());
        self.tasks
            .thread("vcam-pacer", move || pacer.run(&token))
            .map_err(VcamError::Thread)?;
        let (context, main) = (self.context.clone(), self.main.clone());
        self.tasks
            .thread("vcam-rtsp", move || {
                if context.with_thread_default(|| main.run()).is_err() {
                    tracing::error!("the virtual cameras' context belongs to another thread");
                }
            })
            .map_err(VcamError::Thread)
    }

    /// How many cameras there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cameras.len()
    }

    /// Never: serving nothing is refused.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cameras.is_empty()
    }

    /// Where the cameras listen.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Address of camera `index`, counted from 0: `rtsp://127.0.0.1:PORT/cam1`. Holds no credentials.
    ///
    /// # Panics
    /// When there is no such camera.
    #[must_use]
    pub fn url(&self, index: usize) -> String {
        assert!(
            index < self.cameras.len(),
            "camera {index} of {}",
            self.len()
        );
        self.url_of(&format!("cam{}", index + 1))
    }

    /// The same camera by its file's name, where that is unique and fit for an address.
    ///
    /// # Panics
    /// When there is no such camera.
    #[must_use]
    pub fn named_url(&self, index: usize) -> Option<String> {
        let stem = self.cameras[index].stem.as_ref()?;
        Some(self.url_of(stem))
    }

    fn url_of(&self, mount: &str) -> String {
        let mut reachable = self.address;
        // Listening everywhere is no address to go to.
        if reachable.ip().is_unspecified() {
            reachable.set_ip(match reachable.ip() {
                IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        format!("rtsp://{reachable}/{mount}")
    }

    /// Connections open now, over all cameras.
    #[must_use]
    pub fn clients(&self) -> usize {
        self.server.client_filter(None).len()
    }

    /// Makes camera `index` fall silent with its connections kept, or speak again. What falls due in between is lost.
    ///
    /// # Errors
    /// When there is no such camera.
    pub fn stall(&self, index: usize, stalled: bool) -> Result<(), VcamError> {
        let mount = self.mount(index)?;
        mount.stalled.store(stalled, Ordering::Relaxed);
        Ok(())
    }

    /// Cuts all connections, as a restarting camera does. Clients may come back at once.
    pub fn disconnect_all(&self) {
        self.server
            .client_filter(Some(&mut |_, _| rtsp::RTSPFilterResult::Remove));
        self.sessions
            .filter(Some(&mut |_, _| rtsp::RTSPFilterResult::Remove));
    }

    /// Gives camera `index` another video, of any size and codec, from its next session on.
    ///
    /// # Errors
    /// When there is no such camera, or the video cannot be played.
    pub fn swap(&self, index: usize, video: &Path) -> Result<(), VcamError> {
        let mount = self.mount(index)?;
        let video = Arc::new(Video::load(video)?);
        *mount.video.lock() = video;
        Ok(())
    }

    fn mount(&self, index: usize) -> Result<&Mount, VcamError> {
        self.cameras
            .get(index)
            .map(|camera| &*camera.mount)
            .ok_or(VcamError::NoSuchCamera(index))
    }
}

impl Drop for VirtualCameras {
    fn drop(&mut self) {
        for source in &self.sources {
            source.destroy();
        }
        self.disconnect_all();
        // Asked from inside, so that a loop which has not begun yet hears it too.
        let main = self.main.clone();
        self.context.invoke(move || main.quit());
        self.tasks.token().cancel();
        self.pacer.wake();
        let stubborn = self.tasks.close(GRACE);
        if !stubborn.is_empty() {
            tracing::warn!(?stubborn, "virtual cameras do not stop");
        }
        if let Some(runtime) = self.runtime.take() {
            // An ordinary drop panics where the caller is itself async.
            runtime.shutdown_background();
        }
    }
}

/// Each file once, however many cameras play it.
fn load_all(videos: &[PathBuf]) -> Result<Vec<Arc<Video>>, VcamError> {
    let mut known: BTreeMap<&Path, Arc<Video>> = BTreeMap::new();
    videos
        .iter()
        .map(|path| match known.get(path.as_path()) {
            Some(video) => Ok(Arc::clone(video)),
            None => {
                let video = Arc::new(Video::load(path)?);
                known.insert(path, Arc::clone(&video));
                Ok(video)
            }
        })
        .collect()
}

fn mount_all(
    server: &rtsp::RTSPServer,
    videos: &[PathBuf],
    loaded: Vec<Arc<Video>>,
    pacer: &Pacer,
    guarded: bool,
) -> Vec<Camera> {
    let mounts = server
        .mount_points()
        .expect("a new server has mount points");
    let mut taken: BTreeSet<String> = (1..=videos.len()).map(|n| format!("cam{n}")).collect();
    loaded
        .into_iter()
        .zip(videos)
        .enumerate()
        .map(|(index, (video, path))| {
            let mount = Arc::new(Mount {
                video: Mutex::new(video),
                stalled: Arc::new(AtomicBool::new(false)),
                pacer: pacer.clone(),
            });
            let factory = VcamFactory::new(Arc::clone(&mount));
            if guarded {
                permit(&factory);
            }
            let stem = address_of(path).filter(|stem| taken.insert(stem.clone()));
            if let Some(stem) = &stem {
                mounts.add_factory(&format!("/{stem}"), factory.clone());
            }
            mounts.add_factory(&format!("/cam{}", index + 1), factory);
            Camera { mount, stem }
        })
        .collect()
}

/// The file's stem, where every client writes it alike.
fn address_of(path: &Path) -> Option<String> {
    let stem = path.file_stem()?.to_str()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    stem.chars().all(plain).then(|| stem.to_owned())
}

fn authentication(options: &CameraOptions) -> Option<rtsp::RTSPAuth> {
    let (user, password) = (options.user.as_ref()?, options.password.as_ref()?);
    let auth = rtsp::RTSPAuth::new();
    let token = rtsp::RTSPToken::builder()
        .field(rtsp::RTSP_TOKEN_MEDIA_FACTORY_ROLE, VIEWER)
        .build();
    match options.authentication {
        Authentication::Digest => {
            auth.set_supported_methods(gst_rtsp::RTSPAuthMethod::Digest);
            auth.add_digest(user, password.expose(), &token);
        }
        Authentication::Basic => {
            auth.set_supported_methods(gst_rtsp::RTSPAuthMethod::Basic);
            auth.add_basic(&rtsp::RTSPAuth::make_basic(user, password.expose()), &token);
        }
    }
    auth.set_realm(Some("virtual camera"));
    Some(auth)
}

/// Only [`VIEWER`] may see and start the camera; without a role the server lets anyone.
fn permit(factory: &VcamFactory) {
    let role = gst::Structure::builder(VIEWER)
        .field(rtsp::RTSP_PERM_MEDIA_FACTORY_ACCESS, true)
        .field(rtsp::RTSP_PERM_MEDIA_FACTORY_CONSTRUCT, true)
        .build();
    factory.add_role_from_structure(&role);
}

/// Binds the address now, so that the caller learns at once when it is taken.
fn listen(
    server: &rtsp::RTSPServer,
    sessions: &rtsp::RTSPSessionPool,
    context: &glib::MainContext,
    address: SocketAddr,
) -> Result<Vec<glib::Source>, VcamError> {
    let failed = |reason: String| VcamError::Listen {
        listen: address,
        reason,
    };
    let id = server
        .attach(Some(context))
        // The server does not say why; the system does when it is asked for the same.
        .map_err(|error| match TcpListener::bind(address) {
            Err(reason) => failed(reason.to_string()),
            Ok(_) => failed(error.to_string()),
        })?;
    let accept = context
        .find_source_by_id(&id)
        .ok_or_else(|| failed("the server did not start".to_owned()))?;
    let pool = sessions.clone();
    let sweep = glib::timeout_source_new(SWEEP, None, glib::Priority::LOW, move || {
        pool.cleanup();
        glib::ControlFlow::Continue
    });
    sweep.attach(Some(context));
    Ok(vec![accept, sweep])
}

//! The RTSP server around the cameras: addresses, credentials, faults on order, and the end.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use gstreamer as gst;
use gstreamer::glib;
use gstreamer_rtsp as gst_rtsp;
use gstreamer_rtsp_server as rtsp;
use gstreamer_rtsp_server::gio;
use gstreamer_rtsp_server::prelude::*;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::{
    Authentication, Begin, CameraOptions, VcamError,
    director::Director,
    factory::{Mount, VcamFactory},
    listener::Listener,
    pacer::{Pace, Pacer},
    script::Fault,
    tamper::Faults,
    video::Video,
};
use crate::{
    base::{link::WakeSignal, tasks::Tasks},
    config::Transport,
};

/// The role of a client with the right password.
const VIEWER: &str = "viewer";
/// How long the threads may take to end.
const GRACE: Duration = Duration::from_secs(5);

/// Running virtual cameras. They stop, and their threads end, when this is dropped.
pub struct VirtualCameras {
    listener: Arc<Listener>,
    context: glib::MainContext,
    main: glib::MainLoop,
    secure: bool,
    cameras: Vec<Camera>,
    pacer: Pacer,
    /// Wakes the script's thread.
    wake_signal: WakeSignal,
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
        let auth = authentication(&options)?;
        if let Some(auth) = &auth {
            server.set_auth(Some(auth));
        }
        let cameras = mount_all(&server, videos, loaded, &pacer, |factory| {
            if auth.is_some() {
                permit(factory);
            }
            factory.set_protocols(protocols(options.transport));
        });

        let context = glib::MainContext::new();
        let main = glib::MainLoop::new(Some(&context), false);
        let wake_signal = WakeSignal::default();
        let listener =
            Listener::open(server, context.clone(), options.listen, wake_signal.clone())?;
        let listener = Arc::new(listener);
        let mounts = cameras.iter().map(|camera| Arc::clone(&camera.mount));
        let director = Director::new(
            &options.script,
            mounts.collect(),
            Arc::clone(&listener),
            wake_signal.clone(),
        )?;

        // Threads come from `Tasks`, which asks for a runtime; no async work runs on this one.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .map_err(VcamError::Thread)?;
        let tasks = Tasks::new(runtime.handle().clone(), CancellationToken::new());
        let cameras = Self {
            listener,
            context,
            main,
            secure: options.tls.is_some(),
            cameras,
            pacer,
            wake_signal,
            tasks,
            runtime: Some(runtime),
        };
        cameras.start(director)?;
        Ok(cameras)
    }

    fn start(&self, director: Director) -> Result<(), VcamError> {
        let token = self.tasks.token().clone();
        self.tasks
            .thread("vcam-script", move || director.run(&token))
            .map_err(VcamError::Thread)?;
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
        self.listener.address()
    }

    /// Address of camera `index`, counted from 0: `rtsp://127.0.0.1:PORT/cam1`, or `rtsps://`. Holds no credentials.
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
        let mut reachable = self.address();
        // Listening everywhere is no address to go to.
        if reachable.ip().is_unspecified() {
            reachable.set_ip(match reachable.ip() {
                IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        let scheme = if self.secure { "rtsps" } else { "rtsp" };
        format!("{scheme}://{reachable}/{mount}")
    }

    /// Connections open now, over all cameras.
    #[must_use]
    pub fn clients(&self) -> usize {
        self.listener.clients()
    }

    /// Makes camera `index` fall silent with its connections kept, or speak again. What falls due in between is lost.
    ///
    /// # Errors
    /// When there is no such camera.
    pub fn stall(&self, index: usize, stalled: bool) -> Result<(), VcamError> {
        let mount = self.mount(index)?;
        mount.faults.set(&Fault::Stall, stalled);
        Ok(())
    }

    /// Cuts all connections, as a restarting camera does. Clients may come back at once.
    pub fn disconnect_all(&self) {
        self.listener.disconnect_all();
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
        self.tasks.token().cancel();
        self.wake_signal.raise();
        self.listener.refuse();
        self.disconnect_all();
        // Asked from inside, so that a loop which has not begun yet hears it too.
        let main = self.main.clone();
        self.context.invoke(move || main.quit());
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
    prepare: impl Fn(&VcamFactory),
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
                faults: Arc::new(Faults::default()),
                pacer: pacer.clone(),
            });
            let factory = VcamFactory::new(Arc::clone(&mount));
            prepare(&factory);
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

/// Who may watch, and the certificate; none: everybody, and not over TLS.
fn authentication(options: &CameraOptions) -> Result<Option<rtsp::RTSPAuth>, VcamError> {
    let login = options.user.as_ref().zip(options.password.as_ref());
    if login.is_none() && options.tls.is_none() {
        return Ok(None);
    }
    let auth = rtsp::RTSPAuth::new();
    let mut token = rtsp::RTSPToken::builder()
        .field(rtsp::RTSP_TOKEN_MEDIA_FACTORY_ROLE, VIEWER)
        .build();
    if let Some(tls) = &options.tls {
        let certificate = gio::TlsCertificate::from_files(&tls.certificate, &tls.key);
        let certificate = certificate.map_err(|error| VcamError::Certificate {
            path: tls.certificate.clone(),
            reason: error.message().trim_end_matches('.').to_owned(),
        })?;
        auth.set_tls_certificate(Some(&certificate));
    }
    match (login, options.authentication) {
        (None, _) => auth.set_default_token(Some(&mut token)),
        (Some((user, password)), Authentication::Digest) => {
            auth.set_supported_methods(gst_rtsp::RTSPAuthMethod::Digest);
            auth.add_digest(user, password.expose(), &token);
        }
        (Some((user, password)), Authentication::Basic) => {
            auth.set_supported_methods(gst_rtsp::RTSPAuthMethod::Basic);
            auth.add_basic(&rtsp::RTSPAuth::make_basic(user, password.expose()), &token);
        }
    }
    auth.set_realm(Some("virtual camera"));
    Ok(Some(auth))
}

/// What clients may ask for.
fn protocols(transport: Transport) -> gst_rtsp::RTSPLowerTrans {
    match transport {
        Transport::Auto => gst_rtsp::RTSPLowerTrans::TCP | gst_rtsp::RTSPLowerTrans::UDP,
        Transport::Tcp => gst_rtsp::RTSPLowerTrans::TCP,
        Transport::Udp => gst_rtsp::RTSPLowerTrans::UDP,
    }
}

/// Only [`VIEWER`] may see and start the camera; without a role the server lets anyone.
fn permit(factory: &VcamFactory) {
    let role = gst::Structure::builder(VIEWER)
        .field(rtsp::RTSP_PERM_MEDIA_FACTORY_ACCESS, true)
        .field(rtsp::RTSP_PERM_MEDIA_FACTORY_CONSTRUCT, true)
        .build();
    factory.add_role_from_structure(&role);
}

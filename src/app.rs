//! The composer: configuration to rooms to cameras, and the order in which they stop.
//!
//! In: a checked [`Config`]. Out: a running agent. The only module beside [`crate::camera`] that knows what comes after
//! what. Owns the root token; nothing here looks at a picture or a message.

mod areas;
mod backup;
mod bookkeeper;
mod cameras;
mod commands;
mod discovery;
mod health;
mod own_hub;
mod supervisor;
mod watchdog;

use std::{fs, io, io::Write, path::Path, sync::Arc, time::Duration, time::Instant};

use anyhow::Context;
use parking_lot::Mutex;
use tokio::{runtime::Handle, sync::mpsc};
use tokio_util::sync::CancellationToken;

use self::cameras::Cameras;
use crate::{
    base::{
        board::Board,
        clock::{Clock, SystemClock},
        cpu::StageCpu,
        http::names::Names,
        tasks::Tasks,
        telemetry::Metrics,
    },
    camera::{Shared, Stills, Workers},
    clip::reread,
    config::{self, Config, Environment},
    diary::Diary,
    flow::SiteId,
    hub::{self, Hub},
    infer::Infer,
    ingest,
    outbox::{
        Contents, Outbox, make_dir,
        sinks::{self, HubCommand, LiveState, MqttSink, NtfySink, Sink, WebhookSink},
    },
    web,
};

/// Commands that may wait to be obeyed.
const COMMANDS: usize = 32;
/// How often to look whether what is still to be sent has left.
const DRAIN_POLL: Duration = Duration::from_millis(50);
/// How often the report of health is made anew where no broker asks for it.
const HEALTH_EVERY: Duration = Duration::from_secs(3600);

/// A running agent.
pub struct App {
    cameras: Arc<Cameras>,
    workers: Workers,
    losses: supervisor::Losses,
    /// Cameras, then deliveries, then models and pages: the order of stopping.
    lanes: Tasks,
    deliveries: Tasks,
    services: Tasks,
    shared: Shared,
    site: SiteId,
    grace: Duration,
    manager: Option<Arc<watchdog::Manager>>,
    hub: Option<Hub>,
}

impl App {
    /// Starts everything. What a box cannot do without (data folder, models, outbox) fails here, in one sentence; what
    /// may come later (cameras, broker, store, the health page) does not.
    ///
    /// # Errors
    /// See above.
    pub async fn start(mut config: Config, runtime: Handle) -> anyhow::Result<Self> {
        ingest::init()?;
        let root = Tasks::new(runtime, CancellationToken::new());
        let (lanes, deliveries, services) = (root.child(), root.child(), root.child());
        let clock: Arc<dyn Clock> = SystemClock::start();
        let (metrics, board, stages) = (Metrics::new(), Board::new(), StageCpu::default());
        metrics.show_cpu(stages.clone());
        prepare_data_dir(&config.data_dir)?;
        let site = site_id(&config)?;

        let infer = Infer::start(&config.models, &services, stages.clone(), metrics.clone())?;
        infer.watch_load(&services);
        let outbox = Outbox::open(
            &config.data_dir,
            site.clone(),
            clock.clone(),
            config.outbox.clone(),
            metrics.clone(),
        )?;
        if outbox.note_config(&config.keys(), None)? {
            tracing::info!(
                "the configuration is new, or another one than at the last start; the ledger says what changed"
            );
        }
        outbox.adopt_orphans(&clip_contents)?;
        let live = LiveState::new(&site);
        let diary = Diary::new(&config.data_dir, clock.clone());
        let shared = Shared {
            clock,
            infer: Arc::new(infer),
            outbox,
            live,
            diary: Some(diary.clone()),
            board,
            metrics,
            stages,
            receiving: Some(ingest::Receiving::start()?),
            stills: Stills::default(),
            scratch: config.data_dir.clone(),
        };
        let (losses, lost) = supervisor::losses();
        let workers = Workers::start(&services, {
            let losses = losses.clone();
            move |loss| losses.note(loss)
        })?;
        let cameras = Cameras::new(&shared, &workers, &lanes);
        let desk = areas::Desk {
            file: config.file.clone(),
            environment: config::environment(),
            cameras: cameras.clone(),
            outbox: shared.outbox.clone(),
            busy: Mutex::default(),
        };
        let (asked, commands) = mpsc::channel(COMMANDS);
        let (stills, ask) = (&shared.stills, asked.clone());
        let hub = start_hub(&mut config, &site, desk, stills, ask, &services).await?;
        let near = hub.as_ref().and_then(Hub::near).cloned();
        if let Some(near) = near.clone() {
            shared
                .live
                .also_to(move |topic, payload| near.value(topic, payload));
        }
        let health_every = config
            .mqtt
            .as_ref()
            .map_or(HEALTH_EVERY, |mqtt| mqtt.health_every);
        let silent = health::silent_after(health_every);
        discovery::announce(&config, &shared.outbox, &shared.live, silent)?;
        start_sinks(&config, &shared, near, asked, &deliveries)?;

        if let Some(address) = config.web.listen {
            let handles = web::Handles {
                health: Arc::new({
                    let (shared, heartbeats) = (shared.clone(), root.heartbeats().clone());
                    move || health::report(&shared, &heartbeats)
                }),
                metrics: shared.metrics.clone(),
                reasons: Arc::new(move || diary.day()),
                names: Names::new(&names_of(&config)),
            };
            match web::bind(address).await {
                Ok(listener) => {
                    tracing::info!(%address, "health and metrics");
                    services.spawn("web", web::serve(listener, handles, services.clone()));
                }
                Err(error) => tracing::error!("{error}"),
            }
        }

        for camera in config.cameras {
            cameras.add(camera);
        }
        commands::start(&lanes, commands, &cameras, &shared.outbox)?;
        supervisor::start(&services, &workers, &cameras, &losses, lost)?;
        health::spawn(&lanes, &shared, health_every);
        bookkeeper::start(&deliveries, &shared)?;
        let manager = service_manager();
        if let Some(manager) = &manager {
            watchdog::spawn(&services, manager, losses.fatal());
        }
        tracing::info!(%site, cameras = cameras.len(), version = env!("CARGO_PKG_VERSION"), "watching");
        Ok(Self {
            cameras,
            workers,
            losses,
            lanes,
            deliveries,
            services,
            shared,
            site,
            grace: config.stop_grace,
            manager,
            hub,
        })
    }

    /// Cancelled when the program cannot go on and must be started afresh.
    #[must_use]
    pub fn fatal(&self) -> &CancellationToken {
        self.losses.fatal()
    }

    /// How long stopping in good order may take.
    #[must_use]
    pub fn grace(&self) -> Duration {
        self.grace
    }

    /// What the rooms share, for commands that watch an agent from inside.
    #[must_use]
    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The hub in this program, if there is one.
    #[must_use]
    pub fn hub(&self) -> Option<&Hub> {
        self.hub.as_ref()
    }

    /// The household's id.
    #[must_use]
    pub fn site(&self) -> &SiteId {
        &self.site
    }

    /// Stops in order, within the configured grace: sources and jobs of all cameras (incidents end, clips close, rows
    /// are on disk), then deliveries, then models and pages. Blocks; not for an async task. True when all have ended.
    pub fn stop(self) -> bool {
        tracing::info!("stopping");
        if let Some(manager) = &self.manager {
            manager.stopping();
        }
        let deadline = Instant::now() + self.grace;
        let left = || deadline.saturating_duration_since(Instant::now());
        let mut stubborn: Vec<String> = Vec::new();
        stubborn.extend(self.cameras.stop(deadline));
        stubborn.extend(self.lanes.close(left()));
        stubborn.extend(self.workers.close(left()));
        self.drain(deadline);
        stubborn.extend(self.deliveries.close(left()));
        if let Err(error) = bookkeeper::count(&self.shared) {
            tracing::warn!(%error, "the last live values are not in the ledger");
        }
        stubborn.extend(self.services.close(left()));
        if stubborn.is_empty() {
            tracing::info!("stopped");
        } else {
            tracing::warn!(
                parts = stubborn.join(", "),
                "stopped before these had ended: give more time with stop_grace"
            );
        }
        stubborn.is_empty()
    }
}

impl App {
    /// Waits until what has become ready has left, for as long as there is time and every receiver is there. The rest
    /// waits in the outbox for the next start.
    fn drain(&self, deadline: Instant) {
        let drained = || match self.shared.outbox.sink_health() {
            Ok(sinks) => sinks.iter().all(|sink| sink.waiting == 0 || !sink.up),
            Err(_) => true,
        };
        while Instant::now() + DRAIN_POLL * 10 < deadline && !drained() {
            std::thread::sleep(DRAIN_POLL);
        }
    }
}

/// How the outbox reads a file of a clip that has no row.
pub(crate) fn clip_contents(bytes: &[u8]) -> Option<Contents> {
    if reread::is_header(bytes) {
        return Some(Contents::Header);
    }
    let segment = reread::segment(bytes)?;
    Some(Contents::Media {
        ticks: (segment.from, segment.to),
        duration: segment.duration(),
        frames: segment.frames,
    })
}

/// Who started us, where it wants to hear of us.
fn service_manager() -> Option<Arc<watchdog::Manager>> {
    let environment: Environment = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)))
        .collect();
    match watchdog::Manager::from_environment(&environment) {
        Ok(manager) => manager.map(Arc::new),
        Err(error) => {
            tracing::warn!(%error, "the service manager's socket (NOTIFY_SOCKET) cannot be used");
            None
        }
    }
}

/// Names by which this machine may be asked for its own pages.
fn names_of(config: &Config) -> Vec<String> {
    let hub = config.hub.iter().flat_map(|hub| &hub.names);
    config.web.names.iter().chain(hub).cloned().collect()
}

/// Starts the hub where the configuration has one. What the configuration does not send elsewhere goes there.
async fn start_hub(
    config: &mut Config,
    site: &SiteId,
    desk: areas::Desk,
    stills: &Stills,
    asked: mpsc::Sender<HubCommand>,
    tasks: &Tasks,
) -> anyhow::Result<Option<Hub>> {
    let Some(hub_config) = &config.hub else {
        return Ok(None);
    };
    let stills = stills.clone();
    let local = hub::Local {
        site: site.clone(),
        stills: Arc::new(move |camera| stills.ask(camera)),
        areas: Arc::new(desk),
        modes: Arc::new(move |camera, mode, account| {
            let command = HubCommand::SetMode {
                camera: camera.clone(),
                mode,
                account: account.map(str::to_owned),
            };
            asked.try_send(command).is_ok()
        }),
        // A broker or a store that is not the hub's: what goes there does not come to the page by itself.
        near: config.mqtt.is_some() && hub_config.broker.is_none(),
        objects: (config.upload.is_some() && hub_config.store.is_none())
            .then(|| config.data_dir.join("objects")),
    };
    let hub = Hub::start(hub_config, Some(local), tasks).await?;
    if config.mqtt.is_none() {
        config.mqtt = hub.mqtt(site);
    }
    if config.upload.is_none() {
        config.upload = hub.upload(site);
    }
    Ok(Some(hub))
}

/// Connects the outbox to what the configuration names, and to the hub in this program where it is `near`. What receivers ask for
/// goes to `asked`.
fn start_sinks(
    config: &Config,
    Shared { outbox, live, .. }: &Shared,
    near: Option<hub::Near>,
    asked: mpsc::Sender<HubCommand>,
    tasks: &Tasks,
) -> anyhow::Result<()> {
    let mut receivers: Vec<Arc<dyn Sink>> = Vec::new();
    if let Some(near) = near {
        receivers.push(Arc::new(own_hub::OwnHub(near)));
    }
    if let Some(mqtt) = &config.mqtt {
        let sink = MqttSink::start(tasks, mqtt, outbox, live.clone(), asked)?;
        receivers.push(Arc::new(sink));
    }
    if let Some(webhook) = &config.webhook {
        receivers.push(Arc::new(WebhookSink::new(webhook, outbox.pacer())?));
    }
    if let Some(ntfy) = &config.ntfy {
        let names = config.camera_names();
        receivers.push(Arc::new(NtfySink::new(ntfy, names, outbox.pacer())?));
    }
    if let Some(upload) = &config.upload {
        receivers.push(sinks::store(upload, outbox.pacer())?);
    }
    outbox.start(tasks, receivers)?;
    Ok(())
}

fn prepare_data_dir(dir: &Path) -> anyhow::Result<()> {
    let advice = || {
        format!(
            "cannot write to the data folder {}: make it writable for this user, or choose another with data_dir",
            dir.display()
        )
    };
    // Flushed: in a folder whose own name is lost with the power, nothing is safe.
    make_dir(dir).with_context(advice)?;
    tempfile::tempfile_in(dir).with_context(advice)?;
    Ok(())
}

/// The configured site, or the one made at first start.
pub(crate) fn site_id(config: &Config) -> anyhow::Result<SiteId> {
    if let Some(site) = &config.site {
        return Ok(site.clone());
    }
    let path = config.data_dir.join("site");
    match fs::read_to_string(&path) {
        Ok(text) => text.trim().parse().with_context(|| {
            format!(
                "{} holds no site id: set site in the configuration",
                path.display()
            )
        }),
        // Topics, keys and ids of others hang on it: one that cannot be read is not replaced.
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).with_context(|| {
            format!(
                "cannot read the site id in {}: make the file readable, or set site in the configuration",
                path.display()
            )
        }),
        Err(_) => {
            let random = uuid::Uuid::now_v7().simple().to_string();
            let site: SiteId = format!("home-{}", &random[20..])
                .parse()
                .expect("a valid id");
            let mut file = tempfile::NamedTempFile::new_in(&config.data_dir)?;
            writeln!(file, "{site}")?;
            file.as_file().sync_all()?;
            file.persist(&path)
                .with_context(|| format!("cannot keep the site id in {}", path.display()))?;
            // Topics and keys hang on it: its name must outlive a power cut too.
            fs::File::open(&config.data_dir)?.sync_all()?;
            Ok(site)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Environment;

    #[test]
    fn a_site_id_is_made_once_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::for_camera("rtsp://h/", &Environment::new()).unwrap();
        config.data_dir = dir.path().to_owned();
        let first = site_id(&config).unwrap();
        assert_eq!(site_id(&config).unwrap(), first);
        config.site = Some("given".parse().unwrap());
        assert_eq!(site_id(&config).unwrap().as_str(), "given");
    }

    #[test]
    fn a_site_id_that_cannot_be_read_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::for_camera("rtsp://h/", &Environment::new()).unwrap();
        config.data_dir = dir.path().to_owned();
        // A folder in its place gives an error that is not "no such file", to root too.
        fs::create_dir(dir.path().join("site")).unwrap();
        let error = format!("{:#}", site_id(&config).unwrap_err());
        assert!(
            error.contains("site id") && error.contains("/site"),
            "{error}"
        );
        assert!(dir.path().join("site").is_dir());
    }

    #[test]
    fn a_data_folder_that_cannot_be_made_is_told() {
        let error = prepare_data_dir(Path::new("/proc/lares"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("data_dir"), "{error}");
    }
}

//! The composer: configuration to rooms to cameras, and the order in which they stop.
//!
//! In: a checked [`Config`]. Out: a running agent. The only module beside [`crate::camera`] that knows what comes after
//! what. Owns the root token; nothing here looks at a picture or a message.

mod areas;
pub mod backup;
mod cameras;
mod commands;
mod discovery;
mod folder;
mod health;
mod ledger_task;
mod own_hub;
mod own_pages;
mod sinks;
mod supervisor;
mod watchdog;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::{runtime::Handle, sync::mpsc};
use tokio_util::sync::CancellationToken;

use self::cameras::Cameras;
pub(crate) use self::folder::site_id;
use crate::{
    base::{
        clock::{Clock, SystemClock},
        cpu::StageCpu,
        health_registry::HealthRegistry,
        tasks::Tasks,
        telemetry::Metrics,
    },
    camera::{Shared, Stills, Workers},
    config::{self, Config},
    decision_log::DecisionLog,
    flow::SiteId,
    hub::{self, Hub},
    infer::Infer,
    ingest::{self, IdleDecoders},
    live::Live,
    net::server::names::Names,
    outbox::{
        Contents, Outbox,
        sinks::{HubCommand, LiveState},
    },
    recording::{cmaf::fmp4_reader, continuous::Recordings},
    web,
};

/// Commands that may wait to be obeyed.
const COMMANDS: usize = 32;
/// How often to look whether what is still to be sent has left.
const DRAIN_POLL: Duration = Duration::from_millis(50);
/// How often the report of health is renewed where no broker asks for it.
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
        let (metrics, health_registry, stages) =
            (Metrics::new(), HealthRegistry::new(), StageCpu::default());
        metrics.show_cpu(stages.clone());
        folder::prepare(&config.data_dir)?;
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
        for camera in &config.cameras {
            outbox.segments_up_to(&camera.id, camera.clip.segment_max);
        }
        let damage: Vec<String> = outbox.damage().map(str::to_owned).into_iter().collect();
        health_registry.troubles("outbox", &damage);
        outbox.adopt_orphans(&clip_contents)?;
        let live = LiveState::new(&site);
        let decision_log = DecisionLog::new(&config.data_dir, clock.clone());
        let recordings = Recordings::open(
            &config.data_dir,
            &site,
            clock.clone(),
            (metrics.clone(), health_registry.clone()),
            &lanes,
        )?;
        let shared = Shared {
            clock,
            infer: Arc::new(infer),
            outbox,
            live,
            decision_log: Some(decision_log.clone()),
            health_registry,
            metrics,
            stages,
            receiving: Some(ingest::Receiving::start()?),
            decoders: IdleDecoders::default(),
            stills: Stills::default(),
            viewing: Live::default(),
            recordings,
            scratch: config.data_dir.clone(),
        };
        shared.outbox.spare_room({
            let recordings = shared.recordings.clone();
            move |bytes| recordings.make_room(bytes)
        });
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
        let other_broker = config.mqtt.is_some();
        let (asked, commands) = mpsc::channel(COMMANDS);
        let ask = asked.clone();
        let hub = start_hub(&mut config, &site, desk, &shared, ask, &services).await?;
        let broker_up = hub.as_ref().filter(|_| !other_broker).map(Hub::broker_up);
        let near = hub.as_ref().and_then(Hub::near).cloned();
        if let Some(near) = near.clone() {
            shared
                .live
                .also_to(move |topic, payload| near.value(topic, payload));
        }
        let health_interval = config
            .mqtt
            .as_ref()
            .map_or(HEALTH_EVERY, |mqtt| mqtt.health_interval);
        let silent = health::silent_after(health_interval);
        discovery::announce(&config, &shared.outbox, &shared.live, silent)?;
        let hub_to_hear = sinks::Hearing { near, broker_up };
        sinks::start(&config, &shared, hub_to_hear, asked, &deliveries)?;

        if let Some(address) = config.web.listen {
            let handles = web::Handles {
                health: Arc::new({
                    let (shared, heartbeats) = (shared.clone(), root.heartbeats().clone());
                    move || health::report(&shared, &heartbeats)
                }),
                metrics: shared.metrics.clone(),
                reasons: Arc::new(move || decision_log.day()),
                names: Names::new(&names_of(&config)),
            };
            own_pages::start(address, handles, &shared.health_registry, &services).await;
        }

        for camera in config.cameras {
            cameras.add(camera);
        }
        commands::start(&lanes, commands, &cameras, &shared.outbox)?;
        supervisor::start(&services, &workers, &cameras, &losses, lost)?;
        supervisor::watch_outbox(&services, &shared.outbox, &losses);
        health::spawn(&lanes, &shared, health_interval);
        ledger_task::start(&deliveries, &shared)?;
        let manager = watchdog::Manager::from_environment().map(Arc::new);
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
            grace: config.shutdown_timeout,
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
        if let Err(error) = ledger_task::count(&self.shared) {
            tracing::warn!(%error, "the last live values are not in the ledger");
        }
        stubborn.extend(self.services.close(left()));
        if stubborn.is_empty() {
            tracing::info!("stopped");
        } else {
            tracing::warn!(
                parts = stubborn.join(", "),
                "stopped before these had ended: give more time with shutdown_timeout"
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
    if fmp4_reader::is_header(bytes) {
        return Some(Contents::Header);
    }
    let segment = fmp4_reader::segment(bytes)?;
    Some(Contents::Media {
        ticks: (segment.from, segment.to),
        duration: segment.duration(),
        frames: segment.frames,
    })
}

/// Names by which this machine may be asked for its own pages.
fn names_of(config: &Config) -> Vec<String> {
    let hub = config.hub.iter().flat_map(|hub| &hub.server_names);
    config.web.server_names.iter().chain(hub).cloned().collect()
}

/// Starts the hub where the configuration has one. It reads what this box keeps; where it has a broker and the configuration names no
/// other, the box publishes there too.
async fn start_hub(
    config: &mut Config,
    site: &SiteId,
    desk: areas::Desk,
    shared: &Shared,
    asked: mpsc::Sender<HubCommand>,
    tasks: &Tasks,
) -> anyhow::Result<Option<Hub>> {
    let Some(hub_config) = &config.hub else {
        return Ok(None);
    };
    let (stills, health_registry) = (shared.stills.clone(), shared.health_registry.clone());
    let live = Arc::new(shared.viewing.clone());
    let local = hub::Local {
        site: site.clone(),
        stills: Arc::new(move |camera| stills.ask(camera)),
        live,
        recordings: Arc::new(shared.recordings.clone()),
        areas: Arc::new(desk),
        modes: Arc::new(move |camera, mode, account| {
            let command = HubCommand::SetMode {
                camera: camera.clone(),
                mode,
                account: account.map(str::to_owned),
            };
            asked.try_send(command).is_ok()
        }),
        evidence: shared.outbox.clone(),
        trouble: Arc::new({
            let health_registry = health_registry.clone();
            move |sentences: &[String]| health_registry.troubles("hub", sentences)
        }),
    };
    let hub = match Hub::start(hub_config, Some(local), tasks).await {
        Ok(hub) => hub,
        // The cameras are watched all the same.
        Err(error) => {
            tracing::error!("{error}; the hub is not there until the next start");
            health_registry.troubles("hub", &[error.to_string()]);
            return Ok(None);
        }
    };
    // For Home Assistant: the page needs no broker.
    if config.mqtt.is_none() {
        config.mqtt = hub.mqtt(site);
    }
    Ok(Some(hub))
}

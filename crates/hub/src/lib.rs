//! The hub: what receives. A broker, a store, an index of incidents and the page for the household.
//!
//! In: what boxes send over MQTT and S3. Out: the page. It knows boxes only by what they send: it runs as the program
//! `lares-hub`, or in a box, which is then one of them. Each part starts for itself: one that cannot, because a port is taken or a
//! file is damaged, is told and tried again, and the others work meanwhile.
//!
//! | part | what it is |
//! |---|---|
//! | `parts` | how each of them is doing |
//! | `open` | how they are started |
//! | `keys` | everybody's secrets |
//! | `doors` | where it listens |
//! | `doors::needed` | which of them anybody needs |
//! | `doors::ports` | who may connect, and how |
//! | `doors::probe` | whether it could listen |
//! | `marks` | what people said of incidents: kept longer, a false alarm, deleted |
//! | `home` | the box in this program: what it keeps |
//! | `home::near` | the same box: what it says is heard without a broker |
//! | `broker` | mosquitto as a child, and the gate before it |
//! | `store` | S3 over a folder |
//! | `shelf` | objects as the page reads them, there or in another store |
//! | `database` | how its databases are opened and written |
//! | `index` | incidents and their numbers, in SQLite |
//! | `house` | the state of the moment |
//! | `listen` | the ear at the broker |
//! | `sweep` | what is deleted, and when |
//! | `accounts` | who may look and who may change |
//! | `pages` | HTTP |
//! | [`command`] | the command line of `lares-hub`, and of `lares hub` |

mod accounts;
mod broker;
pub mod command;
mod database;
mod doors;
mod error;
mod home;
mod house;
mod index;
mod keys;
mod listen;
mod marks;
mod open;
mod pages;
mod parts;
mod rebuild;
mod shelf;
mod store;
mod sweep;

use std::{
    collections::BTreeSet,
    fs::File,
    net::SocketAddr,
    path::Path,
    sync::{Arc, OnceLock},
    time::Duration,
};

use lares_core::{base, config, flow, wire};
use lares_net as net;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};

pub use accounts::AccountBook;
pub use doors::{
    ports::{Access, access},
    probe::probe,
};
pub use error::HubError;
pub use home::near::Near;
pub use keys::{HOUSE_USER, Keys};

use self::{
    broker::Broker,
    doors::{needed::Needed, ports},
    home::Home,
    house::House,
    index::Index,
    keys::HUB_USER,
    listen::{Listener, Listens},
    marks::Marks,
    open::Opening,
    pages::Stills,
    parts::{Observer, Part, Parts},
    store::Shares,
    sweep::Sweep,
};
use crate::{
    base::{
        clock::{Clock, SystemClock},
        durable,
        evidence::Evidence,
        live::LiveSource,
        recordings::RecordingSource,
        reserve,
        tasks::{self, Tasks},
        zone,
    },
    config::{Areas, HubConfig, MqttConfig, Secret},
    flow::{CameraId, Mode, SiteId},
    net::mqtt::connection,
};

/// How often the hub's own broker hears that the hub is there.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Requests to boxes that may wait for the broker.
const REQUESTS: usize = 64;
/// How long a start waits for the first attempts of its parts.
const PATIENCE: Duration = Duration::from_secs(3);

/// The box that the hub runs in, if any.
pub struct Local {
    /// Its site.
    pub site: SiteId,
    /// Pictures of now of its cameras.
    pub stills: Stills,
    /// Moving ones.
    pub live: Arc<dyn LiveSource>,
    /// What was recorded of them.
    pub recordings: Arc<dyn RecordingSource>,
    /// Where their areas are changed.
    pub areas: Arc<dyn AreasDesk>,
    /// Where their modes are changed, without a broker.
    pub modes: Modes,
    /// What it keeps: the page reads that, and nothing is sent to the hub in the same program.
    pub evidence: Arc<dyn Evidence>,
    /// Told of each change: what is wrong with the hub, in one sentence each.
    pub trouble: Trouble,
}

/// Hears what is wrong with the hub, in one sentence each.
pub type Trouble = Arc<dyn Fn(&[String]) + Send + Sync>;

/// Changes the mode of a camera of this box, for an account where there is one; false where it is too busy.
pub type Modes = Arc<dyn Fn(&CameraId, Mode, Option<&str>) -> bool + Send + Sync>;

/// Areas of a camera, and the version of the configuration that they were read from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drawn {
    /// Tells whether the configuration has changed since.
    pub version: String,
    /// Zones and masks.
    #[serde(flatten)]
    pub areas: Areas,
}

/// Why areas were not read or written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AreasRefusal {
    /// Not now, or not here; one sentence.
    Conflict(String),
    /// Not like this; one sentence.
    Impossible(String),
}

/// Changes areas of a box's cameras.
pub trait AreasDesk: Send + Sync + 'static {
    /// The areas of `camera`.
    ///
    /// # Errors
    /// When there is no configuration to read them from.
    fn read(&self, camera: &CameraId) -> Result<Drawn, AreasRefusal>;

    /// Writes `drawn` down and has `camera` watched with it; blocks until it is.
    ///
    /// # Errors
    /// When the configuration has changed since, or would not be sound.
    fn write(&self, camera: &CameraId, drawn: &Drawn, account: &str)
    -> Result<Drawn, AreasRefusal>;
}

/// A hub that runs.
pub struct Hub {
    keys: Arc<Keys>,
    page: SocketAddr,
    broker: Option<SocketAddr>,
    store: Option<SocketAddr>,
    broker_up: watch::Receiver<bool>,
    parts: Parts,
    near: Option<Near>,
    /// Held for as long as this process owns the folder.
    _lock: File,
}

impl Hub {
    /// Starts broker, store, index and page, each with its own files in `config.dir`; broker and store only where other boxes or
    /// Home Assistant need them and the configuration names no others. They stop with `tasks`. Parts that cannot work yet are tried again; what is wrong is
    /// told to `local` and by [`problems`](Self::problems).
    ///
    /// # Errors
    /// When its folder cannot be used, or another program uses it.
    pub async fn start(
        config: &HubConfig,
        local: Option<Local>,
        tasks: &Tasks,
    ) -> Result<Self, HubError> {
        doors::allow_open_files();
        let clock: Arc<dyn Clock> = SystemClock::start();
        let zone::House {
            zone,
            name: zone_name,
            ..
        } = zone::house().clone();
        let sites: BTreeSet<SiteId> = config
            .sites
            .iter()
            .cloned()
            .chain(local.as_ref().map(|local| local.site.clone()))
            .collect();
        let lock = lock(&config.dir).await?;
        let needed = Needed::of(config);
        let keys = Keys::load(&config.dir.join("keys"), sites.clone(), needed.broker)?;
        let keys = Arc::new(keys);
        reserve::ROWS.keep(&config.dir);

        let local_site = local.as_ref().map(|local| local.site.clone());
        let house = House::new(sites.clone(), local_site, zone_name);
        let parts = Parts::new(Some(observer(&house, local.as_ref())));
        let folder = config.dir.join("marks");
        let marks = Marks::load(&folder).map_err(|error| HubError::file(&folder, error))?;
        let index = Index::closed(&config.dir, zone, Arc::clone(&clock), marks.clone());
        let index = Arc::new(index);
        let home = local.as_ref().map(|local| Home {
            site: local.site.clone(),
            evidence: Arc::clone(&local.evidence),
        });
        if let Some(home) = &home {
            // Before anything at home is deleted by age.
            let (home, marks) = (home.clone(), marks.clone());
            let told = tasks::blocking(move || home.hold(&marks)).await;
            if let Err(error) = told.unwrap_or_else(|error| Err(HubError::Evidence(error))) {
                tracing::error!("{error}; what is kept is told again within the hour");
            }
        }
        let near = local.as_ref().map(|local| {
            house.near(&local.site);
            Near {
                site: local.site.clone(),
                index: Arc::clone(&index),
                house: house.clone(),
                clock: Arc::clone(&clock),
            }
        });
        let (sender, requests) = mpsc::channel(REQUESTS);
        let opening = Opening {
            config: config.clone(),
            keys: Arc::clone(&keys),
            parts: parts.clone(),
            index: Arc::clone(&index),
            marks,
            house: house.clone(),
            clock: Arc::clone(&clock),
            shares: Shares::new(config.quota.0, sites.len()),
            home,
            needed,
            folder: Arc::new(OnceLock::new()),
            tasks: tasks.clone(),
        };
        let sweep = opening.sweep();
        let store = opening.store().await;
        opening.index();
        let page = opening.page(local, sender).await;
        let (up, broker_up) = watch::channel(!needed.broker);
        let broker = opening.broker(up).await;
        opening.listen(broker, broker_up.clone(), requests);
        sweep
            .start(tasks)
            .map_err(|error| HubError::file(&config.dir, error))?;
        parts.tried(PATIENCE).await;
        let shown = |own: Option<SocketAddr>, external: bool| match own {
            Some(own) => own.to_string(),
            None if external => "external".to_owned(),
            None => "none".to_owned(),
        };
        tracing::info!(
            page = %ports::url(config, page),
            broker = shown(broker, config.broker.is_some()),
            store = shown(store, config.store.is_some()),
            broken = parts.problems().len(),
            "the hub is open"
        );
        Ok(Self {
            keys,
            page,
            broker,
            store,
            broker_up,
            parts,
            near,
            _lock: lock,
        })
    }

    /// Where the page is, or will be.
    #[must_use]
    pub fn page(&self) -> SocketAddr {
        self.page
    }

    /// Where the hub's own broker is, or will be; none where nobody needs it.
    #[must_use]
    pub fn broker(&self) -> Option<SocketAddr> {
        self.broker
    }

    /// Where the hub's own store is, or will be; none where nobody needs it.
    #[must_use]
    pub fn store(&self) -> Option<SocketAddr> {
        self.store
    }

    /// Whether the broker listens. Who has a login for the hub's own waits for that: on its port there may be a stranger.
    #[must_use]
    pub fn broker_up(&self) -> watch::Receiver<bool> {
        self.broker_up.clone()
    }

    /// Where the box in this program is heard.
    #[must_use]
    pub fn near(&self) -> Option<&Near> {
        self.near.as_ref()
    }

    /// What is wrong with its parts now, in one sentence each.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        self.parts.problems()
    }

    /// Everybody's secrets.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// How a box on this machine publishes to the hub's own broker, for Home Assistant; none for a site that the hub does not know,
    /// or where there is no such broker.
    #[must_use]
    pub fn mqtt(&self, site: &SiteId) -> Option<MqttConfig> {
        let secret = self.keys.site(site.as_str())?;
        let mut config = own_broker(self.broker?, site.as_str(), secret);
        config.here = true;
        Some(config)
    }
}

/// One program for each folder: two would delete twice, and take mosquitto's socket from each other. One that is about to end is
/// waited for.
async fn lock(dir: &Path) -> Result<File, HubError> {
    let failed = |error| HubError::file(dir, error);
    durable::make_dir(dir).map_err(failed)?;
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(lock) = durable::lock(&dir.join("hub.lock")).map_err(failed)? {
            return Ok(lock);
        }
        if tokio::time::Instant::now() > until {
            return Err(HubError::InUse(dir.to_owned()));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Who is told what is wrong: the page, and the box around the hub.
fn observer(house: &House, local: Option<&Local>) -> Observer {
    let (house, box_around) = (house.clone(), local.map(|local| Arc::clone(&local.trouble)));
    Arc::new(move |problems| {
        house.trouble(problems);
        if let Some(trouble) = &box_around {
            trouble(problems);
        }
    })
}

/// The hub's own broker at `address`, for `user`.
fn own_broker(address: SocketAddr, user: &str, secret: &Secret) -> MqttConfig {
    let url = format!("mqtt://{address}").parse().expect("an address");
    let mut config = MqttConfig::without_login(url);
    config.user = Some(user.to_owned());
    config.password = Some(secret.clone());
    config
}

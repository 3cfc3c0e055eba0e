//! The hub: what receives. A broker, a store, an index of incidents and the page for the household.
//!
//! In: what boxes send over MQTT and S3. Out: the page. It knows boxes only by what they send, so that it could become a program
//! of its own; the box that it runs in is one of them.
//!
//! | part | what it is |
//! |---|---|
//! | `keys` | everybody's secrets |
//! | `broker` | mosquitto as a child |
//! | `store` | S3 over a folder |
//! | `shelf` | objects as the page reads them, there or in another store |
//! | `index` | incidents and their numbers, in SQLite |
//! | `house` | the state of the moment |
//! | `listen` | the ear at the broker |
//! | `near` | the box in this program, where its broker is another |
//! | `accounts` | who may look and who may change |
//! | `ports` | who may connect, and how |
//! | `pages` | HTTP |

mod accounts;
mod broker;
mod house;
mod index;
mod keys;
mod listen;
mod near;
mod pages;
mod ports;
mod shelf;
mod store;

use std::{
    collections::BTreeSet,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use rumqttc::v5::MqttOptions;
use rustix::process::{Resource, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, sync::mpsc};

pub use accounts::AccountBook;
pub use keys::{HOUSE_USER, Keys};
pub use near::Near;
pub use ports::store_access;

use self::{
    accounts::Accounts,
    house::House,
    index::Index,
    keys::HUB_USER,
    listen::{GRUMBLE_EVERY, Listener},
    pages::{Page, Small, Stills},
    shelf::Shelf,
    store::Folder,
};
use crate::{
    base::{
        clock::{Clock, SystemClock},
        http::{self, names::Names, tls::TlsError},
        seldom::Seldom,
        tasks::Tasks,
        zone,
    },
    config::{Areas, HubConfig, MqttConfig, Secret, UploadConfig},
    flow::{CameraId, Mode, SiteId, WallTime},
    outbox::sinks::{SinkError, connection},
};

/// How often the hub's own broker hears that the hub is there.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Requests to boxes that may wait for the broker.
const REQUESTS: usize = 64;
/// Files that may be open for all of them, and what else the program needs.
const OPEN_FILES: u64 = 4096;
/// How often to look what is too old or too much: each time all objects are looked at.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

/// Why the hub did not start, or could not do something.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// A file of its own.
    #[error("the hub cannot use {path}: {source}. Make it readable and writable for this user")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Its database.
    #[error("the hub's database cannot be used: {0}")]
    Database(#[from] rusqlite::Error),
    /// Made by a later version.
    #[error("{0} was made by a newer Lares: update this one")]
    NewerIndex(PathBuf),
    /// The broker.
    #[error("the hub's broker mosquitto cannot be started: {0}. Install it: apt install mosquitto")]
    Broker(String),
    /// A port in use.
    #[error(
        "the hub cannot listen on {address} for {what}: {source}. Choose another address with {key} under [hub]"
    )]
    Listen {
        /// Where.
        address: SocketAddr,
        /// For whom.
        what: &'static str,
        /// Which key says so.
        key: &'static str,
        /// Why.
        source: io::Error,
    },
    /// What the box in this program says.
    #[error("an alert of this box cannot be read: {0}. Report this with the log")]
    Document(serde_json::Error),
    /// The store's folder.
    #[error("the hub's store cannot be read: {0}")]
    Store(io::Error),
    /// The certificate of its ports.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Another broker or store that the configuration names.
    #[error(transparent)]
    Elsewhere(#[from] SinkError),
    /// An account that cannot be.
    #[error("{0}")]
    Account(String),
    /// Hashing.
    #[error("the password cannot be kept: {0}")]
    Password(String),
}

impl HubError {
    fn file(path: &Path, source: io::Error) -> Self {
        Self::File {
            path: path.to_owned(),
            source,
        }
    }
}

/// The box that the hub runs in, if any.
pub struct Local {
    /// Its site.
    pub site: SiteId,
    /// Pictures of now of its cameras.
    pub stills: Stills,
    /// Where their areas are changed.
    pub areas: Arc<dyn AreasDesk>,
    /// Where their modes are changed, without a broker.
    pub modes: Modes,
    /// It sends its alerts to a broker that the hub does not hear: the hub hears it in this program.
    pub near: bool,
    /// Where its own objects lie, where it sends them to a store that the hub does not read.
    pub objects: Option<PathBuf>,
}

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
    near: Option<Near>,
}

impl Hub {
    /// Starts broker, store, index and page, each with its own files in `config.dir`; broker and store only where
    /// the configuration names no others. They stop with `tasks`.
    ///
    /// # Errors
    /// When a port is in use, a file cannot be used, or mosquitto is missing.
    pub async fn start(
        config: &HubConfig,
        local: Option<Local>,
        tasks: &Tasks,
    ) -> Result<Self, HubError> {
        allow_open_files();
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
        let keys = Arc::new(Keys::load(&config.dir.join("keys"), sites.clone())?);
        let page_listener = listen_on(config.listen, "the page", "listen").await?;
        let page_address = address_of(&page_listener, config.listen);

        let (mut shelf, folder, store) = start_store(config, &keys, tasks).await?;
        if let Some(local) = &local
            && let Some(objects) = &local.objects
        {
            shelf = shelf.with_near(&local.site, objects)?;
        }
        let (index, fresh) = Index::open(&config.dir, zone)?;
        let index = Arc::new(index);
        if fresh {
            make_anew(&index, &shelf).await?;
        }
        let accounts = Accounts::open(&config.dir, config.open_page, Arc::clone(&clock), tasks)?;
        let (options, address, broker) = start_broker(config, &keys, &sites, tasks).await?;

        let local_site = local.as_ref().map(|local| local.site.clone());
        let house = House::new(sites, local_site, zone_name);
        let near = local.as_ref().filter(|local| local.near).map(|local| {
            house.near(&local.site);
            Near {
                site: local.site.clone(),
                index: Arc::clone(&index),
                house: house.clone(),
                clock: Arc::clone(&clock),
            }
        });
        let (sender, requests) = mpsc::channel(REQUESTS);
        let listener = Listener {
            options,
            address,
            index: Arc::clone(&index),
            house: house.clone(),
            clock: Arc::clone(&clock),
            requests,
            stop: tasks.token().clone(),
            grumbles: Seldom::new(GRUMBLE_EVERY),
            caught_up: BTreeSet::new(),
        };
        tasks.spawn("hub", listener.run());
        keep_limits(config, folder, &index, &clock, tasks)?;

        let page = Page {
            index,
            shelf,
            house,
            accounts,
            requests: sender,
            clock,
            areas: local.as_ref().map(|local| Arc::clone(&local.areas)),
            modes: local
                .as_ref()
                .filter(|local| local.near)
                .map(|local| Arc::clone(&local.modes)),
            stills: local.map_or_else(|| Arc::new(|_: &_| None) as Stills, |local| local.stills),
            tasks: tasks.clone(),
            names: Names::new(&config.names),
            off_loopback: !page_address.ip().is_loopback(),
            small: Small::start(tasks).map_err(|error| HubError::file(&config.dir, error))?,
            opened: Arc::default(),
        };
        tasks.spawn(
            "page",
            http::serve(
                ports::page(config, tasks)?,
                page_listener,
                pages::router(page),
                tasks.clone(),
            ),
        );
        let shown =
            |own: Option<SocketAddr>| own.map_or("external".to_owned(), |own| own.to_string());
        tracing::info!(page = %ports::url(config, page_address), broker = shown(broker), store = shown(store), "the hub is open");
        Ok(Self {
            keys,
            page: page_address,
            broker,
            store,
            near,
        })
    }

    /// Where the page is.
    #[must_use]
    pub fn page(&self) -> SocketAddr {
        self.page
    }

    /// Where the hub's own broker is.
    #[must_use]
    pub fn broker(&self) -> Option<SocketAddr> {
        self.broker
    }

    /// Where the hub's own store is.
    #[must_use]
    pub fn store(&self) -> Option<SocketAddr> {
        self.store
    }

    /// Where the box in this program is heard, where its broker is another than the hub's.
    #[must_use]
    pub fn near(&self) -> Option<&Near> {
        self.near.as_ref()
    }

    /// Everybody's secrets.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// How a box on this machine sends its alerts here; none for a site that the hub does not know, or where the
    /// broker is another.
    #[must_use]
    pub fn mqtt(&self, site: &SiteId) -> Option<MqttConfig> {
        let secret = self.keys.site(site.as_str())?;
        let mut config = own_broker(self.broker?, site.as_str(), secret);
        config.here = true;
        Some(config)
    }

    /// How a box on this machine uploads here; none for a site that the hub does not know, or where the store is another.
    #[must_use]
    pub fn upload(&self, site: &SiteId) -> Option<UploadConfig> {
        let mut config = UploadConfig::folder(format!("s3://{}", store::BUCKET).parse().ok()?);
        config.endpoint = Some(format!("http://{}", self.store?).parse().ok()?);
        config.access_key = Some(site.to_string());
        config.secret_key = Some(self.keys.site(site.as_str())?.clone());
        config.here = true;
        Some(config)
    }
}

/// Where the page reads objects; the folder and address of the store, where it is the hub's own.
async fn start_store(
    config: &HubConfig,
    keys: &Arc<Keys>,
    tasks: &Tasks,
) -> Result<(Shelf, Option<Folder>, Option<SocketAddr>), HubError> {
    if let Some(store) = &config.store {
        return Ok((Shelf::external(store)?, None, None));
    }
    let listener = listen_on(config.store_listen, "uploads", "store_listen").await?;
    let address = address_of(&listener, config.store_listen);
    let root = config.dir.join("store");
    let folder = Folder::open(&root).map_err(HubError::Store)?;
    tasks.spawn(
        "store",
        http::serve(
            ports::store(config, tasks)?,
            listener,
            store::endpoint(folder.clone(), Arc::clone(keys)),
            tasks.clone(),
        ),
    );
    Ok((Shelf::folder(&root)?, Some(folder), Some(address)))
}

/// How the hub hears its broker; the broker's address for people, and its port where it is the hub's own.
async fn start_broker(
    config: &HubConfig,
    keys: &Keys,
    sites: &BTreeSet<SiteId>,
    tasks: &Tasks,
) -> Result<(MqttOptions, String, Option<SocketAddr>), HubError> {
    if let Some(broker) = &config.broker {
        // Another hub at the same broker is for other sites.
        let first = sites.first().map_or("", |site| site.as_str());
        let (options, address) = connection(broker, &format!("lares-hub-{first}"))?;
        return Ok((options, address, None));
    }
    let address = free_port(config.broker_listen).await?;
    broker::start(&config.dir.join("broker"), address, keys, tasks).await?;
    let mut own = own_broker(address, HUB_USER, keys.hub());
    own.keep_alive = KEEP_ALIVE;
    let (options, shown) = connection(&own, "lares-hub")?;
    Ok((options, shown, Some(address)))
}

/// The hub's own broker at `address`, for `user`.
fn own_broker(address: SocketAddr, user: &str, secret: &Secret) -> MqttConfig {
    let url = format!("mqtt://{address}").parse().expect("an address");
    let mut config = MqttConfig::without_login(url);
    config.user = Some(user.to_owned());
    config.password = Some(secret.clone());
    config
}

/// Fills an index that is new from what lies in the store. A store that is away is no reason not to start.
async fn make_anew(index: &Index, shelf: &Shelf) -> Result<(), HubError> {
    match index::rebuild(index, shelf).await {
        Ok(incidents) => {
            if incidents > 0 {
                tracing::info!(incidents, "the index was made anew from the store");
            }
            index.filled()
        }
        Err(error @ HubError::Store(_)) => {
            tracing::warn!("{error}; earlier incidents come to the page with the next start");
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Starts what deletes incidents that are too old, or too much for the hub's own store.
fn keep_limits(
    config: &HubConfig,
    folder: Option<Folder>,
    index: &Arc<Index>,
    clock: &Arc<dyn Clock>,
    tasks: &Tasks,
) -> Result<(), HubError> {
    let (quota, retention) = (config.quota.0, config.retention);
    let (index, clock) = (Arc::clone(index), Arc::clone(clock));
    let (stop, runtime) = (tasks.token().clone(), tasks.runtime().clone());
    let sweep = move || -> Result<usize, HubError> {
        let mut gone = 0;
        if let Some(folder) = &folder {
            let swept = store::sweep(folder, quota, retention, SystemTime::now());
            let swept = swept.map_err(HubError::Store)?;
            index.forget(&swept)?;
            gone = swept.len();
        }
        // Also those whose clips never came, or lie in another store.
        let kept = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
        let oldest = clock.wall().0.saturating_sub(kept);
        Ok(gone + index.forget_before(WallTime(oldest))?)
    };
    tasks
        .thread("hub-sweep", move || {
            runtime.block_on(async {
                loop {
                    match sweep() {
                        Ok(0) => {}
                        Ok(incidents) => {
                            tracing::info!(
                                incidents,
                                "deleted: too old, or too much for the quota"
                            );
                        }
                        Err(error) => tracing::warn!(%error, "nothing could be deleted"),
                    }
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = tokio::time::sleep(SWEEP_EVERY) => {}
                    }
                }
            });
        })
        .map_err(|error| HubError::file(&config.dir, error))
}

/// Whether a hub with such a configuration could start, or is running; what it would say.
///
/// # Errors
/// One sentence that says what to do.
pub fn probe(config: &HubConfig) -> Result<String, HubError> {
    let mut places = vec![(config.listen, "the page", "listen")];
    if config.broker.is_none() {
        broker::is_installed()?;
        places.push((config.broker_listen, "the broker", "broker_listen"));
    }
    if config.store.is_none() {
        places.push((config.store_listen, "uploads", "store_listen"));
    }
    let count = places.len();
    let taken: Vec<HubError> = places
        .into_iter()
        .filter_map(|(address, what, key)| {
            let source = std::net::TcpListener::bind(address).err()?;
            Some(HubError::Listen {
                address,
                what,
                key,
                source,
            })
        })
        .collect();
    // All of them at once are most likely taken by the hub itself.
    let running = taken.len() == count;
    match taken.into_iter().next() {
        Some(error) if !running => Err(error),
        _ => Ok(format!(
            "{} at {}{}",
            if running { "is open" } else { "can open" },
            ports::url(config, config.listen),
            ports::certificate(config)?
        )),
    }
}

/// Asks for as many open files as connections may need: many systems give a program 1024 unless it asks for more. Where the system
/// gives less all the same, connections that find no room wait.
fn allow_open_files() {
    let mut files = getrlimit(Resource::Nofile);
    let most = files
        .maximum
        .map_or(OPEN_FILES, |most| most.min(OPEN_FILES));
    if files.current.is_some_and(|now| now < most) {
        files.current = Some(most);
        if let Err(error) = setrlimit(Resource::Nofile, files) {
            tracing::debug!(%error, "no more open files");
        }
    }
}

async fn listen_on(
    address: SocketAddr,
    what: &'static str,
    key: &'static str,
) -> Result<TcpListener, HubError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| HubError::Listen {
            address,
            what,
            key,
            source,
        })
}

fn address_of(listener: &TcpListener, wanted: SocketAddr) -> SocketAddr {
    listener.local_addr().unwrap_or(wanted)
}

/// The broker takes its port itself: one that is in use is told before it tries, and port 0 is a free one.
async fn free_port(wanted: SocketAddr) -> Result<SocketAddr, HubError> {
    let listener = listen_on(wanted, "the broker", "broker_listen").await?;
    Ok(address_of(&listener, wanted))
}

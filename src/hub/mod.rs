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
//! | `index` | incidents and their numbers, in SQLite |
//! | `house` | the state of the moment |
//! | `listen` | the ear at the broker |
//! | `accounts` | who may look and who may change |
//! | `pages` | HTTP |

mod accounts;
mod broker;
mod house;
mod index;
mod keys;
mod listen;
mod pages;
mod store;

use std::{
    collections::BTreeSet,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, sync::mpsc};

pub use accounts::AccountBook;
pub use keys::{HOUSE_USER, Keys};

use self::{
    accounts::Accounts,
    house::House,
    index::Index,
    listen::{Address, Listener},
    pages::{Page, Stills},
    store::Folder,
};
use crate::{
    base::{
        clock::{Clock, SystemClock},
        serve::{self, Limits},
        tasks::Tasks,
    },
    config::{Areas, HubConfig, MqttConfig, UploadConfig},
    flow::{CameraId, SiteId},
};

/// Requests to boxes that may wait for the broker.
const REQUESTS: usize = 64;
/// Browsers: a page has a few connections, one of them for events, for hours.
const BROWSERS: (usize, Duration) = (256, Duration::from_secs(6 * 3600));
/// Boxes: each has a few uploads at once.
const BOXES: (usize, Duration) = (1000, Duration::from_secs(3600));
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
    /// The store's folder.
    #[error("the hub's store cannot be read: {0}")]
    Store(io::Error),
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
}

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
    broker: SocketAddr,
    store: SocketAddr,
}

impl Hub {
    /// Starts broker, store, index and page, each with its own files in `config.dir`. They stop with `tasks`.
    ///
    /// # Errors
    /// When a port is in use, a file cannot be used, or mosquitto is missing.
    pub async fn start(
        config: &HubConfig,
        local: Option<Local>,
        tasks: &Tasks,
    ) -> Result<Self, HubError> {
        let clock: Arc<dyn Clock> = SystemClock::start();
        let zone = TimeZone::system();
        let zone_name = zone.iana_name().unwrap_or("UTC").to_owned();
        let sites: BTreeSet<SiteId> = config
            .sites
            .iter()
            .cloned()
            .chain(local.as_ref().map(|local| local.site.clone()))
            .collect();
        let keys = Arc::new(Keys::load(&config.dir.join("keys"), sites.clone())?);

        let page_listener = listen_on(config.listen, "the page", "listen").await?;
        let store_listener = listen_on(config.store_listen, "uploads", "store_listen").await?;
        let page_address = address_of(&page_listener, config.listen);
        let store_address = address_of(&store_listener, config.store_listen);
        let broker_address = free_port(config.broker_listen).await?;

        let folder = Folder::open(&config.dir.join("store")).map_err(HubError::Store)?;
        let (index, fresh) = Index::open(&config.dir, zone)?;
        let index = Arc::new(index);
        if fresh {
            let found = index::rebuild(&index, &folder)?;
            if found > 0 {
                tracing::info!(incidents = found, "the index was made anew from the store");
            }
        }
        let accounts = Arc::new(Accounts::open(&config.dir)?);
        broker::start(&config.dir.join("broker"), broker_address, &keys, tasks).await?;

        let local_site = local.as_ref().map(|local| local.site.clone());
        let house = House::new(sites, local_site, zone_name);
        let (sender, requests) = mpsc::channel(REQUESTS);
        let listener = Listener {
            address: Address {
                host: broker_address.ip().to_string(),
                port: broker_address.port(),
                password: keys.hub().clone(),
            },
            index: Arc::clone(&index),
            house: house.clone(),
            clock: Arc::clone(&clock),
            requests,
            stop: tasks.token().clone(),
            grumbled: None,
            caught_up: BTreeSet::new(),
        };
        tasks.spawn("hub", listener.run());

        let page = Page {
            index: Arc::clone(&index),
            folder: folder.clone(),
            house,
            accounts,
            requests: sender,
            clock,
            areas: local.as_ref().map(|local| Arc::clone(&local.areas)),
            stills: local.map_or_else(|| Arc::new(|_: &_| None) as Stills, |local| local.stills),
            tasks: tasks.clone(),
            names: names(config).into(),
            off_loopback: !page_address.ip().is_loopback(),
            opened: Arc::default(),
        };
        let stop = tasks.token();
        tasks.spawn(
            "page",
            serve::serve(
                Limits::new(BROWSERS.0, BROWSERS.1),
                page_listener,
                pages::router(page),
                stop.clone(),
            ),
        );
        tasks.spawn(
            "store",
            serve::serve(
                Limits::new(BOXES.0, BOXES.1),
                store_listener,
                store::endpoint(folder.clone(), Arc::clone(&keys)),
                stop.clone(),
            ),
        );
        let (quota, retention) = (config.quota.0, config.retention);
        let (stop, runtime) = (stop.clone(), tasks.runtime().clone());
        tasks
            .thread("hub-sweep", move || {
                runtime.block_on(async {
                    loop {
                        keep_limits(&folder, &index, quota, retention);
                        tokio::select! {
                            () = stop.cancelled() => return,
                            () = tokio::time::sleep(SWEEP_EVERY) => {}
                        }
                    }
                });
            })
            .map_err(|error| HubError::file(&config.dir, error))?;
        tracing::info!(page = %format!("http://{page_address}"), broker = %broker_address, store = %store_address, "the hub is open");
        Ok(Self {
            keys,
            page: page_address,
            broker: broker_address,
            store: store_address,
        })
    }

    /// Where the page is.
    #[must_use]
    pub fn page(&self) -> SocketAddr {
        self.page
    }

    /// Where the broker is.
    #[must_use]
    pub fn broker(&self) -> SocketAddr {
        self.broker
    }

    /// Where the store is.
    #[must_use]
    pub fn store(&self) -> SocketAddr {
        self.store
    }

    /// Everybody's secrets.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// How a box on this machine sends its alerts here; none for a site that the hub does not know.
    #[must_use]
    pub fn mqtt(&self, site: &SiteId) -> Option<MqttConfig> {
        let url = format!("mqtt://{}", self.broker).parse().ok()?;
        let mut config = MqttConfig::without_login(url);
        config.user = Some(site.to_string());
        config.password = Some(self.keys.site(site.as_str())?.clone());
        Some(config)
    }

    /// How a box on this machine uploads here; none for a site that the hub does not know.
    #[must_use]
    pub fn upload(&self, site: &SiteId) -> Option<UploadConfig> {
        let mut config = UploadConfig::folder(format!("s3://{}", store::BUCKET).parse().ok()?);
        config.endpoint = Some(format!("http://{}", self.store).parse().ok()?);
        config.access_key = Some(site.to_string());
        config.secret_key = Some(self.keys.site(site.as_str())?.clone());
        Some(config)
    }
}

fn keep_limits(folder: &Folder, index: &Index, quota: u64, retention: Duration) {
    let gone = store::sweep(folder, quota, retention, SystemTime::now()).map_err(HubError::Store);
    match gone.and_then(|gone| index.forget(&gone).map(|()| gone.len())) {
        Ok(0) => {}
        Ok(incidents) => tracing::info!(incidents, "deleted: too old, or too much for the quota"),
        Err(error) => tracing::warn!(%error, "nothing could be deleted"),
    }
}

/// Whether a hub with such a configuration could start, or is running; what it would say.
///
/// # Errors
/// One sentence that says what to do.
pub fn probe(config: &HubConfig) -> Result<String, HubError> {
    broker::is_installed()?;
    let places = [
        (config.listen, "the page", "listen"),
        (config.broker_listen, "the broker", "broker_listen"),
        (config.store_listen, "uploads", "store_listen"),
    ];
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
    // All three at once are most likely taken by the hub itself.
    let running = taken.len() == places.len();
    match taken.into_iter().next() {
        Some(error) if !running => Err(error),
        _ => Ok(format!(
            "{} at http://{}",
            if running { "is open" } else { "can open" },
            config.listen
        )),
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

/// Names by which browsers may ask for this machine.
fn names(config: &HubConfig) -> Vec<String> {
    let mut names = config.names.clone();
    let system = rustix::system::uname();
    if let Ok(host) = system.nodename().to_str() {
        names.push(host.to_owned());
        names.push(format!("{host}.local"));
    }
    names
}

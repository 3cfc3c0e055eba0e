//! Opens the outbox: the folder's lock, the database, and what a cut left behind.

use std::{
    collections::BTreeMap,
    fs::File,
    path::Path,
    sync::{Arc, OnceLock, atomic::AtomicBool},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

#[cfg(feature = "crash-test")]
use super::commit_log::Witness;
use super::{
    Outbox, OutboxError, State, damage, files,
    queue::Plan,
    retention::StoredBytes,
    spending::Spending,
    store,
    subscriptions::{self, Queue},
};
use crate::{
    base::{clock::Clock, durable, rate::RateLimit, telemetry::Metrics},
    config::OutboxConfig,
    flow::SiteId,
    net::pace::Pacer,
};

/// Alerts that may be asked for again at once: a week of a busy household ...
pub(super) const RESENDS_AT_ONCE: u64 = 2_000;
/// ... and how often one more: at most 240 an hour, a quarter of a megabyte.
const RESEND_EVERY: Duration = Duration::from_secs(15);

impl Outbox {
    /// Opens or makes the outbox in `dir` and puts in order what a cut left behind.
    ///
    /// # Errors
    /// When the folder cannot be written, another process owns it, or the database is damaged or newer.
    pub fn open(
        dir: &Path,
        site: SiteId,
        clock: Arc<dyn Clock>,
        settings: OutboxConfig,
        metrics: Arc<Metrics>,
    ) -> Result<Arc<Self>, OutboxError> {
        files::make_dir(dir)?;
        let lock = lock(dir)?;
        let (db, damage) = damage::open(dir)?;
        #[cfg(feature = "crash-test")]
        let witness = settings.witness.as_deref().map(Witness::open).transpose()?;
        let names = subscriptions::names(&db)
            .map_err(|error| OutboxError::sqlite(&dir.join(store::FILE), error))?;
        let queues = names.into_iter().map(|name| (name, Queue::default()));
        let state = State {
            db,
            alerts: queues.collect(),
            objects: Plan::default(),
            spending: Spending::default(),
            arrived: BTreeMap::new(),
            stored: StoredBytes::default(),
            seen: 0,
        };
        let pacer = Pacer::new(settings.budget.rate);
        let outbox = Arc::new(Self {
            dir: dir.to_owned(),
            objects: dir.join("objects"),
            site,
            clock,
            settings,
            metrics,
            state: Mutex::new(state),
            objects_wake: Arc::default(),
            sweep_wake: Notify::new(),
            spare_room: OnceLock::new(),
            uploading: AtomicBool::new(false),
            metered: AtomicBool::new(false),
            zone: crate::base::zone::house().zone.clone(),
            pacer,
            resends: RateLimit::new(RESENDS_AT_ONCE, RESEND_EVERY),
            sinks: Mutex::new(Vec::new()),
            observer: Mutex::new(None),
            ageing: Mutex::default(),
            pictures: Mutex::default(),
            longest: Mutex::default(),
            damage,
            damaged: CancellationToken::new(),
            #[cfg(feature = "crash-test")]
            witness,
            _lock: lock,
        });
        outbox.recover()?;
        Ok(outbox)
    }
}

/// One agent for each folder: two would send everything twice.
fn lock(dir: &Path) -> Result<File, OutboxError> {
    let path = dir.join("lares.lock");
    let taken = durable::lock(&path).map_err(|error| OutboxError::file(&path, "locked", error))?;
    taken.ok_or_else(|| OutboxError::InUse {
        path: dir.join(store::FILE),
    })
}

//! What must arrive is kept here until it has, through power cuts and days without a link.
//!
//! In: incidents, finished media files, pictures; what comes in is on disk when the call returns. Out: alerts and objects,
//! each in its order, to [`sinks`]; and a [ledger](Outbox::ledger_head) of what left. It never waits for a network in a
//! caller's thread, never decodes or re-encodes, and deletes only by age or quota.
//!
//! | folder | file | what it knows |
//! |---|---|---|
//! | `db` | `store` | the database file and its schema |
//! | | `files` | files beside it |
//! | | `retained_topics` | what a broker may still keep of us for others |
//! | | `commit_log` | what was committed, for the crash test (feature `crash-test`) |
//! | `model` | `incidents` | one row for each visit, with its newest facts |
//! | | `alerts` | one row for each change of an incident |
//! | | `subscriptions` | who gets alerts: a queue and numbers for each receiver |
//! | | `objects` | pictures, segments, playlists: what lies in an incident's folder |
//! | | `clips` | which segments an incident shows; when its clip counts as begun and as complete |
//! | | `playlists` | the playlists of clips |
//! | | `message` | what a change says to its reader |
//! | | `clip_here` | picture and clip as they lie on this box |
//! | | `here` | what the hub in this program reads and deletes |
//! | `schedule` | [`queue`] | what goes next; pure |
//! | | `evict` | what is deleted first; pure |
//! | | [`budget`] | what a data plan allows now; pure |
//! | | `spending` | what has been spent of it |
//! | `delivery` | `worker` | one worker for each sink: picks, delivers, backs off |
//! | | `uploads` | objects on their way out |
//! | | `broker` | what the connection to a broker asks |
//! | | `ledger_events` | what else the chain is told |
//! | `disk` | `recover` | what a cut left behind: rows |
//! | | `damage` | what becomes of a damaged database |
//! | | `orphans` | what a cut left behind: files without a row |
//! | | `retention` | what is deleted, and when |
//! | | `eviction` | how files of incidents are deleted |
//! | | `disk_reserve` | where room comes from when the disk is full |
//! | `inspect` | `health` | its part of the health report |
//! | | `view` | the commands of `lares outbox` and `lares ledger` |
//! | `ledger` | | the chain of what left |
//! | `sinks` | | receivers |
//! | | `open` | opens it all |
//! | | `bench_api` | single steps, for benches |
//!
//! May be imported by `web`, `camera`, `app` and `cli`; imports `flow`, `base`, `config`, `net` and `wire`.

#[doc(hidden)]
pub mod bench_api;
mod db;
mod delivery;
mod disk;
mod error;
mod inspect;
pub(crate) mod ledger;
mod model;
mod open;
mod schedule;
pub mod sinks;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fs::File,
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::tz::TimeZone;
use parking_lot::{Mutex, MutexGuard};
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

#[cfg(feature = "crash-test")]
pub use db::commit_log::VARIABLE as WITNESS_VARIABLE;
pub use disk::orphans::{Contents, Orphans, ReadContents};
pub use error::OutboxError;
pub(crate) use inspect::view::open_ledger;
pub use inspect::view::{Checked, Listed, Totals, check, list, retry, verify_ledger};
pub use model::objects::PictureKind;
pub use schedule::{budget, queue};

use crate::{
    base::{ageing::Ageing, clock::Clock, rate::RateLimit, telemetry::Metrics},
    config::OutboxConfig,
    flow::{CameraId, IncidentId, MediaTime, Mode, SiteId, WallTime},
    net::pace::Pacer,
    wire::health::LedgerHead,
};
// What is in a folder is named without it.
use db::{commit_log, files, store};
use delivery::{ledger_events, uploads};
use disk::{damage, retention};
use inspect::view;
use model::{alerts, clip_here, clips, incidents, message, objects, playlists, subscriptions};
use schedule::{evict, spending};

#[cfg(feature = "crash-test")]
use commit_log::Witness;
use queue::{Lane, LaneKey, Plan};
use retention::StoredBytes;
use sinks::Sink;
use spending::Spending;
use subscriptions::Queue;

/// Told of each alert that a receiver acknowledged first: incident, `seq`, and how long after the frame that confirmed it.
pub type AckObserver = Box<dyn Fn(IncidentId, u32, Duration) + Send + Sync>;

/// The outbox of one household. Shared by all lanes; every method may be called from any thread.
pub struct Outbox {
    dir: PathBuf,
    /// Where objects lie under their keys.
    objects: PathBuf,
    site: SiteId,
    clock: Arc<dyn Clock>,
    settings: OutboxConfig,
    metrics: Arc<Metrics>,
    state: Mutex<State>,
    objects_wake: Arc<Notify>,
    sweep_wake: Notify,
    /// Whether there is a store to send clips to.
    uploading: AtomicBool,
    /// Whether that store is behind the link that the data plan is about.
    metered: AtomicBool,
    /// Days are counted in it.
    zone: TimeZone,
    pacer: Arc<Pacer>,
    /// Alerts that may be sent again because somebody asked.
    resends: RateLimit,
    sinks: Mutex<Vec<Arc<dyn Sink>>>,
    observer: Mutex<Option<AckObserver>>,
    /// What has gone by age: incidents, clips, pictures.
    ageing: Mutex<[Ageing; 3]>,
    /// Held while a picture is replaced or read: file and row change one after the other, and nobody who only needs rows has to
    /// wait for the disk. Taken before `state`.
    pictures: Mutex<()>,
    /// How long segments of each camera may be.
    longest: Mutex<BTreeMap<CameraId, Duration>>,
    /// Who frees room that holds no evidence.
    spare_room: OnceLock<Box<dyn Fn(u64) -> bool + Send + Sync>>,
    /// What became of a damaged database at the start.
    damage: Option<String>,
    /// Cancelled when the one that is open is found damaged.
    damaged: CancellationToken,
    #[cfg(feature = "crash-test")]
    witness: Option<Witness>,
    /// Held for as long as this process owns the folder.
    _lock: File,
}

/// The connection, and what is only true while this process lives.
struct State {
    db: Connection,
    /// What waits for each receiver of alerts, by its name.
    alerts: BTreeMap<String, Queue>,
    objects: Plan,
    spending: Spending,
    /// When the frames arrived that confirmed alerts.
    arrived: BTreeMap<(IncidentId, i64), MediaTime>,
    /// Bytes of clips and pictures on disk.
    stored: StoredBytes,
    /// `data_version` of the database when the plans were read: it changes when another process writes.
    seen: i64,
}

/// The state, held by one thread.
type Held<'a> = MutexGuard<'a, State>;

/// Either kind of failure inside a transaction; gets the database's path on its way out.
enum Fail {
    Sql(rusqlite::Error),
    Outbox(OutboxError),
}

impl From<rusqlite::Error> for Fail {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<OutboxError> for Fail {
    fn from(error: OutboxError) -> Self {
        Self::Outbox(error)
    }
}

impl Fail {
    fn at(self, dir: &Path) -> OutboxError {
        match self {
            Self::Sql(error) => OutboxError::sqlite(&dir.join(store::FILE), error),
            Self::Outbox(error) => error,
        }
    }
}

/// One small transaction; remembers which lanes it changed.
struct Tx<'a> {
    db: &'a Connection,
    outbox: &'a Outbox,
    touched: RefCell<BTreeSet<LaneKey>>,
    /// Lines for the witness, told once this is committed.
    #[cfg(feature = "crash-test")]
    said: RefCell<Vec<String>>,
}

impl Tx<'_> {
    fn touch(&self, incident: IncidentId, lane: Lane) {
        self.touched.borrow_mut().insert(LaneKey { incident, lane });
    }

    fn wall(&self) -> WallTime {
        self.outbox.clock.wall()
    }

    /// Keeps a line for the witness, where there is one.
    #[cfg(feature = "crash-test")]
    fn witness(&self, line: impl FnOnce() -> String) {
        if self.outbox.witness.is_some() {
            self.said.borrow_mut().push(line());
        }
    }

    /// There is none in this build.
    #[cfg(not(feature = "crash-test"))]
    fn witness(&self, _: impl FnOnce() -> String) {}
}

impl Outbox {
    /// The household.
    #[must_use]
    pub fn site(&self) -> &SiteId {
        &self.site
    }

    /// Calls `observer` with each alert that a receiver acknowledges first from now on.
    pub fn observe_acks(&self, observer: AckObserver) {
        *self.observer.lock() = Some(observer);
    }

    /// The mode of a camera, if it was ever set.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn mode(&self, camera: &CameraId) -> Result<Option<Mode>, OutboxError> {
        self.read(|db| {
            let text = store::setting(db, &mode_name(camera))?;
            Ok(text.and_then(|text| text.parse().ok()))
        })
    }

    /// Newest record of the ledger.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn ledger_head(&self) -> Result<Option<LedgerHead>, OutboxError> {
        self.read(|db| Ok(ledger::head(db)?))
    }

    /// Says how long segments of `camera` may be: playlists that begin from now on promise it.
    pub fn segments_up_to(&self, camera: &CameraId, longest: Duration) {
        self.longest.lock().insert(camera.clone(), longest);
    }

    /// The pace of the link, for receivers.
    #[must_use]
    pub fn pacer(&self) -> &Arc<Pacer> {
        &self.pacer
    }

    fn uploading(&self) -> bool {
        self.uploading.load(Ordering::Relaxed)
    }

    /// Where those who read a store find what a message names.
    fn in_store(&self) -> message::Place {
        message::Place::Store {
            uploading: self.uploading(),
        }
    }

    /// Path of the object `key` on disk.
    fn path(&self, key: &str) -> PathBuf {
        self.objects.join(key)
    }

    /// What became of a damaged database at the start of this run, in one sentence.
    #[must_use]
    pub fn damage(&self) -> Option<&str> {
        self.damage.as_deref()
    }

    /// Cancelled when the database is found damaged while it is in use. Nothing more is kept then; the next start puts it aside.
    #[must_use]
    pub fn damaged(&self) -> &CancellationToken {
        &self.damaged
    }

    /// What a transaction failed of, for those who asked for it.
    fn failed(&self, fail: Fail) -> OutboxError {
        let error = fail.at(&self.dir);
        if matches!(error, OutboxError::Damaged { .. }) && !self.damaged.is_cancelled() {
            damage::mark(&self.dir, &error);
            self.damaged.cancel();
        }
        error
    }

    fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Fail>) -> Result<T, OutboxError> {
        work(&self.state.lock().db).map_err(|fail| self.failed(fail))
    }

    /// Runs one transaction, on disk when this returns, and tells the plans what it changed. Where the disk is full, room
    /// is made and it is run again.
    fn write<T>(&self, work: impl Fn(&Tx<'_>) -> Result<T, Fail>) -> Result<T, OutboxError> {
        self.write_in(&mut self.state.lock(), work)
    }

    /// The same for one who holds the lock, which is free while room is made: what was read from `state` before may have changed
    /// afterwards.
    fn write_in<T>(
        &self,
        state: &mut Held<'_>,
        work: impl Fn(&Tx<'_>) -> Result<T, Fail>,
    ) -> Result<T, OutboxError> {
        let (out, touched) = self
            .with_room_for_rows(state, |state| self.commit(&mut state.db, &work))
            .map_err(|fail| self.failed(fail))?;
        self.refresh_all(state, touched)?;
        Ok(out)
    }

    /// The same with the room that there is.
    fn write_once<T>(
        &self,
        state: &mut Held<'_>,
        work: impl Fn(&Tx<'_>) -> Result<T, Fail>,
    ) -> Result<T, OutboxError> {
        let (out, touched) = self
            .commit(&mut state.db, work)
            .map_err(|fail| self.failed(fail))?;
        self.refresh_all(state, touched)?;
        Ok(out)
    }

    fn refresh_all(
        &self,
        state: &mut State,
        touched: BTreeSet<LaneKey>,
    ) -> Result<(), OutboxError> {
        touched
            .into_iter()
            .try_for_each(|key| self.refresh(state, key))
    }

    fn commit<T>(
        &self,
        db: &mut Connection,
        work: impl FnOnce(&Tx<'_>) -> Result<T, Fail>,
    ) -> Result<(T, BTreeSet<LaneKey>), Fail> {
        let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let tx = Tx {
            db: &transaction,
            outbox: self,
            touched: RefCell::default(),
            #[cfg(feature = "crash-test")]
            said: RefCell::default(),
        };
        let out = work(&tx)?;
        let touched = tx.touched.into_inner();
        #[cfg(feature = "crash-test")]
        let said = tx.said.into_inner();
        transaction.commit()?;
        #[cfg(feature = "crash-test")]
        if let Some(witness) = &self.witness {
            witness.tell(&said);
        }
        Ok((out, touched))
    }

    /// Reads the head of a lane again, and wakes the workers that it is for.
    fn refresh(&self, state: &mut State, key: LaneKey) -> Result<(), OutboxError> {
        let State {
            db,
            alerts,
            objects,
            ..
        } = state;
        if key.lane == Lane::Alerts {
            for (sink, queue) in alerts {
                let head = alerts::head(db, key.incident, sink, &queue.on_way);
                queue
                    .plan
                    .set(key, head.map_err(|fail| fail.at(&self.dir))?);
                queue.wake.notify_one();
            }
        } else if self.uploading() {
            let head = uploads::head(db, key);
            objects.set(key, head.map_err(|fail| fail.at(&self.dir))?);
            self.objects_wake.notify_one();
        }
        Ok(())
    }
}

fn mode_name(camera: &CameraId) -> String {
    format!("mode.{camera}")
}

#[cfg(test)]
mod tests;

//! How the parts of the hub are started, each for itself, again and again until it works.
//!
//! In: configuration, keys and what the parts share. Out: tasks. Nothing here fails: what does not work is in
//! [`Parts`], and is tried again.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, OnceLock},
};

use tokio::sync::{mpsc, watch};

use super::{
    Broker, HUB_USER, Home, House, HubError, Index, KEEP_ALIVE, Keys, Listener, Listens, Local,
    Marks, Needed, Part, Parts, Shares, Sweep,
    accounts::Accounts,
    connection, doors,
    listen::SetMode,
    own_broker,
    pages::{self, Page, Small, Stills},
    ports, rebuild,
    shelf::Shelf,
    store::{self, Folder},
};
use crate::{
    base::{
        ageing::Ageing,
        clock::Clock,
        durable,
        tasks::{self, Tasks},
    },
    config::HubConfig,
    net::server::{self, names::Names},
};

/// What the parts share.
#[derive(Clone)]
pub(super) struct Opening {
    pub(super) config: HubConfig,
    pub(super) keys: Arc<Keys>,
    pub(super) parts: Parts,
    pub(super) index: Arc<Index>,
    pub(super) marks: Marks,
    pub(super) house: House,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) shares: Shares,
    /// The store's folder, once it works.
    pub(super) folder: Arc<OnceLock<Folder>>,
    /// The box in this program.
    pub(super) home: Option<Home>,
    pub(super) needed: Needed,
    pub(super) tasks: Tasks,
}

impl Opening {
    /// What deletes.
    pub(super) fn sweep(&self) -> Sweep {
        Sweep {
            dir: self.config.dir.clone(),
            retention: self.config.retention,
            folder: Arc::clone(&self.folder),
            shares: self.shares.clone(),
            index: Arc::clone(&self.index),
            marks: self.marks.clone(),
            house: self.house.clone(),
            home: self.home.clone(),
            clock: Arc::clone(&self.clock),
            parts: self.parts.clone(),
            ageing: Ageing::default(),
        }
    }

    /// Where the page reads objects.
    fn shelf(&self) -> Result<Shelf, HubError> {
        let shelf = match &self.config.store {
            Some(store) => Shelf::external(store),
            None => {
                let root = self.config.dir.join("store");
                durable::make_dir(&root).map_err(|error| HubError::file(&root, error))?;
                Shelf::folder(&root)
            }
        }?;
        match &self.home {
            Some(home) => shelf.with_home(home),
            None => Ok(shelf),
        }
    }

    fn accounts(&self) -> Result<Accounts, HubError> {
        Accounts::open(
            &self.config.dir,
            self.config.open_page,
            Arc::clone(&self.clock),
            &self.tasks,
        )
    }

    /// Starts the store; its address, where anybody needs it.
    pub(super) async fn store(&self) -> Option<SocketAddr> {
        if !self.needed.store {
            self.parts.set(Part::Store, None);
            if self.config.store.is_none() {
                self.old_store().await;
            }
            return None;
        }
        let wanted = doors::STORE.settle(self.config.store_listen).await;
        let opening = self.clone();
        self.tasks.spawn("store", async move {
            let stop = opening.tasks.token().clone();
            let opened = opening.parts.try_until(Part::Store, &stop, || {
                let opening = opening.clone();
                async move {
                    let root = opening.config.dir.join("store");
                    let listener = doors::STORE.open(wanted).await?;
                    let folder = blocking(move || Folder::open(&root).map_err(HubError::Store));
                    let folder = folder.await?;
                    let server = ports::store(&opening.config, &opening.tasks)?;
                    Ok((server, listener, folder))
                }
            });
            let Some((server, listener, folder)) = opened.await else {
                return;
            };
            let _ = opening.folder.set(folder.clone());
            let endpoint = store::endpoint(
                folder,
                Arc::clone(&opening.keys),
                opening.shares.clone(),
                Arc::clone(&opening.clock),
                opening.parts.clone(),
            );
            server::serve(server, listener, endpoint, opening.tasks.clone()).await;
        });
        Some(wanted)
    }

    /// Opens the folder of uploads though nobody sends any: what an earlier version took in is still shown and deleted.
    async fn old_store(&self) {
        let root = self.config.dir.join("store");
        let opened = blocking(move || match root.exists() {
            true => Folder::open(&root).map(Some).map_err(HubError::Store),
            false => Ok(None),
        });
        match opened.await {
            Ok(Some(folder)) => drop(self.folder.set(folder)),
            Ok(None) => {}
            Err(error) => self.parts.set(Part::Store, Some(error.to_string())),
        }
    }

    /// Opens the index, fills one that is empty from the store, and makes it again whenever it is found damaged. On a thread of its
    /// own: thousands of rows are written.
    pub(super) fn index(&self) {
        let opening = self.clone();
        let runtime = self.tasks.runtime().clone();
        let started = self.tasks.thread("hub-index", move || {
            runtime.block_on(opening.keep_index());
        });
        if let Err(error) = started {
            let error = HubError::file(&self.config.dir, error);
            self.parts.set(Part::Index, Some(error.to_string()));
        }
    }

    async fn keep_index(self) {
        let stop = self.tasks.token().clone();
        loop {
            let opened = self.parts.try_until(Part::Index, &stop, || {
                std::future::ready(self.index.begin_or_renew())
            });
            let Some((aside, fresh)) = opened.await else {
                return;
            };
            tell_aside(aside.as_deref());
            let damaged = async {
                // The box first: a store that is away is waited for.
                self.catch_up().await;
                if fresh {
                    self.fill().await;
                }
                self.index.is_damaged().await;
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = damaged => {}
            }
            // A damage that its next opening would not find is one all the same.
            match self.index.renew() {
                Ok((aside, _)) => tell_aside(Some(&aside)),
                Err(error) => self.parts.set(Part::Index, Some(error.to_string())),
            }
        }
    }

    /// Fills an index that is new from what lies in the store; a store that is away is waited for.
    async fn fill(&self) {
        let stop = self.tasks.token().clone();
        let filled = self.parts.try_until(Part::Index, &stop, || {
            let opening = self.clone();
            async move {
                let incidents = rebuild::rebuild(&opening.index, &opening.shelf()?).await?;
                opening.index.filled()?;
                Ok(incidents)
            }
        });
        if let Some(incidents) = filled.await
            && incidents > 0
        {
            tracing::info!(incidents, "the index was made again from the store");
        }
    }

    /// Brings the index up to date with what the box in this program keeps: it may have been closed, or another hub's, while
    /// incidents came.
    async fn catch_up(&self) {
        let Some(home) = &self.home else { return };
        let stop = self.tasks.token().clone();
        let caught = self.parts.try_until(Part::Index, &stop, || {
            std::future::ready(home.catch_up(&self.index))
        });
        if let Some(incidents) = caught.await
            && incidents > 0
        {
            tracing::info!(incidents, "the index has caught up with this box");
        }
    }

    /// Starts the page; its address.
    pub(super) async fn page(
        &self,
        local: Option<Local>,
        requests: mpsc::Sender<SetMode>,
    ) -> SocketAddr {
        let wanted = doors::PAGE.settle(self.config.listen).await;
        let opening = self.clone();
        let areas = local.as_ref().map(|local| Arc::clone(&local.areas));
        let modes = local.as_ref().map(|local| Arc::clone(&local.modes));
        let live = local.as_ref().map(|local| Arc::clone(&local.live));
        let recordings = local
            .as_ref()
            .map(|local| pages::Recordings::new(Arc::clone(&local.recordings)));
        let stills = local.map_or_else(|| Arc::new(|_: &_| None) as Stills, |local| local.stills);
        self.tasks.spawn("page", async move {
            let stop = opening.tasks.token().clone();
            // Opened once: they have threads and a set-up code of their own.
            let kept: Arc<OnceLock<Accounts>> = Arc::default();
            let opened = opening.parts.try_until(Part::Page, &stop, || {
                let (opening, kept) = (opening.clone(), Arc::clone(&kept));
                async move {
                    // Before the port, which may become free by itself: a damaged file does not.
                    let accounts = match kept.get() {
                        Some(accounts) => accounts.clone(),
                        None => {
                            let opening = opening.clone();
                            let accounts = blocking(move || opening.accounts()).await?;
                            kept.get_or_init(|| accounts).clone()
                        }
                    };
                    let shelf = opening.shelf()?;
                    let listener = doors::PAGE.open(wanted).await?;
                    let server = ports::page(&opening.config, &opening.tasks)?;
                    let small = Small::start(&opening.tasks)
                        .map_err(|error| HubError::file(&opening.config.dir, error))?;
                    Ok((accounts, shelf, small, server, listener))
                }
            });
            let Some((accounts, shelf, small, server, listener)) = opened.await else {
                return;
            };
            let page = Page {
                index: Arc::clone(&opening.index),
                marks: opening.marks.clone(),
                folder: Arc::clone(&opening.folder),
                home: opening.home.clone(),
                quota: opening.config.quota.0,
                shelf,
                house: opening.house.clone(),
                accounts,
                requests,
                clock: Arc::clone(&opening.clock),
                areas,
                modes,
                stills,
                live,
                recordings,
                viewers: pages::Viewers::default(),
                tasks: opening.tasks.clone(),
                names: Names::new(&opening.config.server_names),
                off_loopback: !wanted.ip().is_loopback(),
                small,
                opened: Arc::default(),
            };
            let router = pages::router(page);
            server::serve(server, listener, router, opening.tasks.clone()).await;
        });
        wanted
    }

    /// Starts the broker; its address, where anybody needs it. `up` is told whether it listens.
    pub(super) async fn broker(&self, up: watch::Sender<bool>) -> Option<SocketAddr> {
        if !self.needed.broker {
            self.parts.set(Part::Broker, None);
            // Whoever waits for it must not take its end for that of the program.
            let stop = self.tasks.token().clone();
            self.tasks.spawn("broker", async move {
                stop.cancelled().await;
                drop(up);
            });
            return None;
        }
        let listen = doors::BROKER.settle(self.config.broker_listen).await;
        let mut config = self.config.clone();
        config.broker_listen = listen;
        let broker = Broker {
            dir: self.config.dir.join("broker"),
            config,
            keys: Arc::clone(&self.keys),
            parts: self.parts.clone(),
            up,
            tasks: self.tasks.clone(),
        };
        self.tasks.spawn("broker", broker.run());
        Some(listen)
    }

    /// Listens to the broker, which is the hub's own at `own`, or another.
    pub(super) fn listen(
        &self,
        own: Option<SocketAddr>,
        up: watch::Receiver<bool>,
        requests: mpsc::Receiver<SetMode>,
    ) {
        // The box in this program is heard without a broker.
        let far = self.house.sites();
        let Some(first) = far.first() else {
            self.parts.set(Part::Listener, None);
            return;
        };
        let secret = self.keys.client();
        // Who knows the name of a client can throw it off any broker: it is a secret. Another hub at the same broker is for
        // other sites.
        let connected = match (&self.config.broker, own) {
            (Some(broker), _) => connection(broker, &format!("lares-hub-{first}-{secret}")),
            (None, Some(own)) => {
                let mut own = own_broker(own, HUB_USER, self.keys.hub());
                own.keep_alive = KEEP_ALIVE;
                connection(&own, &format!("lares-hub-{secret}"))
            }
            (None, None) => return,
        };
        let (options, address) = match connected {
            Ok(connected) => connected,
            Err(error) => {
                self.parts.set(Part::Listener, Some(error.to_string()));
                return;
            }
        };
        let listener = Listener::new(Listens {
            options,
            address,
            up,
            own: own.is_some(),
            index: Arc::clone(&self.index),
            house: self.house.clone(),
            clock: Arc::clone(&self.clock),
            requests,
            parts: self.parts.clone(),
            stop: self.tasks.token().clone(),
        });
        let runtime = self.tasks.runtime().clone();
        let started = self
            .tasks
            .thread("hub-listen", move || runtime.block_on(listener.run()));
        if let Err(error) = started {
            let error = HubError::file(&self.config.dir, error);
            self.parts.set(Part::Listener, Some(error.to_string()));
        }
    }
}

fn tell_aside(aside: Option<&Path>) {
    if let Some(aside) = aside {
        tracing::warn!(
            aside = %aside.display(),
            "the hub's index was damaged: it was set aside and is made again from the store"
        );
    }
}

/// Runs `work`, which waits for the disk.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, HubError> + Send + 'static,
) -> Result<T, HubError> {
    let done = tasks::blocking(work).await;
    done.unwrap_or_else(|error| Err(HubError::Store(error)))
}

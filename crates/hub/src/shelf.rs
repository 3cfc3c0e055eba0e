//! Objects as the page reads them: out of the hub's own folder, or out of another store.
//!
//! In: keys of our grammar. Out: what they hold, in pieces. It writes and deletes nothing. Another store that is away is told in
//! the log once in a while; the page then shows what the index knows, without pictures.

use std::{
    collections::HashMap,
    future::Future,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt, TryStreamExt, stream::BoxStream};
use object_store::{
    Error, GetOptions, GetRange, GetResult, ObjectMeta, ObjectStore, ObjectStoreExt,
    local::LocalFileSystem, path::Path as Name,
};
use parking_lot::Mutex;

use super::HubError;
use crate::{
    base::seldom::Seldom,
    config::UploadConfig,
    flow::SiteId,
    net::s3,
    wire::{Item, ObjectKey},
};

/// How long the page waits for a look at one object.
const PATIENCE: Duration = Duration::from_secs(5);
/// Objects that are looked for at once.
const LOOKS: usize = 8;
/// Playlists that are remembered.
const MOST_KNOWN: usize = 4096;
/// A store that could not be read is not asked again for this long, so that a page of incidents waits once and not for each.
const LEFT_ALONE: Duration = Duration::from_secs(10);
/// That the store cannot be read is told at most this often.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// What a playlist holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct About {
    /// What its pictures are encoded with: `h264` or `h265`.
    pub(super) codec: &'static str,
    /// Files that it takes: a camera may change its pictures' size.
    pub(super) parts: usize,
}

/// Where objects are read. Cheap to clone.
#[derive(Clone)]
pub(super) struct Shelf {
    store: Arc<dyn ObjectStore>,
    /// Before each key; empty or ending in a slash.
    prefix: Arc<str>,
    /// A site whose objects are those that its box keeps here, under their bare keys.
    near: Option<(SiteId, Arc<dyn ObjectStore>)>,
    known: Arc<Mutex<HashMap<ObjectKey, About>>>,
    /// When the store could not be read last.
    trouble: Arc<Mutex<Option<Instant>>>,
    tells: Arc<Seldom>,
}

impl Shelf {
    fn new(store: Arc<dyn ObjectStore>, prefix: &str) -> Self {
        Self {
            store,
            prefix: prefix.into(),
            near: None,
            known: Arc::default(),
            trouble: Arc::default(),
            tells: Arc::new(Seldom::new(TELL_EVERY)),
        }
    }

    /// The folder `root`, which must be there.
    pub(super) fn folder(root: &Path) -> Result<Self, HubError> {
        let store = LocalFileSystem::new_with_prefix(root).map_err(cannot_be_read)?;
        Ok(Self::new(Arc::new(store), ""))
    }

    /// The store that boxes upload to, where it is not the hub's own.
    pub(super) fn external(config: &UploadConfig) -> Result<Self, HubError> {
        match config.url.to_file_path() {
            Ok(folder) if config.url.scheme() == "file" => Self::folder(&folder),
            _ => {
                let (store, prefix) = s3::to_read(config)?;
                Ok(Self::new(store, &prefix))
            }
        }
    }

    /// The same, but objects of `site` are read in the folder `root`, which its box fills itself; made where there is none yet.
    pub(super) fn with_near(mut self, site: &SiteId, root: &Path) -> Result<Self, HubError> {
        std::fs::create_dir_all(root).map_err(HubError::Store)?;
        let store = LocalFileSystem::new_with_prefix(root).map_err(cannot_be_read)?;
        self.near = Some((site.clone(), Arc::new(store)));
        Ok(self)
    }

    /// Where `key` is, and what it is called there.
    fn place(&self, key: &ObjectKey) -> (&dyn ObjectStore, Name) {
        match &self.near {
            Some((site, store)) if *site == key.site => (&**store, Name::from(key.to_string())),
            _ => (&*self.store, Name::from(format!("{}{key}", self.prefix))),
        }
    }

    /// What `asked` gives; none where there is no such object.
    async fn look<T>(
        &self,
        asked: impl Future<Output = object_store::Result<T>>,
    ) -> Result<Option<T>, HubError> {
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(found)) => Ok(Some(found)),
            Ok(Err(Error::NotFound { .. })) => Ok(None),
            Ok(Err(error)) => Err(cannot_be_read(error)),
            Err(_) => Err(HubError::Store(std::io::ErrorKind::TimedOut.into())),
        }
    }

    /// For what the page can do without: an error counts as not there, and is told.
    fn or_nothing<T>(&self, found: Result<Option<T>, HubError>) -> Option<T> {
        found.unwrap_or_else(|error| {
            *self.trouble.lock() = Some(Instant::now());
            if self.tells.may() {
                tracing::warn!("{error}; the page shows no pictures or clips until it can");
            }
            None
        })
    }

    fn is_left_alone(&self) -> bool {
        let last = *self.trouble.lock();
        last.is_some_and(|at| at.elapsed() < LEFT_ALONE)
    }

    /// Whether there is such an object, as far as can be seen.
    pub(super) async fn is_there(&self, key: &ObjectKey) -> bool {
        if self.is_left_alone() {
            return false;
        }
        let (store, name) = self.place(key);
        let found = self.look(store.head(&name)).await;
        self.or_nothing(found).is_some()
    }

    /// Length and so on; none where there is no such object.
    pub(super) async fn meta(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>, HubError> {
        let (store, name) = self.place(key);
        self.look(store.head(&name)).await
    }

    /// An object, or a part of it; none where there is no such object.
    pub(super) async fn get(
        &self,
        key: &ObjectKey,
        range: Option<GetRange>,
    ) -> Result<Option<GetResult>, HubError> {
        let options = GetOptions {
            range,
            ..GetOptions::default()
        };
        let (store, name) = self.place(key);
        self.look(store.get_opts(&name, options)).await
    }

    /// The first `most` bytes of an object; none where there is no such object.
    pub(super) async fn beginning(
        &self,
        key: &ObjectKey,
        most: usize,
    ) -> Result<Option<Bytes>, HubError> {
        // Without a range: an empty object has none.
        let (store, name) = self.place(key);
        let read = async {
            let mut pieces = store.get(&name).await?.into_stream();
            let mut read = BytesMut::new();
            while let Some(piece) = pieces.try_next().await? {
                let room = most - read.len();
                read.extend_from_slice(&piece[..piece.len().min(room)]);
                if read.len() == most {
                    break;
                }
            }
            Ok(read.freeze())
        };
        self.look(read).await
    }

    /// The same as far as can be seen.
    pub(super) async fn glance(&self, key: &ObjectKey, most: usize) -> Option<Bytes> {
        if self.is_left_alone() {
            return None;
        }
        let found = self.beginning(key, most).await;
        self.or_nothing(found)
    }

    /// Bytes of several objects; none where one of them is not there.
    pub(super) async fn length(&self, keys: &[ObjectKey]) -> Result<Option<u64>, HubError> {
        let metas: Vec<_> = keys.iter().map(|key| self.meta(key)).collect();
        let metas: Vec<_> = futures::stream::iter(metas)
            .buffered(LOOKS)
            .try_collect()
            .await?;
        Ok(metas
            .into_iter()
            .map(|meta| meta.map(|meta| meta.size))
            .sum())
    }

    /// Several objects as one stream of bytes.
    pub(super) fn in_a_row(
        &self,
        keys: Vec<ObjectKey>,
    ) -> BoxStream<'static, object_store::Result<Bytes>> {
        let shelf = self.clone();
        futures::stream::iter(keys)
            .then(move |key| {
                let shelf = shelf.clone();
                async move {
                    let (store, name) = shelf.place(&key);
                    store.get(&name).await
                }
            })
            .map_ok(GetResult::into_stream)
            .try_flatten()
            .boxed()
    }

    /// The key of each `incident.json`.
    pub(super) fn documents(
        &self,
    ) -> impl Stream<Item = Result<ObjectKey, HubError>> + Send + use<> {
        let prefix = Arc::clone(&self.prefix);
        let all = self.store.list(Some(&Name::from(format!("{prefix}v1"))));
        all.map_err(cannot_be_read).try_filter_map(move |meta| {
            let key = meta.location.as_ref().strip_prefix(&*prefix);
            let key = key.and_then(|key| key.parse::<ObjectKey>().ok());
            futures::future::ready(Ok(key.filter(|key| key.item == Item::Facts)))
        })
    }

    /// What is remembered of `playlist`.
    pub(super) fn about(&self, playlist: &ObjectKey) -> Option<About> {
        self.known.lock().get(playlist).copied()
    }

    /// Remembers it, of a playlist that does not change any more.
    pub(super) fn remember(&self, playlist: &ObjectKey, about: About) {
        let mut known = self.known.lock();
        if known.len() >= MOST_KNOWN {
            known.clear();
        }
        known.insert(playlist.clone(), about);
    }
}

fn cannot_be_read(error: Error) -> HubError {
    HubError::Store(error.into())
}

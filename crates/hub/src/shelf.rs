//! Objects as the page reads them: where the box in this program keeps them, else out of the hub's own folder, or another store.
//!
//! In: keys of our grammar. Out: what they hold, in pieces. It writes and deletes nothing. A store that is away is told in
//! the log once in a while; the page then shows what the index knows, without pictures.

use std::{
    collections::HashMap,
    future::Future,
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt, TryStreamExt, stream::BoxStream};
use object_store::{
    Error, GetOptions, GetRange, GetResult, ObjectMeta, ObjectStore, ObjectStoreExt,
    local::LocalFileSystem, memory::InMemory, path::Path as Name,
};
use parking_lot::Mutex;

use super::{HubError, home::Home};
use crate::{
    base::{log_throttle::LogThrottle, tasks},
    config::UploadConfig,
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
    /// The box in this program, and its files under their bare keys.
    home: Option<(Home, Arc<dyn ObjectStore>)>,
    known: Arc<Mutex<HashMap<ObjectKey, About>>>,
    /// When the store could not be read last.
    trouble: Arc<Mutex<Option<Instant>>>,
    tells: Arc<LogThrottle>,
}

impl Shelf {
    fn new(store: Arc<dyn ObjectStore>, prefix: &str) -> Self {
        Self {
            store,
            prefix: prefix.into(),
            home: None,
            known: Arc::default(),
            trouble: Arc::default(),
            tells: Arc::new(LogThrottle::new(TELL_EVERY)),
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

    /// The same, but what the box in this program keeps is read there. What it has no longer, or had sent to the hub of an earlier
    /// version, is looked for in the store as before.
    pub(super) fn with_home(mut self, home: &Home) -> Result<Self, HubError> {
        let root = home.evidence.objects();
        std::fs::create_dir_all(root).map_err(HubError::Evidence)?;
        let files = LocalFileSystem::new_with_prefix(root).map_err(cannot_be_read)?;
        self.home = Some((home.clone(), Arc::new(files)));
        Ok(self)
    }

    /// Opens an object wherever it is.
    async fn open(&self, key: &ObjectKey, options: GetOptions) -> object_store::Result<GetResult> {
        if let Some((home, files)) = &self.home
            && home.site == key.site
        {
            let found = match key.item {
                Item::Playlist(_) => playlist_at(home, key, options.clone()).await,
                _ => {
                    let name = Name::from(key.to_string());
                    files.get_opts(&name, options.clone()).await
                }
            };
            if !matches!(found, Err(Error::NotFound { .. })) {
                return found;
            }
        }
        let name = Name::from(format!("{}{key}", self.prefix));
        self.store.get_opts(&name, options).await
    }

    async fn head(&self, key: &ObjectKey) -> object_store::Result<ObjectMeta> {
        let options = GetOptions {
            head: true,
            ..GetOptions::default()
        };
        Ok(self.open(key, options).await?.meta)
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
        let found = self.look(self.head(key)).await;
        self.or_nothing(found).is_some()
    }

    /// Length and so on; none where there is no such object.
    pub(super) async fn meta(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>, HubError> {
        self.look(self.head(key)).await
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
        self.look(self.open(key, options)).await
    }

    /// The first `most` bytes of an object; none where there is no such object.
    pub(super) async fn beginning(
        &self,
        key: &ObjectKey,
        most: usize,
    ) -> Result<Option<Bytes>, HubError> {
        // Without a range: an empty object has none.
        let read = async {
            let opened = self.open(key, GetOptions::default()).await?;
            let mut pieces = opened.into_stream();
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
                async move { shelf.open(&key, GetOptions::default()).await }
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

/// The playlist `key` as the box in this program writes it now.
async fn playlist_at(
    home: &Home,
    key: &ObjectKey,
    options: GetOptions,
) -> object_store::Result<GetResult> {
    let failed = |source: std::io::Error| Error::Generic {
        store: "this box",
        source: source.into(),
    };
    let missing = || Error::NotFound {
        path: key.to_string(),
        source: "the box has no such clip".into(),
    };
    let Item::Playlist(rendition) = key.item else {
        return Err(missing());
    };
    let (evidence, incident) = (Arc::clone(&home.evidence), key.incident);
    let text = tasks::blocking(move || evidence.playlist(incident, rendition)).await;
    let text = text.and_then(|read| read).map_err(failed)?;
    let text = text.ok_or_else(missing)?;
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    let tag = format!("{:x}-{:x}", hasher.finish(), text.len());
    // It answers for ranges.
    let (memory, name) = (InMemory::new(), Name::from(key.to_string()));
    memory.put(&name, text.into()).await?;
    let mut read = memory.get_opts(&name, options).await?;
    read.meta.e_tag = Some(tag);
    Ok(read)
}

fn cannot_be_read(error: Error) -> HubError {
    HubError::Store(error.into())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::home::tests::{home, message};

    fn key(number: u32, item: &str) -> ObjectKey {
        let id = message(number, 1).id;
        format!("v1/home/door/2026-02-02/{id}/{item}")
            .parse()
            .unwrap()
    }

    fn put(root: &Path, key: &ObjectKey, content: &str) {
        let path = root.join(key.to_string());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    async fn text(shelf: &Shelf, key: &ObjectKey) -> Option<String> {
        let read = shelf.beginning(key, 1000).await.unwrap()?;
        Some(String::from_utf8(read.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn what_the_box_keeps_is_read_there_and_an_old_copy_where_it_lies() {
        let dir = tempfile::tempdir().unwrap();
        let (objects, store) = (dir.path().join("objects"), dir.path().join("store"));
        fs::create_dir_all(&store).unwrap();
        let (home, evidence) = home(&objects);
        let shelf = Shelf::folder(&store).unwrap().with_home(&home).unwrap();
        let (here, old) = (key(1, "sub/00001.m4s"), key(2, "sub/00001.m4s"));
        put(&objects, &here, "here");
        put(&store, &here, "an old copy");
        put(&store, &old, "old");
        assert_eq!(text(&shelf, &here).await.unwrap(), "here");
        assert_eq!(text(&shelf, &old).await.unwrap(), "old");
        assert_eq!(shelf.length(&[here, old]).await.unwrap(), Some(7));
        assert!(!shelf.is_there(&key(3, "thumb.jpg")).await);

        // A playlist is what the box says, not a file.
        let (grows, gone) = (key(1, "sub/index.m3u8"), key(2, "sub/index.m3u8"));
        put(&objects, &grows, "the file beside it");
        put(&store, &gone, "an old playlist");
        evidence
            .playlists
            .lock()
            .insert(grows.incident, "one".to_owned());
        assert_eq!(text(&shelf, &grows).await.unwrap(), "one");
        assert_eq!(text(&shelf, &gone).await.unwrap(), "an old playlist");
        let tag = async || shelf.meta(&grows).await.unwrap().unwrap().e_tag.unwrap();
        let first = tag().await;
        assert_eq!(first, tag().await);
        evidence
            .playlists
            .lock()
            .insert(grows.incident, "one, two".to_owned());
        assert_ne!(first, tag().await, "browsers see that it has grown");
        let part = Some(GetRange::Bounded(5..100));
        let part = shelf.get(&grows, part).await.unwrap().unwrap();
        assert_eq!((part.range.clone(), part.meta.size), (5..8, 8));
        assert_eq!(part.bytes().await.unwrap(), "two");
    }
}

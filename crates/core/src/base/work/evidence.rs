//! What a box keeps of its incidents, as the hub in the same program reads it: one copy at home.
//!
//! In: which incident is asked for, kept or deleted. Out: documents, playlists, and where the files lie. Every call may wait for the
//! disk: none is for an async worker.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
    time::Duration,
};

use crate::flow::{IncidentId, Rendition, WallTime};

/// What became of a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    /// Files and rows are gone.
    Done,
    /// There was nothing of it.
    Unknown,
    /// It still goes on, or its clip is still being written: nothing was deleted.
    Busy,
}

/// The objects and the documents of a box.
pub trait Evidence: Send + Sync + 'static {
    /// The folder in which objects lie under their keys.
    fn objects(&self) -> &Path;

    /// Bytes of objects now.
    fn stored(&self) -> u64;

    /// Most bytes of objects.
    fn quota(&self) -> u64;

    /// Incidents are deleted at this age.
    fn retention(&self) -> Duration;

    /// The playlist of what there is now of a clip, also while it grows; none where there is nothing to play.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn playlist(&self, incident: IncidentId, rendition: Rendition) -> io::Result<Option<String>>;

    /// The newest document of each incident as JSON, in the order of ids: at most `most` after `after`.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn documents(
        &self,
        after: Option<IncidentId>,
        most: usize,
    ) -> io::Result<Vec<(IncidentId, Vec<u8>)>>;

    /// Every incident that is known.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn incidents(&self) -> io::Result<BTreeSet<IncidentId>>;

    /// Neither age nor quota deletes these incidents before their time, and no others are held. Survives a restart.
    ///
    /// # Errors
    /// When the database cannot be written.
    fn hold_only(&self, held: &BTreeMap<IncidentId, WallTime>) -> io::Result<()>;

    /// Deletes an incident with its files because `account` asked for it.
    ///
    /// # Errors
    /// When a file or the database cannot be written. What is left of it goes with the next try.
    fn delete(&self, incident: IncidentId, account: &str) -> io::Result<Deletion>;
}

//! Pictures, segments, playlists and `incident.json`: what lies in an incident's folder, here and in the store. How they leave is
//! in `uploads`.
//!
//! Playlists and `incident.json` are written anew for each sending from what has arrived, so that a reader of the store
//! never meets a name behind which there is nothing yet.

use rusqlite::{OptionalExtension, params};
use sha2::{Digest, Sha256};

use crate::outbox::{
    Fail, Outbox, OutboxError, Tx, commit_log, evict::Kept, files, incidents, playlists,
    queue::Lane,
};
use crate::{
    base::durable::Flush,
    flow::{IncidentId, MediaFile, MediaKind},
    wire::Item,
};

/// Which picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PictureKind {
    /// The whole picture with a box.
    Thumb,
    /// The one who came.
    Crop,
}

impl PictureKind {
    fn item(self) -> Item {
        match self {
            Self::Thumb => Item::Thumb,
            Self::Crop => Item::Crop,
        }
    }
}

pub(in crate::outbox) fn lane_of(item: Item) -> Lane {
    match item {
        Item::Facts => Lane::Facts,
        Item::Thumb => Lane::Thumb,
        Item::Crop => Lane::Crop,
        Item::Init(rendition, _) | Item::Media(rendition, _) => Lane::Media(rendition),
        Item::Playlist(rendition) => Lane::Playlist(rendition),
    }
}

pub(in crate::outbox) fn kind_of(item: Item) -> &'static str {
    match item {
        Item::Facts => "facts",
        Item::Thumb => "thumb",
        Item::Crop => "crop",
        Item::Init(..) => "init",
        Item::Media(..) => "media",
        Item::Playlist(_) => "playlist",
    }
}

impl Tx<'_> {
    /// Puts an object aside: it is shown to people and not tried again until they ask for it.
    pub(in crate::outbox) fn park(&self, object: i64, reason: &str) -> Result<(), Fail> {
        let parked: Option<(String, i64)> = self
            .db
            .prepare_cached(
                "UPDATE objects SET waiting = 0, problem = ?2, attempts = attempts + 1 WHERE id = ?1 RETURNING incident, lane",
            )?
            .query_row(params![object, reason], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        if let Some((incident, lane)) = parked
            && let (Ok(incident), Some(lane)) = (incident.parse(), Lane::from_code(lane))
        {
            self.touch(incident, lane);
            self.changed(object)?;
        }
        Ok(())
    }

    /// The row of a picture that is on disk. A newer picture replaces an older one.
    pub(in crate::outbox) fn enter_picture(
        &self,
        incident: IncidentId,
        prefix: &str,
        item: Item,
        bytes: u64,
        sha256: [u8; 32],
    ) -> Result<(), Fail> {
        let key = format!("{prefix}/{item}");
        let version: i64 = self
            .db
            .prepare_cached(
                "INSERT INTO objects (incident, lane, key, kind, bytes, sha256, created_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 ON CONFLICT (key) DO UPDATE
                 SET version = version + 1, bytes = ?5, sha256 = ?6, waiting = 1, problem = NULL, gone = 0
                 RETURNING version",
            )?
            .query_row(
                params![
                    incident.to_string(),
                    lane_of(item).code(),
                    key,
                    kind_of(item),
                    bytes as i64,
                    sha256,
                    self.wall().0
                ],
                |row| row.get(0),
            )?;
        self.touch(incident, lane_of(item));
        self.witness(|| commit_log::object(kind_of(item), incident, version, &key, Some(sha256)));
        if version == 1 && item == Item::Thumb {
            self.tell_here(incident)?;
        }
        Ok(())
    }

    /// Tells receivers of a picture that is news and has arrived.
    pub(in crate::outbox) fn tell_arrived(&self, incident: IncidentId) -> Result<(), Fail> {
        let arrived = self
            .db
            .prepare_cached(
                "UPDATE objects SET news = 0 WHERE incident = ?1 AND kind = 'thumb' AND news = 1
                 AND waiting = 0 AND problem IS NULL AND delivered_ms IS NOT NULL",
            )?
            .execute([incident.to_string()])?;
        if arrived > 0 {
            self.news(&incidents::known(self.db, incident)?)?;
        }
        Ok(())
    }
}

impl Outbox {
    /// Takes in a finished file of a clip. The file must lie whole and flushed in its incident's folder, under the name
    /// of its key. A segment counts as used by its own incident; other incidents that show it call [`Outbox::uses`].
    ///
    /// # Errors
    /// When the database cannot be written or the incident is unknown.
    pub fn media(&self, file: &MediaFile) -> Result<(), OutboxError> {
        let item = Item::of(file.kind, file.rendition, file.number);
        let mut state = self.state.lock();
        let ended = self.write_in(&mut state, |tx| {
            let row = incidents::known(tx.db, file.incident)?;
            let key = format!("{}/{item}", row.prefix);
            let (object, version): (i64, i64) = tx
                .db
                .prepare_cached(
                    "INSERT INTO objects (incident, lane, key, kind, rendition, number, init, bytes, sha256, duration_ns,
                                          frames, discontinuity, created_ms)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
                     ON CONFLICT (key) DO UPDATE SET version = version + 1, bytes = ?8, sha256 = ?9, waiting = 1
                     RETURNING id, version",
                )?
                .query_row(
                    params![
                        file.incident.to_string(),
                        lane_of(item).code(),
                        key,
                        kind_of(item),
                        file.rendition.as_str(),
                        file.number,
                        file.init,
                        file.bytes as i64,
                        file.sha256,
                        file.duration.as_nanos() as i64,
                        file.frames,
                        file.discontinuity,
                        tx.wall().0
                    ],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )?;
            if file.kind == MediaKind::Media {
                tx.add_use(file.incident, file.rendition, object)?;
                tx.grew_here(file.incident)?;
            }
            tx.touch(file.incident, lane_of(item));
            tx.witness(|| {
                let sum = Some(file.sha256);
                commit_log::object(kind_of(item), file.incident, version, &key, sum)
            });
            Ok(playlists::playlist_state(tx.db, file.incident, file.rendition)?.ended)
        })?;
        self.stored_more(&mut state, Kept::Clip, file.bytes);
        drop(state);
        self.playlist_if(ended, file.incident, file.rendition)
    }

    /// Takes in a picture: writes it, flushed, beside the clip. A newer one replaces an older one, here and in the store.
    ///
    /// # Errors
    /// When the file or the database cannot be written, or the incident is unknown.
    pub fn picture(
        &self,
        incident: IncidentId,
        kind: PictureKind,
        jpeg: &[u8],
    ) -> Result<(), OutboxError> {
        let item = kind.item();
        // File and row change one after the other while nobody reads or deletes either; who commits an alert meanwhile does not
        // wait for the disk.
        let _one = self.pictures.lock();
        let prefix = self.read(|db| Ok(incidents::known(db, incident)?.prefix))?;
        let dir = self.path(&prefix);
        let sha256: [u8; 32] = Sha256::digest(jpeg).into();
        let path = dir.join(item.to_string());
        for last in [false, true] {
            self.with_room_for_file(jpeg.len() as u64, || {
                files::make_dir(&dir)?;
                files::write(&path, jpeg, Flush::Yes)
            })?;
            let mut state = self.state.lock();
            let entered = self.write_in(&mut state, |tx| {
                // Room may have been made of it in between, also for this row.
                if !path.exists() && !last {
                    return Ok(false);
                }
                tx.enter_picture(incident, &prefix, item, jpeg.len() as u64, sha256)?;
                Ok(true)
            })?;
            if entered {
                self.stored_more(&mut state, Kept::Picture, jpeg.len() as u64);
                break;
            }
        }
        Ok(())
    }

    /// The picture of an incident has become much better: one more alert tells so, at once the hub in this program, and once it has
    /// arrived in the store everybody. Where there is no store there is nothing to fetch anew; the broker gets the picture itself.
    ///
    /// # Errors
    /// When the database cannot be written or the incident is unknown.
    pub fn better_picture(&self, incident: IncidentId) -> Result<(), OutboxError> {
        if !self.uploading() {
            return self.write(|tx| tx.tell_here(incident));
        }
        self.write(|tx| {
            tx.tell_here(incident)?;
            tx.db
                .prepare_cached(
                    "UPDATE objects SET news = 1 WHERE incident = ?1 AND kind = 'thumb'",
                )?
                .execute([incident.to_string()])?;
            tx.tell_arrived(incident)
        })
    }
}

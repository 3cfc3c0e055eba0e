//! What the hub in this program reads of this box, and what its page asks of it: there is one copy of each object at home.
//!
//! In: incidents that are asked for, kept or deleted. Out: documents and playlists of what lies here, whether or not it has been sent
//! anywhere. The hub hears of changes as a receiver of alerts; what concerns nobody else (a clip that has begun or is over, a better
//! picture) is a row for it alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::params;

use crate::outbox::{
    Fail, Outbox, OutboxError, Tx,
    clip_here::grows,
    clips::rendition_of,
    incidents,
    ledger_events::{self, DeletedFor},
    message::{self, Place},
    playlists,
    queue::Lane,
    retention::StoredBytes,
    sinks::NEAR,
};
use crate::{
    base::evidence::{Deletion, Evidence},
    flow::{IncidentId, IncidentState, Rendition, WallTime},
    wire::Item,
};

impl Tx<'_> {
    /// One more alert for the hub in this program, where there is one.
    pub(in crate::outbox) fn tell_here(&self, incident: IncidentId) -> Result<(), Fail> {
        let is_set_up: bool = self
            .db
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM alert_sinks WHERE name = ?1)")?
            .query_row([NEAR], |row| row.get(0))?;
        if !is_set_up {
            return Ok(());
        }
        let mut facts = incidents::known(self.db, incident)?.facts;
        // Nobody has heard of it yet: the first alert will say all.
        if facts.seq == 0 {
            return Ok(());
        }
        if facts.state == IncidentState::Began {
            facts.state = IncidentState::Updated;
        }
        self.change_for(&facts, Some(NEAR)).map(drop)
    }

    /// A clip has got a segment: the first one can be watched here.
    pub(in crate::outbox) fn grew_here(&self, incident: IncidentId) -> Result<(), Fail> {
        let segments: i64 = self
            .db
            .prepare_cached("SELECT count(*) FROM clip_uses WHERE incident = ?1")?
            .query_row([incident.to_string()], |row| row.get(0))?;
        if segments == 1 {
            self.tell_here(incident)?;
        }
        Ok(())
    }

    /// A rendition is over: the clip may be whole here.
    pub(in crate::outbox) fn closed_here(&self, incident: IncidentId) -> Result<(), Fail> {
        let row = incidents::known(self.db, incident)?;
        if row.ended && !grows(self.db, &incident.to_string())? {
            self.tell_here(incident)?;
        }
        Ok(())
    }

    /// Deletes the rows of an incident whose files are gone.
    fn forget_incident(&self, incident: IncidentId, account: &str) -> Result<Forgotten, Fail> {
        let id = incident.to_string();
        let mut select = self.db.prepare_cached(
            "SELECT DISTINCT u.incident, u.rendition FROM clip_uses u JOIN objects o ON o.id = u.object
             WHERE o.incident = ?1 AND u.incident <> ?1",
        )?;
        let rows = select.query_map([&id], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
        })?;
        let mut borrowers = Vec::new();
        for row in rows {
            let (other, rendition) = row?;
            if let (Ok(other), Some(rendition)) = (other.parse(), rendition_of(&rendition)) {
                borrowers.push((other, rendition));
            }
        }
        let camera = incidents::known(self.db, incident)?.facts.camera;
        let freed = StoredBytes::of(self.db, incident)?;
        let (objects, bytes) = ledger_events::on_disk(self.db, incident)?;
        let why = DeletedFor::Household { account };
        self.deleted(incident, &camera, objects, bytes, why)?;
        self.db
            .prepare_cached("DELETE FROM incidents WHERE id = ?1")?
            .execute([id])?;
        for (other, rendition) in &borrowers {
            let row = incidents::known(self.db, *other)?;
            let sent = playlists::uses(self.db, *other, *rendition)?;
            if sent.iter().any(|used| used.delivered) {
                self.compose_later(*other, &row.prefix, Item::Playlist(*rendition))?;
            }
            self.settle_clip(*other)?;
        }
        // Whatever of it waited waits no more.
        for lane in Lane::ALL {
            self.touch(incident, lane);
        }
        Ok(Forgotten { borrowers, freed })
    }
}

/// What came of forgetting an incident.
struct Forgotten {
    /// Clips that had borrowed of it.
    borrowers: Vec<(IncidentId, Rendition)>,
    freed: StoredBytes,
}

/// What stands in the way of a deletion.
enum Found {
    Nothing,
    Busy,
    /// The folder of its files.
    At(PathBuf),
}

impl Outbox {
    fn to_delete(&self, incident: IncidentId) -> Result<Found, OutboxError> {
        let id = incident.to_string();
        self.read(|db| {
            let Some(row) = incidents::row(db, incident)? else {
                return Ok(Found::Nothing);
            };
            // Also while another visit that borrows of its clip is being recorded.
            let busy: bool = db
                .prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM clip_uses u JOIN objects o ON o.id = u.object
                         JOIN incidents y ON y.id = u.incident
                         WHERE o.incident = ?1 AND (y.ended = 0
                             OR EXISTS (SELECT 1 FROM clips c WHERE c.incident = y.id AND c.closed = 0)))",
                )?
                .query_row([&id], |row| row.get(0))?;
            if busy || !row.ended || grows(db, &id)? {
                return Ok(Found::Busy);
            }
            Ok(Found::At(self.path(&row.prefix)))
        })
    }

    /// Deletes an incident because `account` asked for it: its files, then its rows. A cut in between leaves rows without files, and
    /// the next try deletes these.
    ///
    /// # Errors
    /// When a file cannot be deleted, or the database cannot be written.
    pub fn delete_incident(
        &self,
        incident: IncidentId,
        account: &str,
    ) -> Result<Deletion, OutboxError> {
        // No picture of it is being replaced meanwhile.
        let _one = self.pictures.lock();
        let dir = match self.to_delete(incident)? {
            Found::Nothing => return Ok(Deletion::Unknown),
            Found::Busy => return Ok(Deletion::Busy),
            Found::At(dir) => dir,
        };
        match std::fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(OutboxError::file(&dir, "deleted", error));
            }
            _ => {}
        }
        let mut state = self.state.lock();
        let done = self.write_in(&mut state, |tx| tx.forget_incident(incident, account))?;
        state.stored.take_off(done.freed);
        drop(state);
        for (other, rendition) in done.borrowers {
            self.local_playlist(other, rendition, true)?;
        }
        Ok(Deletion::Done)
    }

    fn playlist_here(
        &self,
        incident: IncidentId,
        rendition: Rendition,
    ) -> Result<Option<String>, OutboxError> {
        self.read(|db| {
            let Some(row) = incidents::row(db, incident)? else {
                return Ok(None);
            };
            let key = format!("{}/{}", row.prefix, Item::Playlist(rendition));
            let uses = playlists::uses(db, incident, rendition)?;
            let state = playlists::playlist_state(db, incident, rendition)?;
            let any = uses.iter().any(|used| !used.gone);
            Ok(any.then(|| playlists::render(&key, &uses, |used| !used.gone, &state)))
        })
    }

    fn documents_here(
        &self,
        after: Option<IncidentId>,
        most: usize,
    ) -> Result<Vec<(IncidentId, Vec<u8>)>, OutboxError> {
        let sent = self.clock.wall();
        self.read(|db| {
            let after = after.map_or(String::new(), |id| id.to_string());
            let mut select =
                db.prepare_cached("SELECT id FROM incidents WHERE id > ?1 ORDER BY id LIMIT ?2")?;
            let ids = select.query_map(params![after, most as i64], |row| row.get(0))?;
            let ids: Vec<String> = ids.collect::<Result<_, _>>()?;
            let mut documents = Vec::new();
            for id in ids.iter().filter_map(|id| id.parse().ok()) {
                let facts = incidents::known(db, id)?.facts;
                let message = message::compose(db, Place::Here, facts, None, sent)?;
                documents.push((id, message.to_json()));
            }
            Ok(documents)
        })
    }

    fn ids(&self) -> Result<BTreeSet<IncidentId>, OutboxError> {
        self.read(|db| {
            let mut select = db.prepare_cached("SELECT id FROM incidents")?;
            let ids = select.query_map([], |row| row.get::<_, String>(0))?;
            let mut all = BTreeSet::new();
            for id in ids {
                all.extend(id?.parse::<IncidentId>().ok());
            }
            Ok(all)
        })
    }

    fn held_here(&self) -> Result<BTreeMap<IncidentId, WallTime>, OutboxError> {
        self.read(|db| {
            let mut select =
                db.prepare_cached("SELECT id, held_ms FROM incidents WHERE held_ms IS NOT NULL")?;
            let rows = select.query_map([], |row| {
                Ok((row.get::<_, String>(0)?, WallTime(row.get(1)?)))
            })?;
            let mut held = BTreeMap::new();
            for row in rows {
                let (id, until) = row?;
                held.extend(id.parse::<IncidentId>().ok().map(|id| (id, until)));
            }
            Ok(held)
        })
    }

    fn hold_here(&self, held: &BTreeMap<IncidentId, WallTime>) -> Result<(), OutboxError> {
        let now = self.held_here()?;
        let over: Vec<_> = now.keys().filter(|id| !held.contains_key(id)).collect();
        let new: Vec<_> = held
            .iter()
            .filter(|(id, until)| now.get(id) != Some(until))
            .collect();
        if over.is_empty() && new.is_empty() {
            return Ok(());
        }
        self.write(|tx| {
            let mut set = tx
                .db
                .prepare_cached("UPDATE incidents SET held_ms = ?2 WHERE id = ?1")?;
            for id in &over {
                set.execute(params![id.to_string(), None::<i64>])?;
            }
            for (id, until) in &new {
                set.execute(params![id.to_string(), until.0])?;
            }
            Ok(())
        })
    }
}

impl Evidence for Outbox {
    fn objects(&self) -> &Path {
        &self.objects
    }

    fn stored(&self) -> u64 {
        self.state.lock().stored.all()
    }

    fn quota(&self) -> u64 {
        self.settings.quota.0
    }

    fn retention(&self) -> Duration {
        self.settings.retention
    }

    fn playlist(&self, incident: IncidentId, rendition: Rendition) -> io::Result<Option<String>> {
        self.playlist_here(incident, rendition)
            .map_err(io::Error::other)
    }

    fn documents(
        &self,
        after: Option<IncidentId>,
        most: usize,
    ) -> io::Result<Vec<(IncidentId, Vec<u8>)>> {
        self.documents_here(after, most).map_err(io::Error::other)
    }

    fn incidents(&self) -> io::Result<BTreeSet<IncidentId>> {
        self.ids().map_err(io::Error::other)
    }

    fn hold_only(&self, held: &BTreeMap<IncidentId, WallTime>) -> io::Result<()> {
        self.hold_here(held).map_err(io::Error::other)
    }

    fn delete(&self, incident: IncidentId, account: &str) -> io::Result<Deletion> {
        self.delete_incident(incident, account)
            .map_err(io::Error::other)
    }
}

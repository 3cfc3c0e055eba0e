//! The box that the hub runs in, as the one that keeps its own evidence: there is one copy at home.
//!
//! In: what the box keeps, and what people have said of incidents. Out: rows of an index that has missed something, and the box told
//! what to keep and what to delete. The hub deletes nothing of the box by age or quota: the box does.

pub(crate) mod near;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{HubError, index::Index, marks::Marks};
use crate::{
    base::evidence::{Deletion, Evidence},
    flow::{IncidentId, SiteId, WallTime},
    wire::{IncidentMessage, range},
};

/// Documents that are read at once: the box waits for so many.
const AT_ONCE: usize = 16;

/// The box. Cheap to clone.
#[derive(Clone)]
pub(super) struct Home {
    pub(super) site: SiteId,
    pub(super) evidence: Arc<dyn Evidence>,
}

impl Home {
    /// Every incident that the box knows.
    pub(super) fn incidents(&self) -> Result<BTreeSet<IncidentId>, HubError> {
        self.evidence.incidents().map_err(HubError::Evidence)
    }

    /// Brings an index up to date that was made again, or was closed while alerts came: what the box has counts. Blocks. Returns how
    /// many incidents were news.
    pub(super) fn catch_up(&self, index: &Index) -> Result<usize, HubError> {
        let (mut after, mut news) = (None, 0);
        loop {
            let documents = self.evidence.documents(after, AT_ONCE);
            let documents = documents.map_err(HubError::Evidence)?;
            let Some((last, _)) = documents.last() else {
                return Ok(news);
            };
            after = Some(*last);
            for (id, json) in &documents {
                let message = IncidentMessage::from_json(json).map_err(HubError::Document)?;
                match range::incident(&message) {
                    Ok(()) => news += usize::from(index.take(&message)?),
                    Err(reason) => {
                        tracing::warn!(%id, "an incident of this box is not listed: {reason}");
                    }
                }
            }
        }
    }

    /// Tells the box which incidents are kept, by what people have said. Blocks.
    pub(super) fn hold(&self, marks: &Marks) -> Result<(), HubError> {
        let held: BTreeMap<_, _> = marks
            .all()
            .into_iter()
            .filter(|((site, _), _)| *site == self.site)
            .filter_map(|((_, id), mark)| {
                // Without an end: until somebody ends it.
                Some((id, mark.kept?.until.unwrap_or(WallTime(i64::MAX))))
            })
            .collect();
        self.evidence.hold_only(&held).map_err(HubError::Evidence)
    }

    /// Deletes what the box still has of incidents that somebody has deleted: the program may have ended in between. Blocks.
    pub(super) fn delete_marked(
        &self,
        marks: &Marks,
        there: &mut BTreeSet<IncidentId>,
    ) -> Result<(), HubError> {
        for ((site, id), mark) in marks.all() {
            if let Some(said) = mark.deleted
                && site == self.site
                && there.contains(&id)
                && self.delete(id, &said.by)? == Deletion::Done
            {
                there.remove(&id);
            }
        }
        Ok(())
    }

    /// Deletes an incident because `account` asked for it. Blocks.
    pub(super) fn delete(&self, id: IncidentId, account: &str) -> Result<Deletion, HubError> {
        let deleted = self.evidence.delete(id, account);
        deleted.map_err(HubError::Evidence)
    }
}

#[cfg(test)]
pub(super) mod tests;

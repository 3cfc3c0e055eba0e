//! The index from the bucket alone: each `incident.json` is the newest message of its incident, but for the number.

use std::io::Read;

use super::Index;
use crate::{
    hub::{HubError, store::Folder},
    wire::{IncidentMessage, Item},
};

/// Keys looked at in one go.
const PAGE: usize = 1000;
/// Longest document that is read.
const LONGEST: u64 = 256 * 1024;

/// Fills `index` with what lies in `folder`. Returns how many incidents that were; a document that cannot be read is told in
/// the log and left out.
pub(in crate::hub) fn rebuild(index: &Index, folder: &Folder) -> Result<usize, HubError> {
    let (mut after, mut more, mut count) = (String::new(), true, 0);
    while more {
        let (keys, rest) = folder.list("v1/", &after, PAGE).map_err(HubError::Store)?;
        for key in keys {
            after = key.to_string();
            if key.item != Item::Facts {
                continue;
            }
            let Some((file, _)) = folder.read(&key).map_err(HubError::Store)? else {
                continue;
            };
            let mut text = Vec::new();
            file.take(LONGEST)
                .read_to_end(&mut text)
                .map_err(HubError::Store)?;
            match IncidentMessage::from_json(&text) {
                Ok(message) if message.id == key.incident && message.site == key.site => {
                    index.take(&message)?;
                    count += 1;
                }
                Ok(_) => tracing::warn!(%key, "this document is of another incident: left out"),
                Err(error) => {
                    tracing::warn!(%key, %error, "this document cannot be read: left out")
                }
            }
        }
        more = rest;
    }
    Ok(count)
}

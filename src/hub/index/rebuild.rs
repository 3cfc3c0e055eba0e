//! The index from the bucket alone: each `incident.json` is the newest message of its incident, but for the number.

use futures::TryStreamExt;

use super::Index;
use crate::{
    hub::{HubError, shelf::Shelf},
    wire::IncidentMessage,
};

/// Longest document that is read.
const LONGEST: usize = 256 * 1024;

/// Fills `index` with what lies on `shelf`. Returns how many incidents that were; a document that cannot be read is told in
/// the log and left out.
pub(in crate::hub) async fn rebuild(index: &Index, shelf: &Shelf) -> Result<usize, HubError> {
    let mut documents = std::pin::pin!(shelf.documents());
    let mut count = 0;
    while let Some(key) = documents.try_next().await? {
        let Some(text) = shelf.beginning(&key, LONGEST).await? else {
            continue;
        };
        match IncidentMessage::from_json(&text) {
            Ok(message) if message.id == key.incident && message.site == key.site => {
                index.take(&message)?;
                count += 1;
            }
            Ok(_) => tracing::warn!(%key, "this document is of another incident: left out"),
            Err(error) => tracing::warn!(%key, %error, "this document cannot be read: left out"),
        }
    }
    Ok(count)
}

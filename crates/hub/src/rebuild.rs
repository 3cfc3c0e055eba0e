//! The index from the bucket alone: each `incident.json` is the newest message of its incident, but for the number.

use futures::TryStreamExt;

use crate::{
    HubError,
    index::Index,
    shelf::Shelf,
    wire::{IncidentMessage, ObjectKey, range},
};

/// Longest document that is read.
const LONGEST: usize = range::LONGEST_INCIDENT;

/// Fills `index` with what lies on `shelf`. Returns how many incidents that were; a document that cannot be read is told in
/// the log and left out.
pub(crate) async fn rebuild(index: &Index, shelf: &Shelf) -> Result<usize, HubError> {
    let mut documents = std::pin::pin!(shelf.documents());
    let mut count = 0;
    let mut refused = 0_u64;
    let mut refuse = |key: &ObjectKey, reason: &str| {
        refused += 1;
        // A store may hold thousands of the same kind.
        if refused.is_power_of_two() {
            tracing::warn!(%key, refused, "a document in the store was left out: {reason}");
        }
    };
    while let Some(key) = documents.try_next().await? {
        let Some(text) = shelf.beginning(&key, LONGEST).await? else {
            continue;
        };
        match IncidentMessage::from_json(&text) {
            Ok(message) if message.id != key.incident || message.site != key.site => {
                refuse(&key, "it is of another incident");
            }
            Ok(message) => match range::incident(&message) {
                Ok(()) => {
                    index.take(&message)?;
                    count += 1;
                }
                Err(reason) => refuse(&key, reason),
            },
            Err(error) => refuse(&key, &error.to_string()),
        }
    }
    Ok(count)
}

//! What brokers may still keep of us for others: topics of announcements, remembered until they have been taken back.
//!
//! In: the topics that this configuration announces on. Out: those that an earlier one did, and this one does not.

use std::collections::BTreeSet;

use crate::outbox::{Fail, Outbox, OutboxError, Tx, store};

/// Their setting: a JSON list.
const TOPICS: &str = "announced";

impl Tx<'_> {
    fn announced(&self) -> Result<BTreeSet<String>, Fail> {
        let Some(text) = store::setting(self.db, TOPICS)? else {
            return Ok(BTreeSet::new());
        };
        Ok(serde_json::from_str(&text).unwrap_or_else(|error| {
            tracing::error!(%error, "what was announced to Home Assistant cannot be read: earlier documents are not taken back");
            BTreeSet::new()
        }))
    }

    fn set_announced(&self, topics: &BTreeSet<String>) -> Result<(), Fail> {
        let text = serde_json::to_string(topics).expect("plain data always serialises");
        Ok(store::set_setting(self.db, TOPICS, &text)?)
    }
}

impl Outbox {
    /// Remembers that there will be announcements on `topics`, before the first one leaves. Returns the topics of earlier
    /// announcements that are not among them: these are to be taken back.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn will_announce(
        &self,
        topics: &BTreeSet<String>,
    ) -> Result<BTreeSet<String>, OutboxError> {
        self.write(|tx| {
            let before = tx.announced()?;
            let all: BTreeSet<String> = before.union(topics).cloned().collect();
            if all != before {
                tx.set_announced(&all)?;
            }
            Ok(&before - topics)
        })
    }

    /// The broker does not keep anything on `topic` any more.
    pub(in crate::outbox) fn forget_announcement(&self, topic: &str) {
        let forgotten = self.write(|tx| {
            let mut topics = tx.announced()?;
            if topics.remove(topic) {
                tx.set_announced(&topics)?;
            }
            Ok(())
        });
        if let Err(error) = forgotten {
            tracing::warn!(%error, "what was taken back from Home Assistant could not be noted; it is taken back once more");
        }
    }
}

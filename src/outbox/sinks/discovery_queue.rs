//! Documents that a broker keeps for others, such as what Home Assistant sets a site up from.
//!
//! In: documents by topic, and what the broker acknowledged. Out: the next one to be sent, in the order in which they came. They
//! are large beside states, so that they leave one at a time, when the one before has been acknowledged, and are sent again only to
//! a broker that may have forgotten them.

use bytes::Bytes;
use parking_lot::Mutex;

/// A document, and how far it has come.
#[derive(Debug)]
struct Document {
    topic: String,
    /// Empty: what is kept there is to be deleted.
    payload: Bytes,
    unsent: bool,
    /// The broker has acknowledged it, and as far as is known still keeps it.
    kept: bool,
}

/// Documents in the order in which they are sent.
#[derive(Debug, Default)]
pub(super) struct DiscoveryQueue(Mutex<Vec<Document>>);

impl DiscoveryQueue {
    /// A new document, or a new content of one.
    pub(super) fn put(&self, topic: String, payload: Bytes) {
        let mut documents = self.0.lock();
        let new = Document {
            topic,
            payload,
            unsent: true,
            kept: false,
        };
        match documents.iter_mut().find(|old| old.topic == new.topic) {
            Some(old) if old.payload == new.payload => {}
            Some(old) => *old = new,
            None => documents.push(new),
        }
    }

    /// A new connection. A broker that has kept our session still has what it acknowledged.
    pub(super) fn connected(&self, session_kept: bool) {
        for document in self.0.lock().iter_mut() {
            document.kept &= session_kept;
            document.unsent = !document.kept;
        }
    }

    /// Somebody may have missed them.
    pub(super) fn all_again(&self) {
        for document in self.0.lock().iter_mut() {
            document.unsent |= !document.payload.is_empty();
        }
    }

    /// The next one to be sent; counts as sent.
    pub(super) fn next(&self) -> Option<(String, Bytes)> {
        let mut documents = self.0.lock();
        let document = documents.iter_mut().find(|document| document.unsent)?;
        document.unsent = false;
        Some((document.topic.clone(), document.payload.clone()))
    }

    /// The broker has answered to what was sent on `topic`: it is not sent again on its own. True when that was a deletion,
    /// which is then out of the list.
    pub(super) fn arrived(&self, topic: &str, payload: &Bytes) -> bool {
        let mut documents = self.0.lock();
        let is = |document: &&mut Document| document.topic == topic && document.payload == *payload;
        let Some(document) = documents.iter_mut().find(is) else {
            return false;
        };
        document.kept = true;
        let deleted = payload.is_empty();
        if deleted {
            documents.retain(|document| document.topic != topic);
        }
        deleted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(announced: &DiscoveryQueue) -> Vec<String> {
        std::iter::from_fn(|| announced.next())
            .map(|(topic, _)| topic)
            .collect()
    }

    #[test]
    fn what_was_acknowledged_is_sent_again_only_to_who_may_have_forgotten_it() {
        let announced = DiscoveryQueue::default();
        let content = Bytes::from_static(b"{}");
        for topic in ["box", "door", "attic"] {
            announced.put(topic.to_owned(), content.clone());
        }
        announced.connected(true);
        assert_eq!(sent(&announced), ["box", "door", "attic"], "in their order");
        assert!(!announced.arrived("box", &content));
        announced.connected(true);
        assert_eq!(sent(&announced), ["door", "attic"]);
        for topic in ["door", "attic"] {
            announced.arrived(topic, &content);
        }
        announced.connected(true);
        assert!(sent(&announced).is_empty());
        announced.connected(false);
        assert_eq!(sent(&announced).len(), 3);
        announced.all_again();
        assert_eq!(sent(&announced).len(), 3);
    }

    #[test]
    fn a_deletion_is_tried_until_it_is_acknowledged_and_then_forgotten() {
        let announced = DiscoveryQueue::default();
        announced.put("attic".to_owned(), Bytes::new());
        assert_eq!(sent(&announced), ["attic"]);
        announced.all_again();
        assert!(sent(&announced).is_empty(), "nobody misses what is gone");
        announced.connected(true);
        assert_eq!(sent(&announced), ["attic"]);
        assert!(announced.arrived("attic", &Bytes::new()));
        announced.connected(false);
        assert!(sent(&announced).is_empty());
    }

    #[test]
    fn an_acknowledgement_of_an_older_content_counts_for_nothing() {
        let announced = DiscoveryQueue::default();
        let (old, new) = (Bytes::from_static(b"1"), Bytes::from_static(b"2"));
        announced.put("box".to_owned(), old.clone());
        assert_eq!(sent(&announced), ["box"]);
        announced.put("box".to_owned(), new.clone());
        announced.put("box".to_owned(), new.clone());
        assert_eq!(announced.next(), Some(("box".to_owned(), new)));
        assert!(!announced.arrived("box", &old));
        announced.connected(true);
        assert_eq!(sent(&announced), ["box"]);
    }
}

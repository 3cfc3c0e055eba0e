//! What the connection to a broker needs of the outbox, and asks of it.

use std::sync::{Arc, Weak};

use crate::outbox::{
    Outbox,
    budget::TrafficClass,
    sinks::{BrokerContext, BrokerRecords},
};

impl Outbox {
    /// What the connection to a broker needs.
    #[must_use]
    pub fn broker_context(self: &Arc<Self>) -> BrokerContext {
        let records: Weak<Self> = Arc::downgrade(self);
        BrokerContext {
            site: self.site.clone(),
            pacer: Arc::clone(&self.pacer),
            records,
        }
    }
}

impl BrokerRecords for Outbox {
    fn live_may_leave(&self, what: TrafficClass, bytes: u64) -> bool {
        self.book_live(what, bytes)
    }

    fn announcement_is_gone(&self, topic: &str) {
        self.forget_announcement(topic);
    }
}

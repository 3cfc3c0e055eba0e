//! What the connection to a broker needs of the box, and asks of its outbox.
//!
//! The outbox owns its receivers, so that a connection holds it weakly, and knows these two questions only.

use std::sync::{Arc, Weak};

use crate::{flow::SiteId, net::pace::Pacer, outbox::budget::TrafficClass};

/// What the connection to a broker asks of the outbox. Both calls may wait for the disk.
pub trait BrokerRecords: Send + Sync + 'static {
    /// Whether the data plan has room now for `bytes` on the wire; where it has, they are counted.
    fn live_may_leave(&self, what: TrafficClass, bytes: u64) -> bool;
    /// Notes that the broker keeps nothing on `topic` any more.
    fn announcement_is_gone(&self, topic: &str);
}

/// The box, as the connection to a broker needs it.
#[derive(Clone)]
pub struct BrokerContext {
    /// The household.
    pub site: SiteId,
    /// The pace of the link.
    pub pacer: Arc<Pacer>,
    /// Who answers; nobody once the outbox has gone.
    pub records: Weak<dyn BrokerRecords>,
}

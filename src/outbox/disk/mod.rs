//! What happens on the disk: what a cut left behind, what is deleted and when, and where room comes from.

pub(in crate::outbox) mod damage;
pub(in crate::outbox) mod disk_reserve;
mod eviction;
pub(in crate::outbox) mod orphans;
pub(in crate::outbox) mod recover;
pub(in crate::outbox) mod retention;

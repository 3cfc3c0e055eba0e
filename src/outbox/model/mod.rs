//! What the outbox knows: a row for each visit, alert, object and receiver.

pub(in crate::outbox) mod alerts;
pub(in crate::outbox) mod clip_here;
pub(in crate::outbox) mod clips;
pub(in crate::outbox) mod here;
pub(in crate::outbox) mod incidents;
pub(in crate::outbox) mod message;
pub(in crate::outbox) mod objects;
pub(in crate::outbox) mod playlists;
pub(in crate::outbox) mod subscriptions;

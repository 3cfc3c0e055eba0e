//! What goes next, what a data plan allows of it, and what is deleted first.

pub mod budget;
pub(in crate::outbox) mod evict;
pub mod queue;
pub(in crate::outbox) mod spending;

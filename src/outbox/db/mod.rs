//! The database and the files beside it, how they are opened and written.

pub(in crate::outbox) mod announcements;
pub(in crate::outbox) mod files;
pub(in crate::outbox) mod store;
pub(in crate::outbox) mod witness;

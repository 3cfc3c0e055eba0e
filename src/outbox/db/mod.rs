//! The database and the files beside it, how they are opened and written.

pub(in crate::outbox) mod commit_log;
pub(in crate::outbox) mod files;
pub(in crate::outbox) mod retained_topics;
pub(in crate::outbox) mod store;

//! How it leaves: a worker for each sink, and what the chain is told of it.

pub(in crate::outbox) mod accounts;
pub(in crate::outbox) mod broker;
pub(in crate::outbox) mod pump;
pub(in crate::outbox) mod sending;

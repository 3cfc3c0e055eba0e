//! How it leaves: a worker for each sink, and what the chain is told of it.

pub(in crate::outbox) mod broker;
pub(in crate::outbox) mod ledger_events;
pub(in crate::outbox) mod uploads;
pub(in crate::outbox) mod worker;

//! What others may ask: the health report's part, and the commands of `lares outbox`.

pub(in crate::outbox) mod health;
pub(in crate::outbox) mod view;

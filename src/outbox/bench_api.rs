//! Single steps of a delivery, for benches.

use super::{
    Outbox, OutboxError,
    sinks::{Delivery, MQTT, Outcome, Takes},
};

/// What goes next, as a worker picks it for its sink.
///
/// # Errors
/// When the database cannot be written.
pub fn take(outbox: &Outbox, takes: Takes) -> Result<Option<Delivery>, OutboxError> {
    match takes {
        Takes::Alerts => outbox.next_alert(MQTT, Some(0)),
        Takes::Objects => outbox.next_object(),
    }
}

/// Says that `delivery` has arrived.
///
/// # Errors
/// When the database cannot be written.
pub fn arrived(outbox: &Outbox, takes: Takes, delivery: &Delivery) -> Result<(), OutboxError> {
    let outcome = Outcome::Delivered { receipt: None };
    let (delivery_id, recipient) = (&delivery.delivery_id, "a bench");
    match takes {
        Takes::Alerts => outbox.settle_alert(delivery_id, (MQTT, recipient), &outcome, None),
        Takes::Objects => outbox.settle_object(delivery_id, recipient, &outcome, None),
    }
}

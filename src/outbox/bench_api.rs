//! Single steps of a delivery, for benches.

use super::{
    Outbox, OutboxError,
    sinks::{MQTT, Outcome, Parcel, Takes},
};

/// What goes next, as a worker picks it for its sink.
///
/// # Errors
/// When the database cannot be written.
pub fn take(outbox: &Outbox, takes: Takes) -> Result<Option<Parcel>, OutboxError> {
    match takes {
        Takes::Alerts => outbox.next_alert(MQTT, Some(0)),
        Takes::Objects => outbox.next_object(),
    }
}

/// Says that `parcel` has arrived.
///
/// # Errors
/// When the database cannot be written.
pub fn arrived(outbox: &Outbox, takes: Takes, parcel: &Parcel) -> Result<(), OutboxError> {
    let outcome = Outcome::Delivered { receipt: None };
    let (ticket, recipient) = (&parcel.ticket, "a bench");
    match takes {
        Takes::Alerts => outbox.settle_alert(ticket, (MQTT, recipient), &outcome, None),
        Takes::Objects => outbox.settle_object(ticket, recipient, &outcome, None),
    }
}

//! Who gets what: the outbox connected to the receivers of the configuration, and to the hub in this program.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::own_hub::OwnHub;
use crate::{
    base::tasks::Tasks,
    camera::Shared,
    config::Config,
    hub::Near,
    outbox::sinks::{self, HubCommand, registry},
};

/// How the hub in this program hears the box.
pub(super) struct Hearing {
    /// In this program.
    pub(super) near: Option<Near>,
    /// By its own broker, while that says that it is there.
    pub(super) broker_up: Option<watch::Receiver<bool>>,
}

/// Connects the outbox to what the configuration names, and to the hub in this program as `hub` says. What receivers ask for
/// goes to `asked`.
pub(super) fn start(
    config: &Config,
    Shared { outbox, live, .. }: &Shared,
    hub: Hearing,
    asked: mpsc::Sender<HubCommand>,
    tasks: &Tasks,
) -> anyhow::Result<()> {
    let around = sinks::Around {
        tasks,
        broker: &outbox.broker_context(),
        live,
        commands: &asked,
        broker_up: hub.broker_up.as_ref(),
        pacer: outbox.pacer(),
    };
    let mut receivers = registry::connect(config, &around)?;
    if let Some(near) = hub.near {
        receivers.insert(0, Arc::new(OwnHub::new(near)));
    }
    outbox.start(tasks, receivers)?;
    Ok(())
}

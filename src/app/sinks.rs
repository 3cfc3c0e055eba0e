//! Who gets what: the outbox connected to the receivers of the configuration, and to the hub in this program.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::own_hub::OwnHub;
use crate::{
    base::tasks::Tasks,
    camera::Shared,
    config::Config,
    hub::Near,
    outbox::sinks::{self, HubCommand, MqttSink, NtfySink, Sink, WebhookSink},
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
    let mut receivers: Vec<Arc<dyn Sink>> = Vec::new();
    if let Some(near) = hub.near {
        receivers.push(Arc::new(OwnHub::new(near)));
    }
    if let Some(mqtt) = &config.mqtt {
        let of = outbox.broker_context();
        let sink = MqttSink::start_when(tasks, mqtt, &of, live.clone(), asked, hub.broker_up)?;
        receivers.push(Arc::new(sink));
    }
    if let Some(webhook) = &config.webhook {
        receivers.push(Arc::new(WebhookSink::new(webhook, outbox.pacer())?));
    }
    if let Some(ntfy) = &config.ntfy {
        let names = config.camera_names();
        receivers.push(Arc::new(NtfySink::new(ntfy, names, outbox.pacer())?));
    }
    if let Some(upload) = &config.upload {
        receivers.push(sinks::store(upload, outbox.pacer())?);
    }
    outbox.start(tasks, receivers)?;
    Ok(())
}

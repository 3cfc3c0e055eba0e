//! Who gets what: the outbox connected to the receivers of the configuration, and to the hub in this program.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::own_hub::OwnHub;
use crate::{
    base::tasks::Tasks,
    camera::Shared,
    config::Config,
    hub::Near,
    outbox::sinks::{self, HubCommand, MqttSink, NtfySink, Sink, WebhookSink},
};

/// Connects the outbox to what the configuration names, and to the hub in this program where it is `near`. What receivers ask for
/// goes to `asked`.
pub(super) fn start(
    config: &Config,
    Shared { outbox, live, .. }: &Shared,
    near: Option<Near>,
    asked: mpsc::Sender<HubCommand>,
    tasks: &Tasks,
) -> anyhow::Result<()> {
    let mut receivers: Vec<Arc<dyn Sink>> = Vec::new();
    if let Some(near) = near {
        receivers.push(Arc::new(OwnHub(near)));
    }
    if let Some(mqtt) = &config.mqtt {
        let sink = MqttSink::start(tasks, mqtt, outbox, live.clone(), asked)?;
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

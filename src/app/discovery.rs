//! Tells Home Assistant what there is at this site, and takes back what there is no more.
//!
//! In: the configuration. Out: documents and deletions among the live values; the outbox remembers where documents, and the last
//! values of a camera, may still be kept.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    config::{Config, MqttConfig},
    outbox::{Outbox, OutboxError, sinks::LiveState},
    wire::{
        Topics,
        discovery::{Discovery, Limits},
    },
};

/// Announces the box and its cameras, where that is wanted. `silent`: without a health report for so long, the box is in
/// trouble.
pub(super) fn announce(
    config: &Config,
    outbox: &Outbox,
    live: &LiveState,
    silent: Duration,
) -> Result<(), OutboxError> {
    let Some(mqtt) = &config.mqtt else {
        return Ok(());
    };
    let documents = match mqtt.discovery {
        true => documents(config, mqtt, outbox, silent),
        false => Vec::new(),
    };
    let mut topics: BTreeSet<String> = documents.iter().map(|(topic, _)| topic.clone()).collect();
    // What a broker keeps of a camera that is no more would say for ever that it is online, or that something moves.
    let own = Topics::new(outbox.site());
    topics.extend(
        config
            .cameras
            .iter()
            .flat_map(|camera| own.retained_of(&camera.id)),
    );
    for topic in outbox.will_announce(&topics)? {
        live.withdraw(topic);
    }
    for (topic, document) in documents {
        live.announce(topic, document);
    }
    Ok(())
}

/// The box first: cameras hang on it.
fn documents(
    config: &Config,
    mqtt: &MqttConfig,
    outbox: &Outbox,
    silent: Duration,
) -> Vec<(String, String)> {
    let discovery = Discovery::new(
        outbox.site(),
        &mqtt.discovery_prefix,
        mqtt.discovery_language,
    );
    let limits = Limits {
        day: config.outbox.budget.per_day.is_some(),
        month: config.outbox.budget.per_month.is_some(),
    };
    let mut documents = vec![(discovery.box_topic(), discovery.the_box(limits, silent))];
    documents.extend(config.cameras.iter().map(|camera| {
        let document = discovery.camera(&camera.id, &camera.name);
        (discovery.camera_topic(&camera.id), document)
    }));
    documents
}

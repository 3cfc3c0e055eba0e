//! Tells Home Assistant what there is at this site, and takes back what there is no more.
//!
//! In: the configuration. Out: documents and deletions among the live values; the outbox remembers where documents, and the last
//! values of a camera, may still be kept.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    config::{Config, MqttConfig},
    flow::SiteId,
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
    let topics = kept(config, outbox.site(), &documents);
    for topic in outbox.will_announce(&topics)? {
        live.withdraw(topic);
    }
    for (topic, document) in documents {
        live.announce(topic, document);
    }
    Ok(())
}

/// Topics on which brokers keep something of this configuration: documents, and the last values of each camera. Of a camera that
/// is no more these would say for ever that it is online, or that something moves.
fn kept(config: &Config, site: &SiteId, documents: &[(String, String)]) -> BTreeSet<String> {
    let own = Topics::new(site);
    let values = config.cameras.iter();
    let values = values.flat_map(|camera| own.retained_of(&camera.id));
    let documents = documents.iter().map(|(topic, _)| topic.clone());
    documents.chain(values).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        base::{clock::SystemClock, telemetry::Metrics},
        config::Environment,
    };

    #[test]
    fn what_brokers_keep_of_a_camera_that_is_no_more_is_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        let site: SiteId = "home".parse().unwrap();
        let outbox = Outbox::open(
            dir.path(),
            site.clone(),
            SystemClock::start(),
            crate::config::OutboxConfig::default(),
            Metrics::new(),
        )
        .unwrap();
        let mut config = Config::for_camera("rtsp://h/", &Environment::new()).unwrap();
        let mut second = config.cameras[0].clone();
        second.id = "yard".parse().unwrap();
        config.cameras.push(second);
        assert!(
            outbox
                .will_announce(&kept(&config, &site, &[]))
                .unwrap()
                .is_empty()
        );
        config.cameras.pop();
        let gone = outbox.will_announce(&kept(&config, &site, &[])).unwrap();
        let gone: Vec<_> = gone.iter().map(String::as_str).collect();
        assert_eq!(
            gone,
            ["mode", "motion", "person", "status"].map(|what| format!("lares/home/yard/{what}"))
        );
    }
}

//! What the broker remembers of the box: the retained health report, with the head of the ledger that it was told.
//!
//! In: the broker's configuration. Out: that report. Under a name of its own: a running agent does not notice, and nothing
//! is published.

use std::time::Duration;

use rumqttc::v5::{AsyncClient, Event, Incoming as Packet, mqttbytes::QoS};

use super::options;
use crate::{
    config::MqttConfig,
    flow::SiteId,
    net::mqtt,
    wire::{Health, Topics},
};

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long after the subscription a broker may take to hand out what it kept.
const KEPT_COMES_WITHIN: Duration = Duration::from_secs(2);

/// The health report that the broker of `config` keeps of `site`; none where it keeps none, or does not let this user
/// read it.
///
/// # Errors
/// One sentence that says what to do.
pub async fn kept_health(config: &MqttConfig, site: &SiteId) -> Result<Option<Health>, String> {
    let (mut options, address) =
        options(config, "lares-ledger-verify").map_err(|error| error.to_string())?;
    options
        .set_clean_start(true)
        .set_session_expiry_interval(None);
    let (client, mut events) = AsyncClient::new(options, 4);
    let topic = Topics::new(site).health();
    let _ = client.try_subscribe(&topic, QoS::AtMostOnce);
    let asked = async {
        let mut until = tokio::time::Instant::now() + PATIENCE;
        let mut subscribed = false;
        loop {
            let event = match tokio::time::timeout_at(until, events.poll()).await {
                Ok(event) => event,
                Err(_) if subscribed => return Ok(None),
                Err(_) => return Err(format!("the broker {address} does not answer")),
            };
            match event {
                Ok(Event::Incoming(Packet::SubAck(_))) => {
                    subscribed = true;
                    until = tokio::time::Instant::now() + KEPT_COMES_WITHIN;
                }
                Ok(Event::Incoming(Packet::Publish(message))) if message.topic == topic => {
                    return serde_json::from_slice(&message.payload)
                        .map(Some)
                        .map_err(|error| format!("what the broker {address} keeps on {topic} is no health report ({error})"));
                }
                Ok(_) => {}
                Err(error) => return Err(mqtt::sort(&address, &error).reason),
            }
        }
    };
    let result = asked.await;
    let _ = client.try_disconnect();
    result
}

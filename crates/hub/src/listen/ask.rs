//! What is asked of boxes: alerts that are missing, and modes.

use rumqttc::v5::{AsyncClient, mqttbytes::QoS};

use super::{Listener, SetMode};
use crate::{
    HubError,
    flow::SiteId,
    wire::{Command, Topics},
};

/// Gaps of one site that are asked for at once.
const GAPS_AT_ONCE: usize = 32;

impl Listener {
    /// Asks each box that is there for what is missing, and looks who has fallen silent.
    pub(super) fn ask(&mut self, client: &AsyncClient) {
        self.tell_refusals(self.refusals.due());
        let generation = self.with.index.generation();
        if std::mem::replace(&mut self.generation, generation) != generation {
            self.caught_up.clear();
        }
        let there = self.with.house.there();
        for site in self.with.house.fallen_silent(std::time::Instant::now()) {
            tracing::warn!(%site, "the box has not said in time how it is doing: is it without power or network?");
        }
        for site in there {
            match self.ask_site(client, &site) {
                Ok(()) => drop(self.caught_up.insert(site)),
                // Why is told by the index itself.
                Err(error) => tracing::debug!(%site, %error, "the index cannot be read"),
            }
        }
    }

    fn ask_site(&self, client: &AsyncClient, site: &SiteId) -> Result<(), HubError> {
        let topic = Topics::new(site).command();
        let send = |from, to| {
            let command = Command::Resend { from, to };
            let payload = serde_json::to_vec(&command).unwrap_or_default();
            let _ = client.try_publish(&topic, QoS::AtLeastOnce, false, payload);
        };
        let index = &self.with.index;
        // What a broker that forgets has lost while we were away leaves no gap until the next alert comes.
        if !self.caught_up.contains(site) {
            send(index.highest(site)? + 1, None);
        }
        for gap in index.missing(site)?.into_iter().take(GAPS_AT_ONCE) {
            if index.asked(site, gap)? {
                tracing::warn!(
                    %site, from = gap.first, to = gap.last,
                    "the box no longer has these alerts; their clips are in the store as far as they were sent"
                );
            } else {
                send(gap.first, Some(gap.last));
            }
        }
        Ok(())
    }
}

pub(super) fn mode(client: &AsyncClient, request: SetMode) {
    let topic = Topics::new(&request.site).mode_set(&request.camera);
    let payload = match &request.account {
        None => request.mode.as_str().to_owned(),
        Some(account) => serde_json::json!({"mode": request.mode, "account": account}).to_string(),
    };
    let _ = client.try_publish(topic, QoS::AtLeastOnce, false, payload);
}

//! What the broker answers and asks: acknowledgements go to the rows that wait for them, commands to the box.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use rumqttc::{
    Outgoing,
    v5::{
        Event,
        mqttbytes::v5::{Packet, PubAck, PubAckReason, Publish, SubscribeReasonCode},
    },
};

use super::{
    Outcome, Scope,
    link::{Awaited, Link, NEEDS_A_PERSON},
    overhead::{PINGREQ, PUBACK},
};

impl Link {
    /// One event of the connection.
    pub(super) fn happened(
        &mut self,
        event: Event,
        sent: &mut VecDeque<Awaited>,
        in_flight: &mut HashMap<u16, Awaited>,
    ) {
        match event {
            // QoS 0 has no packet identifier; what has one is an alert, a report or an announcement, and these leave in order.
            Event::Outgoing(Outgoing::Publish(id)) if id != 0 => {
                if let Some(awaited) = sent.pop_front() {
                    in_flight.insert(id, awaited);
                }
            }
            Event::Incoming(Packet::PubAck(ack)) => match in_flight.remove(&ack.pkid) {
                Some(Awaited::Alert(answer)) => {
                    let _ = answer.send(self.answer_of(&ack));
                }
                Some(Awaited::Announcement(topic, document)) => {
                    self.announced(&topic, &document, ack.reason);
                }
                Some(Awaited::Report) | None => {}
            },
            Event::Incoming(Packet::SubAck(ack)) => self.subscribed(&ack.return_codes),
            Event::Outgoing(Outgoing::PingReq) => self.live.sent(2, PINGREQ),
            Event::Outgoing(Outgoing::PubAck(_)) => self.live.sent(1, PUBACK),
            Event::Incoming(Packet::Publish(message)) => self.asked(&message),
            _ => {}
        }
    }

    /// The broker has answered to a subscription. Without it alerts still leave, but nobody can ask anything of the box.
    fn subscribed(&mut self, codes: &[SubscribeReasonCode]) {
        let Some(topic) = self.subscribing.pop_front() else {
            return;
        };
        let refused = codes
            .iter()
            .find(|code| !matches!(code, SubscribeReasonCode::Success(_)));
        let Some(code) = refused else { return };
        let problem = format!(
            "the broker {} does not let this user hear {topic} ({code:?}): give mqtt.user the right to read it",
            self.address
        );
        if self.told.as_ref() != Some(&problem) {
            tracing::warn!("{problem}");
            self.told = Some(problem.clone());
        }
        // Only Home Assistant's start is missed by the others, and it is told of everything again with the next connection.
        if self.topics.subscriptions().contains(&topic) {
            *self.problem.lock() = Some(problem);
        }
    }

    fn answer_of(&self, ack: &PubAck) -> Outcome {
        let address = &self.address;
        let refused = |after, reason| Outcome::Retry {
            scope: Scope::Sink,
            after,
            reason,
        };
        match ack.reason {
            PubAckReason::Success | PubAckReason::NoMatchingSubscribers => {
                Outcome::Delivered { receipt: None }
            }
            PubAckReason::NotAuthorized => refused(
                Some(NEEDS_A_PERSON),
                format!(
                    "the broker {address} does not let this user publish alerts: give mqtt.user the right to write {}/#",
                    self.topics.status().trim_end_matches("/status")
                ),
            ),
            PubAckReason::QuotaExceeded => {
                refused(None, format!("the broker {address} has no room for more"))
            }
            PubAckReason::TopicNameInvalid | PubAckReason::PayloadFormatInvalid => {
                Outcome::Reject {
                    reason: format!("the broker {address} refuses the alert ({:?})", ack.reason),
                }
            }
            reason => refused(
                None,
                format!("the broker {address} could not take an alert ({reason:?})"),
            ),
        }
    }

    /// The broker has answered to an announcement.
    fn announced(&mut self, topic: &str, document: &Bytes, reason: PubAckReason) {
        self.announcing = false;
        let withdrawn = self.live.announced(topic, document);
        let taken = matches!(
            reason,
            PubAckReason::Success | PubAckReason::NoMatchingSubscribers
        );
        if withdrawn
            && taken
            && let Some(records) = self.records.upgrade()
        {
            records.announcement_is_gone(topic);
        }
        if reason == PubAckReason::NotAuthorized && !self.refused {
            self.refused = true;
            tracing::warn!(
                "the broker {} does not let this user tell Home Assistant what there is: give mqtt.user the right to \
                 write {}, or set mqtt.discovery = false",
                self.address,
                self.discovery_rights
            );
        }
    }

    fn asked(&mut self, message: &Publish) {
        let topic = String::from_utf8_lossy(&message.topic);
        if self.birth.heard(&topic, &message.payload) {
            return;
        }
        if !self.limit.admits(&topic) {
            return;
        }
        if message.retain {
            // It was meant for some moment in the past: acting on it at each connection would undo later decisions.
            tracing::warn!(%topic, "a retained command was ignored: send commands without the retain flag");
            return;
        }
        match self.topics.parse(&topic, &message.payload) {
            Ok(incoming) => {
                if self.commands.try_send(incoming.into()).is_err() {
                    self.limit.dropped(&topic);
                }
            }
            Err(error) => tracing::warn!(%topic, "{error}"),
        }
    }
}

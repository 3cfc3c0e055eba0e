//! What a message means, and whether it can be.
//!
//! In: messages. Out: rows and states. At the hub's own broker, what a site has no right to keep there is taken out again: the
//! broker's memory is everybody's.

use bytes::Bytes;
use rumqttc::v5::{
    AsyncClient,
    mqttbytes::{QoS, v5::Publish},
};

use super::{Listener, share::Kind};
use crate::{
    base::log_throttle::Sum,
    flow::{CameraId, SiteId},
    wire::{Health, IncidentMessage, range},
};

/// Home Assistant's documents of devices lie below it.
pub(super) const DISCOVERY: &str = "homeassistant/device";
/// Longest word about a camera.
const LONGEST_WORD: usize = 16;
/// Largest picture.
const LARGEST_PICTURE: usize = 2_000_000;
/// Longest document for Home Assistant.
const LONGEST_DOCUMENT: usize = 64 * 1024;

/// Why a message was left out.
struct Refusal {
    reason: String,
    /// The broker must not keep it.
    forget: bool,
}

impl Refusal {
    fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            forget: false,
        }
    }

    fn forget(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            forget: true,
        }
    }
}

impl Listener {
    /// Takes a message in; true when it may have left a gap.
    pub(super) fn heard(&mut self, client: &AsyncClient, message: &Publish) -> bool {
        let Ok(topic) = std::str::from_utf8(&message.topic) else {
            return false;
        };
        let parts: Vec<_> = topic.split('/').collect();
        // The broker holds each site to its own topics, so that it is this site that says it.
        let (site, below) = match parts[..] {
            ["lares", site, ref below @ ..] | ["homeassistant", "device", site, ref below @ ..] => {
                (site, below)
            }
            _ => return false,
        };
        let Ok(site) = site.parse::<SiteId>() else {
            return false;
        };
        let kind = match below {
            [_, "incident"] => Kind::Alert,
            _ => Kind::Other,
        };
        if !self.with.house.knows_site(&site) {
            return false;
        }
        let taken = if self.shares.admits(&site, kind, self.with.clock.now()) {
            match parts[0] {
                "lares" => self.of_box(&site, below, message),
                _ => self.document(&site, below, message),
            }
        } else {
            Err(Refusal::new("it sends more than one site may"))
        };
        match taken {
            Ok(gap) => gap,
            Err(refusal) => {
                // Of these the flag says whether it is kept; of the others it is not known.
                let kept = message.retain || !matches!(below, [_, "incident" | "snapshot"]);
                if refusal.forget && kept && self.with.own && !message.payload.is_empty() {
                    let _ = client.try_publish(topic, QoS::AtLeastOnce, true, Bytes::new());
                }
                self.refuse(&site, below, &refusal.reason);
                // What was left out is asked for when there is room.
                kind == Kind::Alert
            }
        }
    }

    /// What a box says on its own topics; true when it may have left a gap.
    fn of_box(
        &mut self,
        site: &SiteId,
        below: &[&str],
        message: &Publish,
    ) -> Result<bool, Refusal> {
        let payload = &message.payload;
        match *below {
            ["status"] => {
                let online = payload[..] == *b"online";
                if payload.len() > LONGEST_WORD {
                    return Err(Refusal::forget("it is too long"));
                }
                self.with.house.online(site, online);
                Ok(online && !self.caught_up.contains(site))
            }
            ["health"] => self.health(site, message).map(|()| false),
            [camera, "incident"] => self.incident(site, camera, message),
            [camera, "snapshot"] => {
                let camera = id(camera)?;
                if message.retain {
                    return Err(Refusal::forget("a picture must not be retained"));
                }
                if payload.len() > LARGEST_PICTURE {
                    return Err(Refusal::new("the picture is too large"));
                }
                let jpeg = Bytes::copy_from_slice(payload);
                match self.with.house.picture(site, &camera, jpeg) {
                    true => Ok(false),
                    false => Err(Refusal::forget(TOO_MANY)),
                }
            }
            [camera, what] => {
                // Taken back: the camera is no more.
                if payload.is_empty() {
                    return Ok(false);
                }
                let camera = id(camera)?;
                let word = std::str::from_utf8(payload)
                    .ok()
                    .filter(|word| word.len() <= LONGEST_WORD)
                    .ok_or_else(|| Refusal::forget("it is no word"))?;
                match self.with.house.word(site, &camera, what, word) {
                    true => Ok(false),
                    false => Err(Refusal::forget(TOO_MANY)),
                }
            }
            _ => Err(Refusal::forget("it is on a topic of nobody")),
        }
    }

    fn health(&self, site: &SiteId, message: &Publish) -> Result<(), Refusal> {
        if message.payload.len() > range::LONGEST_HEALTH {
            return Err(Refusal::forget("it is too large"));
        }
        let health: Health = serde_json::from_slice(&message.payload)
            .map_err(|error| Refusal::new(error.to_string()))?;
        if health.site != *site {
            return Err(Refusal::new("it is of another site than its topic"));
        }
        range::health(&health).map_err(Refusal::new)?;
        let now = self.with.clock.wall();
        self.with.house.health(health, !message.retain, now);
        Ok(())
    }

    fn incident(
        &mut self,
        site: &SiteId,
        camera: &str,
        message: &Publish,
    ) -> Result<bool, Refusal> {
        if message.retain {
            return Err(Refusal::forget("an alert must not be retained"));
        }
        if message.payload.len() > range::LONGEST_INCIDENT {
            return Err(Refusal::new("it is too large"));
        }
        let incident = IncidentMessage::from_json(&message.payload)
            .map_err(|error| Refusal::new(error.to_string()))?;
        // The document must not say something else than its topic.
        if incident.site != *site || incident.camera.as_str() != camera {
            return Err(Refusal::new("it is of another camera than its topic"));
        }
        range::incident(&incident).map_err(Refusal::new)?;
        let index = &self.with.index;
        let gap = index.take(&incident).and_then(|news| {
            if news {
                self.with.house.incident(incident);
            }
            index.missing(site).map(|gaps| !gaps.is_empty())
        });
        Ok(gap.unwrap_or_else(|error| {
            self.refuse(
                site,
                &[camera, "incident"],
                &format!("{error}; it is asked for again"),
            );
            // Also where it was the newest, which leaves no gap.
            self.caught_up.remove(site);
            true
        }))
    }

    /// A document for Home Assistant; the hub only counts them.
    fn document(
        &mut self,
        site: &SiteId,
        below: &[&str],
        message: &Publish,
    ) -> Result<bool, Refusal> {
        let name = below.first().copied().unwrap_or_default();
        if message.payload.len() > LONGEST_DOCUMENT {
            return Err(Refusal::forget("a document for Home Assistant is too long"));
        }
        match self.shares.keeps(site, name, !message.payload.is_empty()) {
            true => Ok(false),
            false => Err(Refusal::forget(
                "it has too many documents for Home Assistant",
            )),
        }
    }

    /// Counts what was left out; the log is told once a minute.
    fn refuse(&self, site: &SiteId, below: &[&str], reason: &str) {
        let topic: String = below.join("/").chars().take(80).collect();
        let reason: String = reason.chars().take(160).collect();
        let sum = self
            .refusals
            .count(site.as_str(), &format!("{topic}: {reason}"));
        self.tell_refusals(sum);
    }

    pub(super) fn tell_refusals(&self, sums: impl IntoIterator<Item = Sum>) {
        for Sum { whose, count, last } in sums {
            tracing::warn!(
                site = whose,
                messages = count,
                "messages of a site were left out ({last})"
            );
        }
    }
}

const TOO_MANY: &str = "it has too many cameras";

fn id(camera: &str) -> Result<CameraId, Refusal> {
    camera
        .parse()
        .map_err(|_| Refusal::forget("it is of a camera that cannot be"))
}

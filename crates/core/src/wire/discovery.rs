//! What Home Assistant reads to set up a site by itself: one retained document for the box and one for each camera.
//!
//! In: ids, names, and which limits the data plan has. Out: topics and JSON, in the form of Home Assistant's device discovery
//! (<https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload>, from its version 2024.12 on). Everything that
//! an entity shows is read from topics that are there anyway ([`Topics`]); nothing is published for Home Assistant alone.
//!
//! Ids of sites and cameras hold no `_`. So the box's object id `_box` is no camera's, and unique ids, whose parts are joined by
//! `_`, are never those of something else.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Topics;
use crate::flow::{CameraId, Language, SiteId};

/// Where Home Assistant says `online` when it has started, unless it was told to say so elsewhere.
const BIRTH: &str = "homeassistant/status";
/// The box's object id.
const BOX: &str = "_box";

/// What each entity is called: its key, then its name in English and in French.
const NAMES: [(&str, &str, &str); 18] = [
    ("person", "Person", "Personne"),
    ("motion", "Motion", "Mouvement"),
    ("picture", "Picture", "Image"),
    ("armed", "Armed", "Surveillance"),
    ("state", "State", "État"),
    ("last-incident", "Last incident", "Dernier incident"),
    ("problem", "Problem", "Problème"),
    ("report", "Last report", "Dernier rapport"),
    ("stored", "Storage used", "Stockage utilisé"),
    ("filled", "Storage quota used", "Quota de stockage utilisé"),
    ("free", "Disk free", "Disque libre"),
    ("sent-day", "Sent in 24 hours", "Envoyé en 24 heures"),
    ("sent-month", "Sent in 30 days", "Envoyé en 30 jours"),
    ("plan", "Data plan", "Forfait de données"),
    ("plan-day", "Data plan of the day", "Forfait du jour"),
    ("plan-month", "Data plan of the month", "Forfait du mois"),
    ("waiting", "Waiting to leave", "En attente d'envoi"),
    ("refused", "Refused", "Envois refusés"),
];

/// Which limits a data plan has: what is not limited has no entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Bytes a day.
    pub day: bool,
    /// Bytes a month.
    pub month: bool,
}

/// Writes the documents of one site.
#[derive(Debug, Clone)]
pub struct Discovery {
    topics: Topics,
    site: SiteId,
    prefix: String,
    language: Language,
    version: String,
}

/// One entity: where it is set up, its key, and what is peculiar to it.
type Entity = (&'static str, &'static str, Value);

impl Discovery {
    /// Documents below `prefix`, which is `homeassistant` unless Home Assistant was told otherwise.
    #[must_use]
    pub fn new(site: &SiteId, prefix: &str, language: Language) -> Self {
        Self {
            topics: Topics::new(site),
            site: site.clone(),
            prefix: prefix.to_owned(),
            language,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// Where a Home Assistant that looks below `prefix` says `online` when it has started.
    #[must_use]
    pub fn births(prefix: &str) -> Vec<String> {
        let own = format!("{prefix}/status");
        if own == BIRTH {
            vec![own]
        } else {
            vec![own, BIRTH.to_owned()]
        }
    }

    /// What a user of the broker must have the right to write, for `site`.
    #[must_use]
    pub fn rights(prefix: &str, site: &SiteId) -> String {
        format!("{prefix}/device/{site}/#")
    }

    fn topic(&self, object: &str) -> String {
        format!("{}/device/{}/{object}/config", self.prefix, self.site)
    }

    /// Topic of the box's document.
    #[must_use]
    pub fn box_topic(&self) -> String {
        self.topic(BOX)
    }

    /// Topic of a camera's document.
    #[must_use]
    pub fn camera_topic(&self, camera: &CameraId) -> String {
        self.topic(camera.as_str())
    }

    /// The box: storage, data plan, what waits, whether all is well. Without a report for `silent`, nothing is known any more.
    #[must_use]
    pub fn the_box(&self, limits: Limits, silent: Duration) -> String {
        let id = self.box_id();
        let device = json!({
            "identifiers": [id],
            "name": format!("Lares {}", self.site),
            "manufacturer": "Lares",
            "model": "Lares",
            "sw_version": self.version,
        });
        let health = self.topics.health();
        let entities =
            box_entities(limits, silent)
                .into_iter()
                .map(|(platform, key, mut fields)| {
                    fields["state_topic"] = json!(health);
                    fields["entity_category"] = json!("diagnostic");
                    if fields.get("json_attributes_template").is_some() {
                        fields["json_attributes_topic"] = json!(health);
                    }
                    (platform, key, fields)
                });
        let object = format!("lares_{}", entity_part(self.site.as_str()));
        let availability = json!([{ "topic": self.topics.status() }]);
        self.document(&device, &availability, &id, &object, entities)
    }

    /// A camera that people call `name`.
    #[must_use]
    pub fn camera(&self, camera: &CameraId, name: &str) -> String {
        let id = format!("{}_{camera}", self.box_id());
        let device = json!({
            "identifiers": [id],
            "name": name,
            "manufacturer": "Lares",
            "model": "Camera",
            "sw_version": self.version,
            "via_device": self.box_id(),
        });
        // A disarmed camera says `suspended`: that is neither of the two words that are waited for here.
        let availability = json!([
            { "topic": self.topics.status() },
            {
                "topic": self.topics.camera_status(camera),
                "value_template": "{{ 'offline' if value == 'offline' else 'online' }}",
            },
        ]);
        let object = entity_part(camera.as_str());
        let entities = self.camera_entities(camera);
        self.document(&device, &availability, &id, &object, entities)
    }

    /// The box's device id. Everything of it begins with this.
    fn box_id(&self) -> String {
        format!("lares_{}", self.site)
    }

    fn camera_entities(&self, camera: &CameraId) -> Vec<Entity> {
        let topics = &self.topics;
        // Switching, and what has been, do not hang on whether the camera gives pictures now.
        let box_only = json!([{ "topic": topics.status() }]);
        vec![
            (
                "binary_sensor",
                "person",
                json!({ "state_topic": topics.person(camera), "device_class": "occupancy" }),
            ),
            (
                "binary_sensor",
                "motion",
                json!({ "state_topic": topics.motion(camera), "device_class": "motion" }),
            ),
            (
                "image",
                "picture",
                json!({ "image_topic": topics.snapshot(camera), "content_type": "image/jpeg" }),
            ),
            (
                "switch",
                "armed",
                json!({
                    "state_topic": topics.mode(camera),
                    "command_topic": topics.mode_set(camera),
                    "payload_on": "armed",
                    "payload_off": "disarmed",
                    "qos": 1,
                    // A retained command is ignored.
                    "retain": false,
                    "icon": "mdi:shield-home",
                    "availability": box_only,
                }),
            ),
            (
                "sensor",
                "state",
                json!({
                    "state_topic": topics.camera_status(camera),
                    "device_class": "enum",
                    "options": ["online", "offline", "suspended"],
                    "entity_category": "diagnostic",
                    "icon": "mdi:cctv",
                    "availability": box_only,
                }),
            ),
            (
                "sensor",
                "last-incident",
                json!({
                    "state_topic": topics.incident(camera),
                    "device_class": "timestamp",
                    // Alerts that are sent again tell of older ones.
                    "value_template":
                        "{{ as_datetime([value_json.start / 1000, as_timestamp(states(entity_id), 0)] | max) }}",
                    "json_attributes_topic": topics.incident(camera),
                    // `state` is a name that Home Assistant keeps for itself.
                    "json_attributes_template": "{{ {'incident': value_json.id, 'phase': value_json.state, \
                         'label': value_json.label, 'score': value_json.score, 'zones': value_json.zones, \
                         'persons': value_json.tracks, 'clip': value_json.clip.state} | tojson }}",
                    "entity_category": "diagnostic",
                    "icon": "mdi:clock-alert-outline",
                    "availability": box_only,
                }),
            ),
        ]
    }

    /// Puts a device and its entities together. `id` begins their unique ids, `object` their first entity ids.
    fn document(
        &self,
        device: &Value,
        availability: &Value,
        id: &str,
        object: &str,
        entities: impl IntoIterator<Item = Entity>,
    ) -> String {
        let mut components = Map::new();
        for (platform, key, mut fields) in entities {
            fields["platform"] = json!(platform);
            fields["unique_id"] = json!(format!("{id}_{key}"));
            fields["name"] = json!(self.name(key));
            let entity = format!("{platform}.{object}_{}", entity_part(key));
            fields["default_entity_id"] = json!(entity);
            if fields.get("availability").is_some() {
                fields["availability_mode"] = json!("all");
            }
            components.insert(key.to_owned(), fields);
        }
        json!({
            "device": device,
            "origin": { "name": "Lares", "sw_version": self.version },
            "availability": availability,
            "availability_mode": "all",
            "components": components,
        })
        .to_string()
    }

    fn name(&self, key: &str) -> &'static str {
        let found = NAMES.iter().find(|(name, ..)| *name == key);
        found.map_or("", |(_, en, fr)| match self.language {
            Language::En => *en,
            Language::Fr => *fr,
        })
    }
}

/// Entity ids hold `_` where our ids hold `-`.
fn entity_part(id: &str) -> String {
    id.replace('-', "_")
}

const MEGA: u64 = 1_000_000;
const GIGA: u64 = 1_000_000_000;

/// A number of bytes in the unit that is written behind it.
fn bytes(path: &str, unit: &str, size: u64) -> Value {
    json!({
        "device_class": "data_size",
        "state_class": "measurement",
        "unit_of_measurement": unit,
        "suggested_display_precision": 1,
        "value_template": format!("{{{{ (value_json.{path} / {size}) | round(3) }}}}"),
    })
}

/// A share in percent; where there is nothing to share, nothing is said.
fn percent(part: &str, whole: &str) -> Value {
    json!({
        "state_class": "measurement",
        "unit_of_measurement": "%",
        "suggested_display_precision": 0,
        "value_template": format!(
            "{{{{ (100 * value_json.{part} / value_json.{whole}) | round(1) if value_json.{whole} | default(0) else '' }}}}"
        ),
        "icon": "mdi:gauge",
    })
}

/// A count over all receivers.
fn of_sinks(field: &str, icon: &str) -> Value {
    json!({
        "state_class": "measurement",
        "value_template": format!("{{{{ value_json.sinks | sum(attribute='{field}') }}}}"),
        "icon": icon,
    })
}

fn box_entities(limits: Limits, silent: Duration) -> Vec<Entity> {
    let problem = json!({
        "device_class": "problem",
        "value_template": "{{ 'OFF' if value_json.ok else 'ON' }}",
        "json_attributes_template": "{{ {'problems': value_json.problems \
             + (value_json.cameras | map(attribute='problem') | select | list) \
             + (value_json.sinks | map(attribute='problem') | select | list)} | tojson }}",
        "expire_after": silent.as_secs(),
    });
    let plan = json!({
        "device_class": "enum",
        "options": ["unlimited", "full", "sub", "first", "stills", "text"],
        "value_template": "{{ value_json.budget.rung or 'unlimited' }}",
        "icon": "mdi:chart-donut",
    });
    let report = json!({
        "device_class": "timestamp",
        "value_template": "{{ as_datetime(value_json.at / 1000) }}",
    });
    let mut entities = vec![
        ("binary_sensor", "problem", problem),
        ("sensor", "report", report),
        ("sensor", "stored", bytes("disk.stored", "MB", MEGA)),
        ("sensor", "filled", percent("disk.stored", "disk.quota")),
        ("sensor", "free", bytes("disk.free", "GB", GIGA)),
        ("sensor", "sent-day", bytes("budget.last_day", "MB", MEGA)),
        (
            "sensor",
            "sent-month",
            bytes("budget.last_30_days", "MB", MEGA),
        ),
        ("sensor", "plan", plan),
        ("sensor", "waiting", of_sinks("waiting", "mdi:tray-full")),
        ("sensor", "refused", of_sinks("parked", "mdi:tray-alert")),
    ];
    let spent = |of: &str| percent(&format!("budget.{of}.spent"), &format!("budget.{of}.limit"));
    if limits.day {
        entities.push(("sensor", "plan-day", spent("day")));
    }
    if limits.month {
        entities.push(("sensor", "plan-month", spent("month")));
    }
    entities
}

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use super::*;

const HOUR: Duration = Duration::from_secs(3960);

fn discovery(language: Language) -> Discovery {
    let mut discovery = Discovery::new(&"my-home".parse().unwrap(), "homeassistant", language);
    discovery.version = "0.0.0".to_owned();
    discovery
}

fn pretty(document: &str) -> String {
    let document: Value = serde_json::from_str(document).unwrap();
    serde_json::to_string_pretty(&document).unwrap()
}

#[test]
fn the_box() {
    let everything = Limits {
        day: true,
        month: true,
    };
    let document = discovery(Language::En).the_box(everything, HOUR);
    insta::assert_snapshot!(pretty(&document));
}

#[test]
fn a_camera() {
    let door = "front-door".parse().unwrap();
    let document = discovery(Language::En).camera(&door, "Front door");
    insta::assert_snapshot!(pretty(&document));
}

#[test]
fn names_in_french() {
    let french = discovery(Language::Fr);
    let door = "front-door".parse().unwrap();
    let documents = [
        french.camera(&door, "Entrée"),
        french.the_box(Limits::default(), HOUR),
    ];
    let mut names = Vec::new();
    for document in documents {
        let document: Value = serde_json::from_str(&document).unwrap();
        names.push(document["device"]["name"].as_str().unwrap().to_owned());
        for (key, entity) in document["components"].as_object().unwrap() {
            names.push(format!("  {key}: {}", entity["name"].as_str().unwrap()));
        }
    }
    insta::assert_snapshot!(names.join("\n"));
}

#[test]
fn topics_and_ids_are_those_of_one_thing_only() {
    // Ids that would run into one another if they were joined by what may be in them.
    let sites: [SiteId; 3] = ["a", "a-b", "box"].map(|id| id.parse().unwrap());
    let cameras: [CameraId; 4] =
        ["b", "box", "b-person", "last-incident"].map(|id| id.parse().unwrap());
    let (mut topics, mut ids, mut count) = (BTreeSet::new(), BTreeSet::new(), 0);
    for site in &sites {
        let of = Discovery::new(site, "homeassistant", Language::En);
        let mut documents = vec![(of.box_topic(), of.the_box(Limits::default(), HOUR))];
        documents.extend(
            cameras
                .iter()
                .map(|id| (of.camera_topic(id), of.camera(id, "Camera"))),
        );
        for (topic, document) in documents {
            assert!(topic.starts_with(&format!("homeassistant/device/{site}/")));
            let part = topic.split('/').nth(3).unwrap();
            assert!(
                part.bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'),
                "{topic}"
            );
            topics.insert(topic);
            let document: Value = serde_json::from_str(&document).unwrap();
            ids.insert(document["device"]["identifiers"][0].to_string());
            count += 1;
            for entity in document["components"].as_object().unwrap().values() {
                assert_ne!(entity["name"], "", "{entity}");
                ids.insert(entity["unique_id"].to_string());
                count += 1;
            }
        }
    }
    assert_eq!(topics.len(), sites.len() * (cameras.len() + 1));
    assert_eq!(ids.len(), count);
}

#[test]
fn another_prefix_has_its_own_birth_and_the_usual_one() {
    assert_eq!(Discovery::births("homeassistant"), ["homeassistant/status"]);
    assert_eq!(
        Discovery::births("ha"),
        ["ha/status", "homeassistant/status"]
    );
}

/// Entity ids that a new Home Assistant gives at first.
fn entities(document: &str) -> BTreeSet<String> {
    let document: Value = serde_json::from_str(document).unwrap();
    let components = document["components"].as_object().unwrap().values();
    components
        .map(|entity| entity["default_entity_id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_how_to_names_every_entity_and_no_other() {
    let guide = include_str!("../../../../../docs/home-assistant.md");
    let of = Discovery::new(&"home".parse().unwrap(), "homeassistant", Language::En);
    let limits = Limits {
        day: true,
        month: true,
    };
    let mut there = entities(&of.camera(&"front-door".parse().unwrap(), "Front door"));
    there.extend(entities(&of.the_box(limits, HOUR)));
    for entity in &there {
        // Of several in a row the guide writes out the first.
        let end = entity.replacen("sensor.lares_home", "", 1);
        assert!(
            guide.contains(&format!("`{entity}`")) || guide.contains(&format!("`{end}`")),
            "{entity}"
        );
    }
    let words = guide.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.'));
    let named = words.filter(|word| {
        ["front_door_", "lares_home_"]
            .iter()
            .any(|device| word.contains(&format!(".{device}")))
    });
    for word in named {
        assert!(there.contains(word), "{word}");
    }
}

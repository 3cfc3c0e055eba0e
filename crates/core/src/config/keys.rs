//! The effective configuration as a flat list of keys and values, for noticing that it changed. Secrets are not in it.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::{Config, Secret};

impl Config {
    /// Each key with its value as text, defaults included; a camera's keys start with `cameras.ID`. A secret is there as
    /// dots: that it is set can be seen, and nothing else.
    #[must_use]
    pub fn keys(&self) -> BTreeMap<String, String> {
        let tree = serde_json::to_value(self).expect("plain data always serialises");
        let mut keys = BTreeMap::new();
        flatten(String::new(), &tree, &mut keys);
        keys
    }
}

fn flatten(path: String, value: &Value, keys: &mut BTreeMap<String, String>) {
    let below = |name: &str| match path.as_str() {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    };
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                flatten(below(name), value, keys);
            }
        }
        // Of cameras each is known by its id; other lists are one value.
        Value::Array(cameras) if path == "cameras" => {
            for camera in cameras {
                let id = camera["id"].as_str().unwrap_or_default();
                flatten(below(id), camera, keys);
            }
        }
        value => {
            keys.insert(path, value.to_string());
        }
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

/// The address of a camera, of which only a part may be shown.
pub(super) fn camera<S: Serializer>(url: &url::Url, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&super::address::fingerprinted(url))
}

pub(super) fn shown<S: Serializer>(url: &url::Url, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(url)
}

pub(super) fn shown_or_none<S: Serializer>(
    url: &Option<url::Url>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match url {
        Some(url) => serializer.serialize_some(url.as_str()),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Environment;

    #[test]
    fn keys_name_what_changed_and_hide_secrets() {
        let config = |password: &str, fps: &str| {
            let text = format!(
                "version = 2\n[[cameras]]\nid = \"door\"\nurl = \"rtsp://eve:{password}@h/\"\n\
                 [cameras.detect]\ndetect_fps = {fps}\n[mqtt]\nurl = \"mqtt://h\"\npassword_env = \"P\"\n"
            );
            let environment = Environment::from([("P".to_owned(), "mqtt-s3cret".to_owned())]);
            Config::parse(&text, std::path::Path::new(""), &environment)
                .unwrap()
                .keys()
        };
        let (one, same, other) = (
            config("hunter2", "5"),
            config("changed", "5"),
            config("hunter2", "4"),
        );
        assert_eq!(one, same, "another password is no other configuration");
        let changed: Vec<_> = one
            .iter()
            .filter(|(k, v)| other.get(*k) != Some(v))
            .map(|(k, _)| k.as_str())
            .collect();
        assert_eq!(changed, ["cameras.door.detect.detect_fps"]);
        assert_eq!(one["cameras.door.source.password"], "\"***\"");
        assert_eq!(one["mqtt.url"], "\"mqtt://h\"");
        let all = format!("{one:?}");
        assert!(
            !all.contains("hunter2") && !all.contains("mqtt-s3cret"),
            "{all}"
        );
    }
}

//! The JSON Schema (draft 2020-12) of a configuration of version 2, for editors.

use serde_json::{Map, Value, json};

use super::{Key, Kind, Occurs, Preset, SectionKeys, sections};

const DURATION: &str = r"^[0-9]+(\.[0-9]+)? ?(ms|s|min|h|d)$";
const BYTES: &str = r"^[0-9]+(\.[0-9]+)? ?(B|kB|MB|GB|TB|KiB|MiB|GiB)$";
const RATE: &str = r"^[0-9]+(\.[0-9]+)? ?(bit|kbit|Mbit|Gbit)/s$";
const ID: &str = "^[a-z0-9-]{1,32}$";

/// The schema. What one key asks of another, and ranges of values with units, are for `lares check`.
///
/// # Panics
/// Never: the registry always has a top level.
#[must_use]
pub fn schema() -> Value {
    let top = super::section("").expect("the registry has a top level");
    let mut schema = object(top);
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("Lares configuration");
    schema["properties"]["version"]["const"] = json!(2);
    schema
}

fn object(section: &'static SectionKeys) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for key in section.keys {
        for name in key.names() {
            properties.insert(name, property(key));
        }
        if key.preset == Preset::Required && !matches!(key.kind, Kind::Secret) {
            required.push(key.name);
        }
    }
    for child in children(section) {
        let table = object(child);
        let value = match child.occurs {
            Occurs::Always | Occurs::Optional => table,
            Occurs::Many | Occurs::AnyOrNone => json!({ "type": "array", "items": table }),
        };
        properties.insert(child.name().to_owned(), value);
    }
    json!({
        "type": "object",
        "description": section.about,
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn children(parent: &'static SectionKeys) -> impl Iterator<Item = &'static SectionKeys> {
    sections().filter(move |section| {
        let above = section.path.rsplit_once('.').map_or("", |(above, _)| above);
        !section.path.is_empty() && above == parent.path
    })
}

fn property(key: &Key) -> Value {
    let number = json!({ "type": "number", "minimum": 0, "maximum": 1 });
    let point = json!({ "type": "array", "items": number, "minItems": 2, "maxItems": 2 });
    let polygon = json!({ "type": "array", "items": point, "minItems": 3 });
    let mut property = match key.kind {
        Kind::Text | Kind::Path | Kind::Address | Kind::Secret => json!({ "type": "string" }),
        Kind::Id => json!({ "type": "string", "pattern": ID }),
        Kind::Url(schemes) => {
            json!({ "type": "string", "pattern": format!("^({})://", schemes.join("|")) })
        }
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Choice(words) => json!({ "enum": words }),
        Kind::Words([]) => json!({ "type": "array", "items": { "type": "string" } }),
        Kind::Words(words) => json!({ "type": "array", "items": { "enum": words } }),
        Kind::Duration(..) => json!({ "type": "string", "pattern": DURATION }),
        Kind::Number(least, most) => json!({ "type": "number", "minimum": least, "maximum": most }),
        Kind::Whole(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Kind::Bytes(..) => json!({ "type": "string", "pattern": BYTES }),
        Kind::Rate(_) => json!({ "type": "string", "pattern": RATE }),
        Kind::Ends => json!({ "type": "array", "items": point, "minItems": 2, "maxItems": 2 }),
        Kind::Polygon => polygon,
        Kind::Polygons => json!({ "type": "array", "items": polygon }),
    };
    property["description"] = json!(key.meaning);
    if let Some(default) = key
        .value()
        .and_then(|toml| toml.parse::<toml::Value>().ok())
    {
        property["default"] = json!(default);
    }
    property
}

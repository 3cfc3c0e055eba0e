//! Zones and masks of one camera, read from the text of a configuration and put back into it: comments, order and everything
//! else stay as they were.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, Value, value};

use crate::flow::CameraId;

/// Most areas of a kind, and most points of one.
const MOST: usize = 50;

/// A point: shares of the picture's width and height, 0..=1.
pub(super) type Point = [f64; 2];

/// A named place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ZoneArea {
    /// Name in alerts.
    pub name: String,
    /// Its corners.
    pub area: Vec<Point>,
    /// Only visits that enter a required zone are reported.
    #[serde(default)]
    pub required: bool,
    /// Seconds from which a stay is loitering.
    #[serde(default)]
    pub loiter: Option<f64>,
}

/// Zones and masks of a camera.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Areas {
    /// Named places.
    pub zones: Vec<ZoneArea>,
    /// Where motion and persons count for nothing.
    pub motion_mask: Vec<Vec<Point>>,
    /// What is painted black.
    pub privacy_mask: Vec<Vec<Point>>,
}

/// Why areas could not be read or put in.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum AreasError {
    /// The text is no configuration.
    #[error("the configuration is not TOML: {0}")]
    Toml(String),
    /// The camera is not in it.
    #[error("the configuration has no camera {0}")]
    NoCamera(CameraId),
    /// More than anybody draws.
    #[error("these are too many areas or points: {MOST} of each kind at most")]
    TooMany,
}

/// What tells one text from another.
#[must_use]
pub fn version(text: &str) -> String {
    hex::encode(&Sha256::digest(text)[..12])
}

impl Areas {
    /// Those of `camera` in `text`, which is a sound configuration.
    ///
    /// # Errors
    /// When the camera is not in it.
    pub fn read(text: &str, camera: &CameraId) -> Result<Self, AreasError> {
        let document = parse(text)?;
        let table = find(document.get("cameras"), camera)
            .ok_or_else(|| AreasError::NoCamera(camera.clone()))?;
        let zones = table.get("zones").and_then(Item::as_array_of_tables);
        let zones = zones.into_iter().flatten().map(|zone| ZoneArea {
            name: text_of(zone.get("name")),
            area: points(zone.get("area").and_then(Item::as_value)),
            required: zone
                .get("required")
                .and_then(Item::as_bool)
                .unwrap_or(false),
            loiter: zone
                .get("loiter")
                .and_then(Item::as_str)
                .and_then(|text| super::parse_duration(text).ok())
                .map(|loiter| loiter.as_secs_f64()),
        });
        let detect = table.get("detect").and_then(Item::as_table_like);
        Ok(Self {
            zones: zones.collect(),
            motion_mask: polygons(detect.and_then(|detect| detect.get("motion_mask"))),
            privacy_mask: polygons(table.get("privacy_mask")),
        })
    }

    /// `text` with these areas for `camera`.
    ///
    /// # Errors
    /// When the camera is not in it, or the areas are too many.
    pub fn put_into(&self, text: &str, camera: &CameraId) -> Result<String, AreasError> {
        let masks = [&self.motion_mask, &self.privacy_mask];
        let polygons = masks.into_iter().flatten();
        let too_long = |points: &Vec<Point>| points.len() > MOST;
        if self.zones.len() > MOST
            || masks.iter().any(|mask| mask.len() > MOST)
            || self.zones.iter().any(|zone| too_long(&zone.area))
            || polygons.clone().any(too_long)
        {
            return Err(AreasError::TooMany);
        }
        let mut document = parse(text)?;
        let table = find_mut(document.get_mut("cameras"), camera)
            .ok_or_else(|| AreasError::NoCamera(camera.clone()))?;
        put_mask(table, "privacy_mask", &self.privacy_mask);
        if !self.motion_mask.is_empty() || table.contains_key("detect") {
            let detect = table
                .entry("detect")
                .or_insert_with(|| Item::Table(Table::new()));
            match detect {
                Item::Table(detect) => put_mask(detect, "motion_mask", &self.motion_mask),
                Item::Value(Value::InlineTable(detect)) => {
                    put_inline(detect, "motion_mask", &self.motion_mask);
                }
                _ => {}
            }
        }
        if self.zones.is_empty() {
            table.remove("zones");
        } else {
            let mut zones = ArrayOfTables::new();
            for zone in &self.zones {
                zones.push(zone_table(zone));
            }
            table.insert("zones", Item::ArrayOfTables(zones));
        }
        Ok(document.to_string())
    }
}

fn parse(text: &str) -> Result<DocumentMut, AreasError> {
    text.parse()
        .map_err(|error: toml_edit::TomlError| AreasError::Toml(error.message().to_owned()))
}

/// Whether the camera at `index` is `camera`: by its id, or by its place where it has none.
fn is(table: &Table, index: usize, camera: &CameraId) -> bool {
    match table.get("id").and_then(Item::as_str) {
        Some(id) => id == camera.as_str(),
        None => camera.as_str() == format!("camera{}", index + 1),
    }
}

fn find<'a>(cameras: Option<&'a Item>, camera: &CameraId) -> Option<&'a Table> {
    let mut cameras = cameras?.as_array_of_tables()?.iter().enumerate();
    let (_, table) = cameras.find(|(index, table)| is(table, *index, camera))?;
    Some(table)
}

fn find_mut<'a>(cameras: Option<&'a mut Item>, camera: &CameraId) -> Option<&'a mut Table> {
    let mut cameras = cameras?.as_array_of_tables_mut()?.iter_mut().enumerate();
    let (_, table) = cameras.find(|(index, table)| is(table, *index, camera))?;
    Some(table)
}

fn text_of(item: Option<&Item>) -> String {
    item.and_then(Item::as_str).unwrap_or_default().to_owned()
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Float(number) => Some(*number.value()),
        Value::Integer(number) => Some(*number.value() as f64),
        _ => None,
    }
}

fn points(value: Option<&Value>) -> Vec<Point> {
    let points = value.and_then(Value::as_array).into_iter().flatten();
    points
        .filter_map(|point| {
            let point = point.as_array()?;
            Some([number(point.get(0)?)?, number(point.get(1)?)?])
        })
        .collect()
}

fn polygons(item: Option<&Item>) -> Vec<Vec<Point>> {
    let all = item
        .and_then(Item::as_value)
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    all.map(|polygon| points(Some(polygon))).collect()
}

/// To a ten-thousandth: less than a pixel.
fn rounded(number: f64) -> f64 {
    (number * 10_000.0).round() / 10_000.0
}

fn polygon(points: &[Point]) -> Array {
    let pair = |point: &Point| Array::from_iter(point.map(rounded));
    points.iter().map(pair).collect()
}

fn mask(polygons: &[Vec<Point>]) -> Array {
    polygons.iter().map(|points| polygon(points)).collect()
}

fn put_mask(table: &mut Table, key: &str, polygons: &[Vec<Point>]) {
    if polygons.is_empty() {
        table.remove(key);
    } else {
        table.insert(key, value(mask(polygons)));
    }
}

fn put_inline(table: &mut InlineTable, key: &str, polygons: &[Vec<Point>]) {
    if polygons.is_empty() {
        table.remove(key);
    } else {
        table.insert(key, mask(polygons).into());
    }
}

fn zone_table(zone: &ZoneArea) -> Table {
    let mut table = Table::new();
    table.insert("name", value(&zone.name));
    table.insert("area", value(polygon(&zone.area)));
    if zone.required {
        table.insert("required", value(true));
    }
    if let Some(loiter) = zone.loiter {
        let text = super::units::duration_text(Duration::from_secs_f64(loiter.max(0.0)));
        table.insert("loiter", value(text));
    }
    table
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Config, Environment};

    const TEXT: &str = "\
version = 1
# The door.
[[cameras]]
url = \"rtsp://10.0.0.2/a\" # small stream
privacy_mask = [[[0, 0], [1, 0], [1, 0.5]]]
[cameras.detect]
score = 0.5 # found by trying
[[cameras.zones]]
name = \"gate\"
area = [[0.1, 0.2], [0.5, 0.2], [0.5, 0.9]]
loiter = \"1 min\"

[[cameras]]
id = \"yard\"
url = \"rtsp://10.0.0.3/a\"
[mqtt]
url = \"mqtt://10.0.0.1:1883\" # at home
";

    fn camera(id: &str) -> CameraId {
        id.parse().unwrap()
    }

    fn parsed(text: &str) -> Config {
        Config::parse(text, Path::new(""), &Environment::new()).unwrap()
    }

    fn drawn() -> Areas {
        let triangle = vec![[0.123_456, 0.0], [1.0, 0.25], [0.5, 1.0]];
        Areas {
            zones: vec![ZoneArea {
                name: "lawn \"north\"".to_owned(),
                area: triangle.clone(),
                required: true,
                loiter: Some(2.5),
            }],
            motion_mask: vec![triangle.clone()],
            privacy_mask: vec![triangle],
        }
    }

    #[test]
    fn what_was_drawn_is_read_back_and_the_rest_stays() {
        let before = Areas::read(TEXT, &camera("camera1")).unwrap();
        assert_eq!(
            (before.zones[0].loiter, before.privacy_mask.len()),
            (Some(60.0), 1)
        );
        assert_eq!(
            before
                .put_into(TEXT, &camera("camera1"))
                .map(|text| parsed(&text)),
            Ok(parsed(TEXT))
        );
        for id in ["camera1", "yard"] {
            let id = camera(id);
            let text = drawn().put_into(TEXT, &id).unwrap();
            for kept in [
                "# The door.",
                "# small stream",
                "# found by trying",
                "# at home",
            ] {
                assert!(text.contains(kept), "{text}");
            }
            let read = Areas::read(&text, &id).unwrap();
            assert_eq!(read.zones[0].area[0], [0.1235, 0.0]);
            let config = parsed(&text);
            let of = |id: &CameraId| config.cameras.iter().find(|c| c.id == *id).unwrap();
            assert_eq!(of(&id).detect.zones[0].name, "lawn \"north\"");
            assert!(of(&id).detect.zones[0].required);
            assert_eq!(of(&id).privacy_mask.len(), 1);
            assert_eq!(of(&id).detect.motion_mask.len(), 1);
            let gone = Areas::default().put_into(&text, &id).unwrap();
            assert_eq!(Areas::read(&gone, &id).unwrap(), Areas::default());
            assert!(parsed(&gone).cameras.len() == 2);
        }
    }

    #[test]
    fn what_cannot_be_put_in() {
        let nobody = camera("attic");
        assert_eq!(
            drawn().put_into(TEXT, &nobody),
            Err(AreasError::NoCamera(nobody))
        );
        let mut many = drawn();
        many.motion_mask = vec![many.motion_mask[0].clone(); MOST + 1];
        assert_eq!(
            many.put_into(TEXT, &camera("yard")),
            Err(AreasError::TooMany)
        );
        assert_ne!(version("a"), version("b"));
    }
}

//! Points, lines and polygons of a configuration: shares of the frame, 0 to 1.

use toml::de::DeValue;

use super::reader::Section;
use crate::flow::{NormPoint, Polygon};

const POLYGON_EXAMPLE: &str =
    "[[0.1, 0.2], [0.5, 0.2], [0.5, 0.9]], three points or more, each x and y from 0 to 1";

impl Section<'_> {
    /// A list of polygons: `[[[x, y], [x, y], [x, y]], ...]`.
    pub(super) fn polygons(&self, key: &str) -> Vec<Polygon> {
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        let polygons = match value.get_ref() {
            DeValue::Array(items) => items.iter().map(|item| polygon(item.get_ref())).collect(),
            _ => None,
        };
        polygons.unwrap_or_else(|| {
            self.problem(
                key,
                format!("should be a list of polygons: [{POLYGON_EXAMPLE}]"),
            );
            Vec::new()
        })
    }

    /// One polygon.
    pub(super) fn polygon(&self, key: &str) -> Option<Polygon> {
        let polygon = polygon(self.get(key)?.get_ref());
        if polygon.is_none() {
            self.problem(key, format!("should be a polygon: {POLYGON_EXAMPLE}"));
        }
        polygon
    }

    /// Two points: `[[x, y], [x, y]]`.
    pub(super) fn ends(&self, key: &str) -> Option<[NormPoint; 2]> {
        let ends = points(self.get(key)?.get_ref()).and_then(|points| points.try_into().ok());
        if ends.is_none() {
            self.problem(key, "should be two points: [[0.1, 0.5], [0.4, 0.9]]");
        }
        ends
    }
}

fn coordinate(value: &DeValue<'_>) -> Option<f32> {
    let text = match value {
        DeValue::Integer(n) => n.as_str(),
        DeValue::Float(n) => n.as_str(),
        _ => return None,
    };
    text.parse::<f32>().ok().filter(|v| (0.0..=1.0).contains(v))
}

fn polygon(value: &DeValue<'_>) -> Option<Polygon> {
    points(value).filter(|p| p.len() >= 3).map(Polygon)
}

fn points(value: &DeValue<'_>) -> Option<Vec<NormPoint>> {
    let DeValue::Array(points) = value else {
        return None;
    };
    points
        .iter()
        .map(|point| match point.get_ref() {
            DeValue::Array(xy) if xy.len() == 2 => Some(NormPoint {
                x: coordinate(xy[0].get_ref())?,
                y: coordinate(xy[1].get_ref())?,
            }),
            _ => None,
        })
        .collect()
}

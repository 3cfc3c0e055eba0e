//! The `[[cameras.zones]]` and `[[cameras.lines]]` of a configuration.

use std::collections::BTreeSet;

use super::reader::Section;
use crate::config::{LineConfig, LineDirection, ZoneConfig};

pub(super) fn zones(camera: &Section<'_>) -> Vec<ZoneConfig> {
    let mut names = BTreeSet::new();
    let mut out = Vec::new();
    for section in camera.sections("zones") {
        let name = name(&section, &mut names, "zone");
        let area = section.polygon("area");
        if !section.has("area") {
            section.problem("area", "is missing: give the zone a polygon");
        }
        let required = section.flag("required");
        let loiter = section.maybe_duration("loiter");
        if let (Some(name), Some(area)) = (name, area) {
            out.push(ZoneConfig {
                name,
                area,
                required,
                loiter,
            });
        }
        section.done();
    }
    out
}

pub(super) fn lines(camera: &Section<'_>) -> Vec<LineConfig> {
    let mut names = BTreeSet::new();
    let mut out = Vec::new();
    for section in camera.sections("lines") {
        let name = name(&section, &mut names, "line");
        let ends = section.ends("ends");
        if !section.has("ends") {
            section.problem("ends", "is missing: give the line two points");
        }
        if ends.is_some_and(|[a, b]| a == b) {
            section.problem("ends", "are the same point: give the line some length");
        }
        let direction = section.choice(
            "direction",
            &[
                ("both", LineDirection::Both),
                ("to-right", LineDirection::ToRight),
                ("to-left", LineDirection::ToLeft),
            ],
        );
        let required = section.flag("required");
        if let (Some(name), Some(ends)) = (name, ends) {
            out.push(LineConfig {
                name,
                ends,
                direction,
                required,
            });
        }
        section.done();
    }
    out
}

/// The name of a zone or a line, each once.
fn name(section: &Section<'_>, names: &mut BTreeSet<String>, what: &str) -> Option<String> {
    let name = section.text("name");
    match &name {
        None => section.problem("name", format!("is missing: give the {what} a name")),
        Some(name) if !names.insert(name.clone()) => {
            section.problem(
                "name",
                format!("is used twice: give each {what} its own name"),
            );
        }
        Some(_) => {}
    }
    name
}

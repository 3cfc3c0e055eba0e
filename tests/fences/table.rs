//! The tables of the map: rows of Markdown in the documentation of `src/lib.rs`.

use std::collections::{BTreeMap, BTreeSet};

/// Rows of the table whose header is `header`: the names in backticks of each cell.
fn rows(text: &str, header: &str) -> Vec<Vec<Vec<String>>> {
    let names = |cell: &str| -> Vec<String> {
        cell.split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    };
    let docs = text.lines().filter_map(|line| line.strip_prefix("//!"));
    let docs = docs.map(str::trim_start);
    let table = docs.skip_while(|line| *line != header).skip(2);
    table
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(names).collect())
        .collect()
}

/// What each room may import; a room named `outbox::sinks` is a part of another with a row of its own.
pub(crate) struct Rooms(BTreeMap<Vec<String>, BTreeSet<Vec<String>>>);

fn path(name: &str) -> Vec<String> {
    name.split("::").map(str::to_owned).collect()
}

impl Rooms {
    /// The rooms in the text of `src/lib.rs`.
    pub(crate) fn read(text: &str) -> Self {
        let rows = rows(text, "| room | what it is | may import |");
        let row = |cells: &Vec<Vec<String>>| {
            let may = cells[2].iter().map(|name| path(name)).collect();
            (path(&cells[0][0]), may)
        };
        Self(rows.iter().map(row).collect())
    }

    /// Names of all rows.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Vec<String>> {
        self.0.keys()
    }

    /// Whether a file of `module` may name `target`; both from the crate's root.
    pub(crate) fn allow(&self, module: &[String], target: &[String]) -> bool {
        let of_module = self.0.iter().filter(|(room, _)| module.starts_with(room));
        let Some((room, may)) = of_module.max_by_key(|(room, _)| room.len()) else {
            // The root declares rooms and uses none.
            return module.is_empty();
        };
        target.starts_with(room)
            || may.iter().any(|allowed| target.starts_with(allowed))
            || may.contains(&path("everything"))
    }
}

/// Which rooms alone may name a dependency.
pub(crate) fn dependencies(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    rows(text, "| dependency | named only by |")
        .into_iter()
        .flat_map(|cells| {
            let rooms: BTreeSet<_> = cells[1].iter().cloned().collect();
            let crates = cells.into_iter().next().unwrap_or_default();
            crates.into_iter().map(move |name| (name, rooms.clone()))
        })
        .collect()
}

/// A crate on the map.
pub(crate) struct Row {
    /// Its name, as Cargo has it.
    pub(crate) name: String,
    /// Its rooms; none: all that no other has.
    pub(crate) rooms: BTreeSet<String>,
    /// The crates of ours that it is made of.
    pub(crate) needs: BTreeSet<String>,
}

/// The crates of the map.
pub(crate) fn crates(text: &str) -> Vec<Row> {
    rows(text, "| crate | its rooms | depends on |")
        .into_iter()
        .map(|cells| Row {
            name: cells[0][0].clone(),
            rooms: cells[1].iter().cloned().collect(),
            needs: cells[2].iter().cloned().collect(),
        })
        .collect()
}

/// Dependencies in the text of a Cargo.toml, but those of tests, as Cargo has their names.
pub(crate) fn manifest(text: &str) -> BTreeSet<String> {
    let section = text.lines().skip_while(|line| *line != "[dependencies]");
    section
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

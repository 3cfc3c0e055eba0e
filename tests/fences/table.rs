//! The tables of the map: rows of Markdown in the documentation of `src/lib.rs`.

use std::collections::{BTreeMap, BTreeSet};

/// Rows of the table whose header is `header`: the names in backticks of the first and the last cell.
fn rows(text: &str, header: &str) -> Vec<(Vec<String>, Vec<String>)> {
    let names = |cell: &str| -> Vec<String> {
        cell.split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    };
    let docs = text.lines().filter_map(|line| line.strip_prefix("//! "));
    let table = docs.skip_while(|line| *line != header).skip(2);
    table
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells: Vec<_> = line.trim_matches('|').split('|').collect();
            (names(cells[0]), names(cells[cells.len() - 1]))
        })
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
        let row = |(room, may): (Vec<String>, Vec<String>)| {
            (path(&room[0]), may.iter().map(|name| path(name)).collect())
        };
        Self(rows.into_iter().map(row).collect())
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
        .flat_map(|(crates, rooms)| {
            let rooms: BTreeSet<_> = rooms.into_iter().collect();
            crates.into_iter().map(move |name| (name, rooms.clone()))
        })
        .collect()
}

//! The map in `src/lib.rs` binds: an import that its tables do not allow fails here, and so does a new
//! circle of files that import each other.

mod house;
mod sinks;
mod source;
mod table;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use house::{Crate, House};

/// Circles that are left, each with its files. The list only shrinks: cut one, and take its line out.
const CIRCLES: &[&[&str]] = &[];

fn map() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs");
    fs::read_to_string(file).expect("src/lib.rs can be read")
}

/// Where the crate `name` lies.
fn folder(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    match name.strip_prefix("lares-") {
        Some(part) => root.join("crates").join(part),
        None => root.to_owned(),
    }
}

/// A crate with one room that has its name is that room.
fn room(row: &table::Row) -> Vec<String> {
    let own = row.name.strip_prefix("lares-").unwrap_or_default();
    let rooms: Vec<_> = row.rooms.iter().cloned().collect();
    if rooms == [own] { rooms } else { Vec::new() }
}

fn this_house() -> House {
    let crates: Vec<_> = table::crates(&map())
        .iter()
        .map(|row| Crate {
            name: row.name.replace('-', "_"),
            src: folder(&row.name).join("src"),
            room: room(row),
        })
        .collect();
    assert!(crates.len() > 4, "the map shows {} crates", crates.len());
    let house = house::read(&crates);
    assert!(
        house.files.len() > 300,
        "only {} files were found",
        house.files.len()
    );
    house
}

#[test]
fn every_import_is_one_that_the_map_allows() {
    let house = this_house();
    let rooms = table::Rooms::read(&map());
    let all = house
        .named
        .iter()
        .flat_map(|(module, named)| named.iter().map(move |named| (module, named)));
    let wrong: Vec<_> = all
        .filter(|(module, named)| named.ours && !rooms.allow(module, &house.meant(&named.path)))
        .map(|(module, named)| {
            format!(
                "{} names {}",
                house.files[module].display(),
                named.path.join("::")
            )
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "the map in src/lib.rs does not allow:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn every_room_is_on_the_map_and_every_row_is_a_room() {
    let house = this_house();
    let rooms = table::Rooms::read(&map());
    let drawn: BTreeSet<_> = rooms.names().collect();
    let missing = |module: &&Vec<String>| module.len() == 1 && !drawn.contains(module);
    let undrawn: Vec<_> = house.files.keys().filter(missing).collect();
    assert!(
        undrawn.is_empty(),
        "add these rooms to the map in src/lib.rs: {undrawn:?}"
    );
    let gone: Vec<_> = drawn
        .iter()
        .filter(|room| !house.files.contains_key(**room))
        .collect();
    assert!(
        gone.is_empty(),
        "the map in src/lib.rs shows rooms that are not there: {gone:?}"
    );
}

#[test]
fn a_fenced_dependency_is_named_only_where_the_map_says() {
    let house = this_house();
    let fenced = table::dependencies(&map());
    assert!(
        fenced.len() >= 8,
        "only {} dependencies are fenced",
        fenced.len()
    );
    let mut wrong = BTreeSet::new();
    for (module, named) in &house.named {
        let foreign = named.iter().filter(|named| !named.ours);
        for first in foreign.filter_map(|named| named.path.first()) {
            if let (Some(rooms), Some(room)) = (fenced.get(first), module.first())
                && !rooms.contains(room)
            {
                wrong.insert(format!("{} names {first}", house.files[module].display()));
            }
        }
    }
    let wrong: Vec<_> = wrong.into_iter().collect();
    assert!(
        wrong.is_empty(),
        "the map in src/lib.rs does not allow:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn every_crate_depends_on_what_the_map_says() {
    let rows = table::crates(&map());
    let fenced = table::dependencies(&map());
    let elsewhere: BTreeSet<_> = rows.iter().flat_map(|row| row.rooms.clone()).collect();
    let folders = fs::read_dir(folder("lares").join("crates")).unwrap();
    assert_eq!(folders.count() + 1, rows.len(), "crates on the map");
    for row in &rows {
        let file = folder(&row.name).join("Cargo.toml");
        let text = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let needs = table::manifest(&text);
        assert!(needs.len() > 10, "{} names {}", row.name, needs.len());
        let ours = needs.iter().filter(|name| name.starts_with("lares-"));
        let ours: BTreeSet<_> = ours.cloned().collect();
        assert_eq!(ours, row.needs, "crates of ours that {} needs", row.name);
        for name in needs.iter().map(|name| name.replace('-', "_")) {
            let here = |room: &String| match row.rooms.is_empty() {
                true => !elsewhere.contains(room),
                false => row.rooms.contains(room),
            };
            let fits = fenced.get(&name).is_none_or(|rooms| rooms.iter().any(here));
            assert!(fits, "no room of {} may name {name}", row.name);
        }
    }
}

#[test]
fn files_import_each_other_in_no_circle_but_those_that_are_listed() {
    let found = this_house().circles();
    let listed: BTreeSet<Vec<String>> = CIRCLES
        .iter()
        .map(|files| files.iter().map(|file| (*file).to_owned()).collect())
        .collect();
    let show = |circles: Vec<&Vec<String>>| -> String {
        circles
            .iter()
            .map(|files| format!("    &{files:?},\n"))
            .collect()
    };
    let new = show(found.difference(&listed).collect());
    assert!(
        new.is_empty(),
        "these files import each other; move what both need below them:\n{new}"
    );
    let cut = show(listed.difference(&found).collect());
    assert!(
        cut.is_empty(),
        "no circles any more; take them out of CIRCLES:\n{cut}"
    );
}

#[test]
fn the_reader_sees_what_is_named_and_nothing_else() {
    let module = ["room".to_owned(), "part".to_owned()];
    let text = r##"
        //! crate::comment::Of
        use std::fmt;
        use lares_net::deep::Thing as Far;
        use super::{Up, other::{self as renamed, Thing}};
        use crate::{a::B, c::d::*};
        pub(in crate::hidden) mod child;
        pub use child::Given;
        #[cfg(test)]
        mod tests { use crate::only::Tests; }
        #[cfg(test)]
        #[path = "elsewhere.rs"]
        mod more;
        struct S<'a> { #[cfg(test)] x: crate::test::Field, y: crate::real::Field<'a> }
        fn f() -> char { let _ = (r#"crate::raw::Text"#, "\"crate::text::X", 'c', '\'', crate::call::me()); self::here() }
        mod inline { use super::super::Above; fn g() { ort::run(); lares_core::base::go() } }
    "##;
    let source = source::read(&module, 0, text);
    let ours: BTreeSet<_> = source
        .named
        .iter()
        .filter(|named| named.ours)
        .map(|named| named.path.join("::"))
        .collect();
    let expected = [
        "a::B",
        "c::d",
        "call::me",
        "real::Field",
        "room::Above",
        "room::Up",
        "room::other",
        "room::other::Thing",
        "room::part::child::Given",
        "room::part::here",
    ];
    assert_eq!(ours, expected.map(str::to_owned).into());
    let foreign: BTreeSet<_> = source
        .named
        .iter()
        .filter(|named| !named.ours)
        .map(|named| named.path.join("::"))
        .collect();
    let expected = [
        "lares_core::base::go",
        "lares_net::deep::Thing",
        "ort",
        "std::fmt",
    ];
    assert_eq!(foreign, expected.map(str::to_owned).into());
    assert_eq!(source.children.len(), 1);
    assert_eq!(source.of_tests.len(), 2);
}

#[test]
fn a_crate_that_is_a_room_sees_what_its_root_imports() {
    let dir = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| {
        let file = dir.path().join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    };
    write("core/lib.rs", "pub mod a;");
    write("core/a.rs", "");
    write("hub/lib.rs", "mod part; use lares_core::a as renamed;");
    write(
        "hub/part.rs",
        "use crate::renamed::Thing; use crate::own; use lares_core::a::X;",
    );
    let one = |name: &str, room: &[&str]| Crate {
        name: format!("lares_{name}"),
        src: dir.path().join(name),
        room: room.iter().map(|name| (*name).to_owned()).collect(),
    };
    let house = house::read(&[one("core", &[]), one("hub", &["hub"])]);
    let part = ["hub".to_owned(), "part".to_owned()];
    let meant: Vec<_> = house.named[&part[..]]
        .iter()
        .map(|named| house.meant(&named.path).join("::"))
        .collect();
    assert_eq!(meant, ["a::X", "hub::own", "a::Thing"]);
    let to: Vec<_> = house.arrows()[&part.to_vec()].iter().cloned().collect();
    assert_eq!(to, [["a".to_owned()]]);
}

#[test]
fn the_table_is_obeyed_by_the_longest_row() {
    let text = "//! | room | what it is | may import |\n//! |---|---|---|\n//! | [`a`] | x | nothing |\n\
                //! | [`b`] | x | `a`, `d::e` |\n//! | [`b::c`] | x | `b::f` |\n//! | [`z`] | x | `everything` |\n";
    let rooms = table::Rooms::read(text);
    let allow = |from: &str, to: &str| {
        let path = |text: &str| -> Vec<String> { text.split("::").map(str::to_owned).collect() };
        rooms.allow(&path(from), &path(to))
    };
    assert!(
        allow("a::x", "a::y")
            && allow("b", "a::y")
            && allow("b::x", "d::e::f")
            && allow("z", "b::c")
    );
    assert!(!allow("a", "b") && !allow("b", "d::g") && !allow("unknown", "a"));
    assert!(allow("b::c::d", "b::f") && allow("b::c::d", "b::c::e") && allow("b", "b::c"));
    assert!(!allow("b::c", "b::g") && !allow("b::c::d", "a"));
}

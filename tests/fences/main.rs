//! The map in `src/lib.rs` binds: an import that its tables do not allow fails here, and so does a new
//! circle of files that import each other.

mod house;
mod source;
mod table;

use std::{collections::BTreeSet, fs, path::Path};

use house::House;

/// Circles that are left, each with its files. The list only shrinks: cut one, and take its line out.
const CIRCLES: &[&[&str]] = &[
    &[
        "hub::accounts::database",
        "hub::accounts::memory",
        "hub::accounts::second",
    ],
    &["hub::broker", "hub::doors"],
    &["hub::pages::clips", "hub::pages::incidents"],
    &[
        "infer::card",
        "infer::heads",
        "infer::heads::nanodet",
        "infer::heads::yolov8",
        "infer::heads::yolox",
        "infer::model",
        "infer::motion",
        "infer::person",
        "infer::prepare",
        "infer::shelf",
        "infer::siblings",
    ],
    &["ingest::decode", "ingest::decoders", "ingest::engine"],
    &["ingest::gate", "ingest::order", "ingest::parse"],
    &["ingest::rtsp::end", "ingest::rtsp::tls"],
    &["ingest::rtsp::session", "ingest::rtsp::source"],
    &[
        "outbox::clips",
        "outbox::incidents",
        "outbox::objects",
        "outbox::playlists",
    ],
    &[
        "vcam::quirk::dialogue",
        "vcam::quirk::sender",
        "vcam::quirk::server",
    ],
];

fn map() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs");
    fs::read_to_string(file).expect("src/lib.rs can be read")
}

fn this_house() -> House {
    let house = house::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
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
        .filter(|(module, named)| named.ours && !rooms.allow(module, &named.path))
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
        mod inline { use super::super::Above; fn g() { ort::run() } }
    "##;
    let source = source::read(&module, text);
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
    assert_eq!(foreign, ["ort", "std::fmt"].map(str::to_owned).into());
    assert_eq!(source.children.len(), 1);
    assert_eq!(source.of_tests.len(), 2);
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

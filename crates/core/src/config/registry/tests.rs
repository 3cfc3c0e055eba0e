use std::{collections::BTreeSet, fs, path::Path};

use super::*;
use crate::config::{Config, Environment};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Compares the committed file with what it should be; `LARES_UPDATE=1` writes it instead.
fn committed(file: &str, expected: &str) {
    let path = Path::new(ROOT).join(file);
    if std::env::var_os("LARES_UPDATE").is_some() {
        fs::write(&path, expected).unwrap();
    }
    let is = fs::read_to_string(&path).unwrap();
    assert!(
        is == expected,
        "{file} is not what the registry says: run LARES_UPDATE=1 cargo test -p lares-core registry"
    );
}

#[test]
fn the_committed_sample_is_that_of_the_registry() {
    committed("deploy/lares.sample.toml", &sample());
}

#[test]
fn the_tables_of_the_documentation_are_those_of_the_registry() {
    const FILE: &str = "docs/configuration.md";
    let text = fs::read_to_string(Path::new(ROOT).join(FILE)).unwrap();
    let mut left: BTreeSet<_> = sections().map(|section| section.path).collect();
    let mut expected = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        expected.push_str(line);
        expected.push('\n');
        let named = line.strip_prefix("<!-- keys:");
        let Some(path) = named.and_then(|rest| rest.strip_suffix("-->")) else {
            continue;
        };
        let section = section(path.trim()).expect("the marker names a section");
        assert!(left.remove(section.path), "{path} has two tables");
        expected.push('\n');
        expected.push_str(&table(section));
        while lines
            .next_if(|line| line.is_empty() || line.starts_with('|'))
            .is_some()
        {}
        expected.push('\n');
    }
    assert!(left.is_empty(), "without a table: {left:?}");
    committed(FILE, &expected);
}

#[test]
fn every_key_of_the_sample_can_be_switched_on() {
    let on = |text: &str| -> String {
        let lines = text.lines().map(|line| match line.strip_prefix('#') {
            Some(rest) if !rest.starts_with(' ') => format!("{rest}\n"),
            _ => format!("{line}\n"),
        });
        lines.collect()
    };
    let check = |text: &str| {
        let problems = Config::parse(text, Path::new("/etc/lares"), &Environment::new());
        let problems = problems.err().unwrap_or_default();
        problems.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(check(&sample()), [""; 0]);
    for problem in check(&on(&sample())) {
        // What is only an example: files that are not there, and two ways beside each other.
        let known = [
            "cannot read",
            "is given beside",
            "_env: ",
            "is shown over TLS only",
            "goes with webdavs://",
            "beside a token",
            "has a privacy_mask",
        ];
        assert!(
            known.iter().any(|known| problem.contains(known)),
            "{problem}"
        );
    }
}

#[test]
fn the_schema_has_every_key_and_describes_it() {
    let schema = schema();
    let detect = &schema["properties"]["cameras"]["items"]["properties"]["detect"]["properties"];
    assert_eq!(detect["detect_fps"]["maximum"], 30.0);
    assert_eq!(detect["detect_fps"]["default"], 5);
    assert_eq!(schema["required"], serde_json::json!(["version"]));
    assert!(schema["properties"]["mqtt"]["properties"]["password_env"].is_object());
}

#[test]
fn names_are_unique_and_defaults_are_within_their_range() {
    for section in sections() {
        let mut names = BTreeSet::new();
        for key in section.keys {
            for name in key.names() {
                assert!(names.insert(name.clone()), "{}.{name}", section.path);
            }
            assert!(
                key.preset != Preset::Required || key.example.is_some(),
                "{}.{} needs an example",
                section.path,
                key.name
            );
        }
    }
}

//! A configuration of version 1 in the names of version 2. Comments, order and values stay as they are.

use toml_edit::{DocumentMut, Item, TableLike, Value};

use super::registry::{self, SectionKeys};

/// A text of version 2, and what was renamed in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// The new text.
    pub text: String,
    /// Old and new path of each key that has another name now, such as `cameras.wake_within`.
    pub renamed: Vec<(String, String)>,
}

/// Why a text cannot be migrated.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MigrateError {
    /// It is no TOML.
    #[error("the configuration is not TOML: {0}. Run lares check to see where")]
    Toml(String),
    /// It has this version already.
    #[error("the configuration has version 2 already: there is nothing to do")]
    Current,
    /// It says no version, or one that is not known.
    #[error(
        "the configuration has no version 1 to migrate from: write version = 1 or version = 2 at its top"
    )]
    Unknown,
}

/// `text`, a configuration of version 1, as version 2.
///
/// # Errors
/// When it is of another version, or no TOML.
pub fn migrate(text: &str) -> Result<Migrated, MigrateError> {
    let mut document: DocumentMut = text
        .parse()
        .map_err(|error: toml_edit::TomlError| MigrateError::Toml(error.message().to_owned()))?;
    let version = document.get_mut("version").and_then(Item::as_value_mut);
    let version = version.ok_or(MigrateError::Unknown)?;
    match version.as_integer() {
        Some(1) => {}
        Some(2) => return Err(MigrateError::Current),
        _ => return Err(MigrateError::Unknown),
    }
    let decor = version.decor().clone();
    *version = Value::from(2);
    *version.decor_mut() = decor;
    let mut renamed = Vec::new();
    let top = registry::section("").ok_or(MigrateError::Unknown)?;
    rename_in(document.as_table_mut(), top, &mut renamed);
    Ok(Migrated {
        text: document.to_string(),
        renamed,
    })
}

/// Renames the keys of `table`, which is the section `keys`, and those of all sections below it.
fn rename_in(
    table: &mut dyn TableLike,
    keys: &'static SectionKeys,
    renamed: &mut Vec<(String, String)>,
) {
    let path = |name: &str| match keys.path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    };
    let below: Vec<_> = registry::sections()
        .filter(|section| !section.path.is_empty() && section.path == path(section.name()))
        .collect();
    let names = keys.keys.iter().map(|key| (key.was, key.name));
    let sections = below.iter().map(|section| (section.was, section.name()));
    for (was, name) in names.chain(sections) {
        if let Some(was) = was
            && rename(table, was, name)
        {
            renamed.push((path(was), path(name)));
        }
    }
    for section in below {
        match table.get_mut(section.name()) {
            Some(Item::ArrayOfTables(tables)) => {
                for table in tables.iter_mut() {
                    rename_in(table, section, renamed);
                }
            }
            Some(Item::Value(Value::Array(tables))) => {
                for table in tables.iter_mut().filter_map(Value::as_inline_table_mut) {
                    rename_in(table, section, renamed);
                }
            }
            Some(item) => {
                if let Some(table) = item.as_table_like_mut() {
                    rename_in(table, section, renamed);
                }
            }
            None => {}
        }
    }
}

/// Gives the entry `was` the name `name`, with its comments, in its place.
fn rename(table: &mut dyn TableLike, was: &str, name: &str) -> bool {
    if !table.contains_key(was) || table.contains_key(name) {
        return false;
    }
    // A table keeps the order of insertion, so everything behind it moves with it.
    let order: Vec<String> = table.iter().map(|(key, _)| key.to_owned()).collect();
    let behind = order.iter().skip_while(|key| *key != was);
    let mut moved = Vec::new();
    for key in behind {
        let Some(mut decor) = table.key(key).cloned() else {
            continue;
        };
        let Some(item) = table.remove(key) else {
            continue;
        };
        if key == was {
            let mut new = toml_edit::Key::new(name);
            *new.leaf_decor_mut() = decor.leaf_decor().clone();
            *new.dotted_decor_mut() = decor.dotted_decor().clone();
            decor = new;
        }
        moved.push((decor, item));
    }
    for (key, item) in moved {
        let name = key.get().to_owned();
        table.insert(&name, item);
        if let Some(mut placed) = table.key_mut(&name) {
            *placed.leaf_decor_mut() = key.leaf_decor().clone();
            *placed.dotted_decor_mut() = key.dotted_decor().clone();
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Config, Environment};

    const OLD: &str = "\
# Our house.
version = 1 # of the format
stop_grace = \"20 s\"

# The door.
[[cameras]]
url = \"rtsp://10.0.0.2/a\" # small stream
# Saves power.
wake_within = \"4 s\" # tried
stall_after = \"5 s\"
name = \"Door\"
detect = { looks_per_second = 4, score = 0.5 } # inline

[[cameras]]
url = \"rtsp://10.0.0.3/a\"
[cameras.detect]
smallest_person = 0.1
[[cameras.zones]]
name = \"gate\"
area = [[0.1, 0.2], [0.5, 0.2], [0.5, 0.9]]

[budget] # a SIM card
per_day = \"50 MB\"

[hub]
enabled = true
names = [\"nas\"]
";

    fn parsed(text: &str) -> Config {
        Config::parse(text, Path::new(""), &Environment::new()).unwrap()
    }

    #[test]
    fn a_migrated_file_means_the_same_and_keeps_its_comments() {
        let migrated = migrate(OLD).unwrap();
        assert_eq!(parsed(&migrated.text), parsed(OLD));
        for kept in [
            "# Our house.\nversion = 2 # of the format\nshutdown_timeout = \"20 s\"\n",
            "# Saves power.\nmax_idle_interval = \"4 s\" # tried\nstall_timeout = \"5 s\"\nname",
            "detect = { detect_fps = 4, min_score = 0.5 } # inline",
            "[data_plan] # a SIM card",
            "server_names = [\"nas\"]",
        ] {
            assert!(migrated.text.contains(kept), "{kept}\n{}", migrated.text);
        }
        assert_eq!(migrated.renamed.len(), 8, "{:?}", migrated.renamed);
        assert_eq!(migrate(&migrated.text), Err(MigrateError::Current));
    }

    #[test]
    fn every_old_name_is_read_and_migrated() {
        for section in registry::sections() {
            for was in section.keys.iter().filter_map(|key| key.was) {
                assert!(section.key(was).is_none(), "{was} has two meanings");
            }
        }
        for text in ["[[cameras]]\n", "version = 3\n", "version = \"1\"\n"] {
            assert_eq!(migrate(text), Err(MigrateError::Unknown));
        }
        assert!(matches!(
            migrate("version = = 1"),
            Err(MigrateError::Toml(_))
        ));
    }

    #[test]
    fn each_version_names_the_keys_of_the_other() {
        let problems = |version: u8, key: &str| {
            let text = format!("version = {version}\n[[cameras]]\nurl = \"rtsp://h/a\"\n{key}\n");
            let problems = Config::parse(&text, Path::new(""), &Environment::new());
            problems.unwrap_err()[0].to_string()
        };
        let old = problems(2, "wake_within = \"2 s\"");
        assert!(old.contains("write \"max_idle_interval\""), "{old}");
        let new = problems(1, "max_idle_interval = \"2 s\"");
        assert!(
            new.contains("write \"wake_within\"") && new.contains("migrate"),
            "{new}"
        );
        let section = problems(2, "[budget]\n");
        assert!(section.contains("write \"data_plan\""), "{section}");
        // A problem is told in the words of the file.
        let range = problems(1, "wake_within = \"1 h\"");
        assert!(
            range.starts_with("line 4: cameras[0].wake_within: "),
            "{range}"
        );
    }
}

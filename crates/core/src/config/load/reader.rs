//! Reads TOML key by key and collects every problem instead of stopping at the first.
//!
//! Names, ranges and defaults are those of the registry; a file of version 1 is read by its own names. A key that the
//! registry does not know is a problem, and the nearest known name is offered.

use std::{
    fmt,
    io::Read,
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::{
    config::{
        Environment, Secret,
        problem::Reading,
        registry::{self, Key, Kind, SectionKeys},
    },
    flow::Language,
};

/// A table of the file, or an empty one that stands for a missing table.
pub(in crate::config) struct Section<'a> {
    pub(super) reading: &'a Reading<'a>,
    pub(super) table: Option<&'a DeTable<'a>>,
    pub(super) keys: &'static SectionKeys,
    /// As the user wrote it, such as `cameras[0].detect`.
    pub(super) path: String,
}

/// What `read` makes of a section that is not written: its defaults.
pub(in crate::config) fn defaults<T>(path: &str, read: impl FnOnce(Section<'_>) -> T) -> T {
    let environment = Environment::new();
    let reading = Reading::new("", &environment, Path::new(""));
    read(Section {
        reading: &reading,
        table: None,
        keys: keys_of(path),
        path: path.to_owned(),
    })
}

fn keys_of(path: &str) -> &'static SectionKeys {
    registry::section(path).expect("the registry has every section that is read")
}

impl<'a> Section<'a> {
    /// The file as a whole. `first_version`: it has the names of version 1.
    pub(super) fn root(
        reading: &'a Reading<'a>,
        table: &'a DeTable<'a>,
        first_version: bool,
    ) -> Self {
        reading.first_version.set(first_version);
        Self {
            reading,
            table: Some(table),
            keys: keys_of(""),
            path: String::new(),
        }
    }

    pub(super) fn key(&self, key: &str) -> String {
        let name = self.written(key);
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    /// What the registry knows of `key`.
    pub(super) fn known(&self, key: &str) -> &'static Key {
        self.keys
            .key(key)
            .expect("the registry has every key that is read")
    }

    /// The section `name` in this one.
    pub(super) fn below(&self, name: &str) -> Option<&'static SectionKeys> {
        registry::section(&match self.keys.path {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        })
    }

    /// The name of a key, or of a section, in a file of this version.
    pub(super) fn written<'n>(&self, name: &'n str) -> &'n str {
        if !self.reading.first_version.get() {
            return name;
        }
        let key = self.keys.key(name).filter(|key| key.name == name);
        let was = match key {
            Some(key) => key.was,
            None => self.below(name).and_then(|section| section.was),
        };
        was.unwrap_or(name)
    }

    /// The value of `key`, and where it stands.
    pub(super) fn get(&self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.table?.get(self.written(key))
    }

    /// The schemes that an address may have.
    pub(super) fn schemes(&self, key: &str) -> &'static [&'static str] {
        let Kind::Url(schemes) = self.known(key).kind else {
            unreachable!("{key} is no address");
        };
        schemes
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Says what is wrong with the value of `key`.
    pub(super) fn problem(&self, key: &str, message: impl Into<String>) {
        let at = self.get(key).map(|value| value.span().start);
        self.reading.problem(self.key(key), at, message);
    }

    pub(super) fn text(&self, key: &str) -> Option<String> {
        match self.get(key)?.get_ref() {
            DeValue::String(text) => Some(text.as_ref().to_owned()),
            other => {
                self.problem(
                    key,
                    format!("should be text in quotes, not {}", kind(other)),
                );
                None
            }
        }
    }

    /// Text that `T` can read.
    pub(super) fn parsed<T>(&self, key: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        self.text(key)?
            .parse()
            .map_err(|error: T::Err| self.problem(key, error.to_string()))
            .ok()
    }

    /// Text of a key that has a default.
    pub(super) fn text_or_default(&self, key: &str) -> String {
        let default = || self.default_text(key).to_owned();
        self.text(key).unwrap_or_else(default)
    }

    /// The default of a key that has one, without quotes.
    pub(super) fn default_text(&self, key: &str) -> &'static str {
        self.known(key)
            .default_text()
            .expect("the registry has a default for this key")
    }

    /// The default of a key that has one, read like a value.
    pub(super) fn default<T: FromStr>(&self, key: &str) -> T {
        let parsed = self.default_text(key).parse().ok();
        parsed.expect("the registry's defaults can be read")
    }

    /// One of a few words, with what each means here.
    pub(super) fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)]) -> T {
        let find = |text: &str| {
            let found = choices.iter().find(|(name, _)| *name == text);
            found.map(|(_, value)| *value)
        };
        let default = || find(self.default_text(key)).expect("the default is one of the choices");
        let Some(text) = self.text(key) else {
            return default();
        };
        find(&text).unwrap_or_else(|| {
            let names: Vec<_> = choices
                .iter()
                .map(|(name, _)| format!("\"{name}\""))
                .collect();
            self.problem(
                key,
                format!("\"{text}\" is not known: choose {}", names.join(" or ")),
            );
            default()
        })
    }

    /// A language in which people are told.
    pub(super) fn language(&self, key: &str) -> Language {
        self.choice(key, &[("en", Language::En), ("fr", Language::Fr)])
    }

    pub(super) fn flag(&self, key: &str) -> bool {
        match self.get(key).map(Spanned::get_ref) {
            None => self.default(key),
            Some(DeValue::Boolean(value)) => *value,
            Some(other) => {
                self.problem(key, format!("should be true or false, not {}", kind(other)));
                self.default(key)
            }
        }
    }

    /// An address in numbers, of a key that has a default.
    pub(super) fn address(&self, key: &str) -> SocketAddr {
        self.parsed(key).unwrap_or_else(|| self.default(key))
    }

    /// A path; relative ones start at the configuration file's folder.
    pub(super) fn path(&self, key: &str) -> Option<PathBuf> {
        Some(self.reading.folder.join(self.text(key)?))
    }

    /// A list of text; the default is `[]` or one that the registry writes.
    pub(super) fn words(&self, key: &str) -> Vec<String> {
        let Some(value) = self.get(key) else {
            let default = self.known(key).value().unwrap_or("[]");
            let words = default.trim_matches(['[', ']']).split(',');
            let words = words.map(|word| word.trim().trim_matches('"').to_owned());
            return words.filter(|word| !word.is_empty()).collect();
        };
        let DeValue::Array(items) = value.get_ref() else {
            self.problem(key, "should be a list, such as [\"person\"]");
            return Vec::new();
        };
        let words: Vec<_> = items
            .iter()
            .filter_map(|item| match item.get_ref() {
                DeValue::String(text) => Some(text.as_ref().to_owned()),
                _ => None,
            })
            .collect();
        if words.len() < items.len() {
            self.problem(key, "should hold only text in quotes");
        }
        words
    }

    /// Whether `key` is written as `[]`.
    pub(super) fn is_empty_list(&self, key: &str) -> bool {
        let value = self.get(key).map(Spanned::get_ref);
        matches!(value, Some(DeValue::Array(items)) if items.is_empty())
    }

    /// The list of a key whose words are known: those that `find` knows.
    pub(super) fn known_words<T>(&self, key: &str, find: impl Fn(&str) -> Option<T>) -> Vec<T> {
        let mut found = Vec::new();
        for word in self.words(key) {
            match find(&word) {
                Some(value) => found.push(value),
                None => {
                    let Kind::Words(known) = self.known(key).kind else {
                        unreachable!("{key} is no list");
                    };
                    self.problem(
                        key,
                        format!("\"{word}\" is not known: choose from {}", known.join(", ")),
                    );
                }
            }
        }
        found
    }

    /// A secret from the file `KEY_file` or the environment variable named by `KEY_env`.
    pub(super) fn secret(&self, key: &str) -> Option<Secret> {
        let [file, env] = [format!("{key}_file"), format!("{key}_env")];
        let [file, env] = [file.as_str(), env.as_str()];
        if self.has(file) && self.has(env) {
            self.problem(env, format!("is given beside {file}: keep one of the two"));
        }
        if let Some(path) = self.path(file) {
            return match read_small(&path) {
                Ok(text) => Some(Secret::new(text.trim_end_matches(['\n', '\r']))),
                Err(error) => {
                    self.problem(
                        file,
                        format!(
                            "cannot read {}: {error}. Create the file with the secret in it",
                            path.display()
                        ),
                    );
                    None
                }
            };
        }
        let name = self.text(env)?;
        let value = self.reading.environment.get(&name);
        if value.is_none() {
            self.problem(
                env,
                format!("the environment variable {name} is not set: set it before the start"),
            );
        }
        value.map(Secret::new)
    }

    /// The table `key`, or an empty one.
    pub(in crate::config) fn section(&self, key: &str) -> Section<'a> {
        let table = self.get(key).and_then(|value| match value.get_ref() {
            DeValue::Table(table) => Some(table),
            other => {
                self.problem(
                    key,
                    format!(
                        "should be a section [{}], not {}",
                        self.key(key),
                        kind(other)
                    ),
                );
                None
            }
        });
        Section {
            reading: self.reading,
            table,
            keys: self.section_keys(key),
            path: self.key(key),
        }
    }

    fn section_keys(&self, key: &str) -> &'static SectionKeys {
        self.below(key)
            .expect("the registry has every section that is read")
    }

    /// The tables `[[key]]`.
    pub(super) fn sections(&self, key: &str) -> Vec<Section<'a>> {
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        let DeValue::Array(items) = value.get_ref() else {
            self.problem(
                key,
                format!("should be written [[{}]], once for each", self.key(key)),
            );
            return Vec::new();
        };
        let mut sections = Vec::new();
        for (index, item) in items.iter().enumerate() {
            if let DeValue::Table(table) = item.get_ref() {
                sections.push(Section {
                    reading: self.reading,
                    table: Some(table),
                    keys: self.section_keys(key),
                    path: format!("{}[{index}]", self.key(key)),
                });
            } else {
                self.problem(
                    key,
                    format!("should be written [[{}]], once for each", self.key(key)),
                );
            }
        }
        sections
    }
}

/// A text that is not longer than any secret: a path that leads to something endless must not fill the memory.
fn read_small(path: &Path) -> std::io::Result<String> {
    const LONGEST: u64 = 64 * 1024;
    let mut text = String::new();
    let read = std::fs::File::open(path)?
        .take(LONGEST + 1)
        .read_to_string(&mut text)?;
    if read as u64 > LONGEST {
        return Err(std::io::Error::other("it is too large to be a secret"));
    }
    Ok(text)
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a section",
    }
}

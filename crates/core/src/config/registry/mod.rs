//! All keys of the configuration as data: name, kind, range, default and meaning, each in one place.
//!
//! The reader takes ranges and defaults from here. The sample file, the tables of docs/configuration.md and the
//! JSON Schema are rendered from here, and tests hold the committed files to it. Never reads a configuration itself.

mod cameras;
mod home;
mod hub;
mod render;
mod schema;
mod sinks;

pub use render::{sample, table};
pub use schema::schema;

/// A table of the configuration and its keys.
#[derive(Debug)]
pub struct SectionKeys {
    /// Path without indices, such as `cameras.detect`; empty for the top level.
    pub path: &'static str,
    /// Its name in version 1, where that was another.
    pub was: Option<&'static str>,
    /// How often it may be written.
    pub occurs: Occurs,
    /// What it is for: the comment above it in the sample.
    pub about: &'static str,
    /// Its keys, in the order of the sample.
    pub keys: &'static [Key],
}

/// How often a section may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occurs {
    /// Once; its defaults hold without it.
    Always,
    /// Once; without it the feature is off.
    Optional,
    /// Any number of times, as `[[path]]`; the sample shows one.
    Many,
    /// The same, and the sample shows it switched off.
    AnyOrNone,
}

/// One key.
#[derive(Debug)]
pub struct Key {
    /// Name in the section. A secret `password` is written `password_file` or `password_env`.
    pub name: &'static str,
    /// Its name in version 1, where that was another.
    pub was: Option<&'static str>,
    /// What its value is.
    pub kind: Kind,
    /// What holds without it.
    pub preset: Preset,
    /// What to say of the range instead of what `kind` says.
    range: Option<&'static str>,
    /// A TOML value for the sample, where there is no default to show.
    example: Option<&'static str>,
    /// Meaning, as Markdown.
    pub meaning: &'static str,
}

/// What a value is, and its range.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Any text.
    Text,
    /// 1 to 32 of `a-z`, `0-9` and `-`.
    Id,
    /// A path; a relative one starts at the folder of the configuration.
    Path,
    /// `HOST:PORT`, in numbers.
    Address,
    /// An address with one of these schemes.
    Url(&'static [&'static str]),
    /// A secret in the file `NAME_file` or the environment variable `NAME_env`.
    Secret,
    /// `true` or `false`.
    Flag,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of text; of these words, where there are any.
    Words(&'static [&'static str]),
    /// A duration, from and to.
    Duration(&'static str, &'static str),
    /// A number, from and to.
    Number(f64, f64),
    /// A whole number, from and to.
    Whole(u32, u32),
    /// An amount of bytes: the least, and what a smaller one would be too small for.
    Bytes(&'static str, &'static str),
    /// A bit rate, at least.
    Rate(&'static str),
    /// Two points.
    Ends,
    /// Three points or more.
    Polygon,
    /// A list of polygons.
    Polygons,
}

/// What holds where a key is not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// It must be written.
    Required,
    /// This TOML value.
    Value(&'static str),
    /// What these words say, as Markdown.
    Otherwise(&'static str),
}

/// The names by which secrets are written.
const SECRET: [&str; 2] = ["_file", "_env"];

impl Key {
    /// A key that may be left out, without a default.
    const fn new(name: &'static str, kind: Kind, meaning: &'static str) -> Self {
        Self {
            name,
            was: None,
            kind,
            preset: Preset::Otherwise("none"),
            range: None,
            example: None,
            meaning,
        }
    }

    const fn required(mut self) -> Self {
        self.preset = Preset::Required;
        self
    }

    const fn default(mut self, toml: &'static str) -> Self {
        self.preset = Preset::Value(toml);
        self
    }

    const fn otherwise(mut self, words: &'static str) -> Self {
        self.preset = Preset::Otherwise(words);
        self
    }

    const fn was(mut self, name: &'static str) -> Self {
        self.was = Some(name);
        self
    }

    const fn range(mut self, words: &'static str) -> Self {
        self.range = Some(words);
        self
    }

    const fn example(mut self, toml: &'static str) -> Self {
        self.example = Some(toml);
        self
    }

    /// The names under which it is written.
    pub fn names(&self) -> Vec<String> {
        match self.kind {
            Kind::Secret => SECRET.map(|end| format!("{}{end}", self.name)).to_vec(),
            _ => vec![self.name.to_owned()],
        }
    }

    /// The default as a TOML value.
    pub(super) fn value(&self) -> Option<&'static str> {
        match self.preset {
            Preset::Value(toml) => Some(toml),
            Preset::Required | Preset::Otherwise(_) => None,
        }
    }

    /// The default without quotes.
    pub(super) fn default_text(&self) -> Option<&'static str> {
        self.value().map(|toml| toml.trim_matches('"'))
    }
}

impl SectionKeys {
    /// The key that is written `name`.
    #[must_use]
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        let plain = |name: &str| self.keys.iter().find(|key| key.name == name);
        let secret = || {
            let base = SECRET.iter().find_map(|end| name.strip_suffix(end))?;
            plain(base).filter(|key| matches!(key.kind, Kind::Secret))
        };
        plain(name).or_else(secret)
    }

    /// The name by which its parent knows it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.path.rsplit('.').next().unwrap_or(self.path)
    }
}

/// All sections, in the order of the sample.
pub fn sections() -> impl Iterator<Item = &'static SectionKeys> {
    home::TOP
        .iter()
        .chain(cameras::SECTIONS)
        .chain(home::FIRST)
        .chain(sinks::SECTIONS)
        .chain(home::SECTIONS)
        .chain(hub::SECTIONS)
        .chain(home::LAST)
        .copied()
}

/// The section at `path`, without indices.
#[must_use]
pub fn section(path: &str) -> Option<&'static SectionKeys> {
    sections().find(|section| section.path == path)
}

#[cfg(test)]
mod tests;

//! Reads TOML key by key and collects every problem instead of stopping at the first.
//!
//! A [`Section`] remembers which keys it was asked for; whatever is left at the end is unknown, and the nearest known
//! name is offered.

use std::{
    cell::RefCell,
    collections::BTreeSet,
    fmt,
    io::Read,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{Environment, Secret, parse_duration};
use crate::flow::{NormPoint, Polygon};

/// One thing that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// Path of the key, such as `cameras[0].url`; empty for the file as a whole.
    pub key: String,
    /// Line in the file, from 1; 0 where the key is missing.
    pub line: usize,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}: ", self.line)?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

/// What is the same for all sections of one file.
pub(super) struct Reading<'a> {
    pub(super) text: &'a str,
    pub(super) environment: &'a Environment,
    /// Relative paths in the file start here.
    pub(super) folder: &'a Path,
    problems: RefCell<Vec<ConfigProblem>>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(text: &'a str, environment: &'a Environment, folder: &'a Path) -> Self {
        Self {
            text,
            environment,
            folder,
            problems: RefCell::default(),
        }
    }

    pub(super) fn problem(&self, key: String, at: Option<usize>, message: impl Into<String>) {
        let line = at.map_or(0, |byte| {
            self.text[..byte.min(self.text.len())].matches('\n').count() + 1
        });
        self.problems.borrow_mut().push(ConfigProblem {
            key,
            line,
            message: message.into(),
        });
    }

    pub(super) fn into_problems(self) -> Vec<ConfigProblem> {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|p| p.line);
        problems
    }
}

/// Secrets, whose keys name a file or a variable of the environment instead.
const PLAIN_SECRETS: [&str; 5] = ["password", "secret", "secret_key", "token", "client_key"];

/// A table of the file, or an empty one that stands for a missing table.
pub(super) struct Section<'a> {
    reading: &'a Reading<'a>,
    table: Option<&'a DeTable<'a>>,
    path: String,
    asked: RefCell<BTreeSet<&'static str>>,
}

impl<'a> Section<'a> {
    pub(super) fn root(reading: &'a Reading<'a>, table: &'a DeTable<'a>) -> Self {
        Self {
            reading,
            table: Some(table),
            path: String::new(),
            asked: RefCell::default(),
        }
    }

    pub(super) fn key(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// The value of `key`, and where it stands.
    fn get(&self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.borrow_mut().insert(key);
        self.table?.get(key)
    }

    pub(super) fn has(&self, key: &'static str) -> bool {
        self.get(key).is_some()
    }

    /// Says what is wrong with the value of `key`.
    pub(super) fn problem(&self, key: &'static str, message: impl Into<String>) {
        let at = self.get(key).map(|value| value.span().start);
        self.reading.problem(self.key(key), at, message);
    }

    pub(super) fn text(&self, key: &'static str) -> Option<String> {
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
    pub(super) fn parsed<T>(&self, key: &'static str) -> Option<T>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        self.text(key)?
            .parse()
            .map_err(|error: T::Err| self.problem(key, error.to_string()))
            .ok()
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(
        &self,
        key: &'static str,
        choices: &[(&str, T)],
        default: T,
    ) -> T {
        let Some(text) = self.text(key) else {
            return default;
        };
        if let Some((_, value)) = choices.iter().find(|(name, _)| *name == text) {
            return *value;
        }
        let names: Vec<_> = choices
            .iter()
            .map(|(name, _)| format!("\"{name}\""))
            .collect();
        self.problem(
            key,
            format!("\"{text}\" is not known: choose {}", names.join(" or ")),
        );
        default
    }

    pub(super) fn duration(
        &self,
        key: &'static str,
        default: Duration,
        least: Duration,
        most: Duration,
    ) -> Duration {
        let bare = |value: &Spanned<DeValue<'_>>| {
            matches!(value.get_ref(), DeValue::Integer(_) | DeValue::Float(_))
        };
        if self.get(key).is_some_and(bare) {
            self.problem(
                key,
                "is a number without its unit: write it like \"10 s\" or \"500 ms\"",
            );
            return default;
        }
        let Some(text) = self.text(key) else {
            return default;
        };
        match parse_duration(&text) {
            Ok(value) if value >= least && value <= most => value,
            Ok(_) => {
                self.problem(
                    key,
                    format!("\"{text}\" is out of range: choose {least:?} to {most:?}"),
                );
                default
            }
            Err(error) => {
                self.problem(key, error.to_string());
                default
            }
        }
    }

    /// A number, whole or not.
    pub(super) fn number(&self, key: &'static str, least: f64, most: f64) -> Option<f64> {
        let number = match self.get(key)?.get_ref() {
            DeValue::Integer(value) => value.as_str().replace('_', "").parse::<f64>().ok(),
            DeValue::Float(value) => value.as_str().replace('_', "").parse::<f64>().ok(),
            _ => None,
        };
        match number {
            Some(value) if (least..=most).contains(&value) => Some(value),
            Some(value) => {
                self.problem(
                    key,
                    format!("{value} is out of range: choose {least} to {most}"),
                );
                None
            }
            None => {
                self.problem(
                    key,
                    format!("should be a number from {least} to {most}, without quotes"),
                );
                None
            }
        }
    }

    pub(super) fn flag(&self, key: &'static str, default: bool) -> bool {
        match self.get(key).map(Spanned::get_ref) {
            None => default,
            Some(DeValue::Boolean(value)) => *value,
            Some(other) => {
                self.problem(key, format!("should be true or false, not {}", kind(other)));
                default
            }
        }
    }

    /// A path; relative ones start at the configuration file's folder.
    pub(super) fn path(&self, key: &'static str) -> Option<PathBuf> {
        Some(self.reading.folder.join(self.text(key)?))
    }

    /// A list of words.
    pub(super) fn words(&self, key: &'static str) -> Option<Vec<String>> {
        let DeValue::Array(items) = self.get(key)?.get_ref() else {
            self.problem(key, "should be a list, such as [\"person\"]");
            return None;
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
        Some(words)
    }

    /// A secret from `KEY_file` or the environment variable named by `KEY_env`.
    pub(super) fn secret(&self, file: &'static str, env: &'static str) -> Option<Secret> {
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

    /// A list of polygons: `[[[x, y], [x, y], [x, y]], ...]`.
    pub(super) fn polygons(&self, key: &'static str) -> Vec<Polygon> {
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
    pub(super) fn polygon(&self, key: &'static str) -> Option<Polygon> {
        let polygon = polygon(self.get(key)?.get_ref());
        if polygon.is_none() {
            self.problem(key, format!("should be a polygon: {POLYGON_EXAMPLE}"));
        }
        polygon
    }

    /// Two points: `[[x, y], [x, y]]`.
    pub(super) fn ends(&self, key: &'static str) -> Option<[NormPoint; 2]> {
        let ends = points(self.get(key)?.get_ref()).and_then(|points| points.try_into().ok());
        if ends.is_none() {
            self.problem(key, "should be two points: [[0.1, 0.5], [0.4, 0.9]]");
        }
        ends
    }

    /// The table `key`, or an empty one.
    pub(super) fn section(&self, key: &'static str) -> Section<'a> {
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
            path: self.key(key),
            asked: RefCell::default(),
        }
    }

    /// The tables `[[key]]`.
    pub(super) fn sections(&self, key: &'static str) -> Vec<Section<'a>> {
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
                    path: format!("{}[{index}]", self.key(key)),
                    asked: RefCell::default(),
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

    /// Whatever was not asked for is unknown.
    pub(super) fn done(self) {
        let asked = self.asked.borrow();
        for (key, _) in self.table.into_iter().flatten() {
            let name: &str = key.get_ref();
            if asked.contains(name) {
                continue;
            }
            if PLAIN_SECRETS.contains(&name) && asked.iter().any(|key| key.ends_with("_file")) {
                let named = format!("{name}_file");
                let at = Some(key.span().start);
                let file = asked.iter().find(|known| **known == named).copied();
                let hint = format!(
                    "does not stand in this file, which others may read: put it in a file of its own and write {} = \"/PATH\"",
                    file.unwrap_or("password_file")
                );
                self.reading.problem(self.key(name), at, hint);
                continue;
            }
            let near = asked
                .iter()
                .max_by(|a, b| {
                    strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name))
                })
                .filter(|best| strsim::jaro_winkler(best, name) > 0.75);
            let hint = match near {
                Some(best) => format!("is not known: did you mean \"{best}\"?"),
                None => format!(
                    "is not known. Known here: {}",
                    asked.iter().copied().collect::<Vec<_>>().join(", ")
                ),
            };
            self.reading
                .problem(self.key(name), Some(key.span().start), hint);
        }
    }
}

const POLYGON_EXAMPLE: &str =
    "[[0.1, 0.2], [0.5, 0.2], [0.5, 0.9]], three points or more, each x and y from 0 to 1";

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

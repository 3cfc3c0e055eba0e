//! What is wrong with a configuration, collected while it is read.

use std::{
    cell::{Cell, RefCell},
    fmt,
    path::Path,
};

use super::Environment;

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
    /// The file has the names of version 1.
    pub(super) first_version: Cell<bool>,
    problems: RefCell<Vec<ConfigProblem>>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(text: &'a str, environment: &'a Environment, folder: &'a Path) -> Self {
        Self {
            text,
            environment,
            folder,
            first_version: Cell::new(false),
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

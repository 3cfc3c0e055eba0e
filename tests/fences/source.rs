//! Reads Rust source just well enough to know which paths it names: comments, literals and test code
//! go, `use` trees and paths stay. Text in, paths out; nothing of the file system.

use std::collections::BTreeSet;

/// How names of our own crates begin.
pub(crate) const OURS: &str = "lares_";

/// A path as it is written, with the names of its modules from the house's root where it is one of
/// ours (`crate`, `super` and `self` are resolved), and what it is called here if it was imported.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Named {
    /// The module that names it, from the house's root.
    pub(crate) module: Vec<String>,
    /// The path; the first name is a room when `ours`.
    pub(crate) path: Vec<String>,
    /// Whether it began with `crate`, `super` or `self`, or with a child of the module.
    pub(crate) ours: bool,
    /// The name that a `use` gives it in `module`.
    pub(crate) alias: Option<String>,
}

/// What a source file says about modules.
#[derive(Debug, Default)]
pub(crate) struct Source {
    /// Every path that code outside of tests names.
    pub(crate) named: BTreeSet<Named>,
    /// Modules declared in it, from the house's root.
    pub(crate) children: BTreeSet<Vec<String>>,
    /// Of these, the ones that exist in tests only.
    pub(crate) of_tests: BTreeSet<Vec<String>>,
}

/// What the file of `module` names. The first `root` names of `module` are its crate's: `crate` is there.
pub(crate) fn read(module: &[String], root: usize, text: &str) -> Source {
    let mut source = Source::default();
    let tokens = without_tests(&tokens(text), module, &mut source);
    declared(&tokens, module, &mut source);
    named(&tokens, module, root, &mut source);
    source
}

/// Names, `::` and single characters; no comments, no literals, no lifetimes.
fn tokens(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let starts = |i: usize, what: &str| what.chars().enumerate().all(|(k, c)| at(i + k) == c);
    let mut out = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        let c = at(i);
        if starts(i, "//") {
            while i < chars.len() && at(i) != '\n' {
                i += 1;
            }
        } else if starts(i, "/*") {
            let mut depth = 0;
            while i < chars.len() {
                if starts(i, "/*") {
                    (depth, i) = (depth + 1, i + 2);
                } else if starts(i, "*/") {
                    (depth, i) = (depth - 1, i + 2);
                } else {
                    i += 1;
                }
                if depth == 0 {
                    break;
                }
            }
        } else if c == '"' {
            i += 1;
            while i < chars.len() && at(i) != '"' {
                i += if at(i) == '\\' { 2 } else { 1 };
            }
            i += 1;
        } else if c == '\'' {
            // A character ends with another quote; a lifetime does not.
            if at(i + 1) == '\\' {
                i += 3;
                while i < chars.len() && at(i) != '\'' {
                    i += 1;
                }
                i += 1;
            } else if at(i + 2) == '\'' {
                i += 3;
            } else {
                i += 1;
                while at(i).is_alphanumeric() || at(i) == '_' {
                    i += 1;
                }
            }
        } else if c.is_alphabetic() || c == '_' {
            let begin = i;
            while at(i).is_alphanumeric() || at(i) == '_' {
                i += 1;
            }
            let word: String = chars[begin..i].iter().collect();
            let hashes = (0..).take_while(|k| at(i + k) == '#').count();
            if matches!(word.as_str(), "r" | "br" | "cr") && at(i + hashes) == '"' {
                let end = format!("\"{}", "#".repeat(hashes));
                i += hashes + 1;
                while i < chars.len() && !starts(i, &end) {
                    i += 1;
                }
                i += end.len();
            } else {
                out.push(word);
            }
        } else if starts(i, "::") {
            out.push("::".into());
            i += 2;
        } else {
            if !c.is_whitespace() {
                out.push(c.into());
            }
            i += 1;
        }
    }
    out
}

/// The index after the bracket that closes the one at `open`.
fn closed(tokens: &[String], open: usize) -> usize {
    let mut depth = 0;
    for (i, token) in tokens.iter().enumerate().skip(open) {
        match token.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return i + 1;
        }
    }
    tokens.len()
}

/// The index after the item, field or statement that begins at `begin`.
fn after_item(tokens: &[String], begin: usize) -> usize {
    const ITEMS: [&str; 12] = [
        "pub", "use", "mod", "fn", "impl", "struct", "enum", "trait", "const", "static", "type",
        "async",
    ];
    let item = ITEMS.contains(&tokens[begin].as_str());
    let mut head = tokens[begin..]
        .iter()
        .take_while(|token| !matches!(token.as_str(), "{" | ";"));
    let import = head.any(|token| token == "use");
    let mut i = begin;
    while i < tokens.len() {
        match tokens[i].as_str() {
            ";" => return i + 1,
            "," if !item => return i + 1,
            "{" if !import => return closed(tokens, i),
            "(" | "[" | "{" => i = closed(tokens, i),
            "}" => return i,
            _ => i += 1,
        }
    }
    i
}

/// Drops what `#[cfg(test)]` stands before, and notes the modules among it.
fn without_tests(tokens: &[String], module: &[String], source: &mut Source) -> Vec<String> {
    let mut out = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        if tokens[i] == "#" && tokens.get(i + 1).is_some_and(|t| t == "[") {
            let end = closed(tokens, i + 1);
            let has = |what: &str| tokens[i..end].iter().any(|token| token == what);
            if has("cfg") && has("test") && !has("not") {
                let mut item = end;
                while tokens.get(item).is_some_and(|token| token == "#") {
                    item = closed(tokens, item + 1);
                }
                let after = after_item(tokens, item);
                if let Some(at) = (item..after).take(5).find(|at| tokens[*at] == "mod") {
                    let child = [module, &tokens[at + 1..=at + 1]].concat();
                    source.of_tests.insert(child);
                }
                i = after;
            } else {
                i = end;
            }
            continue;
        }
        out.push(tokens[i].clone());
        i += 1;
    }
    out
}

/// Notes `mod name;`.
fn declared(tokens: &[String], module: &[String], source: &mut Source) {
    for three in tokens.windows(3) {
        if three[0] == "mod" && three[2] == ";" {
            source.children.insert([module, &three[1..2]].concat());
        }
    }
}

/// Notes every path of ours, and every `use`.
fn named(tokens: &[String], file: &[String], root: usize, source: &mut Source) {
    let mut module = file.to_vec();
    // Modules written in this file, each with the depth at which it ends.
    let mut inline = Vec::new();
    let mut depth = 0;
    let mut i = 0;
    while i < tokens.len() {
        let before = if i == 0 { "" } else { tokens[i - 1].as_str() };
        match tokens[i].as_str() {
            "{" => {
                if i >= 2 && tokens[i - 2] == "mod" {
                    module.push(tokens[i - 1].clone());
                    inline.push(depth);
                }
                depth += 1;
            }
            "}" => {
                depth -= 1;
                if inline.last() == Some(&depth) {
                    inline.pop();
                    module.pop();
                }
            }
            // `use<'a>` of a captured lifetime is none.
            "use" if tokens.get(i + 1).is_some_and(|next| next != "<") => {
                let mut tree = Tree {
                    tokens,
                    at: i + 1,
                    leaves: Vec::new(),
                };
                tree.read(&[]);
                i = tree.at;
                for (path, alias) in std::mem::take(&mut tree.leaves) {
                    note(&module, root, &path, Some(alias), source);
                }
                continue;
            }
            // `pub(in crate::x)` says who may see, and names nothing.
            "crate" | "super" | "self" if !matches!(before, "::" | "in") => {
                let path = straight(&tokens[i..]);
                i += 2 * (path.len() - 1);
                if path.len() > 1 {
                    note(&module, root, &path, None, source);
                }
            }
            // A dependency that is named in place; of a crate of ours, with what is named of it.
            name if is_name(name)
                && !matches!(name, "crate" | "super" | "self")
                && before != "::"
                && tokens.get(i + 1).is_some_and(|t| t == "::") =>
            {
                let path = match name.starts_with(OURS) {
                    true => straight(&tokens[i..]),
                    false => vec![name.to_owned()],
                };
                note(&module, root, &path, None, source);
            }
            _ => {}
        }
        i += 1;
    }
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// The path without braces that `tokens` begin with.
fn straight(tokens: &[String]) -> Vec<String> {
    let rest = tokens[1..].chunks_exact(2);
    let rest = rest.take_while(|two| two[0] == "::" && is_name(&two[1]));
    [tokens[0].clone()]
        .into_iter()
        .chain(rest.map(|two| two[1].clone()))
        .collect()
}

/// A `use` tree: `a::{b as c, d::*}`.
struct Tree<'a> {
    tokens: &'a [String],
    at: usize,
    /// Each imported path and its name here; `*` for all of a module.
    leaves: Vec<(Vec<String>, String)>,
}

impl Tree<'_> {
    fn take(&mut self, what: &str) -> bool {
        let there = self.tokens.get(self.at).is_some_and(|token| token == what);
        self.at += usize::from(there);
        there
    }

    fn read(&mut self, before: &[String]) {
        let mut path = before.to_vec();
        self.take("::");
        loop {
            if self.take("{") {
                while !self.take("}") {
                    self.read(&path);
                    self.take(",");
                }
                return;
            }
            if self.take("*") {
                self.leaves.push((path, "*".into()));
                return;
            }
            let name = self.tokens[self.at].clone();
            self.at += 1;
            // `a::{self}` is `a`.
            if name != "self" || path.is_empty() {
                path.push(name);
            }
            if !self.take("::") {
                let mut alias = path.last().cloned().unwrap_or_default();
                if self.take("as") {
                    alias = self.tokens[self.at].clone();
                    self.at += 1;
                }
                self.leaves.push((path, alias));
                return;
            }
        }
    }
}

/// Notes a path with its beginning resolved.
fn note(
    module: &[String],
    root: usize,
    path: &[String],
    alias: Option<String>,
    source: &mut Source,
) {
    let mut base = module.to_vec();
    let mut rest = path;
    let mut ours = true;
    match rest[0].as_str() {
        "crate" => {
            base.truncate(root);
            rest = &rest[1..];
        }
        "self" | "super" => {
            while let Some(first) = rest.first() {
                match first.as_str() {
                    "self" => {}
                    "super" => {
                        base.pop();
                    }
                    _ => break,
                }
                rest = &rest[1..];
            }
        }
        first => {
            ours = source
                .children
                .contains(&[module, &[first.to_string()]].concat());
            if !ours {
                base.clear();
            }
        }
    }
    source.named.insert(Named {
        module: module.to_vec(),
        path: [&base, rest].concat(),
        ours,
        alias,
    });
}

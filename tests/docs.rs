//! Every error text of the program is a heading of the troubleshooting guide, so that a search for it finds help.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("src can be read") {
        let path = entry.expect("src can be read").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The string literal that `text` begins with, as the compiler reads it.
fn literal(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut chars = text.trim_start().strip_prefix('"')?.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => return Some(out),
            '\\' => match chars.next()? {
                'n' => out.push('\n'),
                '\n' => while chars.next_if(|c| c.is_whitespace()).is_some() {},
                other => out.push(other),
            },
            other => out.push(other),
        }
    }
    None
}

/// What varies becomes an ellipsis; blanks and backticks do not count.
fn heading(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '{' | '}' if chars.next_if_eq(&c).is_some() => out.push(c),
            '{' => {
                chars.by_ref().find(|c| *c == '}');
                out.push('…');
            }
            '`' => {}
            other => out.push(other),
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_contract_shows_the_verifier_that_is_tested() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| fs::read_to_string(root.join(name)).unwrap();
    let shown = format!("```python\n{}```", read("tests/signature.py"));
    assert!(
        read("docs/contracts.md").contains(&shown),
        "copy tests/signature.py into docs/contracts.md"
    );
}

#[test]
fn every_error_is_a_heading_of_the_troubleshooting_guide() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = fs::read_to_string(root.join("docs/troubleshooting.md")).unwrap();
    let headings: BTreeSet<_> = guide
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .map(|line| line.replace('`', ""))
        .collect();
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    sources(&root.join("crates"), &mut files);
    let mut texts = Vec::new();
    for file in files {
        let code = fs::read_to_string(&file).unwrap();
        texts.extend(code.split("#[error(").skip(1).filter_map(literal));
    }
    assert!(texts.len() > 40, "only {} error texts found", texts.len());
    let missing: Vec<_> = texts
        .iter()
        .map(|text| heading(text))
        .filter(|text| text != "…" && !headings.contains(text))
        .collect();
    assert!(
        missing.is_empty(),
        "add these as \"### \" headings to docs/troubleshooting.md:\n{}",
        missing.join("\n")
    );
}

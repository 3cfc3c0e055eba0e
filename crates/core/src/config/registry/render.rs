//! The sample file and the tables of docs/configuration.md, as text.

use std::fmt::Write as _;

use super::{Key, Kind, Occurs, Preset, SectionKeys, sections};

/// Most columns of a comment in the sample.
const COLUMNS: usize = 100;

const HEAD: &str = "\
# Lares: sample configuration. Every key is shown with its default.
# \"# \" starts a comment, \"#\" before a key switches it off.
# Only `version` and one camera's `url` are needed. Check it with: lares check --config lares.toml
";

/// The whole of `deploy/lares.sample.toml`.
#[must_use]
pub fn sample() -> String {
    let mut out = HEAD.to_owned();
    for section in sections() {
        let off = matches!(section.occurs, Occurs::Optional | Occurs::AnyOrNone);
        let mark = if off { "#" } else { "" };
        out.push('\n');
        comment(&mut out, section.about);
        match section.occurs {
            _ if section.path.is_empty() => {}
            Occurs::Many | Occurs::AnyOrNone => {
                line(&mut out, mark, &format!("[[{}]]", section.path))
            }
            Occurs::Always | Occurs::Optional => {
                line(&mut out, mark, &format!("[{}]", section.path))
            }
        }
        for key in section.keys {
            comment(&mut out, key.meaning);
            let shown = key.example.or(key.value()).unwrap_or("\"\"");
            let is_default = key.example.is_none() || key.preset == Preset::Required;
            let mark = if off || !is_default { "#" } else { "" };
            for name in key.names() {
                let value = match name.strip_suffix("_env") {
                    Some(_) if matches!(key.kind, Kind::Secret) => {
                        format!("\"LARES_{}\"", key.name.to_uppercase())
                    }
                    _ => shown.to_owned(),
                };
                line(&mut out, mark, &format!("{name} = {value}"));
            }
        }
    }
    out
}

fn line(out: &mut String, mark: &str, text: &str) {
    out.push_str(mark);
    out.push_str(text);
    out.push('\n');
}

/// Markdown as a comment, wrapped.
fn comment(out: &mut String, markdown: &str) {
    let text = plain(markdown);
    let mut width = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if width == 0 || width + 1 + length > COLUMNS {
            out.push_str(if width == 0 { "#" } else { "\n#" });
            width = 1;
        }
        let _ = write!(out, " {word}");
        width += 1 + length;
    }
    if width > 0 {
        out.push('\n');
    }
}

/// Markdown with links as their text only.
fn plain(markdown: &str) -> String {
    let mut out = String::new();
    let mut rest = markdown;
    while let Some(middle) = rest.find("](") {
        let (before, after) = rest.split_at(middle);
        let text = before.rfind('[').unwrap_or(0);
        out.push_str(&before[..text]);
        out.push_str(before[text..].trim_start_matches('['));
        rest = after.split_once(')').map_or("", |(_, rest)| rest);
    }
    out.push_str(rest);
    out
}

/// The table of a section in docs/configuration.md.
#[must_use]
pub fn table(section: &SectionKeys) -> String {
    let mut out = "| key | default | range | meaning |\n|---|---|---|---|\n".to_owned();
    for key in section.keys {
        let names: Vec<_> = key.names().iter().map(|name| format!("`{name}`")).collect();
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} |",
            names.join(", "),
            preset(key),
            range(key),
            meaning(key)
        );
    }
    out
}

fn preset(key: &Key) -> String {
    match key.preset {
        Preset::Required => "must be given".to_owned(),
        Preset::Value(toml) => format!("`{toml}`"),
        Preset::Otherwise(words) => words.to_owned(),
    }
}

/// In a table a sentence needs no full stop at its end.
fn meaning(key: &Key) -> &str {
    let text = key.meaning.trim_end();
    match text.strip_suffix('.') {
        Some(text) if !text.ends_with("..") => text,
        _ => text,
    }
}

fn range(key: &Key) -> String {
    if let Some(words) = key.range {
        return words.to_owned();
    }
    let quoted = |words: &[&str]| {
        let words: Vec<_> = words.iter().map(|word| format!("`\"{word}\"`")).collect();
        words.join(", ")
    };
    match key.kind {
        Kind::Text => "text".to_owned(),
        Kind::Id => "id".to_owned(),
        Kind::Path => "path".to_owned(),
        Kind::Address => "address and port".to_owned(),
        Kind::Url(schemes) => {
            let schemes: Vec<_> = schemes
                .iter()
                .map(|scheme| format!("`{scheme}://`"))
                .collect();
            schemes.join(", ")
        }
        Kind::Secret => "one of the two".to_owned(),
        Kind::Flag => "`true`, `false`".to_owned(),
        Kind::Choice(words) => quoted(words),
        Kind::Words([]) => "list of text".to_owned(),
        Kind::Words(words) => format!("list of {}", quoted(words)),
        Kind::Duration(least, most) => format!("{least} to {most}"),
        Kind::Number(least, most) => format!("{least} to {most}"),
        Kind::Whole(least, most) => format!("{least} to {most}"),
        Kind::Bytes(least, _) | Kind::Rate(least) => format!("{least} and more"),
        Kind::Ends => "two points".to_owned(),
        Kind::Polygon => "polygon".to_owned(),
        Kind::Polygons => "list of polygons".to_owned(),
    }
}

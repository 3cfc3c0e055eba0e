//! A sink is one file and one line of a registry: what docs/architecture.md says of adding one is counted here, at the receivers
//! that no other part has a reason to know.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Receivers that are nothing but that. A broker and a store are words of other parts too.
const PLAIN: [&str; 2] = ["webhook", "ntfy"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What the row of the table names, with `NAME` in it for the sink's.
fn promised() -> Vec<String> {
    let text = fs::read_to_string(root().join("docs/architecture.md"))
        .expect("the file or folder is in the repository");
    let row = text.lines().find(|line| line.starts_with("| a sink |"));
    let row = row.expect("docs/architecture.md says what a sink touches");
    let quoted = row.split('`').skip(1).step_by(2);
    let paths = quoted.filter(|word| word.ends_with(".rs") || word.ends_with('/'));
    paths.map(str::to_owned).collect()
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the file or folder is in the repository") {
        let path = entry
            .expect("the file or folder is in the repository")
            .path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Whether code, and not a comment or a test, names `word`, alone or within a name.
fn names(text: &str, word: &str) -> bool {
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let lines = code
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    lines
        .into_iter()
        .any(|line| line.to_lowercase().contains(word))
}

/// Files that name the sink, from the root of the checkout.
fn touched(sink: &str) -> Vec<String> {
    let mut files = Vec::new();
    for folder in ["src", "crates/core/src", "crates/net/src", "crates/hub/src"] {
        collect(&root().join(folder), &mut files);
    }
    let short = |path: &PathBuf| {
        let short = path
            .strip_prefix(root())
            .expect("the file or folder is in the repository");
        short.to_string_lossy().into_owned()
    };
    let of_tests = |path: &String| path.contains("/tests");
    let files = files.iter().filter(|path| {
        let text = fs::read_to_string(path).expect("the file or folder is in the repository");
        names(&text, sink)
    });
    files.map(short).filter(|path| !of_tests(path)).collect()
}

#[test]
fn a_sink_touches_what_the_table_says_and_nothing_else() {
    let promised = promised();
    assert!(promised.len() > 4, "{promised:?}");
    for sink in PLAIN {
        let of_sink: Vec<_> = promised
            .iter()
            .map(|path| path.replace("NAME", sink))
            .collect();
        let allowed = |file: &String| {
            of_sink.iter().any(|path| match path.ends_with('/') {
                true => file.starts_with(path.as_str()),
                false => file == path,
            })
        };
        let touched = touched(sink);
        let others: Vec<_> = touched.iter().filter(|file| !allowed(file)).collect();
        assert!(
            others.is_empty(),
            "{sink} is named outside of what docs/architecture.md says of adding a sink: {others:?}"
        );
        let own = touched.iter().filter(|file| file.contains(sink)).count();
        assert!(own >= 1 && touched.len() >= 5, "{touched:?}");
        let registry = fs::read_to_string(root().join("src/outbox/sinks/registry.rs"))
            .expect("the file or folder is in the repository");
        let lines = registry.lines().filter(|line| line.contains("::KIND"));
        let own = lines.filter(|line| line.contains(sink)).count();
        assert_eq!(own, 1, "lines of the registry");
    }
}

#[test]
fn what_names_a_sink_is_code() {
    let said = "// a webhook\nfn other() {}\n#[cfg(test)]\nmod tests { fn webhook() {} }\n";
    assert!(!names(said, "webhook"));
    assert!(names("let sink = WebhookSink::new();", "webhook"));
    assert!(names("let label = \"webhook\";", "webhook"));
}

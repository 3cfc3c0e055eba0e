//! Keys that nobody asked for: what their writer may have meant.

use super::reader::Section;
use crate::config::registry;

/// Secrets, whose keys name a file or a variable of the environment instead.
const PLAIN_SECRETS: [&str; 5] = ["password", "secret", "secret_key", "token", "client_key"];

impl Section<'_> {
    /// Says of each key that the registry does not know what it may mean.
    pub(super) fn done(self) {
        let known = self.known_names();
        for (key, _) in self.table.into_iter().flatten() {
            let name: &str = key.get_ref();
            if known.iter().any(|known| known == name) {
                continue;
            }
            let path = if self.path.is_empty() {
                name.to_owned()
            } else {
                format!("{}.{name}", self.path)
            };
            self.reading
                .problem(path, Some(key.span().start), self.hint(name, &known));
        }
    }

    /// All names that may be written here, in the version of this file.
    fn known_names(&self) -> Vec<String> {
        let first = self.reading.first_version.get();
        let keys = self.keys.keys.iter().flat_map(|key| match key.was {
            Some(was) if first => vec![was.to_owned()],
            _ => key.names(),
        });
        let prefix = match self.keys.path {
            "" => String::new(),
            path => format!("{path}."),
        };
        let below = registry::sections().filter_map(|section| {
            let name = section.path.strip_prefix(prefix.as_str())?;
            let child = !name.is_empty() && !name.contains('.');
            child.then(|| self.written(name).to_owned())
        });
        keys.chain(below).collect()
    }

    /// What to do about the unknown `name`.
    fn hint(&self, name: &str, known: &[String]) -> String {
        let named = format!("{name}_file");
        if PLAIN_SECRETS.contains(&name) && known.iter().any(|key| key.ends_with("_file")) {
            let file = known.iter().find(|known| **known == named);
            let file = file.map_or("password_file", String::as_str);
            return format!(
                "does not stand in this file, which others may read: put it in a file of its own and write {file} = \"/PATH\""
            );
        }
        if let Some(other) = self.name_of_other_version(name) {
            return if self.reading.first_version.get() {
                format!(
                    "belongs to version 2: write \"{other}\", or turn this file into version 2 with lares config migrate"
                )
            } else {
                format!("was its name in version 1: write \"{other}\"")
            };
        }
        let likeness = |known: &str| strsim::jaro_winkler(known, name);
        let near = known
            .iter()
            .max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        match near.filter(|best| likeness(best) > 0.75) {
            Some(best) => format!("is not known: did you mean \"{best}\"?"),
            None => format!("is not known. Known here: {}", known.join(", ")),
        }
    }

    /// What this file calls what the other version calls `name`.
    fn name_of_other_version(&self, name: &str) -> Option<&'static str> {
        let first = self.reading.first_version.get();
        let keys = self.keys.keys.iter().map(|key| (key.name, key.was));
        let sections = registry::sections()
            .filter(|section| {
                self.below(section.name())
                    .is_some_and(|below| below.path == section.path)
            })
            .map(|section| (section.name(), section.was));
        keys.chain(sections).find_map(|(new, was)| {
            let was = was?;
            let (here, other) = if first { (was, new) } else { (new, was) };
            (other == name).then_some(here)
        })
    }
}

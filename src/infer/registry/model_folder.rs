//! The folder of models: what is there.

use std::{fs, path::Path};

use super::card::{Card, Task};
use crate::infer::InferError;

/// Names of the cards in a folder, sorted.
pub(in crate::infer) fn names(dir: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|file| file.strip_suffix(".toml").map(str::to_owned))
        .collect();
    names.sort();
    names
}

/// Every card in a folder by name, with what is wrong with it or with its model's file.
#[must_use]
pub fn list(dir: &Path) -> Vec<(String, Result<Card, InferError>)> {
    let verified = |name: &str| {
        let card = Card::read(dir, name)?;
        card.model()?;
        Ok(card)
    };
    names(dir)
        .into_iter()
        .map(|name| {
            let card = verified(&name);
            (name, card)
        })
        .collect()
}

/// The card `name`, which must be of `task`.
///
/// # Errors
/// When it is missing, not valid, or of another task.
pub(in crate::infer) fn card(dir: &Path, name: &str, task: Task) -> Result<Card, InferError> {
    let card = Card::read(dir, name)?;
    if card.task != task {
        return Err(InferError::BadCard {
            path: dir.join(format!("{name}.toml")),
            reason: format!("its task is not \"{task:?}\"").to_lowercase(),
        });
    }
    Ok(card)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::infer::registry::card_reader::tests::folder;

    #[test]
    fn a_card_of_another_task_is_refused() {
        let dir = folder();
        assert_eq!(
            card(dir.path(), "person", Task::Person).unwrap().name,
            "person"
        );
        let text = card(dir.path(), "person", Task::Motion)
            .unwrap_err()
            .to_string();
        assert!(text.contains("motion"), "{text}");
    }
}

//! The folder of models: what is there, and which of two precisions suits this processor.

use std::{fs, path::Path};

use super::{
    InferError,
    card::{Card, Precision, Task},
};

/// Names of the cards in a folder, sorted.
pub(super) fn names(dir: &Path) -> Vec<String> {
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

/// The card to use where `name` is configured: itself, or its float sibling where it is of integers and this
/// processor has no dot products for them.
///
/// # Errors
/// When a card is missing, not valid, or of another task.
pub(super) fn choose(dir: &Path, name: &str, task: Task) -> Result<Card, InferError> {
    choose_for(dir, name, task, has_int8_dot_products())
}

fn choose_for(dir: &Path, name: &str, task: Task, int8: bool) -> Result<Card, InferError> {
    let card = Card::read(dir, name)?;
    if card.task != task {
        return Err(InferError::BadCard {
            path: dir.join(format!("{name}.toml")),
            reason: format!("its task is not \"{task:?}\"").to_lowercase(),
        });
    }
    match &card.sibling {
        Some(sibling) if card.precision == Precision::Int8 && !int8 => {
            let other = Card::read(dir, sibling)?;
            Ok(
                if other.task == task && other.precision == Precision::Float {
                    other
                } else {
                    card
                },
            )
        }
        _ => Ok(card),
    }
}

/// Whether this processor multiplies and adds 8-bit integers in one instruction (VNNI on x86, dot product on Arm).
fn has_int8_dot_products() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        std::arch::is_x86_feature_detected!("avx512vnni")
            || std::arch::is_x86_feature_detected!("avxvnni")
    }
    #[cfg(target_arch = "aarch64")]
    {
        std::arch::is_aarch64_feature_detected!("dotprod")
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::infer::card::tests::folder;

    #[test]
    fn without_integer_dot_products_the_float_sibling_is_taken() {
        let dir = folder();
        let name = |name, int8| {
            choose_for(dir.path(), name, Task::Person, int8)
                .unwrap()
                .name
        };
        assert_eq!(name("person", true), "person");
        assert_eq!(name("person", false), "person-f32");
        assert_eq!(name("person-f32", true), "person-f32");
        let text = choose_for(dir.path(), "person", Task::Motion, true)
            .unwrap_err()
            .to_string();
        assert!(text.contains("motion"), "{text}");
    }
}

//! Reads model cards, and refuses those that no model can be run by: what is wrong is one sentence.

use std::{fs, path::Path};

use super::{
    card::{Card, Colour, Element, Resize, Task},
    model_folder,
};
use crate::{
    flow::{Label, Size},
    infer::{InferError, detect::heads, motion},
};

/// The version of cards that this program reads.
const VERSION: u32 = 1;

impl Card {
    /// Reads and checks the card `name` in the folder `dir`.
    ///
    /// # Errors
    /// When there is no such card or it is not valid.
    pub fn read(dir: &Path, name: &str) -> Result<Self, InferError> {
        let path = dir.join(format!("{name}.toml"));
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let names = model_folder::names(dir).join(", ");
                let hint = if names.is_empty() {
                    "set models.dir to the folder of the models, which holds motion.toml and person.toml".to_owned()
                } else {
                    format!("set models.motion or models.person to one of: {names}")
                };
                return Err(InferError::NoCard { path, hint });
            }
            Err(error) => {
                let reason = error.to_string();
                return Err(InferError::BadCard { path, reason });
            }
        };
        Self::parse(dir, name, &text).map_err(|reason| InferError::BadCard { path, reason })
    }

    pub(in crate::infer) fn parse(dir: &Path, name: &str, text: &str) -> Result<Self, String> {
        let mut card: Self = toml::from_str(text)
            .map_err(|error| error.to_string().trim_end().replace('\n', " "))?;
        dir.clone_into(&mut card.dir);
        card.check(name)?;
        Ok(card)
    }

    fn check(&self, name: &str) -> Result<(), String> {
        let fail = |reason: &str| Err(reason.to_owned());
        if self.version != VERSION {
            return Err(format!(
                "version is {}, this program reads {VERSION}",
                self.version
            ));
        }
        if self.name != name {
            return Err(format!(
                "name is \"{}\", but the file's name says \"{name}\"",
                self.name
            ));
        }
        if Path::new(&self.file).components().count() != 1 || self.file.starts_with('.') {
            return fail("file must be a plain name beside the card");
        }
        if self.sha256.len() != 64
            || !self
                .sha256
                .bytes()
                .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        {
            return fail("sha256 must be 64 of 0-9 and a-f");
        }
        let input = &self.input;
        let sound =
            |size: Size| (16..=4096).contains(&size.width) && (16..=4096).contains(&size.height);
        if input.sizes.is_empty() || !input.sizes().all(sound) {
            return fail("input.sizes must hold at least one [width, height] of 16 to 4096 each");
        }
        if !input.mean.iter().all(|m| m.is_finite())
            || !input.std.iter().all(|s| s.is_finite() && *s > 0.0)
        {
            return fail("input.mean must be finite and input.std above zero");
        }
        if input.element == Element::Uint8 && (input.mean != [0.0; 3] || input.std != [1.0; 3]) {
            return fail("an input of type uint8 cannot have mean and std");
        }
        match self.task {
            Task::Motion => self.check_motion(),
            Task::Person => self.check_person(),
        }
    }

    fn check_motion(&self) -> Result<(), String> {
        let (input, head) = (&self.input, &self.head);
        if (input.colour, input.element, input.resize)
            != (Colour::Luma, Element::Uint8, Resize::Stretch)
        {
            return Err(
                "a motion model takes colour \"luma\", type \"uint8\", resize \"stretch\""
                    .to_owned(),
            );
        }
        if head.kind != "motion" {
            return Err("a motion model's head must be of kind \"motion\"".to_owned());
        }
        for name in [motion::BACKGROUND_OUT, motion::SPREAD_OUT, motion::MASK] {
            if !head.outputs.iter().any(|output| output == name) {
                return Err(format!("a motion head needs the output \"{name}\""));
            }
        }
        let positive = |value: Option<f32>| value.is_some_and(|v| v.is_finite() && v > 0.0);
        if !(positive(head.initial_spread) && positive(head.tau_s) && positive(head.new_scene)) {
            return Err(
                "a motion head needs initial_spread, tau_s and new_scene above zero".to_owned(),
            );
        }
        Ok(())
    }

    fn check_person(&self) -> Result<(), String> {
        if self.input.colour == Colour::Luma {
            return Err("a person model takes colour \"bgr\" or \"rgb\"".to_owned());
        }
        let Some(thresholds) = self.thresholds() else {
            return Err("a person model needs [thresholds]".to_owned());
        };
        let share = |value: f32| value > 0.0 && value < 1.0;
        if !share(thresholds.score) || !share(thresholds.nms_iou) {
            return Err("thresholds must lie between 0 and 1".to_owned());
        }
        if !self.classes().contains(&Some(Label::Person)) {
            return Err("labels.names must hold \"person\"".to_owned());
        }
        let head = heads::by_name(&self.head.kind)
            .ok_or_else(|| format!("head.kind must be one of: {}", heads::names()))?;
        (head.check)(&self.head)?;
        if let Some(size) = self.input.sizes().find(|size| {
            let uneven = |stride: &u32| size.width % stride != 0 || size.height % stride != 0;
            self.head.strides.iter().any(uneven)
        }) {
            return Err(format!(
                "input size {}x{} is not a multiple of every stride",
                size.width, size.height
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "card_reader_tests.rs"]
pub(in crate::infer) mod tests;

//! Numbers of a configuration, with and without units, each held to the range that the registry gives.

use std::time::Duration;

use toml::de::DeValue;

use super::reader::Section;
use crate::config::{BitRate, ByteSize, parse_duration, registry::Kind};

impl Section<'_> {
    /// The duration of a key that has a default.
    pub(super) fn duration(&self, key: &str) -> Duration {
        let default =
            || parse_duration(self.default_text(key)).expect("the registry's defaults can be read");
        self.maybe_duration(key).unwrap_or_else(default)
    }

    /// A duration within its range.
    pub(super) fn maybe_duration(&self, key: &str) -> Option<Duration> {
        let Kind::Duration(_, most) = self.known(key).kind else {
            unreachable!("{key} is no duration");
        };
        self.duration_up_to(key, most)
    }

    /// A duration that may not be longer than `most`, a text with its unit.
    pub(super) fn duration_up_to(&self, key: &str, most: &str) -> Option<Duration> {
        let Kind::Duration(least, _) = self.known(key).kind else {
            unreachable!("{key} is no duration");
        };
        if let DeValue::Integer(_) | DeValue::Float(_) = self.get(key)?.get_ref() {
            self.problem(
                key,
                "is a number without its unit: write it like \"10 s\" or \"500 ms\"",
            );
            return None;
        }
        let text = self.text(key)?;
        let range = [least, most].map(|text| parse_duration(text).ok());
        match parse_duration(&text) {
            Ok(value) if range[0] <= Some(value) && Some(value) <= range[1] => Some(value),
            Ok(_) => {
                self.problem(
                    key,
                    format!("\"{text}\" is out of range: choose {least} to {most}"),
                );
                None
            }
            Err(error) => {
                self.problem(key, error.to_string());
                None
            }
        }
    }

    /// An amount of bytes of a key that has a default.
    pub(super) fn bytes(&self, key: &str) -> ByteSize {
        self.maybe_bytes(key).unwrap_or_else(|| self.default(key))
    }

    /// An amount of bytes, not less than its least.
    pub(super) fn maybe_bytes(&self, key: &str) -> Option<ByteSize> {
        let Kind::Bytes(least, purpose) = self.known(key).kind else {
            unreachable!("{key} is no amount of bytes");
        };
        let value = self.parsed::<ByteSize>(key)?;
        if least.parse().is_ok_and(|least| value < least) {
            let purpose = match purpose {
                "" => String::new(),
                purpose => format!(" {purpose}"),
            };
            self.problem(
                key,
                format!("is too small{purpose}: choose \"{least}\" or more"),
            );
        }
        Some(value)
    }

    /// A bit rate, not lower than its least.
    pub(super) fn rate(&self, key: &str) -> Option<BitRate> {
        let Kind::Rate(least) = self.known(key).kind else {
            unreachable!("{key} is no bit rate");
        };
        let value = self.parsed::<BitRate>(key)?;
        if least.parse().is_ok_and(|least| value < least) {
            self.problem(
                key,
                format!("is too slow for images: choose \"{least}\" or more"),
            );
        }
        Some(value)
    }

    /// The number of a key that has a default.
    pub(super) fn number(&self, key: &str) -> f64 {
        self.maybe_number(key).unwrap_or_else(|| self.default(key))
    }

    /// A number within its range, whole where it must be.
    pub(super) fn maybe_number(&self, key: &str) -> Option<f64> {
        let (least, most, whole) = match self.known(key).kind {
            Kind::Number(least, most) => (least, most, false),
            Kind::Whole(least, most) => (f64::from(least), f64::from(most), true),
            _ => unreachable!("{key} is no number"),
        };
        let number = match self.get(key)?.get_ref() {
            DeValue::Integer(value) => value.as_str().replace('_', "").parse::<f64>().ok(),
            DeValue::Float(value) => value.as_str().replace('_', "").parse::<f64>().ok(),
            _ => None,
        };
        let what = if whole { "a whole number" } else { "a number" };
        match number {
            Some(value) if whole && value.fract() != 0.0 => {
                self.problem(key, format!("should be {what} from {least} to {most}"));
                None
            }
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
                    format!("should be {what} from {least} to {most}, without quotes"),
                );
                None
            }
        }
    }
}

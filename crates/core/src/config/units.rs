//! Values with units, as people write them: "10 s", "200 MB", "2 Mbit/s"; and secrets that cannot be printed.

use std::{fmt, str::FromStr, time::Duration};

/// A number of bytes. Decimal: 1 kB is 1000 bytes; KiB, MiB and GiB are understood too.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct ByteSize(pub u64);

impl ByteSize {
    /// Thousands of bytes.
    #[must_use]
    pub const fn kb(n: u64) -> Self {
        Self(n * 1_000)
    }

    /// Millions of bytes.
    #[must_use]
    pub const fn mb(n: u64) -> Self {
        Self(n * 1_000_000)
    }
}

/// Bits a second.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct BitRate(pub u64);

/// Text that is never shown: `Debug` and `Display` print dots.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the text in.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself: only for the call that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Why a value with a unit was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not {what}: write it like {example}")]
pub struct InvalidUnit {
    text: String,
    what: &'static str,
    example: &'static str,
}

/// Splits "2.5 MB" into 2.5 and "MB".
fn number_and_unit(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    let number: f64 = text[..end].parse().ok()?;
    Some((number, text[end..].trim()))
}

fn scaled(text: &str, units: &[(&str, f64)]) -> Option<f64> {
    let (number, unit) = number_and_unit(text)?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    Some(number * factor)
}

/// Reads "500 ms", "10 s", "2 min", "12 h" or "7 d".
///
/// # Errors
/// When the text is anything else.
pub fn parse_duration(text: &str) -> Result<Duration, InvalidUnit> {
    const UNITS: &[(&str, f64)] = &[
        ("ms", 0.001),
        ("s", 1.0),
        ("min", 60.0),
        ("h", 3600.0),
        ("d", 86400.0),
    ];
    scaled(text, UNITS)
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| InvalidUnit {
            text: text.to_owned(),
            what: "a duration",
            example: "\"500 ms\", \"10 s\", \"2 min\", \"12 h\" or \"7 d\"",
        })
}

/// `duration` as a text that [`parse_duration`] reads, in the largest unit that is whole.
#[must_use]
pub(super) fn duration_text(duration: Duration) -> String {
    let ms = duration.as_millis();
    let units = [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("min", 60_000),
        ("s", 1000),
        ("ms", 1),
    ];
    let whole = |(_, size): &(&str, u128)| ms >= *size && ms.is_multiple_of(*size);
    let (unit, size) = units.into_iter().find(whole).unwrap_or(("s", 1000));
    format!("{} {unit}", ms / size)
}

impl FromStr for ByteSize {
    type Err = InvalidUnit;
    fn from_str(text: &str) -> Result<Self, InvalidUnit> {
        const UNITS: &[(&str, f64)] = &[
            ("B", 1.0),
            ("kB", 1e3),
            ("MB", 1e6),
            ("GB", 1e9),
            ("TB", 1e12),
            ("KiB", 1024.0),
            ("MiB", 1_048_576.0),
            ("GiB", 1_073_741_824.0),
        ];
        scaled(text, UNITS)
            .map(|bytes| Self(bytes.round() as u64))
            .ok_or_else(|| InvalidUnit {
                text: text.to_owned(),
                what: "an amount of bytes",
                example: "\"512 kB\", \"200 MB\" or \"2 GB\"",
            })
    }
}

impl FromStr for BitRate {
    type Err = InvalidUnit;
    fn from_str(text: &str) -> Result<Self, InvalidUnit> {
        const UNITS: &[(&str, f64)] = &[
            ("bit/s", 1.0),
            ("kbit/s", 1e3),
            ("Mbit/s", 1e6),
            ("Gbit/s", 1e9),
        ];
        scaled(text, UNITS)
            .map(|bits| Self(bits.round() as u64))
            .ok_or_else(|| InvalidUnit {
                text: text.to_owned(),
                what: "a bit rate",
                example: "\"64 kbit/s\" or \"2 Mbit/s\"",
            })
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.0 as f64;
        match self.0 {
            0..1_000 => write!(f, "{} B", self.0),
            1_000..1_000_000 => write!(f, "{:.1} kB", n / 1e3),
            1_000_000..1_000_000_000 => write!(f, "{:.1} MB", n / 1e6),
            _ => write!(f, "{:.1} GB", n / 1e9),
        }
    }
}

impl fmt::Debug for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for BitRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bit/s", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_write_units() {
        assert_eq!(parse_duration("10 s"), Ok(Duration::from_secs(10)));
        assert_eq!(parse_duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse_duration("7 d"), Ok(Duration::from_secs(604_800)));
        for text in ["10 s", "1500 ms", "7 d", "36 h", "2 min", "0 s"] {
            assert_eq!(parse_duration(text).map(duration_text), Ok(text.to_owned()));
        }
        assert_eq!("200 MB".parse(), Ok(ByteSize::mb(200)));
        assert_eq!("1 KiB".parse(), Ok(ByteSize(1024)));
        assert_eq!("2 Mbit/s".parse(), Ok(BitRate(2_000_000)));
    }

    #[test]
    fn a_bare_number_is_refused_with_an_example() {
        let error = parse_duration("10").unwrap_err().to_string();
        assert!(error.contains("\"10 s\""), "{error}");
        assert!("5 mb".parse::<ByteSize>().is_err());
        assert!("fast".parse::<BitRate>().is_err());
        assert!(parse_duration("-1 s").is_err());
    }

    #[test]
    fn secrets_do_not_print() {
        assert!(!format!("{:?}", Secret::new("hunter2")).contains("hunter2"));
    }
}

//! The time zone of the house: one, everywhere. Days of the page, of the data budget and hours in notifications are counted in it.
//!
//! A browser knows zones by name only. Where the system's zone has no name, or one that does not exist, all days are those of
//! UTC: a day that begins at different times in different places would be worse.

use std::{
    path::{Path, PathBuf},
    sync::LazyLock,
};

use jiff::tz::TimeZone;

/// Where a system says what its zone is, unless `TZ` does.
const LINK: &str = "/etc/localtime";
const NAMED: &str = "/etc/timezone";
/// Folders of zones end with this.
const FOLDER: &str = "zoneinfo/";

/// What the system says of its zone.
#[derive(Debug, Clone, Default)]
struct Told {
    /// `TZ`.
    variable: Option<String>,
    /// Where `/etc/localtime` leads.
    link: Option<PathBuf>,
    /// What `/etc/timezone` says.
    named: Option<String>,
}

/// The zone, and what is wrong with it.
#[derive(Debug, Clone)]
pub struct House {
    /// In which days are counted.
    pub zone: TimeZone,
    /// Its name for browsers.
    pub name: String,
    /// Why it is UTC though the system means another one; one sentence.
    pub problem: Option<String>,
}

impl House {
    fn utc(problem: Option<String>) -> Self {
        Self {
            zone: TimeZone::UTC,
            name: "UTC".to_owned(),
            problem,
        }
    }

    fn named(name: &str) -> Option<Self> {
        let zone = TimeZone::get(name).ok()?;
        Some(Self {
            name: zone.iana_name()?.to_owned(),
            zone,
            problem: None,
        })
    }
}

/// The zone of this house. It is looked for once: a program that runs keeps it.
#[must_use]
pub fn house() -> &'static House {
    static HOUSE: LazyLock<House> = LazyLock::new(|| {
        let told = Told {
            variable: std::env::var("TZ").ok(),
            link: std::fs::canonicalize(LINK).ok(),
            named: std::fs::read_to_string(NAMED).ok(),
        };
        let house = find(&told);
        if let Some(problem) = &house.problem {
            tracing::warn!("{problem}");
        }
        house
    });
    &HOUSE
}

/// The name in a path such as `/usr/share/zoneinfo/Europe/Paris`.
fn name_in(path: &Path) -> Option<&str> {
    let path = path.to_str()?;
    let (_, name) = path.rsplit_once(FOLDER)?;
    Some(
        name.trim_start_matches("posix/")
            .trim_start_matches("right/"),
    )
}

fn find(told: &Told) -> House {
    let variable = told
        .variable
        .as_deref()
        .map(|text| text.trim_start_matches(':'));
    if let Some(text) = variable.filter(|text| !text.is_empty()) {
        let name = name_in(Path::new(text)).unwrap_or(text);
        return House::named(name).unwrap_or_else(|| {
            House::utc(Some(if text.starts_with('/') || TimeZone::posix(text).is_ok() {
                format!(
                    "TZ is \"{text}\", which has no name that a browser knows, so days are counted in UTC: write a name such as TZ=Europe/Paris"
                )
            } else {
                format!(
                    "TZ is \"{text}\", a time zone that this system does not know, so days are counted in UTC: write a name such as TZ=Europe/Paris, or install tzdata"
                )
            }))
        });
    }
    let linked = told
        .link
        .as_deref()
        .and_then(name_in)
        .and_then(House::named);
    let named = || told.named.as_deref().map(str::trim).and_then(House::named);
    match linked.or_else(named) {
        Some(house) => house,
        // A system that says nothing is in UTC.
        None if told.link.is_none() => House::utc(None),
        None => House::utc(Some(
            "the system's time zone has no name, so days are counted in UTC: set it with timedatectl set-timezone, or TZ=Europe/Paris"
                .to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(text: &str) -> House {
        find(&Told {
            variable: Some(text.to_owned()),
            link: Some("/usr/share/zoneinfo/Asia/Tokyo".into()),
            named: None,
        })
    }

    #[test]
    fn a_zone_is_found_as_systems_write_it() {
        for text in [
            "Europe/Paris",
            ":Europe/Paris",
            "/usr/share/zoneinfo/Europe/Paris",
            ":/usr/share/zoneinfo/posix/Europe/Paris",
        ] {
            let house = variable(text);
            assert_eq!(
                (house.name.as_str(), house.problem),
                ("Europe/Paris", None),
                "{text}"
            );
            assert_eq!(house.zone.iana_name(), Some("Europe/Paris"));
        }
        let told = Told {
            link: Some("/usr/share/zoneinfo/Asia/Tokyo".into()),
            ..Told::default()
        };
        assert_eq!(find(&told).name, "Asia/Tokyo");
        // A copy instead of a link, as in containers.
        let told = Told {
            link: Some("/etc/localtime".into()),
            named: Some("Asia/Tokyo\n".to_owned()),
            ..Told::default()
        };
        assert_eq!(find(&told).name, "Asia/Tokyo");
        let house = find(&Told::default());
        assert_eq!((house.name.as_str(), house.problem), ("UTC", None));
    }

    #[test]
    fn a_zone_without_a_name_or_one_that_is_none_is_said_and_days_are_one_everywhere() {
        for (text, why) in [
            ("Europe/Pari", "does not know"),
            ("CET-1CEST,M3.5.0,M10.5.0/3", "no name"),
            ("/tmp/zone", "no name"),
        ] {
            let house = variable(text);
            assert_eq!(house.zone, TimeZone::UTC, "{text}");
            assert_eq!(house.name, "UTC");
            assert!(house.problem.unwrap().contains(why), "{text}");
        }
        let copy = Told {
            link: Some("/etc/localtime".into()),
            ..Told::default()
        };
        assert!(find(&copy).problem.unwrap().contains("timedatectl"));
    }
}

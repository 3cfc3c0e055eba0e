//! The time zone of the house: one for the index, which counts days, and for the page, which names them.

use jiff::tz::TimeZone;

/// The zone in which days are counted, and its name. A browser knows zones by name only: where the system's has none, days are those
/// of UTC here and there, and the log says so.
pub(super) fn of_the_house(system: TimeZone) -> (TimeZone, String) {
    if let Some(name) = system.iana_name().map(str::to_owned) {
        return (system, name);
    }
    tracing::warn!(
        "the system's time zone has no name, so the page counts days in UTC: set it with timedatectl set-timezone, or TZ=Europe/Paris"
    );
    (TimeZone::UTC, "UTC".to_owned())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn days_and_their_names_are_of_one_zone() {
        let late = Timestamp::from_millisecond(1_770_075_000_000).unwrap();
        let day = |zone: &TimeZone| zone.to_datetime(late).date().to_string();
        // As TZ gives it where it names no zone: an hour ahead, without a name that a browser knows.
        let nameless = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        assert_eq!(day(&nameless), "2026-02-03");
        let (zone, name) = of_the_house(nameless);
        assert_eq!((day(&zone).as_str(), name.as_str()), ("2026-02-02", "UTC"));
        let (zone, name) = of_the_house(TimeZone::get("Europe/Paris").unwrap());
        assert_eq!(
            (day(&zone).as_str(), name.as_str()),
            ("2026-02-03", "Europe/Paris")
        );
    }
}

//! An alert in plain words, in the reader's language and the time of the house.

use jiff::{Timestamp, ZonedDateTime, tz::TimeZone};

use crate::{
    flow::{ClockState, IncidentState, Label, Language, WallTime},
    wire::IncidentMessage,
};

/// ntfy shows these tags as small pictures.
pub(super) fn tag(label: Label) -> &'static str {
    match label {
        Label::Person => "bust_in_silhouette",
        Label::Bicycle => "bike",
        Label::Car => "car",
        Label::Cat => "cat",
        Label::Dog => "dog",
    }
}

fn noun(label: Label, language: Language) -> &'static str {
    match (language, label) {
        (Language::En, Label::Person) => "A person",
        (Language::En, Label::Bicycle) => "A bicycle",
        (Language::En, Label::Car) => "A car",
        (Language::En, Label::Cat) => "A cat",
        (Language::En, Label::Dog) => "A dog",
        (Language::Fr, Label::Person) => "Une personne",
        (Language::Fr, Label::Bicycle) => "Un vélo",
        (Language::Fr, Label::Car) => "Une voiture",
        (Language::Fr, Label::Cat) => "Un chat",
        (Language::Fr, Label::Dog) => "Un chien",
    }
}

/// The same in French as one that has been told of, and that it has gone.
fn definite(label: Label) -> (&'static str, &'static str) {
    match label {
        Label::Person => ("La personne", "partie"),
        Label::Bicycle => ("Le vélo", "parti"),
        Label::Car => ("La voiture", "partie"),
        Label::Cat => ("Le chat", "parti"),
        Label::Dog => ("Le chien", "parti"),
    }
}

const MONTHS: [[&str; 12]; 2] = [
    [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
    [
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ],
];

fn zoned(at: WallTime, zone: &TimeZone) -> ZonedDateTime {
    let instant = Timestamp::from_millisecond(at.0).unwrap_or_default();
    instant.to_zoned_datetime(zone.clone())
}

fn clock(at: &ZonedDateTime, language: Language) -> String {
    match language {
        Language::En => format!("{:02}:{:02}", at.hour(), at.minute()),
        Language::Fr => format!("{}\u{a0}h\u{a0}{:02}", at.hour(), at.minute()),
    }
}

fn date(at: &ZonedDateTime, language: Language) -> String {
    let month = MONTHS[language as usize][usize::from(at.month().unsigned_abs().clamp(1, 12)) - 1];
    format!("{} {month}", at.day())
}

/// Title and message of an alert, in the time of the house.
pub(super) fn text(
    alert: &IncidentMessage,
    name: &str,
    language: Language,
    zone: &TimeZone,
) -> (String, String) {
    let what = noun(alert.label, language);
    let start = zoned(alert.start, zone);
    let end = zoned(alert.end.unwrap_or(alert.start), zone);
    let [from, to] = [&start, &end].map(|at| clock(at, language));
    let day = date(&start, language);
    let (mut title, mut message) = match (language, alert.state) {
        (Language::En, IncidentState::Began) => (
            format!("{what} at {name}"),
            format!("Seen at {from} on {day}."),
        ),
        (Language::En, IncidentState::Updated) => (
            format!("Still there: {what} at {name}"),
            format!("Since {from} on {day}."),
        ),
        (Language::En, IncidentState::Ended) => (
            format!("Gone: {what} at {name}"),
            format!("From {from} to {to} on {day}."),
        ),
        (Language::Fr, IncidentState::Began) => (
            format!(
                "{}\u{a0}: {name}",
                if alert.label == Label::Person {
                    "Quelqu’un"
                } else {
                    what
                }
            ),
            format!("À {from}, le {day}."),
        ),
        (Language::Fr, IncidentState::Updated) => (
            format!("Toujours là\u{a0}: {}, {name}", what.to_lowercase()),
            format!("Depuis {from}, le {day}."),
        ),
        (Language::Fr, IncidentState::Ended) => (
            {
                let (who, gone) = definite(alert.label);
                format!("{who} est {gone}\u{a0}: {name}")
            },
            format!("De {from} à {to}, le {day}."),
        ),
    };
    if !alert.zones.is_empty() {
        let zones = alert.zones.join(", ");
        message.push_str(&match language {
            Language::En => format!(" In: {zones}."),
            Language::Fr => format!(" Zone\u{a0}: {zones}."),
        });
    }
    if alert.clock != ClockState::Good {
        message.push_str(match language {
            Language::En => " The box's clock may be wrong.",
            Language::Fr => " L’horloge du boîtier n’est peut-être pas à l’heure.",
        });
    }
    if alert.test {
        title = match language {
            Language::En => format!("Test: {title}"),
            Language::Fr => format!("Essai\u{a0}: {title}"),
        };
    }
    (title, message)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::outbox::sinks::ntfy) fn alert(state: &str) -> IncidentMessage {
        let json = format!(
            r#"{{"v":1,"n":1,"id":"01990000-0000-7000-8000-000000000001","seq":1,"state":"{state}","end_reason":null,"site":"home","camera":"front-door","label":"person","start":1770000000123,"end":1770000200000,"sent":1770000002000,"clock":"good","score":0.91,"zones":["gate"],"tracks":1,"mode":"armed","thumbnail":null,"clip":{{"key":null,"state":"none","segments":0,"bytes":0}}}}"#
        );
        IncidentMessage::from_json(json.as_bytes()).unwrap()
    }

    #[test]
    fn alerts_are_put_into_plain_words_in_the_time_of_the_house() {
        let paris = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let say = |state, language| {
            let (title, message) = text(&alert(state), "Front door", language, &paris);
            format!("{title} | {message}")
        };
        let all: Vec<_> = [Language::En, Language::Fr]
            .into_iter()
            .flat_map(|language| ["began", "updated", "ended"].map(|state| say(state, language)))
            .collect();
        assert_eq!(
            all,
            [
                "A person at Front door | Seen at 03:40 on 2 February. In: gate.",
                "Still there: A person at Front door | Since 03:40 on 2 February. In: gate.",
                "Gone: A person at Front door | From 03:40 to 03:43 on 2 February. In: gate.",
                "Quelqu’un\u{a0}: Front door | À 3\u{a0}h\u{a0}40, le 2 février. Zone\u{a0}: gate.",
                "Toujours là\u{a0}: une personne, Front door | Depuis 3\u{a0}h\u{a0}40, le 2 février. Zone\u{a0}: gate.",
                "La personne est partie\u{a0}: Front door | De 3\u{a0}h\u{a0}40 à 3\u{a0}h\u{a0}43, le 2 février. Zone\u{a0}: gate.",
            ]
        );
        let mut test = alert("began");
        test.test = true;
        test.clock = ClockState::Unsure;
        let (title, message) = text(&test, "Porte", Language::Fr, &paris);
        assert_eq!(title, "Essai\u{a0}: Quelqu’un\u{a0}: Porte");
        assert!(message.ends_with("peut-être pas à l’heure."), "{message}");
    }
}

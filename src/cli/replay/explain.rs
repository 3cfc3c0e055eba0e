//! Why there was an incident, and why there was none: a line for each, for people.

use crate::{
    camera::Report,
    event::{Refusal, Refused},
    flow::{EndReason, IncidentState, MediaTime, NormRect},
};

/// Something that became no incident.
pub(super) fn refusal(refusal: &Refusal) -> String {
    let what = match refusal.what {
        Refused::Track(id) => format!("track {} in {} looks", id.0, refusal.looks),
        Refused::Motion => "motion".to_owned(),
    };
    let place = refusal.place.map(place).unwrap_or_default();
    format!(
        "{} to {}  no incident: {what}{place}: {} (score {:.2})",
        time(refusal.from),
        time(refusal.to),
        refusal.reason.as_str(),
        refusal.score,
    )
}

/// A change of an incident.
pub(super) fn change(report: &Report) -> String {
    let incident = &report.change.incident;
    let subject = report.change.subject.map(place).unwrap_or_default();
    let at = time(report.newest);
    match incident.state {
        IncidentState::Began => format!(
            "{at}  incident began: {}{subject} {}, evidence {:.2} of {} looks, score {:.2}",
            incident.label,
            incident.why.movement.as_str(),
            incident.why.evidence,
            incident.why.looks,
            incident.score,
        ),
        IncidentState::Updated => format!(
            "{at}  incident updated: {} tracks, score {:.2}, zones {:?}, rules {:?}, recording {}",
            incident.tracks,
            incident.score,
            incident.zones,
            incident.rules,
            report.change.recording,
        ),
        IncidentState::Ended => format!(
            "{at}  incident ended: last seen {}, {}",
            time(incident.end.unwrap_or(incident.start)),
            incident.end_reason.map_or("", EndReason::as_str),
        ),
    }
}

fn time(at: MediaTime) -> String {
    format!("{:.1} s", at.secs_f64())
}

/// Middle and height, in percent of the picture.
fn place(rect: NormRect) -> String {
    let centre = rect.centre();
    format!(
        " at {:.0} %, {:.0} %, {:.0} % high",
        100.0 * centre.x,
        100.0 * centre.y,
        100.0 * rect.height(),
    )
}

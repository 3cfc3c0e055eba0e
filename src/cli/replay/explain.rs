//! Why there was an incident, and why there was none: a readable line for each.

use crate::{
    camera::IncidentUpdate,
    event::{Refusal, Refused},
    flow::{EndReason, IncidentState, MediaTime, NormRect, Rule, RuleHit},
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
pub(super) fn change(report: &IncidentUpdate) -> String {
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
        IncidentState::Updated => {
            let mut said = vec![
                format!("score {:.2}", incident.score),
                format!("persons seen {}", incident.tracks),
            ];
            if !incident.zones.is_empty() {
                said.push(format!("in {}", incident.zones.join(", ")));
            }
            said.extend(incident.rules.iter().map(rule));
            if !report.change.recording {
                said.push("recording paused".to_owned());
            }
            format!("{at}  incident updated: {}", said.join("; "))
        }
        IncidentState::Ended => format!(
            "{at}  incident ended: last seen {}, {}",
            time(incident.end.unwrap_or(incident.start)),
            incident.end_reason.map_or("", EndReason::as_str),
        ),
    }
}

fn rule(hit: &RuleHit) -> String {
    let name = &hit.name;
    match hit.rule {
        Rule::Loitered => format!("loitered in {name}"),
        Rule::CrossedToLeft => format!("crossed {name} to the left"),
        Rule::CrossedToRight => format!("crossed {name} to the right"),
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

//! What a replay tells of each visit: the recorder of one video, and the line that is printed when incident and clip are
//! over.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use super::{
    explain,
    report::{Event, rounded},
};
use crate::{
    camera::{ClipSummary, IncidentUpdate, Keeper, RecordEvent, RecordStage, SnapshotCandidate},
    event::Refusal,
    flow::{IncidentId, IncidentState, MediaTime},
};

/// What is known of an incident until it is told.
pub(super) struct Visit {
    report: IncidentUpdate,
    first_alert: MediaTime,
    clip: Option<ClipSummary>,
}

/// The recorder of one video, and what has not been printed yet.
pub(super) struct Visits<'a> {
    pub(super) name: &'a str,
    pub(super) json: bool,
    pub(super) explain: bool,
    pub(super) record: RecordStage,
    pub(super) visits: BTreeMap<IncidentId, Visit>,
}

impl Keeper for Visits<'_> {
    fn note(&mut self, note: RecordEvent) -> Result<(), RecordEvent> {
        let report = match note {
            RecordEvent::IncidentUpdate(report) => *report,
            RecordEvent::Mode(mode) => {
                self.record.set_mode(mode);
                return Ok(());
            }
        };
        self.record.report(&report);
        if self.explain {
            self.say(&explain::change(&report));
        }
        let visit = self
            .visits
            .entry(report.change.incident.id)
            .or_insert_with(|| Visit {
                first_alert: report.newest,
                report: report.clone(),
                clip: None,
            });
        visit.report = report;
        Ok(())
    }

    fn view(&mut self, view: SnapshotCandidate) {
        self.record.view(view);
    }

    fn refused(&mut self, refusal: &Refusal) {
        if self.explain {
            self.say(&explain::refusal(refusal));
        }
    }
}

impl Visits<'_> {
    fn say(&self, text: &impl std::fmt::Display) {
        let _ = writeln!(io::stderr(), "{}  {text}", self.name);
    }

    /// Prints what is over.
    pub(super) fn print_over(&mut self, out: &mut dyn Write) -> anyhow::Result<()> {
        for clip in self.record.take_closed() {
            if let Some(visit) = self.visits.get_mut(&clip.incident) {
                visit.clip = Some(clip);
            }
        }
        let over = |visit: &Visit| {
            visit.clip.is_some() && visit.report.change.incident.state == IncidentState::Ended
        };
        let told: Vec<_> = self.visits.extract_if(.., |_, visit| over(visit)).collect();
        for (_, visit) in told {
            if let Some(clip) = &visit.clip {
                self.print(&visit, clip, out)?;
            }
        }
        Ok(())
    }

    fn print(&self, visit: &Visit, clip: &ClipSummary, out: &mut dyn Write) -> anyhow::Result<()> {
        let incident = &visit.report.change.incident;
        let event = Event {
            v: 1,
            r#type: "event",
            video: self.name,
            id: incident.id,
            camera: incident.camera.to_string(),
            label: incident.label.as_str(),
            start_s: rounded(incident.start.secs_f64()),
            end_s: rounded(incident.end.unwrap_or(incident.start).secs_f64()),
            first_alert_s: rounded(visit.first_alert.secs_f64()),
            top_score: rounded(f64::from(incident.score)),
            tracks: incident.tracks,
            segments: clip.segments,
            clip_start_s: rounded(clip.start.secs_f64()),
            clip_end_s: rounded(clip.end.secs_f64()),
            clip_bytes: clip.bytes,
        };
        if self.json {
            writeln!(out, "{}", serde_json::to_string(&event)?)?;
        } else {
            writeln!(
                out,
                "{}  {:7.1} s to {:7.1} s  {}  score {:.2}  alert at {:.1} s  clip {} segments, {} bytes",
                self.name,
                event.start_s,
                event.end_s,
                event.label,
                event.top_score,
                event.first_alert_s,
                event.segments,
                event.clip_bytes,
            )?;
        }
        Ok(())
    }
}

//! What is found becomes safe first, and is recorded after that: the one order, for live cameras and for replay.
//!
//! In: steps of a camera's [`DetectStage`]. Out: alerts as rows of the outbox, reasons in the decision log, and events for who keeps
//! clips and pictures. What the disk refuses, and what the keeper has no room for, is held here, in order, and tried
//! again at the next step. Never waits.

use std::{collections::VecDeque, sync::Arc};

use parking_lot::Mutex;

use super::{
    Shared,
    detect::stage::DetectStage,
    updates::{IncidentUpdate, SnapshotCandidate},
};
use crate::{
    base::pool::Lease,
    decision_log::DecisionLog,
    event::Refusal,
    flow::{EndReason, Incident, IncidentChange, IncidentId, IncidentState, MediaTime, Mode},
    outbox::{Outbox, OutboxError, sinks::LiveState},
};

/// What the keeper of clips and pictures is told, in order.
pub enum RecordEvent {
    /// An incident changed. Its alert is safe.
    IncidentUpdate(Box<IncidentUpdate>),
    /// Keep packets, or keep none and forget those kept.
    Mode(Mode),
}

/// Who keeps clips and pictures.
pub trait Keeper {
    /// Takes a note.
    ///
    /// # Errors
    /// The note, when there is no room for it now.
    fn note(&mut self, note: RecordEvent) -> Result<(), RecordEvent>;

    /// Takes a view of somebody in an open incident: perhaps a better picture. May be left out.
    fn view(&mut self, view: SnapshotCandidate);

    /// Hears why something became no incident.
    fn refused(&mut self, _refusal: &Refusal) {}
}

/// The incident of a camera that is open on disk; known outside of the job that may hang with it.
#[derive(Clone, Default)]
pub(super) struct OpenIncident(Arc<Mutex<Option<(Incident, MediaTime)>>>);

impl OpenIncident {
    pub(super) fn follow(&self, report: &IncidentUpdate) {
        let incident = &report.change.incident;
        let open = incident.state != IncidentState::Ended;
        *self.0.lock() = open.then(|| (incident.clone(), report.newest));
    }

    /// Ends what a lost job left open, at what was last heard of it. The report for the keeper, if there was something.
    pub(super) fn interrupt(
        &self,
        outbox: &Outbox,
        live: &LiveState,
    ) -> Result<Option<IncidentUpdate>, OutboxError> {
        let Some((open, last)) = self.0.lock().take() else {
            return Ok(None);
        };
        let end = last.max(open.start);
        let report = IncidentUpdate {
            change: IncidentChange {
                incident: Incident {
                    state: IncidentState::Ended,
                    end: Some(end),
                    end_reason: Some(EndReason::Interrupted),
                    ..open
                },
                recording: false,
                subject: None,
            },
            view: None,
            confirmed_by: None,
            newest: end,
        };
        report.commit(outbox, live)?;
        Ok(Some(report))
    }
}

/// One camera's way from packets to what is kept.
pub struct CameraPipeline<K> {
    watch: DetectStage,
    /// Who keeps clips and pictures.
    pub keeper: K,
    outbox: Arc<Outbox>,
    live: LiveState,
    decision_log: Option<DecisionLog>,
    lease: Lease,
    open: OpenIncident,
    /// Reports whose alert is not on disk yet.
    uncommitted: VecDeque<IncidentUpdate>,
    refused: bool,
    /// Notes that the keeper had no room for.
    unsent: VecDeque<RecordEvent>,
}

impl<K: Keeper> CameraPipeline<K> {
    /// What `watch` finds goes to `keeper`.
    #[must_use]
    pub fn new(watch: DetectStage, keeper: K, shared: &Shared) -> Self {
        Self {
            watch,
            keeper,
            outbox: shared.outbox.clone(),
            live: shared.live.clone(),
            decision_log: shared.decision_log.clone(),
            lease: Lease::default(),
            open: OpenIncident::default(),
            uncommitted: VecDeque::new(),
            refused: false,
            unsent: VecDeque::new(),
        }
    }

    /// The same in a job that may be given up: what it finds after that has no effect.
    pub(super) fn leased(self, lease: Lease, open: OpenIncident) -> Self {
        Self {
            lease,
            open,
            ..self
        }
    }

    /// What has been decoded, and by which rules it is judged.
    #[must_use]
    pub fn watch(&self) -> &DetectStage {
        &self.watch
    }

    /// Does one step, and tells what came of it.
    ///
    /// # Errors
    /// When the disk takes no alert: it is held, and tried again at the next step.
    pub fn step<R>(&mut self, step: impl FnOnce(&mut DetectStage) -> R) -> Result<R, OutboxError> {
        let result = step(&mut self.watch);
        self.tell().map(|()| result)
    }

    /// Arms or disarms, the keeper too.
    ///
    /// # Errors
    /// As for [`step`](Self::step).
    pub(super) fn set_mode(&mut self, mode: Mode, now: MediaTime) -> Result<(), OutboxError> {
        let told = self.step(|watch| watch.set_mode(mode, now));
        self.unsent.push_back(RecordEvent::Mode(mode));
        self.send();
        told
    }

    /// Whether something is held back.
    pub(super) fn holds(&self) -> bool {
        !self.uncommitted.is_empty() || !self.unsent.is_empty()
    }

    /// Reports whose alert is not on disk yet.
    pub(super) fn uncommitted(&self) -> impl Iterator<Item = &IncidentUpdate> {
        self.uncommitted.iter()
    }

    /// Alerts become rows first; then the keeper hears of them.
    fn tell(&mut self) -> Result<(), OutboxError> {
        if self.lease.is_lost() {
            return Ok(());
        }
        for refusal in self.watch.take_refusals() {
            tracing::debug!(what = ?refusal.what, score = refusal.score, "no incident: {}", refusal.reason.as_str());
            if let Some(decision_log) = &self.decision_log {
                decision_log.refused(self.watch.camera(), &refusal);
            }
            self.keeper.refused(&refusal);
        }
        for report in self.watch.take_updates() {
            self.hold(report);
        }
        let committed = self.commit();
        self.send();
        if let Some(view) = self.watch.take_view() {
            self.keeper.view(view);
        }
        committed
    }

    fn commit(&mut self) -> Result<(), OutboxError> {
        while let Some(report) = self.uncommitted.pop_front() {
            if let Err(error) = report.commit(&self.outbox, &self.live) {
                self.refused = true;
                self.uncommitted.push_front(report);
                return Err(error);
            }
            self.refused = false;
            let incident = &report.change.incident;
            self.open.follow(&report);
            if let Some(decision_log) = &self.decision_log
                && incident.state == IncidentState::Began
            {
                decision_log.began(incident);
            }
            // Of one incident's updates that wait, the last is enough.
            if let Some(id) = updated(&report) {
                self.unsent.retain(
                    |note| !matches!(note, RecordEvent::IncidentUpdate(held) if updated(held) == Some(id)),
                );
            }
            self.unsent
                .push_back(RecordEvent::IncidentUpdate(Box::new(report)));
        }
        Ok(())
    }

    fn send(&mut self) {
        while let Some(note) = self.unsent.pop_front() {
            if let Err(note) = self.keeper.note(note) {
                self.unsent.push_front(note);
                return;
            }
        }
    }

    /// Puts a report behind those that are not on disk yet. While the disk refuses they are few and small: of one
    /// incident's updates the last is enough, and pictures are not waited with.
    fn hold(&mut self, mut report: IncidentUpdate) {
        if self.refused {
            report.view = None;
            if let Some(id) = updated(&report) {
                self.uncommitted.retain(|held| updated(held) != Some(id));
            }
        }
        self.uncommitted.push_back(report);
    }
}

fn updated(report: &IncidentUpdate) -> Option<IncidentId> {
    let incident = &report.change.incident;
    (incident.state == IncidentState::Updated).then_some(incident.id)
}

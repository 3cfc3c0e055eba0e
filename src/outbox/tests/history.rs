//! Whatever happens in whatever order - visits, restarts, receivers that fail - everything committed arrives.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::outbox::sinks::Scope;

/// One thing that happens.
#[derive(Debug, Clone, Copy)]
enum Step {
    Begin,
    Update(usize),
    Segment(usize),
    End(usize),
    /// The process stops and starts again.
    Restart,
    /// The next deliveries fail.
    Fail(u8),
    /// The next deliveries to the second receiver of alerts fail.
    FailThere(u8),
    /// A receiver asks for everything again.
    Resend,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Begin),
        4 => (0usize..6).prop_map(Step::Update),
        5 => (0usize..6).prop_map(Step::Segment),
        3 => (0usize..6).prop_map(Step::End),
        1 => Just(Step::Restart),
        2 => (1u8..4).prop_map(Step::Fail),
        2 => (1u8..4).prop_map(Step::FailThere),
        1 => Just(Step::Resend),
    ]
}

/// A receiver that fails when told to, and what it holds in the end.
struct Moody {
    failures: Arc<Mutex<u8>>,
    alerts: Arc<Mutex<Vec<IncidentMessage>>>,
    failures_there: Arc<Mutex<u8>>,
    alerts_there: Arc<Mutex<Vec<IncidentMessage>>>,
    objects: Arc<Mutex<BTreeSet<String>>>,
}

impl Moody {
    fn sinks(&self) -> Vec<Arc<dyn Sink>> {
        let make = |name, takes| {
            let (failures, alerts) = match name {
                "webhook" => (&self.failures_there, &self.alerts_there),
                _ => (&self.failures, &self.alerts),
            };
            let (failures, alerts) = (Arc::clone(failures), Arc::clone(alerts));
            let objects = Arc::clone(&self.objects);
            let sink: Arc<dyn Sink> =
                Scripted::named(name, takes, Wants::default(), move |delivery| {
                    let mut failures = failures.lock();
                    if *failures > 0 {
                        *failures -= 1;
                        return Outcome::Retry {
                            scope: if failures.is_multiple_of(2) {
                                Scope::Delivery
                            } else {
                                Scope::Sink
                            },
                            after: Some(Duration::from_millis(1)),
                            reason: "not now".to_owned(),
                        };
                    }
                    match &delivery.payload {
                        Payload::Alert { json, .. } => alerts
                            .lock()
                            .push(IncidentMessage::from_json(json).unwrap()),
                        Payload::Object { key, .. } => drop(objects.lock().insert(key.clone())),
                    }
                    delivered()
                });
            sink
        };
        vec![
            make("mqtt", Takes::Alerts),
            make("webhook", Takes::Alerts),
            make("upload", Takes::Objects),
        ]
    }
}

/// That everything committed is among the `alerts` of a receiver, in order and numbered without gaps.
fn arrived(
    committed: &BTreeMap<IncidentId, u32>,
    alerts: &[IncidentMessage],
) -> Result<(), TestCaseError> {
    for (id, seq) in committed {
        let of: Vec<_> = alerts.iter().filter(|m| m.id == *id).collect();
        prop_assert!(of.iter().any(|m| m.seq >= *seq), "{id} {seq} is missing");
        prop_assert!(of.iter().any(|m| m.state == IncidentState::Began));
        prop_assert!(of.iter().any(|m| m.state == IncidentState::Ended));
        // The first time each change arrives, it is in order.
        let mut first = BTreeSet::new();
        let order: Vec<_> = of
            .iter()
            .map(|m| m.seq)
            .filter(|s| first.insert(*s))
            .collect();
        prop_assert!(order.is_sorted(), "{order:?}");
    }
    let by_number: BTreeMap<_, _> = alerts
        .iter()
        .map(|m| (m.n.unwrap(), (m.id, m.seq)))
        .collect();
    let distinct: BTreeSet<_> = by_number.values().collect();
    prop_assert_eq!(
        distinct.len(),
        by_number.len(),
        "two numbers for one change"
    );
    prop_assert!(
        by_number.keys().copied().eq(1..=by_number.len() as u64),
        "a gap"
    );
    Ok(())
}

/// Few enough in a row that the waits between tries, which grow, stay below the patience of the test.
fn fail_next(failures: &Mutex<u8>, times: u8) {
    let mut failures = failures.lock();
    *failures = (*failures + times).min(6);
}

fn play(steps: &[Step]) -> Result<(), TestCaseError> {
    let mut home = Home::new();
    let moody = Moody {
        failures: Arc::default(),
        alerts: Arc::default(),
        failures_there: Arc::default(),
        alerts_there: Arc::default(),
        objects: Arc::default(),
    };
    home.start(moody.sinks());
    let mut open: Vec<(Incident, u32)> = Vec::new();
    let mut committed: BTreeMap<IncidentId, u32> = BTreeMap::new();
    let mut segments = 0;
    for (at, step) in steps.iter().enumerate() {
        let outbox = home.outbox();
        let commit = |incident: &Incident| (incident.id, outbox.alert(incident, None).unwrap());
        match *step {
            Step::Begin => {
                let incident = visit(at as f64);
                committed.extend([commit(&incident)]);
                media(outbox, &incident, MediaKind::Init, 1);
                open.push((incident, 0));
            }
            Step::Update(which) if which < open.len() => {
                committed.extend([commit(&updated(&open[which].0, at as u32))]);
            }
            Step::Segment(which) if which < open.len() => {
                let (incident, count) = &mut open[which];
                *count += 1;
                segments += 1;
                media(outbox, incident, MediaKind::Media, *count);
            }
            Step::End(which) if which < open.len() => {
                let (incident, _) = open.remove(which);
                committed.extend([commit(&ended(&incident, at as f64 + 1.0))]);
                outbox.clip_closed(incident.id, Rendition::Sub).unwrap();
            }
            Step::Restart => {
                open.clear();
                home.reopen();
                home.start(moody.sinks());
            }
            Step::Fail(times) => fail_next(&moody.failures, times),
            Step::FailThere(times) => fail_next(&moody.failures_there, times),
            Step::Resend => drop(outbox.resend(1, None).unwrap()),
            _ => {}
        }
    }
    home.reopen();
    home.start(moody.sinks());
    let outbox = home.outbox();
    let done = || {
        outbox.waiting(Takes::Objects).unwrap() == 0 && outbox.waiting(Takes::Alerts).unwrap() == 0
    };
    wait_for("everything", done);
    arrived(&committed, &moody.alerts.lock())?;
    arrived(&committed, &moody.alerts_there.lock())?;
    let objects = moody.objects.lock();
    prop_assert_eq!(
        objects.iter().filter(|key| key.ends_with(".m4s")).count(),
        segments
    );
    prop_assert_eq!(crate::outbox::verify_ledger(home.dir.path()).unwrap(), None);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, max_shrink_iters: 30, ..ProptestConfig::default() })]
    #[test]
    fn everything_committed_arrives_numbered_without_gaps(steps in proptest::collection::vec(step(), 1..40)) {
        play(&steps)?;
    }
}

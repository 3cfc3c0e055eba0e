//! Several receivers of alerts: each gets what it wants, in its order and with its numbers, whatever becomes of the others.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::{config::ByteSize, outbox, outbox::sinks::Scope};

fn away() -> Outcome {
    Outcome::Retry {
        scope: Scope::Sink,
        after: Some(Duration::from_millis(20)),
        reason: "away".to_owned(),
    }
}

/// A receiver that takes everything while its switch is on.
fn switched(name: &'static str, on: &Arc<AtomicBool>) -> Arc<Scripted> {
    let on = Arc::clone(on);
    Scripted::named(name, Takes::Alerts, Wants::default(), move |_| {
        if on.load(Ordering::Relaxed) {
            delivered()
        } else {
            away()
        }
    })
}

fn willing(name: &'static str) -> Arc<Scripted> {
    Scripted::named(name, Takes::Alerts, Wants::default(), |_| delivered())
}

/// Number, change and state of each alert that arrived.
fn seen(sink: &Scripted) -> Vec<(u64, u32, IncidentState)> {
    let alerts = sink.alerts();
    alerts
        .iter()
        .map(|m| (m.n.unwrap(), m.seq, m.state))
        .collect()
}

fn waiting(home: &Home, name: &str) -> u64 {
    let sinks = home.outbox().sink_health().unwrap();
    sinks.iter().find(|sink| sink.name == name).unwrap().waiting
}

fn count(home: &Home, sql: &str) -> i64 {
    let read = home
        .outbox()
        .read(|db| Ok(db.query_row(sql, [], |row| row.get(0))?));
    read.unwrap()
}

#[test]
fn one_that_is_away_holds_up_no_other_and_gets_its_own_numbers() {
    use IncidentState::{Began, Ended, Updated};
    let home = Home::new();
    let on = Arc::new(AtomicBool::new(false));
    let (broker, webhook) = (willing("mqtt"), switched("webhook", &on));
    home.start(vec![broker.clone(), webhook.clone()]);
    let incident = visit(0.0);
    let outbox = home.outbox();
    let mut changes = vec![incident.clone()];
    changes.extend((2..=4).map(|tracks| updated(&incident, tracks)));
    changes.push(ended(&incident, 5.0));
    for (at, change) in changes.iter().enumerate() {
        outbox.alert(change, None).unwrap();
        wait_for("the broker", || broker.taken.lock().len() == at + 1);
    }
    assert_eq!(
        seen(&broker),
        [
            (1, 1, Began),
            (2, 2, Updated),
            (3, 3, Updated),
            (4, 4, Updated),
            (5, 5, Ended)
        ]
    );
    assert!(webhook.taken.lock().is_empty());
    assert_eq!((waiting(&home, "mqtt"), waiting(&home, "webhook")), (0, 3));
    on.store(true, Ordering::Relaxed);
    wait_for("the webhook", || webhook.taken.lock().len() == 3);
    // What nobody there had seen was taken up by what came after it.
    assert_eq!(
        seen(&webhook),
        [(1, 1, Began), (2, 4, Updated), (3, 5, Ended)]
    );
    wait_for("the rows", || waiting(&home, "webhook") == 0);
    // Each departure is a record of its own.
    for (recipient, records) in [("a test", 5), ("webhook of a test", 3)] {
        let sql = format!(
            "SELECT count(DISTINCT receipt) FROM ledger WHERE kind = 'alert' AND recipient = '{recipient}'"
        );
        assert_eq!(count(&home, &sql), records, "{recipient}");
    }
    assert_eq!(outbox.ledger_head().unwrap().unwrap().n, 8);
}

#[test]
fn what_one_has_and_the_other_has_not_survives_the_end_of_the_process() {
    let mut home = Home::new();
    let off = Arc::new(AtomicBool::new(false));
    home.start(vec![willing("mqtt"), switched("webhook", &off)]);
    let (open, over) = (visit(0.0), visit(1.0));
    for change in [&open, &over, &ended(&over, 2.0)] {
        home.outbox().alert(change, None).unwrap();
    }
    wait_for("the broker", || waiting(&home, "mqtt") == 0);
    home.reopen();
    // The visit that was cut off has ended before any receiver was known again.
    let (broker, webhook) = (willing("mqtt"), willing("webhook"));
    home.start(vec![broker.clone(), webhook.clone()]);
    wait_for("both", || {
        home.outbox().waiting(Takes::Alerts).unwrap() == 0
    });
    assert_eq!(seen(&broker), [(4, 2, IncidentState::Ended)]);
    let numbers: Vec<_> = seen(&webhook).iter().map(|(n, _, _)| *n).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    let last = webhook.alerts().into_iter().rfind(|m| m.id == open.id);
    assert_eq!(last.unwrap().end_reason, Some(EndReason::Interrupted));
}

#[test]
fn who_wants_to_know_that_somebody_came_and_went_is_told_once() {
    let home = Home::new();
    let wants = Wants {
        states: vec![IncidentState::Began, IncidentState::Ended],
        once: true,
    };
    let phone = Scripted::named("ntfy", Takes::Alerts, wants, |_| delivered());
    let (broker, store) = (willing("mqtt"), Scripted::willing(Takes::Objects));
    home.start(vec![broker.clone(), phone.clone(), store]);
    let incident = visit(0.0);
    let outbox = home.outbox();
    outbox.alert(&incident, None).unwrap();
    outbox.alert(&updated(&incident, 2), None).unwrap();
    media(outbox, &incident, MediaKind::Init, 1);
    media(outbox, &incident, MediaKind::Media, 1);
    outbox.alert(&ended(&incident, 5.0), None).unwrap();
    outbox.clip_closed(incident.id, Rendition::Sub).unwrap();
    wait_for("the whole clip to be told", || {
        let alerts = broker.alerts();
        alerts
            .iter()
            .any(|m| m.clip.state == crate::wire::ClipState::Complete)
    });
    wait_for("everything", || outbox.waiting(Takes::Alerts).unwrap() == 0);
    let ends = |sink: &Scripted| {
        let ended = |(_, _, state): &&(_, _, _)| *state == IncidentState::Ended;
        seen(sink).iter().filter(ended).count()
    };
    assert!(ends(&broker) >= 2);
    let told: Vec<_> = seen(&phone).iter().map(|(n, _, s)| (*n, *s)).collect();
    assert_eq!(told, [(1, IncidentState::Began), (2, IncidentState::Ended)]);
}

#[test]
fn an_alert_that_has_not_arrived_somewhere_is_not_deleted_for_room() {
    let home = Home::with(OutboxConfig {
        alert_quota: ByteSize(2_000),
        ..OutboxConfig::default()
    });
    let off = Arc::new(AtomicBool::new(false));
    home.start(vec![willing("mqtt"), switched("webhook", &off)]);
    for at in 0..10 {
        let incident = visit(f64::from(at));
        home.outbox().alert(&incident, None).unwrap();
        home.outbox().alert(&ended(&incident, 20.0), None).unwrap();
    }
    wait_for("the broker", || waiting(&home, "mqtt") == 0);
    home.outbox().sweep().unwrap();
    assert_eq!(home.outbox().totals().unwrap().alerts, 20);
    off.store(true, Ordering::Relaxed);
    wait_for("the webhook", || waiting(&home, "webhook") == 0);
    home.outbox().sweep().unwrap();
    assert!(home.outbox().totals().unwrap().alerts < 10);
}

#[test]
fn what_one_refuses_is_listed_and_tried_again_there_alone() {
    let home = Home::new();
    let never = |_: &Delivery| Outcome::Reject {
        reason: "never".to_owned(),
    };
    let webhook = Scripted::named("webhook", Takes::Alerts, Wants::default(), never);
    let broker = willing("mqtt");
    home.start(vec![broker.clone(), webhook.clone()]);
    let incident = visit(0.0);
    home.outbox().alert(&incident, None).unwrap();
    let list = || outbox::list(home.dir.path(), &BudgetConfig::default()).unwrap();
    wait_for("the refusal", || list().iter().any(|row| row.parked));
    wait_for("the broker", || waiting(&home, "mqtt") == 0);
    let rows: Vec<_> = list()
        .into_iter()
        .map(|row| (row.what, row.to, row.problem))
        .collect();
    assert_eq!(
        rows,
        [(
            "alert 1".to_owned(),
            "webhook".to_owned(),
            Some("never".to_owned())
        )]
    );
    let health = home.outbox().sink_health().unwrap();
    let parked: Vec<_> = health.iter().map(|s| (&*s.name, s.parked)).collect();
    assert_eq!(parked, [("mqtt", 0), ("webhook", 1)]);
    *webhook.script.lock() = Box::new(|_| delivered());
    assert_eq!(
        outbox::retry(home.dir.path(), Some(incident.id)).unwrap(),
        1
    );
    wait_for("the parked one", || webhook.taken.lock().len() == 1);
    assert_eq!(seen(&webhook)[0].0, 1, "under the number that it had");
    assert_eq!(broker.taken.lock().len(), 1);
}

#[test]
fn one_that_is_taken_out_of_the_configuration_finds_what_was_for_it() {
    let mut home = Home::new();
    let off = Arc::new(AtomicBool::new(false));
    home.start(vec![willing("mqtt"), switched("webhook", &off)]);
    let first = visit(0.0);
    home.outbox().alert(&first, None).unwrap();
    wait_for("the broker", || waiting(&home, "mqtt") == 0);
    home.reopen();
    let broker = willing("mqtt");
    home.start(vec![broker.clone()]);
    home.outbox().alert(&visit(5.0), None).unwrap();
    let sent = |home: &Home| home.outbox().waiting(Takes::Alerts).unwrap() == 0;
    wait_for("the broker", || {
        sent(&home) && broker.taken.lock().len() == 2
    });
    home.reopen();
    let webhook = willing("webhook");
    home.start(vec![webhook.clone(), willing("mqtt")]);
    wait_for("what was for it", || sent(&home));
    let ids: Vec<_> = webhook.alerts().iter().map(|m| m.id).collect();
    // And the end of the visit of the time without it, which the restart cut off.
    assert_eq!((ids[0], ids.len()), (first.id, 2), "{ids:?}");
}

#[test]
fn the_plan_counts_the_text_of_each() {
    let spent = |sinks: Vec<Arc<dyn Sink>>| {
        let home = Home::with(OutboxConfig {
            budget: BudgetConfig {
                per_day: Some(ByteSize::mb(10)),
                ..BudgetConfig::default()
            },
            ..OutboxConfig::default()
        });
        home.start(sinks);
        home.outbox().alert(&visit(0.0), None).unwrap();
        wait_for("everything", || {
            home.outbox().waiting(Takes::Alerts).unwrap() == 0
        });
        let day = home.outbox().budget_now().unwrap().day.unwrap();
        day.spent.of(outbox::budget::TrafficClass::Text)
    };
    let one = spent(vec![willing("mqtt")]);
    let two = spent(vec![willing("mqtt"), willing("webhook")]);
    assert!(one > 500 && two == 2 * one, "{one} {two}");
}

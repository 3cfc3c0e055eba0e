//! A day behind a thin link with a small data plan: what leaves, how soon, and what is held back.
//!
//! The clock is simulated and the link is a number of bytes a second; database, files, plan, budget and ledger are the real
//! ones. As the pacer has it, a body leaves in pieces, and text passes between two of them.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;

use super::*;
use crate::{
    base::clock::SimClock,
    config::{BitRate, ByteSize},
    flow::{DegradationLevel, WallTime},
    net::pace::Pacer,
    outbox::{PictureKind, budget::TrafficClass, clips, incidents},
    wire::{ClipState, ObjectKey},
};

const DAY: f64 = 86_400.0;
/// Sizes that cameras and our pictures have, in bytes.
const THUMB: usize = 35_000;
const CROP: usize = 12_000;
const SEGMENT: usize = 150_000;
const SEGMENTS: u32 = 4;
/// The broker's answer.
const ROUND_TRIP: f64 = 0.1;

/// What happens in the house at some second.
enum Happens {
    Begins(Incident),
    Picture(IncidentId, PictureKind, usize),
    File(Incident, MediaKind, u32, usize),
    Ends(Incident),
}

/// Visits at the given seconds, in order of time.
fn household(visits: impl Iterator<Item = f64>) -> VecDeque<(f64, Happens)> {
    let mut day: Vec<(f64, Happens)> = Vec::new();
    for at in visits {
        let incident = visit(at);
        let id = incident.id;
        day.push((at, Happens::Begins(incident.clone())));
        day.push((at + 0.3, Happens::Picture(id, PictureKind::Thumb, THUMB)));
        day.push((at + 0.3, Happens::Picture(id, PictureKind::Crop, CROP)));
        day.push((
            at + 1.0,
            Happens::File(incident.clone(), MediaKind::Init, 1, 900),
        ));
        for number in 1..=SEGMENTS {
            let made = at + 2.0 * f64::from(number);
            let file = Happens::File(incident.clone(), MediaKind::Media, number, SEGMENT);
            day.push((made, file));
        }
        day.push((at + 20.0, Happens::Ends(ended(&incident, at + 15.0))));
    }
    day.sort_by(|a, b| a.0.total_cmp(&b.0));
    day.into()
}

/// An outbox in a house with a plan, and what is seen of it from outside.
struct House {
    outbox: Arc<Outbox>,
    clock: Arc<SimClock>,
    link: Arc<Pacer>,
    now: f64,
    /// When each incident began.
    began: BTreeMap<IncidentId, f64>,
    /// How long its first alert took.
    latencies: BTreeMap<IncidentId, f64>,
    /// Objects that arrived, by kind.
    arrived: BTreeMap<String, usize>,
    _dir: TempDir,
}

impl House {
    fn new(rate: u64, per_day: ByteSize) -> Self {
        let zone = crate::base::zone::house().zone.clone();
        let today = Timestamp::from_second(1_790_000_000).unwrap();
        let today = today.to_zoned_datetime(zone);
        let midnight = WallTime(today.start_of_day().unwrap().timestamp().as_millisecond());
        let clock = SimClock::new(midnight);
        let settings = OutboxConfig {
            budget: BudgetConfig {
                rate: Some(BitRate(rate)),
                per_day: Some(per_day),
                ..BudgetConfig::default()
            },
            ..OutboxConfig::default()
        };
        let dir = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(
            dir.path(),
            "home".parse().unwrap(),
            clock.clone(),
            settings,
            Metrics::new(),
        );
        let outbox = outbox.unwrap();
        outbox
            .uploading
            .store(true, std::sync::atomic::Ordering::Relaxed);
        outbox
            .metered
            .store(true, std::sync::atomic::Ordering::Relaxed);
        Self {
            outbox,
            clock,
            link: Pacer::new(Some(BitRate(rate))),
            now: 0.0,
            began: BTreeMap::new(),
            latencies: BTreeMap::new(),
            arrived: BTreeMap::new(),
            _dir: dir,
        }
    }

    fn spend_time(&mut self, bytes: usize) {
        self.now += self.link.time_for(bytes as u64).as_secs_f64();
        self.clock.advance_to(secs(self.now));
    }

    fn wait_until(&mut self, at: f64) {
        self.now = self.now.max(at);
        self.clock.advance_to(secs(self.now));
    }

    fn happen(&mut self, what: Happens) {
        match what {
            Happens::Begins(incident) => {
                self.began.insert(incident.id, self.now);
                self.outbox.alert(&incident, None).unwrap();
            }
            Happens::Picture(id, kind, bytes) => {
                let mut jpeg = id.to_string().into_bytes();
                jpeg.resize(bytes, 0);
                self.outbox.picture(id, kind, &jpeg).unwrap();
            }
            Happens::File(incident, kind, number, bytes) => {
                media_of_size(&self.outbox, &incident, Rendition::Sub, kind, number, bytes);
            }
            Happens::Ends(incident) => {
                self.outbox.alert(&incident, None).unwrap();
                self.outbox
                    .clip_closed(incident.id, Rendition::Sub)
                    .unwrap();
            }
        }
    }

    fn send_text(&mut self) {
        while let Some(delivery) = self.outbox.next_alert("mqtt", Some(0)).unwrap() {
            self.spend_time(delivery.bytes() as usize);
            let id = delivery.delivery_id.key.incident;
            let took = self.now + ROUND_TRIP - self.began[&id];
            self.latencies.entry(id).or_insert(took);
            self.outbox
                .settle_alert(
                    &delivery.delivery_id,
                    ("mqtt", "a broker"),
                    &delivered(),
                    None,
                )
                .unwrap();
        }
    }

    fn arrive(&mut self, delivery: &Delivery) {
        let Payload::Object { key, .. } = &delivery.payload else {
            unreachable!("objects come from next_object")
        };
        let item = key.parse::<ObjectKey>().unwrap().item;
        let name = match item {
            Item::Media(_, number) if number > 1 => "later segment".to_owned(),
            Item::Media(..) => "first segment".to_owned(),
            other => format!("{other}")
                .split(['/', '.'])
                .next()
                .unwrap()
                .to_owned(),
        };
        *self.arrived.entry(name).or_default() += 1;
        self.outbox
            .settle_object(&delivery.delivery_id, "a store", &delivered(), None)
            .unwrap();
    }

    /// Lives until `end`, in seconds since midnight of the first day.
    fn live(&mut self, mut day: VecDeque<(f64, Happens)>, end: f64) {
        let mut uploading: Option<(Delivery, usize)> = None;
        while self.now < end {
            while day.front().is_some_and(|(at, _)| *at <= self.now) {
                let (_, what) = day.pop_front().unwrap();
                self.happen(what);
            }
            self.send_text();
            if uploading.is_none() {
                let delivery = self.outbox.next_object().unwrap();
                uploading = delivery.map(|delivery| {
                    let bytes = delivery.bytes() as usize;
                    (delivery, bytes)
                });
            }
            match uploading.take() {
                Some((delivery, left)) => {
                    let piece = left.min(self.link.piece());
                    self.spend_time(piece);
                    if left > piece {
                        uploading = Some((delivery, left - piece));
                    } else {
                        self.arrive(&delivery);
                    }
                }
                None => {
                    // The worker looks again after a few seconds; here the next event, or a minute, will do.
                    let next = day.front().map_or(end, |(at, _)| *at);
                    self.wait_until(next.min(self.now + 60.0).max(self.now + 0.001));
                }
            }
        }
    }

    fn arrived(&self, what: &str) -> usize {
        self.arrived.get(what).copied().unwrap_or(0)
    }

    fn clip_state(&self, id: IncidentId) -> ClipState {
        let clip = self.outbox.read(|db| {
            let row = incidents::known(db, id)?;
            clips::clip(db, id, &row, true)
        });
        clip.unwrap().state
    }

    fn spent(&self) -> crate::outbox::budget::ClassBytes {
        self.outbox.budget_now().unwrap().day.unwrap().spent
    }
}

/// `count` visits between two hours, evenly but for a little.
fn spread(count: usize, from: f64, to: f64) -> impl Iterator<Item = f64> {
    let gap = (to - from) * 3600.0 / count as f64;
    (0..count).map(move |n| from * 3600.0 + gap * (n as f64 + 0.37 * (n % 3) as f64))
}

#[test]
fn twenty_megabytes_a_day_at_64_kilobit() {
    const LIMIT: u64 = 20_000_000;
    let mut house = House::new(64_000, ByteSize(LIMIT));
    let visits = 160;
    house.live(household(spread(visits, 0.2, 23.8)), DAY - 1.0);

    let slowest = house.latencies.values().copied().fold(0.0, f64::max);
    assert_eq!(house.latencies.len(), visits, "an alert was held");
    assert!(slowest <= 5.0, "the slowest alert took {slowest:.1} s");

    let spent = house.spent();
    assert!(spent.total() <= LIMIT, "{} bytes", spent.total());
    // Every picture, and then as many first segments as the rest of the bytes has room for.
    assert_eq!(house.arrived("thumb"), visits);
    let room = LIMIT - LIMIT / 20 - spent.of(TrafficClass::Still);
    let each = spent.of(TrafficClass::First) / house.arrived("first segment") as u64;
    let most = (room / each) as usize;
    assert!(
        most < visits,
        "the day is not tight: {most} first segments would fit"
    );
    assert!(
        house.arrived("first segment") * 100 >= most * 95,
        "{} first segments of {most} that would have fitted; {} later ones",
        house.arrived("first segment"),
        house.arrived("later segment"),
    );
    let day = house.outbox.budget().unwrap();
    assert!(
        day.held > 0 && day.rung > Some(DegradationLevel::First),
        "{day:?}"
    );
    eprintln!(
        "{visits} visits, slowest alert {slowest:.1} s, {} of {most} first segments, {} later ones, {} of {LIMIT} bytes",
        house.arrived("first segment"),
        house.arrived("later segment"),
        spent.total()
    );
}

#[test]
fn a_calm_day_gets_whole_clips() {
    let mut house = House::new(512_000, ByteSize::mb(20));
    let visits = 12;
    house.live(household(spread(visits, 7.0, 20.0)), DAY - 1.0);
    assert_eq!(house.arrived("first segment"), visits);
    let later = visits * (SEGMENTS as usize - 1);
    assert_eq!(house.arrived("later segment"), later, "of {later}");
    assert_eq!(house.outbox.budget().unwrap().held, 0);
}

#[test]
fn what_was_held_back_leaves_on_request_or_with_the_next_day() {
    let mut house = House::new(2_000_000, ByteSize::mb(2));
    // Three clips take more than the day has.
    house.live(household(spread(3, 8.0, 9.0)), 10.0 * 3600.0);
    let visits: Vec<_> = house.began.keys().copied().collect();
    let states = |house: &House| -> Vec<ClipState> {
        visits.iter().map(|id| house.clip_state(*id)).collect()
    };
    let before = states(&house);
    assert!(house.outbox.budget().unwrap().held > 0);
    assert!(!before.contains(&ClipState::Complete), "{before:?}");

    let wanted = visits[0];
    assert!(house.outbox.retry(Some(wanted)).unwrap() > 0);
    house.live(VecDeque::new(), 11.0 * 3600.0);
    assert_eq!(
        house.clip_state(wanted),
        ClipState::Complete,
        "was {before:?}"
    );
    assert!(house.spent().total() <= 2_000_000);

    // Each new day brings its own bytes.
    house.live(VecDeque::new(), 4.0 * DAY);
    assert_eq!(states(&house), vec![ClipState::Complete; 3]);
}

#[test]
fn spending_survives_a_restart_and_failures_are_given_back() {
    let mut home = Home::with(OutboxConfig {
        budget: BudgetConfig {
            per_day: Some(ByteSize::mb(5)),
            ..BudgetConfig::default()
        },
        ..OutboxConfig::default()
    });
    let incident = whole_visit(home.outbox(), 1.0, 3);
    let failing = Scripted::new(Takes::Objects, |_| Outcome::Reject {
        reason: "no".to_owned(),
    });
    home.start(vec![failing]);
    wait_for("everything to be refused", || {
        home.outbox().waiting(Takes::Objects).unwrap() == 0
    });
    let spent = |home: &Home| {
        let budget = home.outbox().budget_now().unwrap();
        budget.day.unwrap().spent
    };
    let after_failures = spent(&home).total();
    assert!(
        (1..30_000).contains(&after_failures),
        "{after_failures} bytes for a handful of refused requests"
    );
    home.reopen();
    assert_eq!(spent(&home).total(), after_failures);
    home.outbox().retry(Some(incident.id)).unwrap();
    home.start(vec![Scripted::willing(Takes::Objects)]);
    wait_for("everything to arrive", || {
        home.outbox().waiting(Takes::Objects).unwrap() == 0
    });
    let delivered = spent(&home).total();
    assert!(delivered > after_failures);
    home.reopen();
    assert_eq!(spent(&home).total(), delivered);
}

#[test]
fn what_turns_out_larger_than_there_is_room_for_is_held() {
    let home = Home::with(OutboxConfig {
        budget: BudgetConfig {
            per_day: Some(ByteSize::mb(1)),
            ..BudgetConfig::default()
        },
        ..OutboxConfig::default()
    });
    // A twentieth is for text; what is left has room for the head of a request and not for its content.
    assert!(home.outbox().book_live(TrafficClass::Still, 948_200));
    let incident = visit(0.0);
    home.outbox().alert(&incident, None).unwrap();
    home.outbox().alert(&ended(&incident, 5.0), None).unwrap();
    home.start(vec![Scripted::willing(Takes::Objects)]);
    wait_for("incident.json to be held", || {
        home.outbox().budget().unwrap().held == 1
    });
    assert_eq!(home.outbox().waiting(Takes::Objects).unwrap(), 1);
    let spent = home.outbox().budget_now().unwrap().day.unwrap().spent;
    assert!(spent.objects() <= 950_000, "{spent:?}");
}

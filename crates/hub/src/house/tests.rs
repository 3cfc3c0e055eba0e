use super::*;
use crate::wire::health::{CameraHealth, DiskHealth};

fn ids() -> (SiteId, CameraId) {
    ("home".parse().unwrap(), "door".parse().unwrap())
}

fn report(next_by: i64) -> Health {
    let disk = DiskHealth {
        stored: 0,
        quota: 1,
        free: 1,
    };
    let mut health = Health::new(ids().0, WallTime(1000), ClockState::Good, disk);
    health.next_by = Some(WallTime(next_by));
    health.cameras.push(CameraHealth {
        id: ids().1,
        name: Some("Front door".to_owned()),
        state: "online".to_owned(),
        problem: None,
    });
    health
}

fn view(house: &House) -> serde_json::Value {
    serde_json::to_value(house.view(WallTime(5))).unwrap()
}

#[test]
fn the_document_tells_what_the_boxes_have_said() {
    let (site, door) = ids();
    let house = House::new([site.clone()], None, "UTC".to_owned());
    let mut news = house.listen();
    house.online(&site, true);
    house.health(report(2000), true, WallTime(7));
    house.word(&site, &door, "status", "online");
    house.word(&site, &door, "mode", "armed");
    house.word(&site, &door, "person", "ON");
    assert_eq!(view(&house)["cameras"][0]["name"], "Front door");
    assert_eq!(view(&house)["cameras"][0]["person"], true);
    while news.try_recv().is_ok() {}
    house.word(&site, &door, "person", "ON");
    assert!(news.try_recv().is_err(), "that is no news");
    let nobody: SiteId = "nobody".parse().unwrap();
    house.online(&nobody, true);
    let there = house.there();
    assert_eq!(
        there,
        std::slice::from_ref(&site),
        "a site that nobody configured"
    );
    house.online(&site, false);
    assert_eq!(view(&house)["cameras"][0]["state"], "unknown");
}

#[test]
fn a_site_with_many_cameras_and_pictures_is_remembered_in_part() {
    let (site, door) = ids();
    let other: SiteId = "annex".parse().unwrap();
    let house = House::new([site.clone(), other.clone()], None, "UTC".to_owned());
    house.picture(&site, &door, Bytes::from_static(b"door"));
    let camera = |n: usize| format!("camera-{n}").parse::<CameraId>().unwrap();
    let taken = (0..300).filter(|n| {
        let jpeg = Bytes::from(vec![0; 1_000_000]);
        house.picture(&other, &camera(*n), jpeg)
    });
    assert_eq!(taken.count(), MOST_CAMERAS);
    assert!(!house.word(&other, &camera(299), "status", "online"));
    let kept = (0..300).filter_map(|n| house.last_picture(&other, &camera(n)));
    assert_eq!(kept.map(|jpeg| jpeg.len()).sum::<usize>(), MOST_PICTURES);
    assert!(
        house
            .last_picture(&other, &camera(MOST_CAMERAS - 1))
            .is_some()
    );
    assert_eq!(house.last_picture(&site, &door).unwrap().len(), 4);
}

#[test]
fn the_hubs_clock_is_doubted_where_most_boxes_say_another_time() {
    let sites: Vec<SiteId> = ["a", "b", "c"].map(|id| id.parse().unwrap()).to_vec();
    let house = House::new(sites.clone(), None, "UTC".to_owned());
    let now = WallTime(1_800_000_000_000);
    let say = |site: &SiteId, off: i64, clock: ClockState| {
        let mut health = report(0);
        (health.site, health.at, health.clock) = (site.clone(), WallTime(now.0 + off), clock);
        health.next_by = None;
        house.health(health, true, now);
    };
    assert!(
        !house.doubts_our_clock(Instant::now()),
        "nobody says anything"
    );
    let month = -30 * 24 * 3_600_000;
    say(&sites[0], month, ClockState::Good);
    assert!(house.doubts_our_clock(Instant::now()));
    say(&sites[1], 2000, ClockState::Good);
    assert!(!house.doubts_our_clock(Instant::now()), "one against one");
    say(&sites[2], month, ClockState::Unsure);
    assert!(
        !house.doubts_our_clock(Instant::now()),
        "it does not know either"
    );
    say(&sites[2], month, ClockState::Good);
    assert!(house.doubts_our_clock(Instant::now()));
    let later = Instant::now() + CLOCKS_KNOWN;
    assert!(!house.doubts_our_clock(later), "too long ago");
}

#[test]
fn silence_is_noticed_though_the_broker_takes_the_box_for_connected() {
    let (site, _) = ids();
    let house = House::new([site.clone()], None, "UTC".to_owned());
    house.online(&site, true);
    // What the broker has kept says nothing about now.
    house.health(report(2000), false, WallTime(7));
    let long = Instant::now() + Duration::from_secs(3600);
    assert!(house.fallen_silent(long).is_empty());
    house.health(report(2000), true, WallTime(7));
    assert!(house.fallen_silent(Instant::now()).is_empty());
    assert_eq!(house.fallen_silent(long), [site]);
    assert!(house.fallen_silent(long).is_empty(), "told once");
    assert_eq!(view(&house)["sites"][0]["silent"], true);
    house.health(report(2000), true, WallTime(9));
    assert_eq!(view(&house)["sites"][0]["silent"], false);
}

//! Where one looks, for one scene after another.

use proptest::prelude::*;

use super::*;
use crate::flow::{Label, TrackId, TrackState};

const HD: Size = Size::new(1920, 1080);
const INPUTS: [Size; 3] = [
    Size::new(416, 256),
    Size::new(320, 256),
    Size::new(256, 416),
];

fn selector(per_second: f64) -> RoiSelector {
    let detect = DetectConfig {
        max_crops_per_second: per_second,
        ..DetectConfig::default()
    };
    RoiSelector::new(&detect, INPUTS.to_vec())
}

fn at(seconds: f64) -> MediaTime {
    MediaTime::from_secs_f64(seconds)
}

/// A patch of motion of this height, twice as high as wide.
fn moving(x: f32, y: f32, height: f32) -> MotionRegion {
    let rect = NormRect::new(x, y, x + height * 0.5 * 9.0 / 16.0, y + height);
    MotionRegion {
        rect,
        score: rect.area(),
    }
}

fn track(rect: NormRect, score: f32) -> Track {
    Track {
        id: TrackId(1),
        label: Label::Person,
        state: TrackState::Tracked,
        rect,
        seen: Some(rect),
        score,
        top_score: score,
        evidence: 2.0,
        hits: 5,
        first_seen: at(0.0),
        last_seen: at(0.0),
        first_rect: rect,
        travelled: 1.0,
        velocity: (0.0, 0.0),
        leaving: false,
    }
}

#[test]
fn who_is_large_enough_is_seen_in_the_whole() {
    let mut selector = selector(2.0);
    let large = [moving(0.4, 0.3, 0.5)];
    assert_eq!(
        selector.choose(at(0.0), HD, &large, &[], false),
        [NormRect::FULL]
    );
    assert_eq!(
        selector.choose(at(1.0), HD, &[], &[], false),
        [NormRect::FULL]
    );
}

#[test]
fn who_is_small_gets_a_close_up_in_which_he_is_large() {
    let mut selector = selector(2.0);
    let small = [moving(0.4, 0.3, 0.1)];
    let parts = selector.choose(at(0.0), HD, &small, &[], false);
    assert_eq!((parts.len(), parts[0]), (2, NormRect::FULL));
    assert!(window::holds(&parts[1], &small[0].rect));
    // 108 pixels: 72 rows want a window of 384 of the 1080.
    assert!(
        (parts[1].height() - 384.0 / 1080.0).abs() < 0.01,
        "{parts:?}"
    );
    // Nothing else lives, so the close-up alone will do; but not for ever.
    let later = selector.choose(at(0.6), HD, &small, &[], false);
    assert!(!later.contains(&NormRect::FULL), "{later:?}");
    assert!(
        selector
            .choose(at(1.6), HD, &small, &[], false)
            .contains(&NormRect::FULL)
    );
    // A picture chosen for scoring, or one that wakes, is seen as a whole in any case.
    assert_eq!(
        selector.choose(at(1.8), HD, &small, &[], true)[0],
        NormRect::FULL
    );
}

#[test]
fn neighbours_share_a_close_up_and_a_clear_track_waits() {
    let mut selector = selector(2.0);
    let pair = [moving(0.40, 0.3, 0.1), moving(0.48, 0.32, 0.1)];
    let parts = selector.choose(at(0.0), HD, &pair, &[], true);
    assert_eq!(parts.len(), 2);
    assert!(pair.iter().all(|one| window::holds(&parts[1], &one.rect)));

    let doubtful = track(NormRect::new(0.1, 0.5, 0.13, 0.6), 0.4);
    let clear = track(NormRect::new(0.8, 0.5, 0.83, 0.6), 0.9);
    let mut selector = self::selector(1.0);
    selector.crop_budget = CropBudget::new(1.0);
    let parts = selector.choose(at(0.0), HD, &[], &[clear, doubtful.clone()], true);
    assert!(window::holds(&parts[1], &doubtful.rect), "{parts:?}");
}

#[test]
fn whoever_may_just_have_come_gets_a_close_up_in_each_look() {
    let close_ups = |state| {
        let mut selector = selector(10.0);
        let mut new = track(moving(0.5, 0.5, 0.08).rect, 0.45);
        new.state = state;
        let looks = (0..5).map(|look| f64::from(look) / 10.0);
        looks
            .map(|t| selector.choose(at(t), HD, &[], std::slice::from_ref(&new), false))
            .filter(|parts| parts.iter().any(|part| *part != NormRect::FULL))
            .count()
    };
    assert_eq!(close_ups(TrackState::Tentative), 5);
    assert!(close_ups(TrackState::Tracked) < 5);
}

#[test]
fn while_only_small_things_move_a_close_up_takes_the_place_of_the_whole() {
    let looks = |tracks: &[Track]| {
        let mut selector = selector(0.0);
        let patch = [moving(0.5, 0.5, 0.08)];
        let look =
            |tenth: i32| selector.choose(at(0.1 * f64::from(tenth)), HD, &patch, tracks, false);
        (0..15).map(look).collect::<Vec<_>>()
    };
    let nobody = looks(&[]);
    assert!(nobody.iter().all(|parts| parts.len() == 1), "a run each");
    let whole = |parts: &&Vec<NormRect>| parts[0] == NormRect::FULL;
    assert!(nobody.iter().filter(|p| !whole(p)).count() >= 3);
    let most_in_a_row = nobody.split(|p| whole(&p)).map(<[_]>::len).max();
    assert!(most_in_a_row.is_some_and(|looks| looks <= 10), "a second");
    let somebody = track(NormRect::new(0.1, 0.1, 0.2, 0.6), 0.8);
    assert!(looks(&[somebody]).iter().all(|parts| whole(&parts)));
}

#[test]
fn when_the_allowance_is_short_all_get_their_turn() {
    let mut selector = selector(1.0);
    let four: Vec<_> = [0.02, 0.3, 0.6, 0.9].map(|x| moving(x, 0.2, 0.08)).to_vec();
    let mut turns = [0u32; 4];
    let mut runs = 0;
    for look in 0..200 {
        let parts = selector.choose(at(f64::from(look) / 5.0), HD, &four, &[], true);
        runs += parts.len() - 1;
        for (turn, one) in turns.iter_mut().zip(&four) {
            let shown = |part: &NormRect| *part != NormRect::FULL && window::holds(part, &one.rect);
            *turn += u32::from(parts.iter().any(shown));
        }
    }
    assert!(
        (40..=44).contains(&runs),
        "{runs} close-ups in 40 s at 1 a second"
    );
    assert!(
        turns.iter().all(|turn| (8..=13).contains(turn)),
        "{turns:?}"
    );
}

#[test]
fn without_an_allowance_and_on_request_only_the_whole_is_looked_at() {
    let small = [moving(0.4, 0.3, 0.05)];
    assert_eq!(
        selector(0.0).choose(at(0.0), HD, &small, &[], false),
        [NormRect::FULL]
    );
    let whole = DetectConfig {
        roi: RoiPolicy::Whole,
        ..DetectConfig::default()
    };
    let mut whole = RoiSelector::new(&whole, INPUTS.to_vec());
    assert_eq!(
        whole.choose(at(0.0), HD, &small, &[], false),
        [NormRect::FULL]
    );
}

#[test]
fn regions_are_squares_around_what_moves() {
    let detect = DetectConfig {
        roi: RoiPolicy::Regions,
        ..DetectConfig::default()
    };
    let mut selector = RoiSelector::new(&detect, INPUTS.to_vec());
    let apart = [moving(0.1, 0.3, 0.05), moving(0.8, 0.3, 0.05)];
    let parts = selector.choose(at(0.0), HD, &apart, &[], false);
    assert_eq!(parts.len(), 2);
    for (part, one) in parts.iter().zip(&apart) {
        assert!(window::holds(part, &one.rect));
        let (w, h) = (part.width() * 1920.0, part.height() * 1080.0);
        assert!(
            (w - 256.0).abs() < 1.0 && (h - 256.0).abs() < 1.0,
            "{w} {h}"
        );
    }
}

proptest! {
    /// Whatever moves wherever, a window lies in the picture, and no more are made than are allowed.
    #[test]
    fn windows_lie_in_the_picture_and_within_the_allowance(
        looks in prop::collection::vec(prop::collection::vec((-0.2f32..1.2, -0.2f32..1.2, 0.0f32..0.4), 0..8), 1..60),
        width in 1u32..4000,
        height in 1u32..4000,
    ) {
        let mut selector = selector(2.0);
        let mut runs = 0;
        let seconds = looks.len() as f64 / 5.0;
        for (number, patches) in looks.iter().enumerate() {
            let motion: Vec<_> = patches.iter().map(|&(x, y, h)| moving(x, y, h)).collect();
            let time = at(number as f64 / 5.0);
            let parts = selector.choose(time, Size::new(width, height), &motion, &[], false);
            prop_assert!(!parts.is_empty());
            runs += parts.len();
            for part in parts.iter().filter(|part| **part != NormRect::FULL) {
                prop_assert!(part.is_sound());
                prop_assert!(part.x0 >= 0.0 && part.y0 >= 0.0 && part.x1 <= 1.00001 && part.y1 <= 1.00001);
            }
        }
        // A run for each look, and what the allowance gives.
        prop_assert!(runs as f64 <= looks.len() as f64 + 3.0 + 2.0 * seconds);
    }
}

//! Siblings compared: by times that a test makes up, and once for real.

use std::{cell::Cell, rc::Rc};

use super::*;
use crate::{
    infer::registry::{benchmark_cache::tests::times, card_reader::tests::folder},
    testing::models,
};

fn machine(dot_products: bool) -> Machine {
    Machine {
        runtime: "1.24".to_owned(),
        processor: "a test's".to_owned(),
        dot_products,
    }
}

/// A referee that finds out `measured`, and how often it was asked to.
fn referee(
    measured: Option<Times>,
    kept: Option<PathBuf>,
    dot_products: bool,
) -> (Referee<'static>, Rc<Cell<u32>>) {
    let asked = Rc::new(Cell::new(0));
    let count = Rc::clone(&asked);
    let referee = Referee {
        time: Box::new(move |_| {
            count.set(count.get() + 1);
            measured
        }),
        kept,
        machine: machine(dot_products),
    };
    (referee, asked)
}

fn chosen(referee: &Referee<'_>, dir: &Path, name: &str) -> String {
    let (card, _) = referee.choose(dir, name, Task::Person).unwrap();
    card.name
}

#[test]
fn the_faster_one_is_taken_and_integers_keep_a_tie() {
    let dir = folder();
    for (int8, float, expected) in [
        (6_100, 14_200, "person"),
        (14_200, 6_100, "person-f32"),
        (10_900, 10_000, "person"),
        (11_100, 10_000, "person-f32"),
    ] {
        // Whatever the processor's features say.
        for dot_products in [true, false] {
            let (referee, _) = referee(Some(times(int8, float)), None, dot_products);
            assert_eq!(chosen(&referee, dir.path(), "person"), expected, "{int8}");
        }
    }
}

#[test]
fn who_names_the_card_of_floats_gets_it() {
    let dir = folder();
    let (referee, _) = referee(Some(times(1, 9)), None, true);
    assert_eq!(chosen(&referee, dir.path(), "person-f32"), "person-f32");
}

#[test]
fn without_times_the_processors_features_decide() {
    let dir = folder();
    for (dot_products, expected) in [(true, "person"), (false, "person-f32")] {
        let (referee, _) = referee(None, None, dot_products);
        assert_eq!(chosen(&referee, dir.path(), "person"), expected);
    }
}

#[test]
fn a_card_without_a_usable_sibling_is_taken_as_it_is() {
    let dir = folder();
    let (referee, asked) = referee(Some(times(9, 1)), None, false);
    let sibling = dir.path().join("person-f32.toml");
    let text = fs::read_to_string(&sibling).unwrap();
    for (from, to) in [
        ("\"float\"", "\"int8\""),
        ("[416, 256], [320, 320], [256, 416]", "[640, 640]"),
        ("version = 1", "version = 7"),
    ] {
        fs::write(&sibling, text.replacen(from, to, 1)).unwrap();
        assert_eq!(chosen(&referee, dir.path(), "person"), "person", "{to}");
    }
    assert_eq!(asked.get(), 0);
}

#[test]
fn they_are_timed_once_on_one_machine() {
    let dir = folder();
    let path = dir.path().join("cache/models.json");
    let first = |measured| referee(Some(measured), Some(path.clone()), true);
    let (one, asked) = first(times(9_000, 2_000));
    assert_eq!(chosen(&one, dir.path(), "person"), "person-f32");
    assert_eq!(chosen(&one, dir.path(), "person"), "person-f32");
    assert_eq!(asked.get(), 1);

    // Another process, in which it would have turned out otherwise.
    let (two, asked) = first(times(2_000, 9_000));
    let (card, comparison) = two.choose(dir.path(), "person", Task::Person).unwrap();
    assert_eq!((card.name.as_str(), asked.get()), ("person-f32", 0));
    assert_eq!(
        comparison.unwrap().to_string(),
        "2.0 ms a look, sibling 9.0 ms"
    );
    let int8 = Card::read(dir.path(), "person").unwrap();
    let comparison = two.comparison(dir.path(), &int8).unwrap();
    assert!(!comparison.best);
    assert_eq!(comparison.to_string(), "9.0 ms a look, sibling 2.0 ms");

    // A damaged file, another runtime and another processor: it is timed anew.
    fs::write(&path, "{").unwrap();
    assert_eq!(chosen(&two, dir.path(), "person"), "person");
    assert_eq!(asked.get(), 1);
    for change in [
        |machine: &mut Machine| machine.runtime.push('0'),
        |machine: &mut Machine| machine.processor.push('0'),
    ] {
        let (mut other, asked) = first(times(9_000, 2_000));
        change(&mut other.machine);
        assert_eq!(chosen(&other, dir.path(), "person"), "person-f32");
        assert_eq!(asked.get(), 1);
    }
}

#[test]
fn the_warm_up_and_single_stalls_do_not_count() {
    let ms = |list: &[u64]| typical(list.iter().map(|ms| Duration::from_millis(*ms)).collect());
    assert_eq!(
        ms(&[90, 50, 20, 7, 6, 8, 99, 7, 6, 7]),
        Duration::from_millis(7)
    );
    assert_eq!(ms(&[90, 6]), Duration::from_millis(6), "too slow for more");
}

#[test]
fn the_repositorys_models_are_compared_within_seconds() {
    models::require();
    let environment = runtime::environment(None).unwrap();
    let card = Card::read(&models::dir(), "person").unwrap();
    let pair = Pair::of(&models::dir(), &card).unwrap();
    assert_eq!(pair.size, Size::new(576, 192));
    let started = Instant::now();
    let times = pair.time(&environment).unwrap();
    let took = started.elapsed();
    println!("{times:?}, in {took:?}");
    assert!(took < Duration::from_secs(30), "{took:?}");
    let plausible = Duration::from_micros(100)..Duration::from_secs(5);
    assert!(plausible.contains(&times.int8) && plausible.contains(&times.float));
    assert_ne!(Machine::this().runtime, "");
    assert!(Machine::this().processor.starts_with(env::consts::ARCH));
}

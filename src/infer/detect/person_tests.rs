//! With the real models: golden boxes, parts of a picture, and models that are not what their cards say.

use std::{fs, path::Path};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::*;
use crate::{infer::runtime, testing::models};

#[derive(Deserialize)]
struct Expected {
    #[serde(rename = "box")]
    edges: [f32; 4],
    score: f32,
    class: usize,
}

#[derive(Deserialize)]
struct Golden {
    expected: std::collections::BTreeMap<String, Vec<Expected>>,
}

fn open(dir: &Path, name: &str) -> Result<PersonModel, InferError> {
    models::require();
    PersonModel::open(&runtime::environment(None)?, Card::read(dir, name)?, 1)
}

/// The reference was computed from the picture's full chroma and by another resize: close is good enough.
#[test]
fn both_precisions_find_what_the_reference_finds() {
    let golden: Golden = models::golden("person.json");
    let frame = models::golden_picture();
    for (name, expected) in golden.expected {
        let mut model = open(&models::dir(), &name).unwrap();
        let threshold = model.thresholds().score;
        let mut found = model.look(&frame, &[NormRect::FULL]).unwrap();
        found.retain(|detection| detection.score >= threshold);
        assert_eq!(found.len(), expected.len(), "{name}: {found:?}");
        for (have, want) in found.iter().zip(expected) {
            let [x0, y0, x1, y1] = want.edges;
            let (w, h) = (frame.size.width as f32, frame.size.height as f32);
            let rect = NormRect::new(x0 / w, y0 / h, x1 / w, y1 / h);
            assert!(
                have.rect.iou(&rect) > 0.9,
                "{name}: {have:?} instead of {rect:?}"
            );
            assert!(
                (have.score - want.score).abs() < 0.08,
                "{name}: {have:?} instead of {}",
                want.score
            );
            assert_eq!(have.label, Label::ALL[want.class]);
        }
    }
}

#[test]
fn parts_and_the_whole_give_one_box_each() {
    let frame = models::golden_picture();
    let mut model = open(&models::dir(), "person").unwrap();
    let whole = model.look(&frame, &[NormRect::FULL]).unwrap();
    let person = whole.iter().find(|d| d.label == Label::Person).unwrap();
    let part = person.rect.grown(0.4).clamped();
    let both = model.look(&frame, &[NormRect::FULL, part]).unwrap();
    let same: Vec<_> = both
        .iter()
        .filter(|d| d.label == Label::Person && d.rect.iou(&person.rect) > 0.5 && d.score > 0.3)
        .collect();
    assert_eq!(same.len(), 1, "{both:?}");
    let alone = model.look(&frame, &[part]).unwrap();
    let there = alone.iter().find(|d| d.label == Label::Person).unwrap();
    assert!(
        there.rect.iou(&person.rect) > 0.8,
        "{there:?} instead of {person:?}"
    );
}

#[test]
fn every_input_size_of_the_card_runs() {
    let mut model = open(&models::dir(), "person").unwrap();
    let sizes: Vec<Size> = model.card().input.sizes().collect();
    for size in sizes {
        let painter = models::Painter::new(size.width * 2, size.height * 2);
        let grey = painter.frame(crate::flow::MediaTime::ZERO, |_, _| [126, 128, 128]);
        let found = model.look(&grey, &[NormRect::FULL]).unwrap();
        assert!(found.iter().all(|d| d.score < 0.3), "{size:?}: {found:?}");
    }
}

/// The folder of a model whose card was changed.
fn changed(from: &str, to: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let card = fs::read_to_string(models::dir().join("person.toml")).unwrap();
    assert!(card.contains(from), "{from}");
    fs::write(dir.path().join("person.toml"), card.replacen(from, to, 1)).unwrap();
    fs::copy(
        models::dir().join("person.onnx"),
        dir.path().join("person.onnx"),
    )
    .unwrap();
    dir
}

#[test]
fn a_model_that_is_not_what_its_card_says_is_refused_at_the_start() {
    let interface = |from: &str, to: &str, expected: &str| {
        let dir = changed(from, to);
        let Err(error) = open(dir.path(), "person") else {
            panic!("{to} was accepted");
        };
        assert!(matches!(error, InferError::Interface { .. }), "{error}");
        let text = error.to_string();
        assert!(
            text.contains(expected) && text.contains("correct the card"),
            "{text}"
        );
    };
    interface(
        "name = \"input\"",
        "name = \"images\"",
        "no input \"images\", there is: input",
    );
    interface("\"cls8\"", "\"cls9\"", "no output \"cls9\"");
    interface("\"uint8\"", "\"float32\"", "input \"input\" is");
    interface("\"dog\"]", "\"dog\", \"cow\"]", "output \"cls8\" has shape");
    interface("bins = 11", "bins = 8", "output \"dist8\" has shape");
}

#[test]
fn a_file_that_is_no_model_is_refused() {
    let dir = changed("version", "version");
    let card = fs::read_to_string(dir.path().join("person.toml")).unwrap();
    let sha = card
        .lines()
        .find_map(|line| line.strip_prefix("sha256 = "))
        .unwrap()
        .to_owned();
    fs::write(dir.path().join("person.onnx"), "not a model").unwrap();
    assert!(matches!(
        open(dir.path(), "person").err().unwrap(),
        InferError::Mismatch { .. }
    ));
    let right = format!("\"{}\"", hex::encode(Sha256::digest("not a model")));
    fs::write(dir.path().join("person.toml"), card.replace(&sha, &right)).unwrap();
    let error = open(dir.path(), "person").err().unwrap();
    assert!(matches!(error, InferError::Refused { .. }), "{error}");
}

/// What is surely there, by label.
fn sure(model: &mut PersonModel, frame: &Frame) -> Vec<Detection> {
    let threshold = model.thresholds().score;
    let mut found = model.look(frame, &[NormRect::FULL]).unwrap();
    found.retain(|detection| detection.score >= threshold);
    found
}

#[test]
#[ignore = "needs data beside the checkout"]
fn a_yolox_model_is_dropped_in_by_a_card() {
    let file = models::beside("models/yolox_nano.onnx");
    let dir = tempfile::tempdir().unwrap();
    fs::copy(file, dir.path().join("yolox_nano.onnx")).unwrap();
    let card = models::example_card("yolox-nano");
    fs::write(dir.path().join("yolox-nano.toml"), card).unwrap();
    let mut yolox = open(dir.path(), "yolox-nano").unwrap();
    let mut ours = open(&models::dir(), "person").unwrap();

    let photographs = ["785", "872"].map(|id| format!("data/tuning/coco/{id:0>12}.jpg"));
    let there = photographs.iter().map(|path| models::beside(path));
    let mut pictures: Vec<_> = there.map(|path| models::photograph(&path)).collect();
    pictures.push(models::golden_picture());
    for (number, frame) in pictures.iter().enumerate() {
        let persons = |mut found: Vec<Detection>| {
            found.retain(|d| d.label == Label::Person && d.score >= 0.5);
            found
        };
        let (expected, found) = (
            persons(sure(&mut ours, frame)),
            persons(sure(&mut yolox, frame)),
        );
        assert!(!expected.is_empty(), "picture {number}");
        for person in &expected {
            assert!(
                found.iter().any(|d| d.rect.iou(&person.rect) >= 0.6),
                "picture {number}: {person:?} is not among {found:?}"
            );
        }
    }
}

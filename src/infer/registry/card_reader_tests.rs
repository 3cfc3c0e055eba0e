//! Good cards, and every kind of bad one.

use super::*;

const PERSON: &str = r#"
version = 1
name = "person"
task = "person"
file = "person.onnx"
sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
origin = "a test"
licence = "MIT"
precision = "int8"
sibling = "person-f32"
[input]
name = "input"
layout = "nchw"
colour = "bgr"
type = "float32"
sizes = [[416, 256], [320, 320], [256, 416]]
resize = "letterbox"
[head]
kind = "nanodet"
strides = [8, 16]
bins = 11
outputs = ["a", "b", "c", "d"]
[labels]
names = ["person", "toaster", "dog"]
[thresholds]
score = 0.4
nms_iou = 0.5
"#;

pub(in crate::infer) fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("person.toml"), PERSON).unwrap();
    fs::write(dir.path().join("person.onnx"), "abc").unwrap();
    let float = PERSON
        .replace("\"person\"\ntask", "\"person-f32\"\ntask")
        .replace("int8", "float");
    fs::write(dir.path().join("person-f32.toml"), float).unwrap();
    dir
}

#[test]
fn a_card_is_read_and_its_file_checked() {
    let dir = folder();
    let card = Card::read(dir.path(), "person").unwrap();
    assert_eq!(card.model().unwrap(), b"abc");
    assert_eq!(
        card.classes(),
        [Some(Label::Person), None, Some(Label::Dog)]
    );
    assert_eq!(
        card.input.size_for(Size::new(1920, 1080)),
        Size::new(416, 256)
    );
    assert_eq!(
        card.input.size_for(Size::new(500, 560)),
        Size::new(320, 320)
    );
    assert_eq!(
        card.input.size_for(Size::new(360, 640)),
        Size::new(256, 416)
    );

    fs::write(dir.path().join("person.onnx"), "abd").unwrap();
    let text = card.model().unwrap_err().to_string();
    assert!(
        text.contains("does not match its card") && text.contains("make models"),
        "{text}"
    );
    fs::remove_file(dir.path().join("person.onnx")).unwrap();
    assert!(matches!(card.model(), Err(InferError::NoModel { .. })));
    let listed = model_folder::list(dir.path());
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().all(|(_, card)| card.is_err()));
}

#[test]
fn a_missing_card_names_those_that_are_there() {
    let dir = folder();
    let text = Card::read(dir.path(), "persom").unwrap_err().to_string();
    assert!(
        text.contains("persom.toml") && text.ends_with("person, person-f32"),
        "{text}"
    );
}

#[test]
fn every_mistake_in_a_card_is_named() {
    let parse = |from: &str, to: &str| {
        assert!(PERSON.contains(from), "{from}");
        Card::parse(Path::new("."), "person", &PERSON.replacen(from, to, 1)).unwrap_err()
    };
    for (from, to, expected) in [
        ("version = 1", "version = 2", "version"),
        ("origin", "orgin", "orgin"),
        ("layout", "layuot", "layuot"),
        ("strides = [8, 16]", "strides = [8, 17]", "stride"),
        ("strides = [8, 16]", "strides = [0, 16]", "stride"),
        ("bins = 11", "bins = 1", "bins"),
        ("bins = 11", "bins = 11\ntau = 3", "tau"),
        ("[\"a\", \"b\", \"c\", \"d\"]", "[\"a\"]", "outputs"),
        ("nanodet", "nanodot", "nanodet, yolox, yolov8"),
        ("[[416, 256], [320, 320], [256, 416]]", "[]", "sizes"),
        ("\"person.onnx\"", "\"../person.onnx\"", "plain name"),
        ("ba7816bf", "BA7816BF", "sha256"),
        ("0.5", "1.5", "thresholds"),
        ("\"person\", \"toaster\"", "\"toaster\"", "person"),
        ("float32", "float16", "float16"),
        ("\"bgr\"", "\"luma\"", "bgr"),
        (
            "resize = \"letterbox\"",
            "resize = \"letterbox\"\nstd = [0.0, 1.0, 1.0]",
            "std",
        ),
    ] {
        let reason = parse(from, to);
        assert!(reason.contains(expected), "{to}: {reason}");
    }
    let wrong_name = Card::parse(Path::new("."), "other", PERSON).unwrap_err();
    assert!(wrong_name.contains("other"), "{wrong_name}");
}

#[test]
fn the_examples_of_the_readme_are_cards() {
    for (name, head) in [
        ("yolox-nano", "yolox"),
        ("yard", "yolov8"),
        ("porch", "nanodet"),
    ] {
        let text = crate::testing::models::example_card(name);
        let card = Card::parse(Path::new("."), name, &text).unwrap();
        assert_eq!(card.head.kind, head);
    }
}

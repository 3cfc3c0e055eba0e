//! A message to the box: it is understood, or refused in one short line without control characters.
#![no_main]

use lares::wire::Topics;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &str, &[u8])| {
    let (which, topic, payload) = input;
    let topics = Topics::new(&"home".parse().expect("a valid id"));
    let topic = match which % 4 {
        0 => topics.command(),
        1 => "lares/home/door/mode/set".to_owned(),
        2 => format!("lares/home/{topic}/mode/set"),
        _ => topic.to_owned(),
    };
    if let Err(error) = topics.parse(&topic, payload) {
        let text = error.to_string();
        assert!(text.len() <= 1_000, "{} bytes", text.len());
        assert!(!text.contains(char::is_control), "{text:?}");
    }
});

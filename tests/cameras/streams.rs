//! Streams that are damaged on the way, or wrong from the start.

use std::time::Duration;

use crate::street::{Street, Studio, watched, x264};

const PATIENCE: Duration = Duration::from_secs(70);

#[test]
fn damaged_streams_and_wrong_clocks_are_told_and_watched_on() {
    let studio = Studio::new();
    let plain = studio.plain();
    // Two sizes in one stream, as when somebody changes a setting of a camera that keeps its connection.
    let small = studio.scene("small.ts", "320x240", 10, &x264("keyint=10"));
    let large = studio.scene("large.ts", "640x480", 10, &x264("keyint=10"));
    let list = studio.path("list");
    let lines = [&small, &large].map(|file| format!("file '{}'\n", file.display()));
    std::fs::write(&list, lines.concat()).unwrap();
    let join = format!("-f concat -safe 0 -i {} -c copy", list.display());
    let resized = studio.ffmpeg("resized.ts", &join);

    let names = [
        "loses", "corrupt", "bare", "jumps", "freezes", "reverse", "drifts", "rewinds", "resized",
    ];
    let script = "\
        6s 1 lose=30 14s\n\
        6s 2 corrupt=20 14s\n\
        0s 3 bare 24s\n\
        6s 4 jump=3600\n\
        12s 4 jump=-3000\n\
        6s 5 freeze 8s\n\
        6s 6 reverse 8s\n\
        4s 7 drift=60 16s\n\
        6s 8 jump=-7200\n";
    let mut videos = vec![plain; names.len() - 1];
    videos.push(resized);
    let cameras = studio.serve(script, &[], &videos);
    let blocks = names.iter().zip(&cameras.urls).map(|(name, url)| {
        let more = if *name == "loses" {
            "transport = \"udp\"\n"
        } else {
            ""
        };
        watched(name, url, more)
    });
    let blocks: Vec<String> = blocks.collect();
    let mut street = Street::open(&studio, &blocks, &[]);
    for camera in names.iter().filter(|name| **name != "bare") {
        street.until_sessions(camera, 1.0, PATIENCE);
    }
    street.settle();

    // Health says it while it is so; these end at the latest when the script does.
    let parameters = ["no picture can be made of", "restart the camera"];
    street.until("bare", "offline", &parameters, PATIENCE);
    let clock = ["are of no use", "timed by their arrival"];
    for camera in ["freezes", "reverse", "drifts"] {
        street.until(camera, "online", &clock, PATIENCE);
    }
    let lost = ["of 100 packets on the way", "transport = \"tcp\""];
    street.until_logged("loses", &lost, PATIENCE);
    street.until_logged("resized", &["pictures arrive", "640x480"], PATIENCE);

    // And then all is well again, in the same session but where the stream itself began anew.
    for camera in names {
        street.until(camera, "online", &[], PATIENCE);
        street.goes_on(camera);
    }
    for camera in ["freezes", "reverse", "drifts"] {
        assert_eq!(street.logged(camera, &clock), 1, "told once: {camera}");
    }
    // A clock that jumps once is no problem: a new run begins at the next keyframe.
    assert_eq!(street.logged("jumps", &["WARN"]), 0);
    assert_eq!(street.logged("resized", &["WARN"]), 0);
    // Nor is it a reason to connect again that packets are lost or damaged.
    for camera in [
        "loses", "corrupt", "freezes", "reverse", "drifts", "rewinds",
    ] {
        assert_eq!(
            street.logged(camera, &["it is connected to again"]),
            0,
            "{camera}"
        );
    }
    street.close();
}

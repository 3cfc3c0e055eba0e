//! Streams that are unusual but sound.

use std::time::Duration;

use crate::{
    home::camera,
    street::{Street, Studio, watched, x264},
};

const PATIENCE: Duration = Duration::from_secs(90);

#[test]
fn unusual_encodings_are_watched_and_rare_keyframes_are_told() {
    let studio = Studio::new();
    let reordered = studio.scene(
        "b.mp4",
        "320x240",
        20,
        &x264("keyint=20:bframes=3:b-adapt=0"),
    );
    let open = "-c:v libx265 -preset ultrafast -x265-params \
         keyint=20:min-keyint=20:scenecut=0:open-gop=1:bframes=3:b-adapt=0:log-level=error:pools=1";
    let open = studio.scene("open.mp4", "320x240", 20, open);
    let slices = x264("keyint=10:slices=4:repeat-headers=1");
    let slices = studio.scene("slices.mp4", "320x240", 20, &slices);
    let rare = studio.scene(
        "rare.mp4",
        "320x240",
        60,
        &x264("keyint=600:min-keyint=600"),
    );

    let sound = studio.serve("", &[], &[reordered, open, slices]);
    // While one viewer holds on, another comes back in the middle of a minute without a keyframe.
    let rarely = studio.serve("8s 1 stall 4s\n", &[], &[rare]);
    let names = ["reordered", "open", "slices"];
    let mut blocks: Vec<String> = names
        .iter()
        .zip(&sound.urls)
        .map(|(name, url)| watched(name, url, ""))
        .collect();
    blocks.push(camera(
        "holds",
        &rarely.urls[0],
        "stall_timeout = \"1 min\"\n",
    ));
    blocks.push(watched("rare", &rarely.urls[0], ""));
    let mut street = Street::open(&studio, &blocks, &[]);
    for camera in names {
        street.until_sessions(camera, 1.0, PATIENCE);
        street.goes_on(camera);
    }
    street.settle();

    let waiting = ["no keyframe yet", "to 1 or 2 seconds"];
    street.until("rare", "offline", &waiting, PATIENCE);
    street.until("rare", "online", &[], PATIENCE);
    // One of the two has come too late for the first keyframe, and waited from the beginning.
    street.until("holds", "online", &[], PATIENCE);
    assert_eq!(street.logged("rare", &waiting), 1, "told once");
    for camera in names.iter().chain(&["holds", "rare"]) {
        street.goes_on(camera);
    }
    for camera in names {
        assert_eq!(street.logged(camera, &["WARN"]), 0, "{camera}");
    }
    street.close();
}

//! Cameras that go away and come back, or never answer.

use std::{net::TcpListener, time::Duration};

use crate::{
    program::assert_told_once,
    street::{Street, Studio, name, watched},
};

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn cameras_that_restart_hang_refuse_and_never_answer_disturb_nobody() {
    let studio = Studio::new();
    let plain = studio.plain();
    let h265 = "-c:v libx265 -preset ultrafast -x265-params keyint=10:log-level=error:pools=1";
    let changed = studio.scene("changed.mp4", "256x144", 20, h265);
    let one = std::slice::from_ref(&plain);
    let restarts = studio.serve("8s all reboot 3s\nevery 14s\n", &[], one);
    let hangs = studio.serve("6s 1 stall 8s\n", &[], one);
    let swap = format!("6s 1 swap={}\n6s all reboot 2s\n", name(&changed));
    let changes = studio.serve(&swap, &[], one);
    let guarded = studio.path("password");
    std::fs::write(&guarded, "right-one").unwrap();
    let login = [
        "--user",
        "viewer",
        "--password-file",
        guarded.to_str().unwrap(),
    ];
    let refuses = studio.serve("", &login, one);
    // Accepted by the system, answered by nobody.
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let deaf_url = format!("rtsp://{}/cam1", deaf.local_addr().unwrap());

    let wrong = "user = \"viewer\"\npassword_file = \"wrong\"\n";
    let others = [
        watched("restarts", &restarts.urls[0], ""),
        watched("hangs", &hangs.urls[0], ""),
        watched("changes", &changes.urls[0], ""),
        watched("refuses", &refuses.urls[0], wrong),
        watched("deaf", &deaf_url, ""),
    ];
    let mut street = Street::open(&studio, &others, &[("wrong", "wrong-one")]);
    for camera in ["restarts", "hangs", "changes"] {
        street.until_sessions(camera, 1.0, PATIENCE);
    }
    street.settle();

    let refused = [
        "refused the user name or password",
        "set `user` and `password`",
    ];
    street.until("refuses", "offline", &refused, PATIENCE);
    let silent = ["answers on port", "but sends no pictures"];
    street.until("deaf", "offline", &silent, PATIENCE);

    let stopped = ["has stopped sending pictures", "it is connected to again"];
    street.until_logged("hangs", &stopped, PATIENCE);
    street.until_sessions("hangs", 2.0, PATIENCE);
    street.until("hangs", "online", &[], PATIENCE);

    street.until_logged("changes", &["pictures arrive", "H.265 256x144"], PATIENCE);
    street.until("changes", "online", &[], PATIENCE);

    // Four lives of a camera that restarts.
    street.until_sessions("restarts", 4.0, PATIENCE);
    street.until_logged("restarts", &["WARN", "has ended the stream"], PATIENCE);
    for camera in ["restarts", "hangs", "changes"] {
        street.goes_on(camera);
    }
    let log = street.close();
    assert_told_once(&log, &refused);
    assert_told_once(&log, &silent);
    assert!(!log.contains("wrong-one"), "a password in the log");
}

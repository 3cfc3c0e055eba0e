//! Cameras with odd manners in conversation, each scripted.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    scripted::{Camera, Manners, Talk},
    tests::{Seen, Viewer, problems},
};
use crate::{
    config::{Secret, SourceConfig, Transport},
    testing::certificates::{Authority, Good},
};

fn config(url: &str) -> SourceConfig {
    SourceConfig {
        url: url.parse().unwrap(),
        user: Some("anna".to_owned()),
        password: Some(Secret::new("correct horse")),
        stall_timeout: Duration::from_millis(900),
        transport: Transport::Auto,
        ca_file: None,
    }
}

fn watch(camera: &Camera) -> Viewer {
    Viewer::with(config(&camera.url()), |source| {
        source.hurried(Duration::from_millis(200))
    })
}

fn before(before: impl Fn(&mut Talk, usize) -> bool + Send + Sync + 'static) -> Manners {
    Manners {
        before: Box::new(before),
        ..Manners::default()
    }
}

fn pictures(count: usize) -> impl Fn(&Seen) -> bool {
    move |seen| seen.packets.len() >= count
}

#[test]
fn what_a_camera_asks_or_says_unasked_does_not_end_the_session() {
    let camera = Camera::start(before(|talk, n| {
        match n {
            5 => talk.say(b"OPTIONS rtsp://127.0.0.1/live RTSP/1.0\r\nCSeq: 77\r\n\r\n"),
            10 => talk.say(b"RTSP/1.0 400 Bad Request\r\nCSeq: 5\r\n\r\n"),
            15 => talk.say(b"RTSP/1.0 454\r\n\r\n\r\n"),
            20 => talk.say(b"\x01garbage \xff no RTSP\r\n\r\n"),
            // A goodbye of the session before.
            25 => talk.say(&[b'$', 1, 0, 8, 0x81, 203, 0, 1, 0, 0, 0, 7]),
            30 => talk.say(&[b'$', 0, 0, 0, b'$', 5, 0, 1, 9]),
            _ => {}
        }
        true
    }));
    let viewer = watch(&camera);
    viewer.until("pictures", pictures(90));
    assert_eq!(Viewer::online(&viewer.seen.lock()), 1);
    assert_eq!(viewer.problems(), [""; 0]);
}

#[test]
fn a_reset_is_followed_by_a_new_session_and_teardown_ends_the_last() {
    let camera = Camera::start(before(|talk, n| {
        if n == 20 {
            talk.reset();
        }
        true
    }));
    let viewer = watch(&camera);
    viewer.until("three sessions", |seen| Viewer::online(seen) >= 3);
    assert_eq!(
        viewer.problems()[0],
        "camera 127.0.0.1 has ended the stream"
    );
    let stopped = Instant::now();
    drop(viewer);
    assert!(stopped.elapsed() < Duration::from_secs(2));
    let methods = camera.methods();
    let last = methods.iter().rposition(|method| method == "PLAY").unwrap();
    assert!(
        methods[last..].contains(&"TEARDOWN".to_owned()),
        "{methods:?}"
    );
}

#[test]
fn a_teardown_that_is_not_answered_is_not_waited_for() {
    let camera = Camera::start(Manners {
        answer: Box::new(|_, asked| asked.method == "TEARDOWN"),
        ..Manners::default()
    });
    let viewer = watch(&camera);
    viewer.until("pictures", pictures(5));
    let stopped = Instant::now();
    drop(viewer);
    assert!(stopped.elapsed() < Duration::from_secs(2));
    assert_eq!(
        camera.methods().last().map(String::as_str),
        Some("TEARDOWN")
    );
}

#[test]
fn a_keep_alive_leaves_in_time_and_another_where_one_is_refused() {
    let camera = Camera::start(Manners {
        public: "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER",
        session: "1;timeout=2",
        answer: Box::new(|talk, asked| {
            let refused = asked.method == "GET_PARAMETER";
            if refused {
                talk.answer(asked, "400 Bad Request", "", "");
            }
            refused
        }),
        ..Manners::default()
    });
    let viewer = watch(&camera);
    viewer.until("pictures", pictures(60));
    let after: Vec<_> = camera
        .methods()
        .into_iter()
        .skip_while(|m| m != "PLAY")
        .collect();
    let expected = ["PLAY", "GET_PARAMETER", "OPTIONS", "OPTIONS"];
    assert_eq!(after[..4], expected, "{after:?}");
    assert!(viewer.problems().is_empty());
}

#[test]
fn a_keep_alive_that_makes_a_camera_hang_up_is_not_repeated() {
    let camera = Camera::start(Manners {
        public: "GET_PARAMETER",
        session: "1;timeout=2",
        answer: Box::new(|talk, asked| {
            let fatal = asked.method == "GET_PARAMETER";
            if fatal {
                talk.close();
            }
            fatal
        }),
        ..Manners::default()
    });
    let viewer = watch(&camera);
    viewer.until("pictures", pictures(80));
    let asked = camera.methods();
    assert_eq!(asked.iter().filter(|m| *m == "GET_PARAMETER").count(), 1);
    // Not worth a word: the next session lives.
    assert!(viewer.problems().is_empty(), "{:?}", viewer.problems());
}

#[test]
fn a_camera_that_hangs_up_after_refusing_is_logged_in_at() {
    let camera = Camera::start(Manners {
        answer: Box::new(|talk, asked| {
            let refused =
                !asked.head.contains("Authorization: Digest") && asked.method != "OPTIONS";
            if refused {
                let challenge = "WWW-Authenticate: Digest realm=\"cam\", nonce=\"n\", algorithm=SHA-256, qop=\"auth\"\r\n";
                talk.answer(asked, "401", challenge, "");
                talk.close();
            }
            refused
        }),
        ..Manners::default()
    });
    let viewer = watch(&camera);
    viewer.until("pictures", pictures(5));
    let asked = camera.asked();
    let signed = asked.iter().find(|asked| asked.method == "PLAY").unwrap();
    assert!(
        signed.head.contains("qop=auth, nc=0000000"),
        "{}",
        signed.head
    );
    assert!(signed.head.contains("algorithm=SHA-256"));
}

#[test]
fn a_login_that_is_not_spoken_is_named() {
    let camera = Camera::start(Manners {
        answer: Box::new(|talk, asked| {
            talk.answer(asked, "401 Unauthorized", "WWW-Authenticate: NTLM\r\n", "");
            true
        }),
        ..Manners::default()
    });
    let viewer = watch(&camera);
    viewer.until("problem", |seen| !problems(seen).is_empty());
    let expected = "camera 127.0.0.1 asks for a login that is not supported (NTLM)";
    assert_eq!(viewer.problems(), [expected]);
}

#[test]
fn redirects_are_followed_on_the_same_host_alone() {
    let camera = Camera::start(Manners {
        answer: Box::new(|talk, asked| {
            let away = asked.method == "DESCRIBE" && asked.uri.ends_with("/live");
            if away {
                talk.answer(asked, "302 Moved", "Location: /real\r\n", "");
            }
            away
        }),
        ..Manners::default()
    });
    let viewer = watch(&camera);
    viewer.until("pictures", pictures(5));
    assert!(
        camera
            .asked()
            .iter()
            .any(|asked| asked.uri.ends_with("/real/trackID=1"))
    );
    let elsewhere = Camera::start(Manners {
        answer: Box::new(|talk, asked| {
            talk.answer(asked, "302 Moved", "Location: rtsp://192.0.2.1/x\r\n", "");
            true
        }),
        ..Manners::default()
    });
    let viewer = watch(&elsewhere);
    viewer.until("problem", |seen| !problems(seen).is_empty());
    let expected = "camera 127.0.0.1 redirects to another host, 192.0.2.1";
    assert_eq!(viewer.problems(), [expected]);
}

#[test]
fn another_address_of_a_track_is_tried_and_a_busy_camera_told() {
    let camera = Camera::start(Manners {
        sdp: "v=0\na=control:*\nm=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=control:track1\n",
        answer: Box::new(|talk, asked| {
            let refused = asked.method == "SETUP" && asked.uri.ends_with("/live/track1");
            if refused {
                talk.answer(asked, "404 Not Found", "", "");
            }
            refused
        }),
        ..Manners::default()
    });
    let viewer = watch(&camera);
    viewer.until("pictures", pictures(5));
    let busy = Camera::start(Manners {
        answer: Box::new(|talk, asked| {
            talk.answer(asked, "453 Not Enough Bandwidth", "", "");
            true
        }),
        ..Manners::default()
    });
    let viewer = watch(&busy);
    viewer.until("problem", |seen| !problems(seen).is_empty());
    let expected = "camera 127.0.0.1 serves as many viewers as it can";
    assert_eq!(viewer.problems(), [expected]);
}

#[test]
fn a_recording_is_played_to_its_end_and_said_so() {
    let camera = Camera::start(Manners {
        sdp: "v=0\na=range:npt=0-3.0\nm=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=control:trackID=1\n",
        before: Box::new(|talk, n| {
            if n == 60 {
                talk.close();
            }
            true
        }),
        ..Manners::default()
    });
    let viewer = watch(&camera);
    viewer.until("end", |seen| !problems(seen).is_empty());
    let expected = "camera 127.0.0.1 served a recording of 3 s, which has ended";
    assert_eq!(viewer.problems(), [expected]);
    assert!(viewer.seen.lock().packets.len() >= 55);
}

#[test]
fn nothing_that_a_camera_sends_without_end_is_kept() {
    let endless = |prefix: &'static str, piece: Vec<u8>, pause: Duration| {
        Camera::start(Manners {
            answer: Box::new(move |talk, asked| {
                talk.say(format!("RTSP/1.0 200 OK\r\nCSeq: {}\r\n{prefix}", asked.cseq).as_bytes());
                for _ in 0..2000 {
                    talk.say(&piece);
                    std::thread::sleep(pause);
                }
                true
            }),
            ..Manners::default()
        })
    };
    let long = "camera 127.0.0.1 sends an answer of unreasonable length";
    let cases = [
        (
            endless("X: ", vec![b'x'; 1 << 19], Duration::ZERO),
            long.to_owned(),
        ),
        (
            endless(
                "Content-Length: 1073741824\r\n\r\n",
                vec![b'x'; 1 << 19],
                Duration::ZERO,
            ),
            long.to_owned(),
        ),
        (
            endless("X: ", vec![b'x'], Duration::from_millis(20)),
            String::new(),
        ),
        (
            endless("\r\n", b"$\0\0\0".repeat(1000), Duration::from_millis(5)),
            String::new(),
        ),
    ];
    let viewers: Vec<_> = cases.iter().map(|(camera, _)| watch(camera)).collect();
    for (viewer, (camera, expected)) in viewers.iter().zip(&cases) {
        viewer.until("problem", |seen| !problems(seen).is_empty());
        let problem = viewer.problems().remove(0);
        let silent = problem.contains("answers on port") && problem.contains("no pictures");
        assert!(
            &problem == expected || (expected.is_empty() && silent),
            "{problem}"
        );
        assert!(viewer.problems().len() == 1, "told once: {}", camera.url());
    }
}

#[test]
fn a_camera_that_signed_its_certificate_itself_is_trusted_where_it_is_named() {
    use crate::vcam::{CameraOptions, TlsIdentity, VirtualCameras};
    let studio = crate::ingest::samples::Studio::new();
    let video = studio.video("v.mp4", 20, &crate::ingest::samples::x264(10, 0));
    let folder = tempfile::tempdir().unwrap();
    let own = Authority::new(folder.path()).unwrap();
    // An authority's own certificate, without a name: as cameras make them.
    let options = CameraOptions {
        tls: Some(TlsIdentity {
            certificate: own.certificate(),
            key: folder.path().join("ca.key"),
        }),
        ..CameraOptions::default()
    };
    let camera = VirtualCameras::serve(&[video], options).unwrap();
    let other = tempfile::tempdir().unwrap();
    let stranger = Authority::new(other.path()).unwrap();
    let expired = stranger
        .issue("old", "IP:127.0.0.1", Good::LongAgo)
        .unwrap();
    let with = |file: std::path::PathBuf| {
        Viewer::source(SourceConfig {
            ca_file: Some(file),
            ..config(&camera.url(0))
        })
    };
    let viewer = with(own.certificate());
    viewer.until("pictures", pictures(5));
    for file in [stranger.certificate(), expired.certificate] {
        let viewer = with(file);
        viewer.until("problem", |seen| !problems(seen).is_empty());
        assert!(
            viewer.problems()[0].contains("is not trusted"),
            "{:?}",
            viewer.problems()
        );
    }
}

#[test]
fn sessions_of_many_cameras_share_two_threads() {
    let played = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&played);
    let camera = Camera::start(before(move |_, n| {
        count.fetch_add(usize::from(n == 0), Ordering::Relaxed);
        true
    }));
    let ingest = || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
        let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm"));
        tasks
            .filter_map(|task| name(task).ok())
            .filter(|name| name.trim() == "ingest")
            .count()
    };
    let first = watch(&camera);
    first.until("pictures", pictures(5));
    let before = ingest();
    let more = first.beside(config(&camera.url()), 10);
    for viewer in &more {
        viewer.until("pictures", pictures(5));
    }
    assert_eq!(played.load(Ordering::Relaxed), 11);
    // Other tests run beside this one, each with threads of its own; ten sessions would be twenty.
    assert!(ingest() < before + 10);
}

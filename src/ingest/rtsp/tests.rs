//! RTSP against a real server on loopback.

use std::{sync::Arc, time::Duration};

use gstreamer as gst;
use gstreamer_rtsp as rtsp;
use gstreamer_rtsp_server as rtsp_server;

use gst::prelude::*;
use rtsp_server::prelude::*;

mod rig;

use crate::{
    base::cpu::Stage,
    flow::{Codec, StreamRole},
    ingest::SourceState,
};

use self::rig::{Camera, admit, viewer};
pub(super) use self::rig::{Seen, Viewer, problems};

const H264: &str = "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=10 ! rtph264pay name=pay0 pt=96 config-interval=-1";
const H265: &str = "x265enc tune=zerolatency speed-preset=ultrafast key-int-max=10 ! h265parse ! rtph265pay name=pay0 pt=96 config-interval=-1";

#[test]
fn packets_come_in_order_with_true_distances_and_begin_with_a_keyframe() {
    for (encoder, codec) in [(H264, Codec::H264), (H265, Codec::H265)] {
        let camera = Camera::start(encoder, None);
        let viewer = Viewer::camera(&camera, None);
        viewer.until("packets", |seen| seen.packets.len() >= 40);
        let seen = viewer.seen.lock();
        let packets = &seen.packets;
        assert!(packets[0].key && packets[0].discontinuity);
        assert_eq!(packets[0].format.codec, codec);
        assert_eq!(
            (packets[0].format.size.width, packets[0].stream),
            (192, StreamRole::Main)
        );
        assert!(packets.iter().skip(1).all(|p| !p.discontinuity));
        assert!(packets.iter().filter(|p| p.key).count() >= 4, "{packets:?}");
        for pair in packets.windows(2) {
            let apart = (pair[1].time - pair[0].time) as f64 / 1e9;
            assert!((apart - 0.05).abs() < 0.02, "{apart}");
            assert!(pair[0].arrived - pair[0].time < 1_000_000_000);
        }
        assert_eq!(Viewer::online(&seen), 1);
        assert!(viewer.stages.get(Stage::Ingest) > Duration::ZERO);
    }
}

#[test]
fn digest_lets_in_with_the_password_and_refuses_without_telling_it() {
    let camera = Camera::start(H264, Some(("anna", "correct horse")));
    let good = Viewer::camera(&camera, Some(("anna", "correct horse")));
    good.until("packets", |seen| seen.packets.len() > 5);
    for login in [Some(("anna", "battery staple")), None] {
        let bad = Viewer::camera(&camera, login);
        bad.until("refusal", |seen| !problems(seen).is_empty());
        let problem = bad.problems().remove(0);
        assert!(
            problem.contains("refused the user name or password"),
            "{problem}"
        );
        let text = format!("{:?}", bad.seen.lock().states);
        assert!(!text.contains("battery"), "{text}");
        let SourceState::Away { retry_in, .. } = bad.seen.lock().states.pop().unwrap() else {
            panic!("the last state is the refusal");
        };
        assert!(retry_in >= Duration::from_secs(60) && retry_in <= Duration::from_secs(120));
    }
}

#[test]
fn what_is_not_there_is_told_in_one_sentence() {
    let camera = Camera::start(H264, None);
    let wrong_path = Viewer::watch(&format!("rtsp://127.0.0.1:{}/door", camera.port), None);
    let closed_port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let nobody = Viewer::watch(&format!("rtsp://127.0.0.1:{closed_port}/cam"), None);
    wrong_path.until("problem", |seen| !problems(seen).is_empty());
    nobody.until("problem", |seen| !problems(seen).is_empty());
    assert_eq!(
        wrong_path.problems(),
        ["camera 127.0.0.1 has no stream at /door"]
    );
    let expected = format!("camera 127.0.0.1 cannot be reached on port {closed_port}");
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(nobody.problems(), [expected], "told once, not at each try");
}

#[test]
fn motion_jpeg_is_watched_and_other_codecs_are_told() {
    let camera = Camera::start("jpegenc ! rtpjpegpay name=pay0 pt=26", None);
    let viewer = Viewer::camera(&camera, None);
    viewer.until("packets", |seen| seen.packets.len() >= 10);
    let seen = viewer.seen.lock();
    assert!(
        seen.packets
            .iter()
            .all(|p| p.key && p.format.codec == Codec::Other)
    );
    assert_eq!(seen.packets[0].format.size.width, 192);
    drop(seen);
    let camera = Camera::start("vp8enc deadline=1 ! rtpvp8pay name=pay0 pt=96", None);
    let viewer = Viewer::camera(&camera, None);
    viewer.until("problem", |seen| !problems(seen).is_empty());
    let problem = viewer.problems().remove(0);
    assert!(
        problem.contains("no H.264 or H.265 video") && problem.contains("VP8"),
        "{problem}"
    );
}

#[test]
fn a_stalled_camera_is_connected_to_again() {
    let camera = Camera::start(H264, None);
    let viewer = Viewer::camera(&camera, None);
    viewer.until("packets", |seen| seen.packets.len() > 5);
    camera.element("valve").set_property("drop", true);
    viewer.until("stall", |seen| !problems(seen).is_empty());
    assert_eq!(
        viewer.problems(),
        ["camera 127.0.0.1 has stopped sending pictures"]
    );
    viewer.until("second session", |seen| Viewer::online(seen) == 2);
    let seen = viewer.seen.lock();
    let begin = seen.packets.iter().rposition(|p| p.discontinuity).unwrap();
    assert!(begin > 0 && seen.packets[begin].key);
    assert!(seen.packets.is_sorted_by_key(|p| p.time));
}

#[test]
fn a_new_resolution_makes_a_new_format_in_the_same_session() {
    let camera = Camera::start(H264, None);
    let viewer = Viewer::camera(&camera, None);
    viewer.until("packets", |seen| seen.packets.len() > 15);
    let larger = "video/x-raw,format=I420,width=320,height=240,framerate=20/1";
    let larger: gst::Caps = larger.parse().unwrap();
    camera.element("size").set_property("caps", larger);
    viewer.until("new size", |seen| {
        seen.packets.last().unwrap().format.size.width == 320
    });
    let seen = viewer.seen.lock();
    let first = seen
        .packets
        .iter()
        .find(|p| p.format.size.width == 320)
        .unwrap();
    assert!(first.key && first.discontinuity);
    assert!(problems(&seen).is_empty());
    assert_eq!(Viewer::online(&seen), 2);
}

#[test]
fn sessions_that_end_leave_nothing_behind() {
    let camera = Camera::start(H264, None);
    for _ in 0..8 {
        let viewer = Viewer::camera(&camera, None);
        viewer.until("packets", |seen| !seen.packets.is_empty());
        let seen = Arc::clone(&viewer.seen);
        drop(viewer);
        // The recorder was held by the sink, the sink by the session's callbacks.
        assert_eq!(Arc::strong_count(&seen), 1);
    }
}

#[test]
fn basic_authentication_lets_in_too() {
    let camera = Camera::with(H264, |server, factory| {
        let auth = rtsp_server::RTSPAuth::new();
        auth.set_supported_methods(rtsp::RTSPAuthMethod::Basic);
        auth.add_basic(
            &rtsp_server::RTSPAuth::make_basic("anna", "s3cret"),
            &viewer(),
        );
        admit(server, factory, &auth);
    });
    let viewer = Viewer::camera(&camera, Some(("anna", "s3cret")));
    viewer.until("packets", |seen| seen.packets.len() > 5);
}

#[test]
fn a_camera_that_hangs_up_is_connected_to_again() {
    let camera = Camera::start(H264, None);
    let viewer = Viewer::camera(&camera, None);
    viewer.until("packets", |seen| seen.packets.len() > 5);
    camera.hang_up();
    viewer.until("end", |seen| !problems(seen).is_empty());
    assert_eq!(viewer.problems(), ["camera 127.0.0.1 has ended the stream"]);
    viewer.until("second session", |seen| Viewer::online(seen) == 2);
}

#[test]
fn a_port_that_never_answers_is_given_up() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let viewer = Viewer::watch(&format!("rtsp://127.0.0.1:{port}/cam"), None);
    viewer.until("problem", |seen| !problems(seen).is_empty());
    let expected = format!("camera 127.0.0.1 answers on port {port} but sends no pictures");
    assert_eq!(viewer.problems(), [expected]);
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused() {
    use rtsp_server::gio;
    let folder = tempfile::tempdir().unwrap();
    let pem = folder.path().join("camera.pem");
    let made = std::process::Command::new("openssl")
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1",
        ])
        .args(["-subj", "/CN=camera", "-keyout"])
        .arg(&pem)
        .arg("-out")
        .arg(folder.path().join("certificate.pem"))
        .output()
        .expect("this test needs openssl: `apt install openssl`");
    assert!(made.status.success());
    let certificate = std::fs::read_to_string(folder.path().join("certificate.pem")).unwrap();
    let key = std::fs::read_to_string(&pem).unwrap();
    let camera = Camera::with(H264, |server, _| {
        let auth = rtsp_server::RTSPAuth::new();
        let certificate = gio::TlsCertificate::from_pem(&format!("{key}{certificate}")).unwrap();
        auth.set_tls_certificate(Some(&certificate));
        server.set_auth(Some(&auth));
    });
    let viewer = Viewer::watch(&format!("rtsps://127.0.0.1:{}/cam", camera.port), None);
    viewer.until("problem", |seen| !problems(seen).is_empty());
    assert_eq!(
        viewer.problems(),
        ["the certificate of camera 127.0.0.1 is not trusted"]
    );
    assert!(viewer.seen.lock().packets.is_empty());
}

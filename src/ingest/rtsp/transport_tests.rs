//! Virtual cameras by UDP and over TLS, received for real.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use super::tests::{Seen, Viewer, problems};
use crate::{
    config::{Secret, SourceConfig, Transport},
    flow::Packet,
    ingest::samples::{Studio, x264},
    vcam::{CameraOptions, Script, TlsIdentity, VirtualCameras},
};

fn config(url: &str, transport: Transport) -> SourceConfig {
    SourceConfig {
        url: url.parse().unwrap(),
        user: None,
        password: None,
        stall_timeout: Duration::from_secs(3),
        transport,
        ca_file: None,
    }
}

fn cameras(video: &Path, options: CameraOptions) -> VirtualCameras {
    VirtualCameras::serve(&[video.to_owned()], options).unwrap()
}

/// A camera that sends by this transport only.
fn only(transport: Transport) -> CameraOptions {
    CameraOptions {
        transport,
        ..CameraOptions::default()
    }
}

fn scripted(text: &str) -> CameraOptions {
    CameraOptions {
        script: Script::parse(text, Path::new("")).unwrap(),
        ..CameraOptions::default()
    }
}

#[test]
fn a_camera_that_is_asleep_is_read_in_batches() {
    let studio = Studio::new();
    // Nothing moves: pictures between keyframes are tiny.
    let still = "-f lavfi -i smptebars=size=192x128:rate=10 -frames:v 40";
    let video = studio.ffmpeg("v.mp4", &format!("{still} {}", x264(10, 0)));
    let camera = cameras(&video, only(Transport::Tcp));
    let (viewer, attention) = Viewer::asleep(config(&camera.url(0), Transport::Tcp));
    viewer.until("packets", |seen| seen.packets.len() >= 60);
    attention.send_replace(true);
    let asleep = viewer.seen.lock().packets.len();
    let more = |seen: &Seen| seen.packets.len() >= asleep + 35;
    viewer.until("more packets", more);
    assert!(viewer.problems().is_empty(), "{:?}", viewer.problems());
    let seen = viewer.seen.lock();
    let packets = &seen.packets;
    assert!(packets.is_sorted_by_key(|packet| packet.time));
    assert!(packets.iter().skip(1).all(|p| !p.discontinuity));
    // Pictures that were sent 100 ms apart and read together.
    let together = |pair: &&[Packet]| pair[1].arrived - pair[0].arrived < 30_000_000;
    let batched = packets[20..asleep].windows(2).filter(together).count();
    assert!(batched >= 15, "{batched} of {asleep} were read with others");
    let batched = packets[asleep + 5..].windows(2).filter(together).count();
    assert!(batched <= 10, "{batched} waited though they were wanted");
}

#[test]
fn udp_gives_the_same_packets_and_auto_falls_back_to_it() {
    let studio = Studio::new();
    let video = studio.video("v.mp4", 40, &x264(10, 0));
    let camera = cameras(&video, only(Transport::Udp));
    for transport in [Transport::Udp, Transport::Auto] {
        let viewer = Viewer::source(config(&camera.url(0), transport));
        viewer.until("packets", |seen| seen.packets.len() >= 30);
        assert!(viewer.problems().is_empty(), "{:?}", viewer.problems());
        let seen = viewer.seen.lock();
        assert!(seen.packets[0].key && seen.packets[0].discontinuity);
        assert!(seen.packets.iter().skip(1).all(|p| !p.discontinuity));
    }
}

#[test]
fn a_transport_that_the_camera_does_not_offer_is_told() {
    let studio = Studio::new();
    let video = studio.video("v.mp4", 20, &x264(10, 0));
    for (offered, asked, name) in [
        (Transport::Udp, Transport::Tcp, "TCP"),
        (Transport::Tcp, Transport::Udp, "UDP"),
    ] {
        let camera = cameras(&video, only(offered));
        let viewer = Viewer::source(config(&camera.url(0), asked));
        viewer.until("problem", |seen| !problems(seen).is_empty());
        let expected = format!("camera 127.0.0.1 does not send its pictures by {name}");
        assert_eq!(viewer.problems(), [expected]);
    }
}

#[test]
fn lost_datagrams_are_told_and_the_pictures_that_come_go_on() {
    let studio = Studio::new();
    let video = studio.video("v.mp4", 40, &x264(10, 0));
    let camera = cameras(&video, scripted("3s 1 lose=30 5s"));
    let viewer = Viewer::source(config(&camera.url(0), Transport::Udp));
    viewer.until("losses", |seen| !seen.impaired().is_empty());
    let problem = viewer.seen.lock().impaired().remove(0);
    let problem = problem.expect("losses come first").message;
    assert!(problem.contains("of 100 packets on the way"), "{problem}");
    // And are taken back when they end.
    viewer.until("recovery", |seen| seen.impaired().contains(&None));
    let seen = viewer.seen.lock();
    assert!(problems(&seen).is_empty(), "{:?}", problems(&seen));
}

#[test]
fn datagrams_out_of_order_give_the_same_pictures() {
    let studio = Studio::new();
    let video = studio.video("v.mp4", 40, &x264(10, 0));
    let received = |script: &str, transport| {
        let camera = cameras(&video, scripted(script));
        let viewer = Viewer::source(config(&camera.url(0), transport));
        viewer.until("packets", |seen| seen.packets.len() >= 30);
        assert!(viewer.problems().is_empty(), "{:?}", viewer.problems());
        let seen = viewer.seen.lock();
        assert!(seen.impaired().is_empty(), "{:?}", seen.impaired());
        let pictures = seen.packets.iter().take(30).map(|p| p.data.clone());
        pictures.collect::<Vec<_>>()
    };
    let sent = received("", Transport::Tcp);
    assert!(
        sent.iter().any(|picture| picture.len() > 3000),
        "one packet each"
    );
    assert!(received("0s 1 shuffle=100", Transport::Udp) == sent);
}

/// An authority, and a camera's certificate of it for `names`.
struct Authority {
    ca: PathBuf,
    camera: TlsIdentity,
}

impl Authority {
    fn new(folder: &Path, names: &str) -> Self {
        let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
        let (ca, ca_key) = (path("ca.pem"), path("ca.key"));
        let (pem, pem_key) = (path("camera.pem"), path("camera.key"));
        let key = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
        openssl(&format!("{key} -subj /CN=home -keyout {ca_key} -out {ca}"));
        openssl(&format!(
            "{key} -subj /CN=camera -CA {ca} -CAkey {ca_key} -addext subjectAltName={names} \
             -addext basicConstraints=critical,CA:FALSE -keyout {pem_key} -out {pem}"
        ));
        Self {
            ca: ca.into(),
            camera: TlsIdentity {
                certificate: pem.into(),
                key: pem_key.into(),
            },
        }
    }
}

/// Runs openssl with `arguments`, split at spaces.
fn openssl(arguments: &str) {
    let done = Command::new("openssl")
        .args(arguments.split_whitespace())
        .output()
        .expect("this test needs openssl: `apt install openssl`");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
}

#[test]
fn rtsps_with_an_own_authority_gives_pictures_and_checks_the_name() {
    let studio = Studio::new();
    let video = studio.video("v.mp4", 40, &x264(10, 0));
    let folder = tempfile::tempdir().unwrap();
    let own = Authority::new(folder.path(), "IP:127.0.0.1");
    let elsewhere = tempfile::tempdir().unwrap();
    let other = Authority::new(elsewhere.path(), "DNS:garage.home.arpa");
    let serve = |authority: &Authority| {
        let options = CameraOptions {
            user: Some("anna".to_owned()),
            password: Some(Secret::new("correct horse")),
            tls: Some(authority.camera.clone()),
            ..CameraOptions::default()
        };
        cameras(&video, options)
    };
    let watch = |camera: &VirtualCameras, ca: &Path| {
        Viewer::source(SourceConfig {
            user: Some("anna".to_owned()),
            password: Some(Secret::new("correct horse")),
            ca_file: Some(ca.to_owned()),
            ..config(&camera.url(0), Transport::Auto)
        })
    };
    let camera = serve(&own);
    assert!(camera.url(0).starts_with("rtsps://"));
    let viewer = watch(&camera, &own.ca);
    viewer.until("packets over TLS", |seen| seen.packets.len() >= 20);
    assert!(viewer.problems().is_empty());

    // Signed by somebody else; signed by the right one, for another name.
    let renamed = serve(&other);
    let refused = "the certificate of camera 127.0.0.1 is not trusted";
    let named = format!("{refused}: it is for another name");
    for (camera, ca, refused) in [(&camera, &other.ca, refused), (&renamed, &other.ca, &named)] {
        let viewer = watch(camera, ca);
        viewer.until("refusal", |seen| !problems(seen).is_empty());
        assert_eq!(viewer.problems(), [refused]);
        assert!(viewer.seen.lock().packets.is_empty());
    }

    let nothing = watch(&camera, &folder.path().join("nothing.pem"));
    nothing.until("problem", |seen| !problems(seen).is_empty());
    let problem = nothing.problems().remove(0);
    assert!(problem.contains("nothing.pem cannot be read"), "{problem}");
}

#[test]
fn rtsps_without_a_login_is_served_too() {
    let studio = Studio::new();
    let video = studio.video("v.mp4", 40, &x264(10, 0));
    let folder = tempfile::tempdir().unwrap();
    let own = Authority::new(folder.path(), "IP:127.0.0.1");
    let options = CameraOptions {
        tls: Some(own.camera.clone()),
        ..CameraOptions::default()
    };
    let camera = cameras(&video, options);
    let viewer = Viewer::source(SourceConfig {
        ca_file: Some(own.ca),
        ..config(&camera.url(0), Transport::Tcp)
    });
    viewer.until("packets over TLS", |seen| seen.packets.len() >= 10);
}

/// Threads, open files, and resident bytes of this process.
fn held() -> (usize, usize, u64) {
    let entries = |path: &str| std::fs::read_dir(path).unwrap().count();
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    (
        entries("/proc/self/task"),
        entries("/proc/self/fd"),
        pages * 4096,
    )
}

#[test]
fn a_hundred_sessions_in_a_row_leave_nothing_behind() {
    let studio = Studio::new();
    let video = studio.video("v.mp4", 40, &x264(10, 0));
    let camera = cameras(&video, CameraOptions::default());
    let wait = Duration::from_millis(50);
    let viewer = Viewer::with(config(&camera.url(0), Transport::Tcp), |source| {
        source.hurried(wait)
    });
    let reconnect = |from: usize, to: usize| {
        for session in from..to {
            viewer.until("session", |seen| Viewer::online(seen) > session);
            camera.disconnect_all();
        }
        viewer.until("last session", |seen| Viewer::online(seen) > to);
    };
    reconnect(0, 20);
    let (threads, files, memory) = held();
    reconnect(20, 120);
    // What a session held may take a moment to go.
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    loop {
        let now = held();
        // A leak of one thing a session would be a hundred.
        if now.0 <= threads + 20 && now.1 <= files + 20 && now.2 <= memory + 24_000_000 {
            break;
        }
        assert!(
            std::time::Instant::now() < deadline,
            "(threads, files, bytes) grew from {:?} to {now:?}",
            (threads, files, memory)
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

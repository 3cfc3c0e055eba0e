//! Real clients (ffmpeg) against real servers, with videos made on the spot.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant},
};

use super::*;

/// A test that hangs says nothing; `timeout` ends its client after this many seconds.
const PATIENCE: &str = "20";

fn ffmpeg(arguments: &[&str]) -> Output {
    Command::new("timeout")
        .args([PATIENCE, "ffmpeg", "-nostdin", "-hide_banner", "-y"])
        .args(arguments)
        .output()
        .expect("ffmpeg is installed: apt-get install ffmpeg")
}

/// A moving test picture at 10 frames a second.
fn video(dir: &Path, name: &str, seconds: &str, encode: &[&str]) -> PathBuf {
    let path = dir.join(name);
    let source = format!("testsrc=size=160x120:rate=10:duration={seconds}");
    let mut arguments = vec!["-f", "lavfi", "-i", &source, "-pix_fmt", "yuv420p"];
    arguments.extend(encode);
    let out = path.to_str().unwrap();
    arguments.push(out);
    let made = ffmpeg(&arguments);
    let said = String::from_utf8_lossy(&made.stderr).into_owned();
    assert!(made.status.success(), "{said}");
    path
}

const H264: &[&str] = &["-c:v", "libx264", "-preset", "ultrafast", "-g", "5"];
const H264_B: &[&str] = &[
    "-c:v", "libx264", "-preset", "veryfast", "-g", "10", "-bf", "2",
];
const H265: &[&str] = &[
    "-c:v",
    "libx265",
    "-preset",
    "ultrafast",
    "-x265-params",
    "keyint=10:log-level=error",
];

/// What a client got. Its first picture has no time: ffmpeg learns the origin from it.
#[derive(Debug)]
struct Packet {
    pts: Option<f64>,
    key: bool,
}

/// Receives `count` packets as they come, undecoded.
fn packets(url: &str, transport: &str, count: usize) -> Vec<Packet> {
    let read = format!("%+#{count}");
    let output = Command::new("timeout")
        .args([PATIENCE, "ffprobe", "-v", "error"])
        .args(["-rtsp_transport", transport, "-probesize", "32"])
        .args(["-show_entries", "packet=pts_time,flags", "-of", "csv=p=0"])
        .args(["-read_intervals", &read, url])
        .output()
        .expect("ffprobe is installed: apt-get install ffmpeg");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| line.split_once(','))
        .map(|(pts, flags)| Packet {
            pts: pts.parse().ok(),
            key: flags.starts_with('K'),
        })
        .collect()
}

fn times(packets: &[Packet]) -> Vec<f64> {
    packets.iter().filter_map(|packet| packet.pts).collect()
}

/// Decodes `count` frames; what ffmpeg said, and whether it was content.
fn watch(url: &str, count: &str) -> (bool, String) {
    let output = ffmpeg(&[
        "-rtsp_transport",
        "tcp",
        "-i",
        url,
        "-frames:v",
        count,
        "-f",
        "null",
        "-",
    ]);
    (
        output.status.success(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

fn with_login(url: &str, login: &str) -> String {
    url.replace("rtsp://", &format!("rtsp://{login}@"))
}

#[test]
fn digest_and_basic_let_the_right_password_in_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let video = video(dir.path(), "gate.mp4", "1", H264);
    for authentication in [Authentication::Digest, Authentication::Basic] {
        let options = CameraOptions {
            user: Some("viewer 1".into()),
            password: Some(Secret::new("s3cret")),
            authentication,
            ..CameraOptions::default()
        };
        let cameras = VirtualCameras::serve(std::slice::from_ref(&video), options).unwrap();
        let url = cameras.url(0);
        let (content, said) = watch(&with_login(&url, "viewer%201:s3cret"), "5");
        assert!(content, "{said}");
        for wrong in [with_login(&url, "viewer%201:wrong"), url.clone()] {
            let (content, said) = watch(&wrong, "5");
            assert!(!content && said.contains("401"), "{said}");
        }
    }
}

#[test]
fn a_loop_begins_with_a_keyframe_and_goes_on_without_a_jump() {
    let dir = tempfile::tempdir().unwrap();
    let video = video(dir.path(), "short.mp4", "1", H264);
    let cameras = VirtualCameras::serve(&[video], CameraOptions::default()).unwrap();
    let began = Instant::now();
    let got = packets(&cameras.url(0), "tcp", 26);
    assert!(
        began.elapsed() > Duration::from_secs(2),
        "faster than real time"
    );
    assert!(got.len() >= 25, "{got:?}");
    for pair in times(&got).windows(2) {
        assert!((pair[1] - pair[0] - 0.1).abs() < 0.002, "{got:?}");
    }
    for (n, packet) in got.iter().enumerate() {
        assert_eq!(packet.key, n % 5 == 0, "{n}: {got:?}");
    }
}

#[test]
fn reordered_pictures_keep_their_times_over_the_loop() {
    let dir = tempfile::tempdir().unwrap();
    let video = video(dir.path(), "reordered.mkv", "1", H264_B);
    let cameras = VirtualCameras::serve(&[video], CameraOptions::default()).unwrap();
    let got = packets(&cameras.url(0), "tcp", 30);
    let mut shown = times(&got);
    assert!(
        shown.windows(2).any(|pair| pair[1] < pair[0]),
        "nothing is reordered: {got:?}"
    );
    shown.sort_by(f64::total_cmp);
    // The last unit may have been cut off between a picture and those shown before it.
    for pair in shown[..shown.len() - 3].windows(2) {
        assert!((pair[1] - pair[0] - 0.1).abs() < 0.002, "{got:?}");
    }
}

#[test]
fn two_cameras_and_h265_and_a_transport_stream() {
    let dir = tempfile::tempdir().unwrap();
    let first = video(dir.path(), "door.ts", "1", H264);
    let second = video(dir.path(), "yard.mp4", "1", H265);
    let cameras = VirtualCameras::serve(&[first, second], CameraOptions::default()).unwrap();
    assert_eq!(cameras.len(), 2);
    assert!(cameras.named_url(1).unwrap().ends_with("/yard"));
    for (url, codec) in [
        (cameras.url(0), "h264"),
        (cameras.url(1), "hevc"),
        (cameras.named_url(1).unwrap(), "hevc"),
    ] {
        let (content, said) = watch(&url, "15");
        assert!(
            content && said.contains(&format!("Video: {codec}")),
            "{said}"
        );
    }
    assert!(!packets(&cameras.url(1), "udp", 5).is_empty());
}

#[test]
fn clients_share_one_position_by_either_address_and_the_next_session_begins_anew() {
    let dir = tempfile::tempdir().unwrap();
    // One keyframe only: a client that gets it is at the start.
    let video = video(
        dir.path(),
        "long.mp4",
        "30",
        &["-c:v", "libx264", "-preset", "ultrafast", "-g", "1000"],
    );
    let cameras = VirtualCameras::serve(&[video], CameraOptions::default()).unwrap();
    let (first, second) = (cameras.url(0), cameras.named_url(0).unwrap());
    #[allow(clippy::disallowed_methods)]
    let watching = std::thread::spawn(move || packets(&first, "tcp", 25));
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(cameras.clients(), 1);
    let late = packets(&second, "tcp", 5);
    assert!(
        !late.is_empty() && late.iter().all(|packet| !packet.key),
        "{late:?}"
    );
    assert!(watching.join().unwrap()[0].key);
    let again = packets(&cameras.url(0), "tcp", 5);
    assert!(again[0].key, "{again:?}");
}

#[test]
fn a_video_played_once_ends_its_stream() {
    let dir = tempfile::tempdir().unwrap();
    let video = video(dir.path(), "once.mp4", "1", H264);
    let options = CameraOptions {
        laps: Some(1),
        ..CameraOptions::default()
    };
    let cameras = VirtualCameras::serve(&[video], options).unwrap();
    assert_eq!(packets(&cameras.url(0), "tcp", 100).len(), 10);
    assert_eq!(packets(&cameras.url(0), "tcp", 100).len(), 10);
}

#[test]
fn a_camera_that_runs_unwatched_is_met_at_its_next_keyframe() {
    let dir = tempfile::tempdir().unwrap();
    // Ten seconds, keyframes at 0, 3, 6 and 9 s.
    let encode = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "30"];
    let video = video(dir.path(), "running.mp4", "10", &encode);
    let options = CameraOptions {
        begin: Begin::AtOnce,
        ..CameraOptions::default()
    };
    let began = Instant::now();
    let cameras = VirtualCameras::serve(&[video], options).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let got = packets(&cameras.url(0), "tcp", 5);
    assert!(
        began.elapsed() > Duration::from_secs(3),
        "too early: {got:?}"
    );
    assert!(got[0].key, "{got:?}");
}

#[test]
fn a_stalled_camera_keeps_its_connection_and_loses_what_falls_due() {
    let dir = tempfile::tempdir().unwrap();
    let video = video(dir.path(), "hang.mp4", "1", H264);
    let cameras = VirtualCameras::serve(&[video], CameraOptions::default()).unwrap();
    let url = cameras.url(0);
    #[allow(clippy::disallowed_methods)]
    let watching = std::thread::spawn(move || packets(&url, "tcp", 25));
    std::thread::sleep(Duration::from_millis(1500));
    cameras.stall(0, true).unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(cameras.clients(), 1);
    cameras.stall(0, false).unwrap();
    let times = times(&watching.join().unwrap());
    assert!(times.len() > 20, "{times:?}");
    let gaps = times.windows(2).filter(|pair| pair[1] - pair[0] > 1.0);
    assert_eq!(gaps.count(), 1, "{times:?}");
    assert!(matches!(
        cameras.stall(1, true),
        Err(VcamError::NoSuchCamera(1))
    ));
}

#[test]
fn a_disconnected_client_is_gone_and_finds_the_swapped_video_when_it_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let before = video(dir.path(), "before.mp4", "1", H264);
    let after = video(dir.path(), "after.mp4", "1", H265);
    let cameras = VirtualCameras::serve(&[before], CameraOptions::default()).unwrap();
    let url = cameras.url(0);
    let began = Instant::now();
    #[allow(clippy::disallowed_methods)]
    let watching = std::thread::spawn(move || packets(&url, "tcp", 300));
    std::thread::sleep(Duration::from_millis(1500));
    cameras.swap(0, &after).unwrap();
    cameras.disconnect_all();
    let got = watching.join().unwrap();
    assert!(
        !got.is_empty() && began.elapsed() < Duration::from_secs(10),
        "{got:?}"
    );
    assert_eq!(cameras.clients(), 0);
    let (content, said) = watch(&cameras.url(0), "5");
    assert!(content && said.contains("Video: hevc"), "{said}");
}

#[test]
fn a_client_that_reads_nothing_holds_up_nobody() {
    let dir = tempfile::tempdir().unwrap();
    // About 3 MB a second of noise: sockets are full at once.
    let noise = [
        "-vf",
        "noise=alls=100:allf=t",
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-qp",
        "4",
        "-s",
        "640x480",
    ];
    let video = video(dir.path(), "noise.mp4", "1", &noise);
    let cameras = VirtualCameras::serve(&[video], CameraOptions::default()).unwrap();
    let mut silent = std::net::TcpStream::connect(cameras.address()).unwrap();
    let mut ask = |request: &str| {
        use std::io::{Read, Write};
        silent.write_all(request.as_bytes()).unwrap();
        let mut answer = [0; 4096];
        let length = silent.read(&mut answer).unwrap();
        String::from_utf8_lossy(&answer[..length]).into_owned()
    };
    let url = cameras.url(0);
    ask(&format!(
        "DESCRIBE {url} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n"
    ));
    let answer = ask(&format!(
        "SETUP {url}/stream=0 RTSP/1.0\r\nCSeq: 2\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n"
    ));
    let session = answer
        .split("Session: ")
        .nth(1)
        .and_then(|rest| rest.split([';', '\r']).next());
    let session = session.unwrap_or_else(|| panic!("{answer}"));
    ask(&format!(
        "PLAY {url} RTSP/1.0\r\nCSeq: 3\r\nSession: {session}\r\n\r\n"
    ));
    std::thread::sleep(Duration::from_secs(2));
    let times = times(&packets(&url, "tcp", 30));
    assert!(times.len() >= 28, "{times:?}");
    for pair in times.windows(2) {
        assert!((pair[1] - pair[0] - 0.1).abs() < 0.002, "{times:?}");
    }
}

#[test]
fn bad_files_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::write(path("empty.mp4"), b"").unwrap();
    fs::write(
        path("text.mp4"),
        b"this is no video, however long one looks at it\n".repeat(50),
    )
    .unwrap();
    video(dir.path(), "old.mp4", "1", &["-c:v", "mpeg4"]);
    video(
        dir.path(),
        "stills.mkv",
        "1",
        &["-c:v", "mjpeg", "-pix_fmt", "yuvj420p"],
    );
    let tone = path("tone.mp4");
    let made = ffmpeg(&[
        "-f",
        "lavfi",
        "-i",
        "sine=duration=1",
        "-c:a",
        "aac",
        tone.to_str().unwrap(),
    ]);
    assert!(made.status.success());
    let whole = fs::read(video(dir.path(), "whole.mp4", "1", H264)).unwrap();
    fs::write(path("torn.mp4"), &whole[..whole.len() / 2]).unwrap();

    for (name, expected) in [
        ("nowhere.mp4", "check the path"),
        (".", "it is not a file"),
        ("empty.mp4", "is empty"),
        ("text.mp4", "cannot be read as a video"),
        ("tone.mp4", "no video in it"),
        ("old.mp4", "-c:v libx264"),
        ("stills.mkv", "-c:v libx264"),
        ("torn.mp4", "cannot be read as a video"),
    ] {
        let error = VirtualCameras::serve(&[path(name)], CameraOptions::default())
            .err()
            .unwrap_or_else(|| panic!("{name} was taken"))
            .to_string();
        assert!(
            error.contains(expected) && error.contains(name),
            "{name}: {error}"
        );
    }
}

#[test]
fn addresses_that_cannot_be_or_should_not_be_listened_on_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let video = video(dir.path(), "door.mp4", "1", H264);
    let serve = |options| VirtualCameras::serve(std::slice::from_ref(&video), options);
    let first = serve(CameraOptions::default()).unwrap();
    let taken = CameraOptions {
        listen: first.address(),
        ..CameraOptions::default()
    };
    let refused = serve(taken.clone()).err().map(|error| error.to_string());
    let refused = refused.expect("the address is taken");
    assert!(refused.contains("Address already in use"), "{refused}");
    drop(first);
    drop(serve(taken).expect("a stopped camera leaves its port"));

    let open = CameraOptions {
        listen: SocketAddr::from(([0, 0, 0, 0], 0)),
        ..CameraOptions::default()
    };
    assert!(matches!(serve(open), Err(VcamError::OpenToAll { .. })));
    let half = CameraOptions {
        user: Some("viewer".into()),
        ..CameraOptions::default()
    };
    assert!(matches!(serve(half), Err(VcamError::HalfCredentials)));
    let unsigned = CameraOptions {
        tls: Some(TlsIdentity {
            certificate: dir.path().join("nothing.pem"),
            key: dir.path().join("nothing.key"),
        }),
        ..CameraOptions::default()
    };
    assert!(matches!(
        serve(unsigned),
        Err(VcamError::Certificate { .. })
    ));
}

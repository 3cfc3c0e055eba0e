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

/// What a client got: one line for each packet.
#[derive(Debug)]
struct Packet {
    pts: f64,
    key: bool,
}

/// Receives `count` packets as they come, undecoded.
fn packets(url: &str, transport: &str, count: usize) -> Vec<Packet> {
    let read = format!("%+#{count}");
    let output = Command::new("timeout")
        .args([
            PATIENCE,
            "ffprobe",
            "-v",
            "error",
            "-rtsp_transport",
            transport,
        ])
        .args([
            "-fflags",
            "nobuffer",
            "-analyzeduration",
            "0",
            "-probesize",
            "32",
        ])
        .args(["-show_entries", "packet=pts_time,flags", "-of", "csv=p=0"])
        .args(["-read_intervals", &read, url])
        .output()
        .expect("ffprobe is installed: apt-get install ffmpeg");
    let said = String::from_utf8_lossy(&output.stderr);
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(',');
            let pts = fields.next()?.parse();
            let flags = fields.next()?;
            Some(Packet {
                pts: pts.unwrap_or_else(|_| panic!("{line}: {said}")),
                key: flags.starts_with('K'),
            })
        })
        .collect()
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
        let cameras = VirtualCameras::serve(&[video.clone()], options).unwrap();
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
    for pair in got.windows(2) {
        let step = pair[1].pts - pair[0].pts;
        assert!((step - 0.1).abs() < 0.002, "{got:?}");
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
    let mut shown: Vec<f64> = got.iter().map(|packet| packet.pts).collect();
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
    // One keyframe only: whoever gets it is at the start.
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
        ("text.mp4", "no video in it"),
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
    let serve = |options| VirtualCameras::serve(&[video.clone()], options);
    let first = serve(CameraOptions::default()).unwrap();
    let taken = CameraOptions {
        listen: first.address(),
        ..CameraOptions::default()
    };
    assert!(matches!(
        serve(taken.clone()),
        Err(VcamError::Listen { .. })
    ));
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
}

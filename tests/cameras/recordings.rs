//! `lares check --record`: what is in the file and what is not, and that it can be played again.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, sync::Arc, time::Duration};

use lares::{
    testing::films::films,
    vcam::quirk::{Camera, Clip, Login, Recording, Server},
};

use crate::{
    program::{Done, run, text},
    street::{Street, Studio, watched},
};

const PATIENCE: Duration = Duration::from_secs(60);
/// What must be in no file: of the address, the login, the description and the camera's realm.
const SECRETS: &[&str] = &[
    "s3cret-w0rd",
    "admin",
    "127.0.0.1",
    "front-door",
    "SN998877",
    "Martin",
    "n0000000000",
];

/// A camera that gives much away.
fn talkative(clip: &Arc<Clip>) -> Camera {
    Camera {
        path: "/front-door/SN998877?key=s3cret-w0rd",
        sdp: |facts| {
            let plain = Camera::new(Arc::new(facts.clip.clone()));
            let sdp = (plain.sdp)(facts);
            let named = sdp.replace("s=Session", "s=Garden of the Martins\r\ni=SN998877");
            named.replace(
                "a=control:*",
                "a=control:*\r\na=x-serial:SN998877\r\na=tool:Martin",
            )
        },
        before: |turn| {
            if turn.picture == 5 {
                let mut name = vec![0x81, 202, 0, 4];
                name.extend(turn.ssrc.to_be_bytes());
                name.extend(b"\x01\x08SN998877\0\0");
                turn.rtcp.push(name);
            }
        },
        login: Some(Login {
            challenges: |nonce| vec![format!("Digest realm=\"SN998877\", nonce=\"{nonce}\"")],
            ..Login::new()
        }),
        ..Camera::new(Arc::clone(clip))
    }
}

fn record(url: &str, file: &Path, more: &[&str]) -> Done {
    let arguments = ["check", "--camera", url, "--record", text(file)];
    let done = run([&arguments, more].concat());
    assert!(
        done.stdout.contains("ok       recording: "),
        "{}\n{}",
        done.stdout,
        done.stderr
    );
    assert!(!done.stdout.contains("s3cret-w0rd"), "{}", done.stdout);
    done
}

/// Whether bytes of a slice, behind what its header may take, are in any packet of a recording.
fn shows(recording: &str, clip: &Clip) -> bool {
    let packets: Vec<Vec<u8>> = recording
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|line| Some(line.get("packet")?.as_str()?.to_owned()))
        .map(|packet| base64(&packet))
        .collect();
    let slices = clip.units.iter().flat_map(|unit| &unit.nals);
    let mut pieces = slices.filter(|nal| clip.codec.is_slice(nal) && nal.len() > 60);
    pieces.any(|nal| {
        let piece = &nal[40..60];
        packets
            .iter()
            .any(|packet| packet.windows(piece.len()).any(|window| window == piece))
    })
}

/// Text in base64 as bytes, read here so that the program's own reader is not asked about itself.
fn base64(text: &str) -> Vec<u8> {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let value = |digit: u8| digits.iter().position(|known| *known == digit);
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0u32, 0);
    for digit in text.bytes().map_while(value) {
        bits = (bits << 6 | u32::try_from(digit).unwrap()) & 0xffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).unwrap());
        }
    }
    bytes
}

#[test]
fn a_recording_has_no_secrets_and_no_pictures_and_plays_again() {
    let studio = Studio::new();
    let films = films(studio.path("").as_path()).unwrap();
    let server = Server::start(1).unwrap();
    let camera = server.add(talkative(&films.plain)).unwrap();
    let url = camera.url().replace("://", "://admin:s3cret-w0rd@");

    let file = studio.path("camera.jsonl");
    let done = record(&url, &file, &[]);
    assert!(
        !done.stdout.contains("advice   recording"),
        "{}",
        done.stdout
    );
    let recorded = fs::read_to_string(&file).unwrap();
    for secret in SECRETS {
        let line = recorded.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret} is in the recording");
    }
    assert!(
        !shows(&recorded, &films.plain),
        "pictures are in the recording"
    );
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let length = fs::metadata(&file).unwrap().len();
    assert!((100_000..5_000_000).contains(&length), "{length} bytes");

    // With pictures they are there, and it is said what that means.
    let open = studio.path("open.jsonl");
    let done = record(&url, &open, &["--with-pictures"]);
    assert!(
        done.stdout
            .contains("advice   recording: it shows what the camera saw")
    );
    assert!(shows(&fs::read_to_string(&open).unwrap(), &films.plain));

    // The virtual camera plays either.
    let play = |text: &str| {
        let recording = Recording::parse(text).unwrap();
        server.add(Camera::recorded(recording)).unwrap().url()
    };
    let (emptied, whole) = (play(&recorded), play(&fs::read_to_string(&open).unwrap()));
    let others = [
        watched("emptied", &emptied, ""),
        watched("whole", &whole, ""),
    ];
    let mut street = Street::open(&studio, &others, &[]);
    street.until_sessions("emptied", 1.0, PATIENCE);
    street.until_sessions("whole", 1.0, PATIENCE);
    street.settle();
    street.until("whole", "online", &[], PATIENCE);
    // Longer than the recording, so that it begins again.
    for _ in 0..12 {
        street.goes_on("emptied");
        street.goes_on("whole");
    }
    for camera in ["emptied", "whole"] {
        let sessions = street.counter("lares_camera_sessions_total", camera);
        assert!(
            (sessions - 1.0).abs() < 0.5,
            "{sessions} sessions of {camera}"
        );
    }
    // What decodes of filler is noise that moves, so this agent is not idle: its CPU time is not judged.
}

#[test]
fn a_camera_that_refuses_is_recorded_and_refuses_again() {
    let studio = Studio::new();
    let films = films(studio.path("").as_path()).unwrap();
    let server = Server::start(1).unwrap();
    let camera = server.add(talkative(&films.plain)).unwrap();
    let url = camera.url().replace("://", "://admin:another-w0rd@");
    let file = studio.path("refused.jsonl");
    let done = record(&url, &file, &[]);
    assert!(
        done.stdout.contains("recording: 0 packets"),
        "{}",
        done.stdout
    );
    let recorded = fs::read_to_string(&file).unwrap();
    for secret in SECRETS.iter().chain(&["another-w0rd"]) {
        assert!(!recorded.contains(secret), "{secret} is in\n{recorded}");
    }
    let played = server
        .add(Camera::recorded(Recording::parse(&recorded).unwrap()))
        .unwrap();
    let done = run(["check", "--camera", &played.url().replace("://", "://u:p@")]);
    assert!(
        done.stdout.contains("user name or password"),
        "{}",
        done.stdout
    );
}

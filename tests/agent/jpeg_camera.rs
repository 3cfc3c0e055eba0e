//! A camera that sends Motion JPEG, with the real program: its visits become alerts with clips,
//! which are encoded.

use std::{
    collections::BTreeMap, fs, path::Path, path::PathBuf, process::Command, sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use lares::vcam::quirk::{Camera, Clip, Server};

use crate::support::{
    home::{CAMERA, GRACE},
    media::{assert_jpeg, assert_plays, picture_width},
    mqtt::Alert,
    neighbourhood::Neighbourhood,
    output_of, sample,
};

/// Pictures a second.
const RATE: u32 = 10;
/// Two rounds of the film, on a busy machine.
const VISIT: Duration = Duration::from_secs(90);

/// A visit of the samples from its 6th second on, as the JPEG images that a camera sends.
fn images(folder: &Path) -> Vec<Bytes> {
    fs::create_dir(folder).unwrap();
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-ss", "6", "-i"]);
    command.arg(sample("visits.mp4"));
    command.args("-t 22 -an -vf scale=640:480 -pix_fmt yuvj420p -c:v mjpeg".split(' '));
    // RTP carries the standard Huffman tables alone.
    command.args("-huffman default -force_duplicated_matrix 1 -q:v 5".split(' '));
    output_of(command.arg(folder.join("%04d.jpg")));
    let files: BTreeMap<PathBuf, Bytes> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), fs::read(path).unwrap().into()))
        .collect();
    assert_eq!(files.len(), 220);
    files.into_values().collect()
}

#[test]
fn a_visit_in_motion_jpeg_becomes_an_alert_with_a_clip_also_when_a_stop_cuts_it_short() {
    let street = Neighbourhood::new();
    let home = &street.home;
    let film = Clip::from_images(images(&home.path("images")), RATE);
    let server = Server::start(1).unwrap();
    let camera = server.add(Camera::new(Arc::new(film))).unwrap();
    let store = home.path("store");
    fs::create_dir(&store).unwrap();
    home.configure(&format!(
        "[[cameras]]\nid = \"{CAMERA}\"\nurl = \"{}\"\n\n\
         [cameras.clip]\npre_roll = \"3 s\"\npost_roll = \"1 s\"\n\n\
         [mqtt]\nurl = \"mqtt://127.0.0.1:{}\"\nuser = \"{}\"\npassword_file = \"mqtt.password\"\n\n\
         [upload]\nurl = \"file://{}\"\n",
        camera.url(),
        street.broker.port(),
        street.login.user,
        store.display(),
    ));
    let messages = street.subscribe();
    let mut agent = home.run();

    let last = messages.alert("complete clip", VISIT, Alert::is_last);
    assert_eq!(last.json["end_reason"], "left", "{last:#?}");
    assert_jpeg(&store.join(last.json["thumbnail"].as_str().unwrap()));
    let clip = assert_plays(&playlist(&store, last.id()));
    assert_eq!(picture_width(&clip), 640);
    assert_eq!(codec(&clip), "h264");

    let second = messages.alert("second visit", VISIT, |alert| alert.id() != last.id());
    std::thread::sleep(Duration::from_secs(2));
    let status = agent.terminate(GRACE + Duration::from_secs(2));
    assert_eq!(status.code(), Some(0), "{}", agent.log());
    assert!(!agent.log().contains("WARN"), "{}", agent.log());
    // On the box it is whole, whatever there was time to send.
    let clip = assert_plays(&playlist(&home.data(), second.id()));
    assert_eq!(codec(&clip), "h264");
}

/// The playlist of the incident's one clip below `folder`.
fn playlist(folder: &Path, incident: &str) -> PathBuf {
    let mut found = Vec::new();
    find(folder, &format!("{incident}/sub/index.m3u8"), &mut found);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

fn find(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find(&path, ending, found);
        } else if path.ends_with(ending) {
            found.push(path);
        }
    }
}

fn codec(clip: &Path) -> String {
    let mut ffprobe = Command::new("ffprobe");
    let what = "-v error -select_streams v -show_entries stream=codec_name -of csv=p=0";
    let name = output_of(ffprobe.args(what.split(' ')).arg(clip));
    name.trim().to_owned()
}

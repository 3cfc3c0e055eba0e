//! Continuous recordings of a box that is scripted: who gets them, in which pieces, and what is written down.

use std::{
    fs::File,
    io::{Cursor, Read},
    path::PathBuf,
};

use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, RANGE};
use sha2::{Digest, Sha256};

use super::{
    doors::{Browser, owner},
    *,
};
use crate::{
    base::recordings::{
        About, Content, Export, Facts, Gap, NoRecording, Range, RecordingSource, Timeline, Why,
    },
    flow::{StreamRole, WallTime},
};

const FROM: i64 = 1_796_000_000_000;
const LONG: u64 = 200_000_000;
const TO: i64 = FROM + 600_000;

/// Camera `door` with one file; `long` has more than any buffer holds, `hidden` a mask, `turned` another format half-way.
pub(super) struct Scripted(PathBuf);

impl Scripted {
    pub(super) fn new(dir: &std::path::Path) -> Self {
        let file = dir.join("recording.mp4");
        fs::write(&file, film()).unwrap();
        Self(file)
    }
}

/// More than is read at once.
fn film() -> Vec<u8> {
    (0..600_000u32).flat_map(u32::to_be_bytes).collect()
}

fn known(camera: &CameraId) -> Result<(), NoRecording> {
    match camera.as_str() {
        "door" | "long" => Ok(()),
        "hidden" => Err(NoRecording::Masked),
        "turned" => Err(NoRecording::Format(WallTime(FROM))),
        _ => Err(NoRecording::Unknown),
    }
}

impl RecordingSource for Scripted {
    fn list(&self) -> Vec<About> {
        vec![About {
            camera: "door".parse().unwrap(),
            keep_s: Some(3600),
            recording: true,
            oldest: Some(WallTime(FROM)),
            newest: Some(WallTime(TO)),
            bytes: 7,
            streams: vec!["sub"],
        }]
    }

    fn timeline(&self, camera: &CameraId, range: Range) -> Result<Timeline, NoRecording> {
        known(camera)?;
        Ok(Timeline {
            spans: vec![range],
            gaps: vec![Gap {
                from: range.from,
                to: range.to,
                why: Why::Paused,
            }],
        })
    }

    fn playlist(
        &self,
        camera: &CameraId,
        _: Range,
        stream: Option<StreamRole>,
    ) -> Result<String, NoRecording> {
        known(camera)?;
        match stream {
            Some(StreamRole::Main) => Err(NoRecording::Nothing),
            _ => Ok("#EXTM3U\nfiles/1-sub.mp4\n".to_owned()),
        }
    }

    fn file(&self, camera: &CameraId, name: &str) -> Result<Content, NoRecording> {
        known(camera)?;
        if name != "1-sub.mp4" {
            return Err(NoRecording::File);
        }
        // The last byte is not whole yet.
        Ok(Content {
            file: File::open(&self.0).unwrap(),
            bytes: film().len() as u64 - 1,
        })
    }

    fn export(
        &self,
        camera: &CameraId,
        range: Range,
        _: Option<StreamRole>,
    ) -> Result<Export, NoRecording> {
        known(camera)?;
        let long = camera.as_str() == "long";
        let film = film();
        let bytes = if long { LONG } else { film.len() as u64 };
        let reader: Box<dyn Read + Send> = if long {
            Box::new(std::io::repeat(7).take(LONG))
        } else {
            Box::new(Cursor::new(film))
        };
        Ok(Export {
            facts: Facts {
                v: 1,
                site: "home".to_owned(),
                camera: camera.clone(),
                stream: "sub".to_owned(),
                asked: range,
                range,
                gaps: Vec::new(),
                clock_sure: true,
                codec: "H.264".to_owned(),
                width: 640,
                height: 360,
                frames: 9,
                bytes,
                sha256: None,
                program: "lares".to_owned(),
            },
            reader,
        })
    }
}

fn of(camera: &str, what: &str) -> String {
    format!("/api/recordings/{camera}{what}?from={FROM}&to={TO}")
}

fn deeds(log: &Value, deed: &str) -> usize {
    let entries = log["entries"].as_array().unwrap();
    entries.iter().filter(|entry| entry["what"] == deed).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn recordings_are_for_who_is_logged_in_and_watching_is_written_down() {
    with_hub(false, |rig| async move {
        owner(&rig, "anna").await;
        for path in [
            "/api/recordings".to_owned(),
            of("door", ""),
            of("door", "/play.m3u8"),
            of("door", "/files/1-sub.mp4"),
            of("door", "/export.mp4"),
            of("door", "/export.json"),
        ] {
            let answer = rig.get(&path).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path}");
        }
        let anna = Browser::log_in(&rig, "anna").await;
        let all = read(anna.get("/api/recordings").await).await;
        assert_eq!(all["cameras"][0]["camera"], "door");
        let found = read(anna.get(&of("door", "")).await).await;
        assert_eq!(found["spans"], json!([{"from": FROM, "to": TO}]));
        assert_eq!(found["gaps"][0]["why"], "paused");
        for _ in 0..3 {
            let played = anna.get(&of("door", "/play.m3u8")).await;
            assert_eq!(played.status(), StatusCode::OK);
            let kind = &played.headers()[header::CONTENT_TYPE];
            assert_eq!(kind, "application/vnd.apple.mpegurl");
            anna.get(&of("door", "/files/1-sub.mp4")).await;
        }
        anna.get(&of("door", "/export.mp4")).await;
        let log = read(anna.get("/api/log").await).await;
        assert_eq!(deeds(&log, "recording"), 1, "{log}");
        assert_eq!(deeds(&log, "export"), 1, "{log}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_come_in_the_parts_that_are_asked_for() {
    with_hub(true, |rig| async move {
        let url = of("door", "/files/1-sub.mp4");
        let film = film();
        let length = film.len() - 1;
        let whole = rig.get(&url).send().await.unwrap();
        assert_eq!(whole.headers()[CONTENT_LENGTH], length.to_string());
        assert_eq!(whole.bytes().await.unwrap(), film[..length]);
        for (asked, from, to) in [
            ("bytes=5-500004", 5, 500_005),
            ("bytes=1000000-", 1_000_000, length),
            ("bytes=-10", length - 10, length),
            ("bytes=0-999999999", 0, length),
        ] {
            let part = rig.get(&url).header(RANGE, asked).send().await.unwrap();
            assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT, "{asked}");
            let place = format!("bytes {from}-{}/{length}", to - 1);
            assert_eq!(part.headers()[CONTENT_RANGE], place);
            assert_eq!(part.bytes().await.unwrap(), film[from..to], "{asked}");
        }
        for asked in ["bytes=99999999-", "lines=1-2", "bytes=5-4"] {
            let part = rig.get(&url).header(RANGE, asked).send().await.unwrap();
            assert_eq!(part.status(), StatusCode::RANGE_NOT_SATISFIABLE, "{asked}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_a_file_and_what_is_said_of_it() {
    with_hub(true, |rig| async move {
        let export = rig.get(&of("door", "/export.mp4")).send().await.unwrap();
        let name = format!("attachment; filename=\"door-{}.mp4\"", FROM / 1000);
        assert_eq!(export.headers()[header::CONTENT_DISPOSITION], name);
        let bytes = export.bytes().await.unwrap();
        assert_eq!(bytes, film());
        let facts = rig.json(&of("door", "/export.json")).await;
        assert_eq!(facts["sha256"], hex::encode(Sha256::digest(&bytes)));
        assert_eq!(facts["bytes"], bytes.len());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused_in_words() {
    with_hub(true, |rig| async move {
        let year = FROM + 365 * 86_400_000;
        for (path, status) in [
            (of("attic", ""), 404),
            (of("Not%20a%20camera", "/play.m3u8"), 404),
            (of("door", "/files/..%2F..%2Fsite"), 404),
            (of("door", "/files/2-sub.mp4"), 404),
            (of("hidden", "/play.m3u8"), 409),
            (of("hidden", "/files/1-sub.mp4"), 409),
            (of("turned", "/export.mp4"), 409),
            (of("door", "/play.m3u8") + "&stream=main", 404),
            (of("door", "/play.m3u8") + "&stream=side", 422),
            (
                format!("/api/recordings/door/play.m3u8?from={TO}&to={FROM}"),
                422,
            ),
            (
                format!("/api/recordings/door/export.mp4?from={FROM}&to={year}"),
                422,
            ),
            (
                format!("/api/recordings/door?from={FROM}&to={}", 10 * year),
                422,
            ),
            ("/api/recordings/door?from=-5&to=5".to_owned(), 422),
            ("/api/recordings/door?from=x&to=5".to_owned(), 400),
        ] {
            let answer = rig.get(&path).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), status, "{path}");
            assert!(!answer.text().await.unwrap().is_empty(), "{path}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_third_export_at_once_is_asked_to_wait() {
    with_hub(true, |rig| async move {
        // Two that are begun and not read to their end.
        let begun = [(); 2].map(|()| rig.get(&of("long", "/export.mp4")).send());
        let begun = futures::future::join_all(begun).await;
        assert!(
            begun
                .iter()
                .flatten()
                .all(|begun| begun.status() == StatusCode::OK)
        );
        let third = rig.get(&of("door", "/export.json")).send().await.unwrap();
        assert_eq!(third.status(), StatusCode::TOO_MANY_REQUESTS);
        drop(begun);
        let again = timeout(PATIENCE, async {
            loop {
                let again = rig.get(&of("door", "/export.json")).send().await.unwrap();
                if again.status() == StatusCode::OK {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        again.await.unwrap();
    })
    .await;
}

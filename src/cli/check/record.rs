//! `lares check --record`: a session with a camera, written down so that it can be shown to others and played again.
//!
//! In: what passes between a session and its camera. Out: a file of JSON lines
//! ([`wire::recording`](crate::wire::recording)), readable by its owner alone, without secrets and, unless asked
//! for, without pictures. Never more than [`LARGEST`] bytes, never the sound.

use std::{
    io::Write,
    path::Path,
    sync::Arc,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::Context;
use base64::{Engine, engine::general_purpose::STANDARD};
use parking_lot::Mutex;

use super::{
    Findings,
    filler::{self, Payload},
    scrub,
};
use crate::{
    base::{clock::SystemClock, cpu::StageCpu, tasks::Tasks},
    config::{CameraConfig, SourceConfig},
    flow::{Packet, StreamRole},
    ingest::{Observer, PacketSink, RtspSource, SourceState},
    wire::recording::{Head, Line, VERSION},
};

/// How long packets are recorded, from the first on.
const LENGTH: Duration = Duration::from_secs(10);
/// How long a camera may take to send the first.
const PATIENCE: Duration = Duration::from_secs(15);
/// Most bytes of a file.
const LARGEST: usize = 32 * 1024 * 1024;
/// Words of an address that are looked for once more, from this length on: shorter ones are everywhere.
const TELLING: usize = 4;
/// How often it is looked whether there is enough.
const STEP: Duration = Duration::from_millis(100);
/// How long the session may take to end.
const GRACE: Duration = Duration::from_secs(5);

/// Packets go nowhere: what matters has been seen on the way.
struct Nowhere;

impl PacketSink for Nowhere {
    fn packet(&mut self, _: Packet) {}
    fn state(&mut self, _: SourceState) {}
}

/// Records the one camera of `cameras`, and tells what is in the file.
///
/// # Errors
/// When the answer cannot be written.
pub(super) fn camera(
    cameras: &[CameraConfig],
    file: &Path,
    pictures: bool,
    tasks: &Tasks,
    findings: &mut Findings<'_>,
) -> anyhow::Result<()> {
    let [camera] = cameras else {
        return findings.problem(
            "recording",
            "one camera is recorded at a time: name it with --camera URL",
        );
    };
    let recorded = record(&camera.source, pictures, file, tasks);
    findings.result("recording", recorded.map_err(|error| format!("{error:#}")))?;
    if pictures {
        findings.advice(
            "recording",
            "it shows what the camera saw: give it to nobody who may not look through the camera, \
             and never to the public",
        )?;
    }
    Ok(())
}

/// Records a session with `source` into the file `path`; what is in it, as a sentence.
///
/// # Errors
/// When the file cannot be written, or the session does not end.
fn record(
    source: &SourceConfig,
    pictures: bool,
    path: &Path,
    tasks: &Tasks,
) -> anyhow::Result<String> {
    let recorder = Arc::new(Recorder::new(source, pictures));
    let recording = tasks.child();
    let clock = SystemClock::start();
    let rtsp = RtspSource::new(source.clone(), StreamRole::Sub, clock, StageCpu::default());
    let rtsp = rtsp.observed(Arc::clone(&recorder) as Arc<dyn Observer>);
    let token = recording.token().clone();
    recording.spawn("record", rtsp.run(Box::new(Nowhere), token));
    while !recorder.is_done() {
        sleep(STEP);
    }
    if !recording.close(GRACE).is_empty() {
        anyhow::bail!("the camera's session does not end");
    }
    recorder.save(path)
}

/// Writes down what it is shown, without what is nobody's business.
struct Recorder {
    pictures: bool,
    /// Must not be in any line, whatever a camera does with them.
    secrets: Vec<String>,
    state: Mutex<State>,
}

struct State {
    lines: Vec<u8>,
    begun: Instant,
    payload: Payload,
    packets: u64,
    first_packet: Option<Instant>,
    left_out: u64,
    full: bool,
}

impl Recorder {
    /// A recorder of sessions with `source`; with `pictures` slices stay as they are.
    fn new(source: &SourceConfig, pictures: bool) -> Self {
        let url = &source.url;
        let secrets = [
            url.host_str().map(str::to_owned),
            source.user.clone().filter(|user| user.len() >= TELLING),
            source
                .password
                .as_ref()
                .map(|password| password.expose().to_owned()),
            url.query().map(str::to_owned),
            Some(url.path().trim_matches('/').to_owned()),
        ];
        // The words that stand for what was taken out are no secrets.
        let telling =
            |text: &String| text.len() >= TELLING && !scrub::ADDRESS.contains(text.as_str());
        let recorder = Self {
            pictures,
            secrets: secrets.into_iter().flatten().filter(telling).collect(),
            state: Mutex::new(State {
                lines: Vec::new(),
                begun: Instant::now(),
                payload: Payload::Other,
                packets: 0,
                first_packet: None,
                left_out: 0,
                full: false,
            }),
        };
        recorder.add(&Head {
            lares_recording: VERSION,
            program: concat!("Lares ", env!("CARGO_PKG_VERSION")).to_owned(),
            pictures,
        });
        recorder
    }

    fn add(&self, line: &impl serde::Serialize) {
        let Ok(mut text) = serde_json::to_vec(line) else {
            return;
        };
        text.push(b'\n');
        let mut state = self.state.lock();
        state.full |= state.lines.len() + text.len() > LARGEST;
        if !state.full {
            state.lines.extend(text);
        }
    }

    fn at(&self) -> f64 {
        let micros = self.state.lock().begun.elapsed().as_micros();
        micros as f64 / 1e6
    }

    /// A message without secrets; none where one of them is still in it.
    fn harmless(&self, message: &[u8]) -> Option<String> {
        let text = scrub::message(message);
        if self.secrets.iter().any(|secret| text.contains(secret)) {
            self.state.lock().left_out += 1;
            return None;
        }
        Some(text)
    }

    /// Whether there is enough, or no hope for more.
    fn is_done(&self) -> bool {
        let state = self.state.lock();
        match state.first_packet {
            _ if state.full => true,
            Some(first) => first.elapsed() >= LENGTH,
            None => state.begun.elapsed() >= PATIENCE,
        }
    }

    /// Writes the file, for its owner's eyes, and says what is in it.
    ///
    /// # Errors
    /// When it cannot be written.
    fn save(&self, path: &Path) -> anyhow::Result<String> {
        let state = self.state.lock();
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        // Made with 0600, and there as a whole or not at all.
        let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))
            .and_then(|mut file| file.write_all(&state.lines).map(|()| file))
            .with_context(|| cannot_write(path))?;
        file.flush().with_context(|| cannot_write(path))?;
        file.persist(path)
            .map_err(|error| error.error)
            .with_context(|| cannot_write(path))?;
        let kilobytes = state.lines.len().div_ceil(1000);
        let mut told = format!(
            "{} packets, {kilobytes} kB in {}",
            state.packets,
            path.display()
        );
        if state.full {
            told += "; it is as large as a recording may be, and ends early";
        }
        if state.left_out > 0 {
            told += &format!(
                "; {} message(s) are left out, because part of the address or the login was in them",
                state.left_out
            );
        }
        Ok(told)
    }
}

impl Observer for Recorder {
    fn said(&self, message: &[u8]) {
        if let Some(said) = self.harmless(message) {
            let at = self.at();
            self.add(&Line::Said { at, said });
        }
    }

    fn heard(&self, message: &[u8]) {
        if let Some(heard) = self.harmless(message) {
            let payload = Payload::of(&heard);
            if payload != Payload::Other {
                self.state.lock().payload = payload;
            }
            let at = self.at();
            self.add(&Line::Heard { at, heard });
        }
    }

    fn packet(&self, rtcp: bool, packet: &[u8]) {
        let mut bytes = packet.to_vec();
        let payload = {
            let mut state = self.state.lock();
            if !rtcp {
                state.packets += 1;
                state.first_packet.get_or_insert_with(Instant::now);
            }
            state.payload
        };
        match rtcp {
            true => filler::rtcp(&mut bytes),
            false if !self.pictures => filler::rtp(&mut bytes, payload),
            false => {}
        }
        let (at, packet) = (self.at(), STANDARD.encode(bytes));
        self.add(&Line::Packet { at, rtcp, packet });
    }
}

fn cannot_write(path: &Path) -> String {
    format!(
        "cannot write the recording to {}: choose another file",
        path.display()
    )
}

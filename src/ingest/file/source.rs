//! Video files as a source: pulled packet by packet, so that replay runs in lock-step.
//!
//! The demuxer runs in threads of GStreamer and stops when a few units wait. Media time zero is where a player's clock begins: at the
//! first picture, or at an edit list's first edit, before which pictures have negative times, or at the sound that comes long before
//! the pictures. `arrived` is the file's own time: the latest presentation time so far.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use gstreamer as gst;
use gstreamer_app as gst_app;

use gst::prelude::*;
use parking_lot::Mutex;
use tracing::warn;

use super::{
    container::{self, Found},
    mp4::Movie,
};
use crate::{
    base::cpu::{Stage, StageCpu},
    flow::{MediaTime, Packet, StreamFormat, StreamRole, Turn},
    ingest::{
        IngestError,
        bitstream::{keyframe_gate::StartGate, parser::Parser, unit::Unit},
        setup,
    },
};

/// A file from which nothing comes for this long is given up.
const PATIENCE: Duration = Duration::from_secs(10);
/// Units among which the first presented picture is: no codec reorders farther (H.264, A.3.1: max_dec_frame_buffering).
const REORDER: usize = 16;
/// Sound that begins so much before the pictures is waited for by players; less is how containers round.
const LEAD: i64 = 500_000_000;

/// A video file being read.
pub struct FileSource {
    path: PathBuf,
    role: StreamRole,
    stages: StageCpu,
    pipeline: gst::Pipeline,
    appsink: gst_app::AppSink,
    found: Arc<Mutex<Found>>,
    parser: Option<Parser>,
    caps: Option<gst::Caps>,
    gate: StartGate,
    ready: VecDeque<Unit>,
    ended: bool,
    missing: Option<IngestError>,
    damage: Option<String>,
    movie: Movie,
    /// The time of players minus that of units.
    ahead: Option<i64>,
    /// Something was found that might be a picture.
    units: bool,
    zero: MediaTime,
    format: Option<Arc<StreamFormat>>,
    newest: MediaTime,
    last_pts: MediaTime,
}

impl FileSource {
    /// Opens the first video stream of the file at `path`. The CPU time of demuxing and parsing is added to `stages`.
    ///
    /// # Errors
    /// When the file cannot be read, is empty, holds no video, or GStreamer lacks a plugin.
    pub fn open(path: &Path, role: StreamRole, stages: StageCpu) -> Result<Self, IngestError> {
        setup::init()?;
        container::check_readable(path)?;
        let (pipeline, appsink, found, movie) = container::pipeline(path, &stages)?;
        let mut source = Self {
            path: path.to_owned(),
            role,
            stages,
            pipeline,
            appsink,
            found,
            parser: None,
            caps: None,
            gate: StartGate::default(),
            ready: VecDeque::new(),
            ended: false,
            missing: None,
            damage: None,
            movie,
            ahead: None,
            units: false,
            zero: MediaTime::ZERO,
            format: None,
            newest: MediaTime::ZERO,
            last_pts: MediaTime::ZERO,
        };
        // A failure to start is told on the bus, where the reason is.
        let _ = source.pipeline.set_state(gst::State::Playing);
        while !source.ended && source.ready.len() <= REORDER {
            source.read()?;
        }
        let first = source.ready.iter().filter_map(|unit| unit.pts).min();
        let first = first.ok_or(IngestError::NoKeyframe {
            path: path.to_owned(),
        })?;
        source.zero = source.players_zero(first);
        source.format = source.ready.front().map(|unit| Arc::clone(&unit.format));
        Ok(source)
    }

    /// The time of units at which a player's clock begins.
    fn players_zero(&self, first: MediaTime) -> MediaTime {
        if let Some(zero) = self.movie.picture().and_then(|track| track.zero) {
            return MediaTime::from_nanos(zero);
        }
        let lead = self.ahead.map_or(0, |ahead| first.nanos() + ahead);
        if lead > LEAD && self.found.lock().has_others() {
            return MediaTime::from_nanos(first.nanos() - lead);
        }
        first
    }

    /// The format in force at the first packet.
    #[must_use]
    pub fn format(&self) -> &Arc<StreamFormat> {
        self.format
            .as_ref()
            .expect("a source opens only once its first unit, which has a format, was read")
    }

    /// The next packet in decode order, `None` at the end. Waits for the disk.
    ///
    /// # Errors
    /// None once the file is open: what cannot be read in its middle ends it, see [`damage`](Self::damage).
    pub fn next_packet(&mut self) -> Result<Option<Packet>, IngestError> {
        while self.ready.is_empty() && !self.ended {
            self.read()?;
        }
        let Some(unit) = self.ready.pop_front() else {
            return Ok(None);
        };
        let pts = unit.pts.expect("a parser gives no unit without a time");
        let time = MediaTime::from_nanos(pts - self.zero);
        self.newest = self.newest.max(time);
        let changed = !self
            .format
            .as_ref()
            .is_some_and(|f| Arc::ptr_eq(f, &unit.format));
        if changed {
            self.format = Some(Arc::clone(&unit.format));
        }
        Ok(Some(Packet {
            stream: self.role,
            format: unit.format,
            time,
            pts,
            duration: unit.duration,
            key: unit.key,
            droppable: unit.facts.droppable,
            discontinuity: unit.discontinuity || changed,
            data: unit.data,
            arrived: self.newest,
        }))
    }

    /// One sentence about where the file could not be read to its end, once [`next_packet`](Self::next_packet) has given `None`.
    #[must_use]
    pub fn damage(&self) -> Option<&str> {
        self.damage.as_deref()
    }

    /// Reads one buffer of the demuxer.
    fn read(&mut self) -> Result<(), IngestError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let slice = gst::ClockTime::from_mseconds(50);
            if let Some(sample) = self.appsink.try_pull_sample(slice) {
                return self.take(sample);
            }
            let failure = self.failure();
            let silent = self.found.lock().no_video_to_come() || Instant::now() > deadline;
            if self.appsink.is_eos() || failure.is_some() || silent {
                // What was on its way when the demuxer gave up still counts.
                while let Some(sample) = self.appsink.try_pull_sample(gst::ClockTime::ZERO) {
                    self.take(sample)?;
                }
                return self.end(failure);
            }
        }
    }

    fn take(&mut self, sample: gst::Sample) -> Result<(), IngestError> {
        let (Some(buffer), Some(caps)) = (sample.buffer_owned(), sample.caps_owned()) else {
            return Ok(());
        };
        let before = crate::base::cpu::thread();
        if self.ahead.is_none()
            && let Some(stamp) = buffer.pts().or(buffer.dts())
        {
            let segment = sample.segment();
            let segment = segment.and_then(gst::Segment::downcast_ref::<gst::ClockTime>);
            let shown = segment.and_then(|segment| segment.to_stream_time(stamp));
            let nanos = |time: gst::ClockTime| i64::try_from(time.nseconds()).ok();
            self.ahead = shown
                .and_then(nanos)
                .zip(nanos(stamp))
                .map(|(shown, stamp)| shown - stamp);
        }
        let changed = self.caps.as_ref() != Some(&caps);
        let mut units = Vec::new();
        match &mut self.parser {
            Some(parser) if changed => parser.set_caps(&caps),
            Some(_) => {}
            None => {
                let turn = self.movie.picture().map_or(Turn::NONE, |track| track.turn);
                self.parser = Some(Parser::of_file(&caps, turn)?);
            }
        }
        if let Some(parser) = &mut self.parser {
            units = parser.push(buffer, &caps);
        }
        self.caps = Some(caps);
        self.stages
            .add(Stage::Ingest, crate::base::cpu::thread() - before);
        self.keep(units);
        Ok(())
    }

    fn keep(&mut self, units: Vec<Unit>) {
        for unit in units {
            self.units = true;
            self.last_pts = unit.pts.unwrap_or(self.last_pts);
            if self.gate.lets_in(&unit) {
                self.ready.push_back(unit);
            }
        }
    }

    fn end(&mut self, failure: Option<Failure>) -> Result<(), IngestError> {
        self.ended = true;
        let left = self.parser.as_mut().map_or_else(Vec::new, Parser::finish);
        self.keep(left);
        let path = self.path.clone();
        if !self.units {
            return Err(match failure {
                Some(Failure::Missing(error)) => error,
                _ if self.found.lock().only_others() => IngestError::NoVideo { path },
                _ => IngestError::Damaged { path },
            });
        }
        if failure.is_some() || !self.appsink.is_eos() || container::is_cut(&self.path) {
            let readable = self.last_pts - self.zero;
            let sentence = format!(
                "{} is damaged after {:.1} s: what came before is used, the rest is left out; copy it again from where it was recorded",
                path.display(),
                readable as f64 / 1e9
            );
            warn!("{sentence}");
            self.damage = Some(sentence);
        }
        Ok(())
    }

    /// What the elements complain about, if they do.
    fn failure(&mut self) -> Option<Failure> {
        let bus = self.pipeline.bus()?;
        while let Some(message) = bus.pop() {
            match message.view() {
                gst::MessageView::Element(m) => {
                    if let Some(missing) = m.structure().and_then(container::missing_plugin) {
                        self.missing = Some(missing);
                    }
                }
                gst::MessageView::Error(_) => {
                    let missing = self.missing.take().map(Failure::Missing);
                    return missing.or(Some(Failure::Broken));
                }
                _ => {}
            }
        }
        None
    }
}

impl Drop for FileSource {
    fn drop(&mut self) {
        // Stopping a file pipeline cannot fail, and there is nothing to be done if it does.
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// Why the elements stopped before the end.
enum Failure {
    /// They lack a plugin.
    Missing(IngestError),
    /// They do not understand the file any more.
    Broken,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        flow::Codec,
        ingest::samples::{Studio, packets, x264, x265},
    };

    fn open(path: &Path) -> Result<FileSource, IngestError> {
        FileSource::open(path, StreamRole::Sub, StageCpu::default())
    }

    fn refusal(path: &Path) -> IngestError {
        open(path).err().expect("the file is refused")
    }

    #[test]
    fn every_container_gives_every_picture_once() {
        let studio = Studio::new();
        let audio = "-f lavfi -i sine=duration=3 -map 0:v -map 1:a";
        for (name, options, codec, keys) in [
            ("a.mp4", x264(10, 0), Codec::H264, 3),
            ("b.mp4", x264(10, 2), Codec::H264, 3),
            ("c.mkv", x264(10, 2), Codec::H264, 3),
            ("d.ts", x264(10, 2), Codec::H264, 3),
            ("e.avi", x264(10, 0), Codec::H264, 3),
            ("f.mp4", x265(10, true), Codec::H265, 3),
            ("g.mkv", x265(10, false), Codec::H265, 3),
            ("h.avi", "-c:v msmpeg4 -g 10".to_owned(), Codec::Other, 3),
            ("i.avi", "-c:v mjpeg".to_owned(), Codec::Other, 30),
            ("j.mp4", "-c:v mpeg4 -g 10".to_owned(), Codec::Other, 3),
            ("k.mp4", format!("{audio} {}", x264(10, 0)), Codec::H264, 3),
        ] {
            let path = studio.video(name, 30, &options);
            let packets = packets(&path);
            assert_eq!(packets.len(), 30, "{name}");
            assert_eq!(packets.iter().filter(|p| p.key).count(), keys, "{name}");
            assert!(packets[0].key && packets[0].format.codec == codec, "{name}");
            assert_eq!(packets[0].format.size.width, 192, "{name}");
            let mut times: Vec<_> = packets.iter().map(|p| p.time.secs_f64()).collect();
            times.sort_by(f64::total_cmp);
            for (n, time) in times.iter().enumerate() {
                assert!((time - n as f64 / 10.0).abs() < 0.002, "{name}: {times:?}");
            }
            assert!(packets.is_sorted_by_key(|p| p.arrived), "{name}");
            assert!(packets.iter().all(|p| p.arrived >= p.time), "{name}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_in_one_sentence() {
        let studio = Studio::new();
        let missing = studio.path("missing.mp4");
        assert!(matches!(refusal(&missing), IngestError::Unreadable { .. }));
        let empty = studio.path("empty.mp4");
        std::fs::write(&empty, []).unwrap();
        assert!(matches!(refusal(&empty), IngestError::Empty { .. }));
        let noise = studio.path("noise.mp4");
        std::fs::write(&noise, vec![0xa5; 20_000]).unwrap();
        assert!(matches!(refusal(&noise), IngestError::Damaged { .. }));
        let text = studio.path("text.mp4");
        std::fs::write(&text, "This is not a video.\n".repeat(100)).unwrap();
        assert!(matches!(
            refusal(&text),
            IngestError::NoVideo { .. } | IngestError::Damaged { .. }
        ));
        let sound = studio.ffmpeg("sound.mp4", "-f lavfi -i sine=duration=1");
        assert!(
            matches!(refusal(&sound), IngestError::NoVideo { .. }),
            "{}",
            refusal(&sound)
        );
        for path in [&missing, &empty, &noise, &sound] {
            let text = refusal(path).to_string();
            assert!(text.contains(&path.display().to_string()) && text.lines().count() == 1);
        }
    }

    #[test]
    fn a_cut_file_gives_what_it_has() {
        let studio = Studio::new();
        let whole = studio.video("whole.mkv", 40, &x264(10, 0));
        let bytes = std::fs::read(&whole).unwrap();
        let cut = studio.path("cut.mkv");
        std::fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
        let got = packets(&cut).len();
        assert!((5..35).contains(&got), "{got}");
        // The index of an MP4 comes first here, so that its demuxer knows that something is missing.
        let whole = studio.video(
            "whole.mp4",
            40,
            &format!("{} -movflags +faststart", x264(10, 0)),
        );
        let bytes = std::fs::read(&whole).unwrap();
        let cut = studio.path("cut.mp4");
        std::fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
        let mut source = open(&cut).unwrap();
        let got = std::iter::from_fn(|| source.next_packet().unwrap()).count();
        assert!((5..35).contains(&got), "{got}");
        assert!(source.damage().is_some_and(|text| text.contains("cut.mp4")));
    }

    #[test]
    fn damage_in_the_middle_neither_stops_nor_hangs_it() {
        let studio = Studio::new();
        for (name, options) in [
            ("a.mp4", x264(10, 2)),
            ("b.ts", x264(10, 0)),
            ("c.mkv", x265(10, false)),
        ] {
            let path = studio.video(name, 60, &options);
            let mut bytes = std::fs::read(&path).unwrap();
            let middle = bytes.len() / 2;
            for byte in &mut bytes[middle..middle + 600] {
                *byte = byte.wrapping_mul(31).wrapping_add(7);
            }
            std::fs::write(&path, bytes).unwrap();
            let got = packets(&path).len();
            assert!((20..=61).contains(&got), "{name}: {got}");
        }
    }
}

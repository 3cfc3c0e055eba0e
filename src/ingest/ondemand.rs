//! Decodes what somebody asks for and no more.
//!
//! Asleep, each keyframe is decoded alone and given at once. Where keyframes are rarer than `wake_within`, the units
//! since the last look are decoded in one burst instead, and only the newest picture is given. Awake, decoding goes on
//! from the keyframe of the current group of pictures, and every picture is given once, in presentation order.
//! A stream whose keyframes libav cannot decode alone (see `keeps_history`) is decoded in bursts as well.
//! The interval between keyframes is measured, never assumed.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tracing::warn;

use super::{
    decode::{DecodeError, Decoder, Feed},
    ring::Ring,
};
use crate::{
    base::cpu::StageCpu,
    flow::{DecodeDemand, Frame, MediaTime, Packet, Polygon, StreamFormat},
};

/// Damaged units are warned about once in this long.
const WARN_EVERY: Duration = Duration::from_secs(60);

/// The decoder of one stream, and what it may have to go back to.
pub struct OnDemand {
    wake_within: Duration,
    privacy_mask: Vec<Polygon>,
    stages: StageCpu,
    ring: Ring,
    decoder: Option<Decoder>,
    refused: Option<Arc<StreamFormat>>,
    /// How many units of the current group the decoder has had or was spared; `None` while it takes lone keyframes.
    fed: Option<usize>,
    /// Waiting for a keyframe after damage.
    broken: bool,
    /// Keyframes of this stream cannot be decoded alone.
    continuous: bool,
    last_given: Option<MediaTime>,
    /// Time of the newest unit when a picture was last given.
    last_look: Option<MediaTime>,
    last_warning: Option<MediaTime>,
    decoded: u64,
    corrupt: u64,
}

impl OnDemand {
    /// Nothing kept, nothing decoded yet. `wake_within` is the longest time between two looks while asleep.
    #[must_use]
    pub fn new(wake_within: Duration, privacy_mask: Vec<Polygon>, stages: StageCpu) -> Self {
        Self {
            wake_within,
            privacy_mask,
            stages,
            ring: Ring::default(),
            decoder: None,
            refused: None,
            fed: None,
            broken: false,
            continuous: false,
            last_given: None,
            last_look: None,
            last_warning: None,
            decoded: 0,
            corrupt: 0,
        }
    }

    /// Takes the next packet in decode order and gives the pictures that `demand` asks for, in presentation order.
    ///
    /// While awake, pictures before `next_look` to which no other picture refers are not decoded;
    /// [`MediaTime::ZERO`] or any time past asks for every picture.
    ///
    /// # Errors
    /// When no decoder takes the stream: once for each format, then nothing is given until it changes. A damaged unit
    /// is no error: it is counted, and decoding goes on from the next keyframe.
    pub fn push(
        &mut self,
        packet: Packet,
        demand: DecodeDemand,
        next_look: MediaTime,
    ) -> Result<Vec<Frame>, DecodeError> {
        if demand == DecodeDemand::Off {
            self.forget();
            return Ok(Vec::new());
        }
        let format_changed = self
            .decoder
            .as_ref()
            .is_some_and(|decoder| !Arc::ptr_eq(decoder.format(), &packet.format));
        if packet.discontinuity || format_changed {
            self.forget();
        }
        self.prepare_decoder(&packet.format)?;
        let Some(decoder) = &self.decoder else {
            return Ok(Vec::new());
        };
        let (key, time) = (packet.key, packet.time);
        self.continuous |= decoder.keeps_history(&packet);
        let mut frames = Vec::new();
        if key && self.continuous {
            // Nothing before this keyframe may be left out.
            frames = self.run(Wanted::Newest);
        }
        let whole_before = self.fed == Some(self.ring.current_len());
        let needless = if key { 0 } else { self.fed.unwrap_or(0) };
        if !self.ring.push(packet, needless) {
            return Ok(Vec::new());
        }
        let awake = matches!(demand, DecodeDemand::Awake { .. });
        if key {
            // Decoding runs on over a keyframe only if nothing before it was left out.
            let runs_on = (awake || self.continuous) && whole_before && !self.broken;
            self.fed = runs_on.then_some(0);
            self.broken = false;
        }
        frames.extend(match (awake, key) {
            (true, _) => self.run(Wanted::From(next_look)),
            (false, true) if !self.continuous => self.decode_key(),
            (false, true) => self.run(Wanted::Newest),
            (false, false) if self.look_is_due(time) => self.run(Wanted::Newest),
            (false, false) => Vec::new(),
        });
        if !awake {
            frames.drain(..frames.len().saturating_sub(1));
        }
        self.give(&mut frames, time);
        Ok(frames)
    }

    /// The pictures that the decoder still holds, at the end of a stream. The next packet must be a keyframe.
    pub fn finish(&mut self) -> Vec<Frame> {
        let running = self.fed.is_some() && !self.broken;
        let mut frames = match self.decoder.as_mut().filter(|_| running) {
            Some(decoder) => decoder.drain(),
            None => Vec::new(),
        };
        self.decoded += frames.len() as u64;
        self.give(&mut frames, MediaTime::ZERO);
        self.forget();
        frames
    }

    /// Leaves out what was given before, and remembers what is given now.
    fn give(&mut self, frames: &mut Vec<Frame>, time: MediaTime) {
        frames.retain(|frame| self.last_given.is_none_or(|last| frame.time > last));
        if let Some(frame) = frames.last() {
            self.last_given = Some(frame.time);
            self.last_look = Some(time);
        }
    }

    /// The pictures of the `span` before `before`, from the keyframe before them on, as far back as units are kept
    /// (a few groups of pictures). They are decoded when asked for, by a decoder of their own.
    ///
    /// # Errors
    /// When no decoder takes the stream.
    pub fn look_back(&self, before: MediaTime, span: Duration) -> Result<LookBack, DecodeError> {
        let mut units = self.ring.since(before.before(span));
        // In decode order everything up to the last unit that is shown before `before` may be needed.
        let needed = units.iter().rposition(|unit| unit.time < before);
        units.truncate(needed.map_or(0, |last| last + 1));
        let decoder = match units.front() {
            None => None,
            Some(unit) => Some(self.new_decoder(&unit.format)?),
        };
        Ok(LookBack {
            units,
            decoder,
            frames: VecDeque::new(),
            before,
        })
    }

    /// Pictures decoded so far, given or not; those of [`look_back`](Self::look_back) do not count.
    #[must_use]
    pub fn decoded(&self) -> u64 {
        self.decoded
    }

    /// Damaged units so far.
    #[must_use]
    pub fn corrupt(&self) -> u64 {
        self.corrupt
    }

    fn forget(&mut self) {
        self.ring.clear();
        self.decoder = None;
        self.fed = None;
        self.broken = false;
        self.continuous = false;
        self.last_given = None;
        self.last_look = None;
    }

    fn new_decoder(&self, format: &Arc<StreamFormat>) -> Result<Decoder, DecodeError> {
        Decoder::new(format, &self.privacy_mask, self.stages.clone())
    }

    fn prepare_decoder(&mut self, format: &Arc<StreamFormat>) -> Result<(), DecodeError> {
        let hopeless = self
            .refused
            .as_ref()
            .is_some_and(|r| Arc::ptr_eq(r, format));
        if self.decoder.is_some() || hopeless {
            return Ok(());
        }
        match self.new_decoder(format) {
            Ok(mut decoder) => {
                decoder.restart(Feed::KeysAlone);
                self.decoder = Some(decoder);
                self.refused = None;
                Ok(())
            }
            Err(error) => {
                self.refused = Some(Arc::clone(format));
                Err(error)
            }
        }
    }

    /// Whether a sleeping camera must be looked at without waiting for a keyframe.
    fn look_is_due(&self, time: MediaTime) -> bool {
        let Some(key_time) = self.ring.key_time() else {
            return false;
        };
        let last_look = self.last_look.unwrap_or(key_time);
        if time.since(last_look) < self.wake_within {
            return false;
        }
        // A keyframe that is only a little late costs less than a group decoded for nothing.
        let patience = self.wake_within + self.wake_within / 8;
        let soon = self.ring.interval().is_some_and(|interval| {
            let expected = key_time + interval;
            expected >= time && expected.since(last_look) <= patience
        });
        !soon
    }

    /// Decodes the keyframe that has just come in alone.
    fn decode_key(&mut self) -> Vec<Frame> {
        let (Some(decoder), Some(unit)) = (&mut self.decoder, self.ring.current_unit(0)) else {
            return Vec::new();
        };
        self.fed = None;
        decoder.restart(Feed::KeysAlone);
        let unit = unit.clone();
        let result = decoder.decode(&unit);
        self.count(result, &unit)
    }

    /// Decodes the current group as far as it has come, from where decoding has come so far, leaving out pictures that
    /// neither `wanted` nor another picture needs.
    fn run(&mut self, wanted: Wanted) -> Vec<Frame> {
        if self.fed.is_none()
            && self.ring.current_is_whole()
            && let Some(decoder) = &mut self.decoder
        {
            decoder.restart(Feed::Running);
            self.fed = Some(0);
        }
        let Some(first) = self.fed else {
            return Vec::new();
        };
        let end = self.ring.current_len();
        let mut frames = Vec::new();
        for number in first..end {
            let Some(unit) = self.ring.current_unit(number).cloned() else {
                continue;
            };
            let spared = unit.droppable
                && match wanted {
                    Wanted::Newest => number + 1 < end,
                    Wanted::From(time) => unit.time < time,
                };
            if spared || self.broken {
                continue;
            }
            if let Some(decoder) = &mut self.decoder {
                let result = decoder.decode(&unit);
                frames.extend(self.count(result, &unit));
            }
        }
        self.fed = Some(end);
        frames
    }

    fn count(&mut self, result: Result<Vec<Frame>, DecodeError>, unit: &Packet) -> Vec<Frame> {
        match result {
            Ok(frames) => {
                self.decoded += frames.len() as u64;
                frames
            }
            Err(error) => {
                self.corrupt += 1;
                self.broken = true;
                let quiet = self
                    .last_warning
                    .is_some_and(|last| unit.arrived.since(last) < WARN_EVERY);
                if !quiet {
                    self.last_warning = Some(unit.arrived);
                    warn!(damaged = self.corrupt, "{error}");
                }
                Vec::new()
            }
        }
    }
}

/// Which pictures of a running stream are asked for.
#[derive(Clone, Copy)]
enum Wanted {
    /// Only the last.
    Newest,
    /// All from this time on.
    From(MediaTime),
}

/// Pictures of the past, decoded one by one as they are asked for.
pub struct LookBack {
    units: VecDeque<Packet>,
    decoder: Option<Decoder>,
    frames: VecDeque<Frame>,
    before: MediaTime,
}

impl Iterator for LookBack {
    type Item = Frame;

    fn next(&mut self) -> Option<Frame> {
        let decoder = self.decoder.as_mut()?;
        loop {
            if let Some(frame) = self.frames.pop_front() {
                if frame.time < self.before {
                    return Some(frame);
                }
            } else if let Some(unit) = self.units.pop_front() {
                // A damaged unit costs its own picture; what depends on it is still worth a look into the past.
                self.frames
                    .extend(decoder.decode(&unit).unwrap_or_default());
                if self.units.is_empty() {
                    self.frames.extend(decoder.drain());
                }
            } else {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::samples::{Studio, packets, x264, x265};
    use super::*;

    const AWAKE: DecodeDemand = DecodeDemand::Awake {
        every: Duration::ZERO,
    };

    fn on_demand(wake_within: u64) -> OnDemand {
        OnDemand::new(
            Duration::from_secs(wake_within),
            Vec::new(),
            StageCpu::default(),
        )
    }

    fn feed(decoder: &mut OnDemand, packets: &[Packet], demand: DecodeDemand) -> Vec<Frame> {
        let give = |packet: &Packet| {
            decoder
                .push(packet.clone(), demand, MediaTime::ZERO)
                .unwrap()
        };
        packets.iter().flat_map(give).collect()
    }

    fn tenths(frames: &[Frame]) -> Vec<i64> {
        let tenth = |frame: &Frame| (frame.time.secs_f64() * 10.0).round() as i64;
        frames.iter().map(tenth).collect()
    }

    /// Streams with a keyframe each second.
    fn streams(studio: &Studio, frames: u32) -> Vec<(&'static str, Vec<Packet>)> {
        [
            ("plain.mp4", x264(10, 0)),
            ("b.mp4", x264(10, 2)),
            ("closed.mp4", x265(10, false)),
            ("open.mp4", x265(10, true)),
        ]
        .map(|(name, options)| (name, packets(&studio.video(name, frames, &options))))
        .into()
    }

    #[test]
    fn asleep_exactly_the_keyframes_are_decoded_and_each_comes_with_its_own_packet() {
        for (name, packets) in streams(&Studio::new(), 60) {
            let mut decoder = on_demand(2);
            for packet in &packets {
                let frames = decoder
                    .push(packet.clone(), DecodeDemand::Asleep, MediaTime::ZERO)
                    .unwrap();
                assert_eq!(frames.len(), usize::from(packet.key), "{name}");
                assert!(frames.iter().all(|frame| frame.time == packet.time));
            }
            assert_eq!(decoder.decoded(), 6, "{name}");
        }
    }

    #[test]
    fn off_decodes_and_keeps_nothing() {
        let (_, packets) = streams(&Studio::new(), 20).remove(0);
        let mut decoder = on_demand(2);
        feed(&mut decoder, &packets[..15], AWAKE);
        let before = decoder.decoded();
        assert!(feed(&mut decoder, &packets[15..], DecodeDemand::Off).is_empty());
        assert_eq!(decoder.decoded(), before);
        let mut back = decoder
            .look_back(MediaTime::from_secs_f64(9.0), Duration::from_secs(9))
            .unwrap();
        assert!(back.next().is_none());
    }

    #[test]
    fn waking_in_the_middle_of_a_group_gives_every_picture_once_and_in_order() {
        for (name, packets) in streams(&Studio::new(), 60) {
            for wake_at in [10, 11, 17, 23, 30] {
                let mut decoder = on_demand(2);
                let asleep = feed(&mut decoder, &packets[..wake_at], DecodeDemand::Asleep);
                let mut last_look = tenths(&asleep).pop().unwrap();
                if packets[wake_at].key {
                    last_look = (packets[wake_at].time.secs_f64() * 10.0).round() as i64 - 1;
                }
                let awake = tenths(&feed(&mut decoder, &packets[wake_at..], AWAKE));
                let all: Vec<i64> = (last_look + 1..).take(awake.len()).collect();
                assert_eq!(awake, all, "{name} woken at {wake_at}");
                assert!(
                    awake.len() as i64 >= 59 - last_look - 4,
                    "{name}: {awake:?}"
                );
            }
        }
    }

    #[test]
    fn falling_asleep_goes_back_to_keyframes() {
        for (name, packets) in streams(&Studio::new(), 60) {
            let mut decoder = on_demand(2);
            feed(&mut decoder, &packets[..25], AWAKE);
            let before = decoder.decoded();
            let keys = packets[25..].iter().filter(|p| p.key).count();
            let frames = feed(&mut decoder, &packets[25..], DecodeDemand::Asleep);
            assert_eq!(frames.len(), keys, "{name}");
            assert_eq!(decoder.decoded() - before, keys as u64, "{name}");
        }
    }

    #[test]
    fn keyframes_that_lean_on_the_past_are_seen_all_the_same() {
        let open = format!("{} -x264-params open-gop=1:ref=3", x264(10, 3));
        let packets = packets(&Studio::new().video("open.mp4", 80, &open));
        for begin in [0, 15] {
            let mut decoder = on_demand(2);
            let asleep = tenths(&feed(
                &mut decoder,
                &packets[begin..50],
                DecodeDemand::Asleep,
            ));
            assert!(asleep.is_sorted() && asleep.len() >= 2, "{asleep:?}");
            let awake = tenths(&feed(&mut decoder, &packets[50..], AWAKE));
            let all: Vec<i64> = (awake[0]..).take(awake.len()).collect();
            assert_eq!(awake, all);
            assert!(
                awake.len() > 25 && awake[0] > *asleep.last().unwrap(),
                "{awake:?}"
            );
        }
    }

    #[test]
    fn at_the_end_nothing_is_held_back() {
        for (name, packets) in streams(&Studio::new(), 30) {
            let mut decoder = on_demand(2);
            let mut frames = feed(&mut decoder, &packets, AWAKE);
            frames.extend(decoder.finish());
            assert_eq!(tenths(&frames), (0..30).collect::<Vec<_>>(), "{name}");
            assert_eq!(decoder.decoded(), 30);
        }
    }

    #[test]
    fn rare_keyframes_are_made_up_for_by_bursts() {
        let studio = Studio::new();
        for (name, options) in [
            ("plain.mp4", x264(100, 0)),
            ("b.mp4", x264(100, 2)),
            ("hevc.mp4", x265(100, false)),
        ] {
            let packets = packets(&studio.video(name, 100, &options));
            let mut decoder = on_demand(2);
            let looks = tenths(&feed(&mut decoder, &packets, DecodeDemand::Asleep));
            assert!((4..=6).contains(&looks.len()), "{name}: {looks:?}");
            // A picture that is shown later than it is coded holds a look up by the depth of reordering.
            assert!(
                looks.windows(2).all(|w| w[1] - w[0] <= 24),
                "{name}: {looks:?}"
            );
        }
    }

    #[test]
    fn a_keyframe_interval_just_above_the_promise_costs_no_bursts_once_it_is_known() {
        let packets = packets(&Studio::new().video("v.mp4", 110, &x264(22, 0)));
        let mut decoder = on_demand(2);
        let looks = tenths(&feed(&mut decoder, &packets, DecodeDemand::Asleep));
        assert_eq!(looks, [0, 20, 22, 44, 66, 88]);
    }

    #[test]
    fn pictures_that_nobody_looks_at_and_nothing_needs_are_not_decoded() {
        let (_, packets) = streams(&Studio::new(), 40).remove(1);
        let droppable = packets.iter().filter(|p| p.droppable).count() as u64;
        assert!(droppable > 10);
        let mut decoder = on_demand(2);
        for packet in &packets {
            let never = MediaTime::from_secs_f64(1e6);
            decoder.push(packet.clone(), AWAKE, never).unwrap();
        }
        assert!(decoder.decoded() <= 40 - droppable);
        assert!(decoder.decoded() >= 40 - droppable - 3);
    }

    #[test]
    fn a_look_back_gives_the_pictures_before_without_disturbing_what_goes_on() {
        for (name, packets) in streams(&Studio::new(), 60) {
            let mut decoder = on_demand(2);
            feed(&mut decoder, &packets[..31], DecodeDemand::Asleep);
            let woken = packets[..31].iter().rfind(|p| p.key).unwrap().time;
            let before = decoder.decoded();
            let back: Vec<_> = decoder
                .look_back(woken, Duration::from_secs(1))
                .unwrap()
                .collect();
            assert_eq!(decoder.decoded(), before);
            let key = packets[..31]
                .iter()
                .rposition(|p| p.key && p.time < woken)
                .unwrap();
            let from = (packets[key].time.secs_f64() * 10.0).round() as i64;
            let to = (woken.secs_f64() * 10.0).round() as i64;
            let mut seen = tenths(&back);
            seen.retain(|&t| t >= from);
            // The leading pictures of the keyframe at `woken` are coded after it and not yet here.
            let expected: Vec<i64> = (from..to).take(seen.len()).collect();
            assert_eq!(seen, expected, "{name}");
            assert!(seen.len() as i64 >= to - from - 3, "{name}: {seen:?}");
            let after = tenths(&feed(&mut decoder, &packets[31..], AWAKE));
            assert!(after.is_sorted() && after.len() > 20, "{name}");
        }
    }

    #[test]
    fn a_damaged_unit_is_counted_and_the_next_keyframe_heals() {
        let (_, mut packets) = streams(&Studio::new(), 40).remove(0);
        let rubbish: Vec<u8> = [0, 0, 0, 40, 0x65].into_iter().chain([0xff; 39]).collect();
        packets[13].data = Bytes::from(rubbish);
        let mut decoder = on_demand(2);
        let shown = tenths(&feed(&mut decoder, &packets, AWAKE));
        assert!(decoder.corrupt() >= 1);
        assert!((0..13).all(|n| shown.contains(&n)), "{shown:?}");
        assert!((20..40).all(|n| shown.contains(&n)), "{shown:?}");
        assert!(!shown.contains(&15), "{shown:?}");
    }

    #[test]
    fn a_change_of_size_makes_a_new_decoder() {
        let studio = Studio::new();
        let mut first = packets(&studio.video("a.mp4", 15, &x264(10, 0)));
        let other = studio.ffmpeg(
            "b.mp4",
            "-f lavfi -i testsrc2=size=320x240:rate=10 -frames:v 15 -c:v libx265 -preset ultrafast -x265-params log-level=none:bframes=0",
        );
        let mut second = packets(&other);
        for packet in &mut second {
            packet.time = packet.time + Duration::from_secs(2);
        }
        second[0].discontinuity = true;
        first.extend(second);
        let frames = feed(&mut on_demand(2), &first, AWAKE);
        assert!(frames.len() >= 29, "{}", frames.len());
        assert_eq!(frames.last().unwrap().size.width, 320);
    }
}

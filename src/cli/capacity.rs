//! What a camera costs this machine, measured on the pictures that it shows: how many such cameras the machine can carry.

use std::{thread::available_parallelism, time::Duration};

use crate::{
    base::{
        cpu::{Stage, StageCpu},
        link::WakeSignal,
    },
    config::{CameraConfig, DecoderChoice},
    flow::{DecodeDemand, Frame, MediaTime, NormRect, Packet},
    infer::{DetectRequest, Infer, Priority, Trigger},
    ingest::{IdleDecoders, OnDemand},
};

/// Share of the processor that may be planned with: the rest is for the system, clips and deliveries.
const USABLE: f64 = 0.7;
/// Share of the cameras that are taken to be awake at the same time.
const AWAKE: f64 = 0.25;
/// Looks of each model that are timed; more say little more.
const LOOKS: usize = 10;
/// Longest wait for a look.
const PATIENCE: Duration = Duration::from_secs(10);

/// Cores that one camera keeps busy.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cost {
    /// While nothing happens.
    pub(super) asleep: f64,
    /// While something moves in every picture.
    pub(super) awake: f64,
}

impl Cost {
    /// Of a camera of which `packets` were received, from one keyframe to the next, at the cost `ingest`; none where
    /// they show nothing that can be decoded. `stages` are those that the models were started with.
    pub(super) fn measure(
        camera: &CameraConfig,
        packets: &[Packet],
        ingest: Duration,
        (infer, stages): (&Infer, &StageCpu),
    ) -> Option<Self> {
        let (first, last) = (packets.first()?, packets.last()?);
        let seconds = last.time.since(first.time).as_secs_f64();
        if seconds <= 0.0 {
            return None;
        }
        let (everything, frames) = decode(
            camera.decoder,
            packets,
            DecodeDemand::Awake {
                every: Duration::ZERO,
            },
        );
        let (keyframe, _) = decode(camera.decoder, &packets[..1], DecodeDemand::Asleep);
        let looks = Looks::time(camera, infer, stages, &frames)?;
        let per_second = |spent: Duration| spent.as_secs_f64() / seconds;
        let detect = &camera.detect;
        // Where keyframes are rare, all is decoded even asleep.
        let rare = seconds > camera.max_idle_interval.as_secs_f64() + 0.1;
        let asleep = if rare { everything } else { keyframe };
        let asleep_looks = 1.0 / seconds.min(camera.max_idle_interval.as_secs_f64());
        let persons = detect.detect_fps + detect.max_crops_per_second;
        Some(Self {
            asleep: per_second(ingest) + per_second(asleep) + asleep_looks * looks.motion,
            awake: per_second(ingest)
                + per_second(everything)
                + detect.detect_fps * looks.motion
                + persons * looks.person,
        })
    }

    /// In words.
    pub(super) fn told(self) -> String {
        let percent = |cores: f64| (cores * 100.0).max(0.1);
        format!(
            "costs about {:.1} % of a core asleep and {:.0} % awake",
            percent(self.asleep),
            percent(self.awake).max(1.0)
        )
    }
}

/// How many cameras of these costs, in equal parts, the machine can carry, in words.
pub(super) fn capacity(costs: &[Cost]) -> Option<String> {
    let cores = available_parallelism().map_or(1, usize::from) as f64;
    let count = costs.len() as f64;
    let mean = |of: fn(&Cost) -> f64| costs.iter().map(of).sum::<f64>() / count;
    let (asleep, awake) = (mean(|c| c.asleep), mean(|c| c.awake));
    (awake > 0.0).then(|| {
        let usual = asleep + AWAKE * (awake - asleep);
        format!(
            "about {:.0} cameras like these while one in four is awake, {:.0} if all are; looks come later with more",
            (USABLE * cores / usual).floor().max(1.0),
            (USABLE * cores / awake).floor().max(1.0)
        )
    })
}

fn decode(
    choice: DecoderChoice,
    packets: &[Packet],
    demand: DecodeDemand,
) -> (Duration, Vec<Frame>) {
    let stages = StageCpu::default();
    let mut decoder = OnDemand::new(
        Duration::from_secs(3600),
        choice,
        Vec::new(),
        stages.clone(),
        &IdleDecoders::default(),
    );
    let mut frames = Vec::new();
    for packet in packets {
        let _ = decoder.push(packet.clone(), demand);
        frames.extend(std::iter::from_fn(|| decoder.next_frame(MediaTime::ZERO)));
    }
    decoder.finish();
    frames.extend(std::iter::from_fn(|| decoder.next_frame(MediaTime::ZERO)));
    (stages.get(Stage::Decode), frames)
}

/// CPU seconds of one look.
struct Looks {
    motion: f64,
    person: f64,
}

impl Looks {
    fn time(
        camera: &CameraConfig,
        infer: &Infer,
        stages: &StageCpu,
        frames: &[Frame],
    ) -> Option<Self> {
        let mut eyes = infer.camera(&camera.id, &camera.detect, &WakeSignal::new());
        let spent = || [Stage::Motion, Stage::Person].map(|stage| stages.get(stage));
        let before = spent();
        let frames = &frames[..frames.len().min(LOOKS)];
        let mut runs = 0;
        for frame in frames {
            eyes.motion(frame).ok()?;
            eyes.offer(DetectRequest {
                frame: frame.clone(),
                parts: vec![NormRect::FULL],
                trigger: Trigger::Fixed,
                priority: Priority::Routine,
            });
            runs += eyes.wait(PATIENCE)?.runs;
        }
        let after = spent();
        let each = |n: usize, of: usize| (after[n] - before[n]).as_secs_f64() / of.max(1) as f64;
        Some(Self {
            motion: each(0, frames.len()),
            person: each(1, runs),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_said_in_words() {
        let cost = Cost {
            asleep: 0.01,
            awake: 0.09,
        };
        assert_eq!(
            cost.told(),
            "costs about 1.0 % of a core asleep and 9 % awake"
        );
        let cores = available_parallelism().map_or(1, usize::from) as f64;
        let expected = format!(
            "about {:.0} cameras like these while one in four is awake, {:.0} if all are",
            (0.7 * cores / 0.03).floor(),
            (0.7 * cores / 0.09).floor()
        );
        assert!(capacity(&[cost, cost]).unwrap().starts_with(&expected));
        assert_eq!(capacity(&[]), None);
        assert_eq!(capacity(&[Cost::default()]), None, "nothing was measured");
    }
}

//! CPU time, for the figures that the project promises: of this thread, of this process, and summed by stage.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};

fn read(id: ClockId) -> Duration {
    let t = clock_gettime(id);
    Duration::new(
        u64::try_from(t.tv_sec).unwrap_or(0),
        u32::try_from(t.tv_nsec).unwrap_or(0),
    )
}

/// User and system time of this process so far, all threads.
#[must_use]
pub fn process() -> Duration {
    read(ClockId::ProcessCPUTime)
}

/// User and system time of this thread so far.
#[must_use]
pub fn thread() -> Duration {
    read(ClockId::ThreadCPUTime)
}

/// Where CPU time goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Receiving or demuxing, and parsing.
    Ingest,
    /// Decoding.
    Decode,
    /// Motion model with its resize.
    Motion,
    /// Person model with its resize.
    Person,
    /// Tracker and incident rules.
    Track,
    /// Segments, pictures, rows.
    Clip,
}

impl Stage {
    /// All stages, in the order of the contract.
    pub const ALL: [Self; 6] = [
        Self::Ingest,
        Self::Decode,
        Self::Motion,
        Self::Person,
        Self::Track,
        Self::Clip,
    ];

    /// The name in `stage_cpu_s`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Decode => "decode",
            Self::Motion => "motion",
            Self::Person => "person",
            Self::Track => "track",
            Self::Clip => "clip",
        }
    }
}

/// CPU time summed by stage, over threads. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct StageCpu(Arc<[AtomicU64; 6]>);

impl StageCpu {
    /// Runs `work` and adds this thread's CPU time to `stage`. Stages do not nest.
    pub fn time<T>(&self, stage: Stage, work: impl FnOnce() -> T) -> T {
        let before = thread();
        let out = work();
        self.add(stage, thread().saturating_sub(before));
        out
    }

    /// Adds `spent` to `stage`.
    pub fn add(&self, stage: Stage, spent: Duration) {
        let nanos = u64::try_from(spent.as_nanos()).unwrap_or(u64::MAX);
        self.0[stage as usize].fetch_add(nanos, Ordering::Relaxed);
    }

    /// Sum so far.
    #[must_use]
    pub fn get(&self, stage: Stage) -> Duration {
        Duration::from_nanos(self.0[stage as usize].load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_work_counts() {
        let stages = StageCpu::default();
        stages.time(Stage::Decode, || {
            std::thread::sleep(Duration::from_millis(30))
        });
        assert!(stages.get(Stage::Decode) < Duration::from_millis(25));
        stages.time(Stage::Motion, || {
            let start = thread();
            while thread() - start < Duration::from_millis(5) {
                std::hint::black_box(());
            }
        });
        assert!(stages.get(Stage::Motion) >= Duration::from_millis(5));
        assert!(process() >= stages.get(Stage::Motion));
    }
}

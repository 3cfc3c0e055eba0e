//! When each access unit of a looping video is due. Pure arithmetic, no clock.

use std::time::Duration;

/// Decode and presentation times of one lap, in decode order, and the lap's length.
///
/// In: presentation times in decode order, of any origin. Out: the first unit decodes at zero, decode times never
/// fall, and no unit is presented before it is decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Timeline {
    decode: Vec<Duration>,
    present: Vec<Duration>,
    lap: Duration,
}

/// Where and when a unit is played: `index` in the lap, times since the first lap's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) index: usize,
    pub(super) decode: Duration,
    pub(super) present: Duration,
}

impl Timeline {
    /// `presentation` in nanoseconds, at least one; `last` is how long the last picture is shown, where the file says.
    ///
    /// Containers disagree on decode times, and some hold none. The sorted presentation times are decode times, once
    /// they are moved back by the largest lead of any unit over its own presentation: an encoder with that delay.
    pub(super) fn new(presentation: &[i64], last: Option<Duration>) -> Self {
        let mut sorted = presentation.to_vec();
        sorted.sort_unstable();
        let (first, end) = (sorted[0], sorted[sorted.len() - 1]);
        let lead = sorted
            .iter()
            .zip(presentation)
            .map(|(decode, present)| decode - present)
            .max()
            .unwrap_or(0);
        let since = |time: i64| Duration::from_nanos(u64::try_from(time - first).unwrap_or(0));
        let gaps = u32::try_from(sorted.len() - 1).unwrap_or(u32::MAX);
        let last = last.filter(|last| !last.is_zero()).unwrap_or_else(|| {
            // One picture alone has no rate; 25 a second is as good as any.
            since(end)
                .checked_div(gaps)
                .filter(|mean| !mean.is_zero())
                .unwrap_or(Duration::from_millis(40))
        });
        Self {
            decode: sorted.iter().map(|&time| since(time)).collect(),
            present: presentation
                .iter()
                .map(|&time| since(time.saturating_add(lead)))
                .collect(),
            lap: since(end) + last,
        }
    }

    /// Units in one lap.
    pub(super) fn len(&self) -> usize {
        self.decode.len()
    }

    /// The `n`th unit ever played, lap after lap.
    pub(super) fn due(&self, n: u64) -> Due {
        let len = self.len() as u64;
        let index = (n % len) as usize;
        let laps = Duration::from_nanos(nanos(self.lap).saturating_mul(n / len));
        Due {
            index,
            decode: laps + self.decode[index],
            present: laps + self.present[index],
        }
    }

    /// The first unit that is due at `position` or later.
    pub(super) fn next_after(&self, position: Duration) -> u64 {
        let (lap, position) = (nanos(self.lap), nanos(position));
        let within = Duration::from_nanos(position % lap);
        let index = self.decode.partition_point(|&time| time < within);
        (position / lap) * self.len() as u64 + index as u64
    }
}

/// 584 years at most.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: i64 = 1_000_000;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn reordered_pictures_decode_at_an_even_pace_and_never_after_they_are_shown() {
        // I P B B, shown as I B B P, 100 ms apart, from 5 s on.
        let shown = [5000, 5300, 5100, 5200].map(|at| at * MS);
        let timeline = Timeline::new(&shown, None);
        let dues: Vec<Due> = (0..5).map(|n| timeline.due(n)).collect();
        assert_eq!(
            dues.iter().map(|due| due.decode).collect::<Vec<_>>(),
            [0, 100, 200, 300, 400].map(ms)
        );
        assert_eq!(
            dues.iter().map(|due| due.present).collect::<Vec<_>>(),
            [100, 400, 200, 300, 500].map(ms)
        );
        assert_eq!(timeline.lap, ms(400));
    }

    #[test]
    fn a_joiner_gets_the_unit_that_is_due_next() {
        let timeline = Timeline::new(&[0, 100 * MS, 200 * MS], Some(ms(150)));
        assert_eq!(timeline.lap, ms(350));
        assert_eq!(timeline.next_after(ms(0)), 0);
        assert_eq!(timeline.next_after(ms(101)), 2);
        assert_eq!(timeline.next_after(ms(201)), 3);
        assert_eq!(timeline.next_after(ms(350)), 3);
    }

    proptest! {
        #[test]
        fn time_never_runs_back_over_laps(
            shown in prop::collection::vec(0_i64..10_000_000_000, 1..40),
        ) {
            let timeline = Timeline::new(&shown, None);
            let count = timeline.len() as u64 * 3;
            let dues: Vec<Due> = (0..count).map(|n| timeline.due(n)).collect();
            prop_assert!(dues.windows(2).all(|pair| pair[0].decode <= pair[1].decode));
            prop_assert!(dues.iter().all(|due| due.decode <= due.present));
            prop_assert!(dues[0].decode.is_zero());
        }
    }
}

//! Which frames are looked at: one in each step of a grid, at any frame rate. Pure.

use std::time::Duration;

use crate::flow::MediaTime;

/// The next time on a grid of `every` that began with the first look, after `now`.
pub(super) fn next_on_grid(
    planned: Option<MediaTime>,
    now: MediaTime,
    every: Duration,
) -> MediaTime {
    let from = planned.unwrap_or(now);
    let step = i64::try_from(every.as_nanos()).unwrap_or(i64::MAX);
    if step == 0 {
        return now + Duration::from_nanos(1);
    }
    let steps = (now - from).max(0) / step + 1;
    MediaTime::from_nanos(from.nanos() + steps * step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> MediaTime {
        MediaTime::from_secs_f64(seconds)
    }

    #[test]
    fn looks_keep_to_their_grid_at_any_frame_rate() {
        let every = Duration::from_millis(200);
        for fps in [5.0, 10.0, 12.5, 25.0, 30.0] {
            let mut planned = None;
            let mut looks = 0;
            for frame in 0..(fps * 60.0) as u32 {
                let time = at(f64::from(frame) / fps);
                if planned.is_none_or(|p| time >= p) {
                    planned = Some(next_on_grid(planned, time, every));
                    looks += 1;
                }
            }
            assert!(
                (298..=300).contains(&looks),
                "{looks} looks in 60 s at {fps} fps"
            );
        }
    }

    #[test]
    fn a_late_picture_skips_the_looks_it_missed() {
        let every = Duration::from_millis(200);
        assert_eq!(next_on_grid(Some(at(1.0)), at(1.75), every), at(1.8));
    }
}

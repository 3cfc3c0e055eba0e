//! The lines of `lares replay --mot`, for scoring with the tools of the MOT challenge.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
};

use crate::{
    camera::RawDetections,
    flow::{MediaTime, Size, TrackState},
};

/// Lines of the MOT challenge's format, in pixels of the source, frames from 1.
pub(super) fn write_mot(
    mot: Option<&mut BufWriter<File>>,
    seen: &RawDetections,
    size: Size,
    frame: u64,
) -> io::Result<()> {
    let Some(mot) = mot else { return Ok(()) };
    let (w, h) = (size.width as f32, size.height as f32);
    for detection in &seen.detections {
        let track = seen
            .tracks
            .iter()
            .filter(|track| track.state != TrackState::Tentative)
            .find(|track| track.seen == Some(detection.rect));
        let id = track.map_or(-1, |track| i64::try_from(track.id.0).unwrap_or(-1));
        let rect = detection.rect;
        writeln!(
            mot,
            "{frame},{id},{:.2},{:.2},{:.2},{:.2},{:.4},-1,-1,-1",
            rect.x0 * w,
            rect.y0 * h,
            rect.width() * w,
            rect.height() * h,
            detection.score,
        )?;
    }
    Ok(())
}

/// Numbers pictures from 1 in the order in which they are shown, whatever the order in which they are coded.
#[derive(Default)]
pub(super) struct Presented(Vec<MediaTime>);

impl Presented {
    pub(super) fn note(&mut self, time: MediaTime) {
        let at = self.0.partition_point(|known| *known <= time);
        self.0.insert(at, time);
    }

    pub(super) fn number(&self, time: MediaTime) -> u64 {
        self.0.partition_point(|known| *known <= time) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_numbered_as_shown() {
        let at = |n: i64| MediaTime::from_nanos(n);
        let mut presented = Presented::default();
        for n in [0, 300, 100, 200] {
            presented.note(at(n));
        }
        assert_eq!(
            [0, 100, 200, 300].map(|n| presented.number(at(n))),
            [1, 2, 3, 4]
        );
    }
}

//! Current images for the page: made of frames that are decoded anyway, and only while somebody asks.
//!
//! In: frames of the watch lanes, questions of the page. Out: JPEG bytes. A sleeping camera decodes keyframes alone, so that its
//! pictures are as far apart as these are; nothing is decoded for a still.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::{
    flow::{CameraId, Frame},
    recording,
};

/// Pictures are made for this long after somebody has asked.
const ASKED_FOR: Duration = Duration::from_secs(10);
/// Pictures are at least this far apart.
const APART: Duration = Duration::from_millis(700);
/// A picture that is older shows another time.
const FRESH: Duration = Duration::from_secs(15);
/// Width, in pixels.
const WIDTH: u32 = 960;

#[derive(Default)]
struct Slot {
    asked: Option<Instant>,
    made: Option<(Instant, Bytes)>,
}

/// The newest still of each camera. Cheap to clone.
#[derive(Clone, Default)]
pub struct Stills(Arc<Mutex<BTreeMap<CameraId, Slot>>>);

impl Stills {
    /// The picture of `camera`, where there is one of now; the next ones are made from here on.
    #[must_use]
    pub fn ask(&self, camera: &CameraId) -> Option<Bytes> {
        let mut slots = self.0.lock();
        let slot = slots.get_mut(camera)?;
        slot.asked = Some(Instant::now());
        let (at, jpeg) = slot.made.as_ref()?;
        (at.elapsed() < FRESH).then(|| jpeg.clone())
    }

    /// A camera from now on.
    pub(super) fn open(&self, camera: &CameraId) {
        self.0.lock().entry(camera.clone()).or_default();
    }

    /// Forgets the picture: nobody sees what was there before a camera was disarmed.
    pub(super) fn forget(&self, camera: &CameraId) {
        if let Some(slot) = self.0.lock().get_mut(camera) {
            slot.made = None;
        }
    }

    /// Takes a frame, and makes a picture of it where somebody waits for one.
    pub(super) fn frame(&self, camera: &CameraId, frame: &Frame) {
        if !self.wanted(camera) {
            return;
        }
        match recording::thumbnail(frame, None, WIDTH) {
            Ok(jpeg) => {
                if let Some(slot) = self.0.lock().get_mut(camera) {
                    slot.made = Some((Instant::now(), jpeg.into()));
                }
            }
            Err(error) => tracing::debug!(%camera, %error, "no still"),
        }
    }

    fn wanted(&self, camera: &CameraId) -> bool {
        let slots = self.0.lock();
        slots.get(camera).is_some_and(|slot| {
            slot.asked.is_some_and(|at| at.elapsed() < ASKED_FOR)
                && slot
                    .made
                    .as_ref()
                    .is_none_or(|(at, _)| at.elapsed() >= APART)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{flow::MediaTime, testing::models::Painter};

    #[test]
    fn pictures_are_made_while_somebody_asks() {
        let (stills, door): (Stills, CameraId) = (Stills::default(), "door".parse().unwrap());
        let frame = Painter::new(640, 360).frame(MediaTime::ZERO, |_, _| [90, 128, 128]);
        stills.open(&door);
        stills.frame(&door, &frame);
        assert_eq!(stills.ask(&door), None, "nobody had asked");
        stills.frame(&door, &frame);
        let jpeg = stills.ask(&door).unwrap();
        assert!(jpeg.starts_with(&[0xff, 0xd8]));
        stills.forget(&door);
        assert_eq!(stills.ask(&door), None);
        assert_eq!(stills.ask(&"attic".parse().unwrap()), None);
    }
}

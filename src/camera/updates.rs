//! What the watch lane tells the record lane: changes of incidents, and views of who is there.

use super::detect::sharpness::sharpness;
use crate::{
    flow::{Frame, IncidentChange, IncidentId, IncidentState, Label, MediaTime, NormRect, Track},
    outbox::{Outbox, OutboxError, sinks::LiveState},
};

/// What a view that is all smeared is worth, against a sharp one. Little enough that a larger one still wins.
const SMEARED: f32 = 0.6;

/// Somebody of an incident, in one picture.
#[derive(Clone)]
pub struct SnapshotCandidate {
    /// Of which incident.
    pub incident: IncidentId,
    /// What is seen: what the incident is called after.
    pub label: Label,
    /// The picture.
    pub frame: Frame,
    /// Where in it.
    pub rect: NormRect,
    /// Larger, surer, sharper and wholly inside is better; compares views of one camera.
    pub quality: f32,
}

impl SnapshotCandidate {
    /// The best view of a `label` in `frame` among `tracks`, those that belong to the incident; none where none was seen in it.
    /// Whatever else is in view, such as a parked van behind a person or a cone that looks like one, is not its subject.
    pub(super) fn best<'a>(
        (incident, label): (IncidentId, Label),
        frame: &Frame,
        tracks: impl IntoIterator<Item = &'a Track>,
    ) -> Option<Self> {
        let (rect, quality) = tracks
            .into_iter()
            .filter(|track| track.label == label)
            .filter_map(|track| {
                let rect = track.seen?;
                Some((rect, quality(frame, rect, track.score)))
            })
            .max_by(|a, b| a.1.total_cmp(&b.1))?;
        Some(Self {
            incident,
            label,
            frame: frame.clone(),
            rect,
            quality,
        })
    }
}

/// Score times size, less where it is not sharp; a person cut off by the picture's edge counts half.
fn quality(frame: &Frame, rect: NormRect, score: f32) -> f32 {
    let whole = if rect.touches_edge(0.01) { 0.5 } else { 1.0 };
    let sharp = SMEARED + (1.0 - SMEARED) * sharpness(frame, rect);
    score * rect.clamped().area().sqrt() * whole * sharp
}

/// A change of an incident on its way from the watch lane.
#[derive(Clone)]
pub struct IncidentUpdate {
    /// What changed.
    pub change: IncidentChange,
    /// The view that confirmed it.
    pub view: Option<SnapshotCandidate>,
    /// When the picture that confirmed it was received; none where no picture did.
    pub confirmed_by: Option<MediaTime>,
    /// Presentation time of the newest access unit received when the change was made.
    pub newest: MediaTime,
}

impl IncidentUpdate {
    /// Makes the alert safe: its row is on disk when this returns.
    ///
    /// # Errors
    /// When the disk refuses: hold the report and try again.
    pub fn commit(&self, outbox: &Outbox, live: &LiveState) -> Result<(), OutboxError> {
        let incident = &self.change.incident;
        outbox.alert(incident, self.confirmed_by)?;
        // A car or a dog is not somebody.
        let somebody = incident.label == Label::Person && incident.state != IncidentState::Ended;
        live.person(&incident.camera, somebody);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;
    use crate::{
        base::{clock::SystemClock, telemetry::Metrics},
        config::OutboxConfig,
        flow::{SiteId, TrackId, TrackState},
        testing::models::Painter,
    };

    /// Repeatable noise, evenly spread over -1..1.
    fn noise(x: usize, y: usize) -> f32 {
        let mut seed = (x as u32).wrapping_mul(0x9e37_79b1) ^ (y as u32).wrapping_mul(0x85eb_ca6b);
        seed ^= seed >> 15;
        seed = seed.wrapping_mul(0x2c1b_3c6d);
        seed ^= seed >> 12;
        (seed % 2001) as f32 / 1000.0 - 1.0
    }

    /// A figure in light and dark clothes that fills `rect` before a grey wall, in a picture of 640x360. `smear`: how
    /// far it moved while the shutter was open, in pixels to the right. `grain`: levels of noise.
    fn figure(rect: NormRect, smear: usize, grain: f32) -> Frame {
        Painter::new(640, 360).frame(MediaTime::ZERO, |x, y| {
            let at = |x: usize| {
                let across = (x as f32 / 640.0 - rect.x0) / rect.width();
                let down = (y as f32 / 360.0 - rect.y0) / rect.height();
                let (half, luma) = match down {
                    d if !(0.0..=1.0).contains(&d) => (0.0, 0.0),
                    d if d < 0.15 => (0.16, 150.0),
                    d if d < 0.5 => (
                        0.4,
                        200.0 - 60.0 * f32::from(u8::from((d * 40.0) as i32 % 4 == 0)),
                    ),
                    _ => (0.3, 40.0),
                };
                if (across - 0.5).abs() < half {
                    luma
                } else {
                    110.0
                }
            };
            let mean = (0..=smear)
                .map(|back| at(x.saturating_sub(back)))
                .sum::<f32>()
                / (smear + 1) as f32;
            [(mean + grain * noise(x, y)).round() as u8, 128, 128]
        })
    }

    const PLACE: NormRect = NormRect::new(0.4, 0.2, 0.55, 0.9);

    #[test]
    fn the_same_figure_is_worth_more_where_it_is_sharp() {
        let sharp = quality(&figure(PLACE, 0, 0.0), PLACE, 0.8);
        let mut last = sharp;
        for smear in [4, 8, 16] {
            let smeared = quality(&figure(PLACE, smear, 0.0), PLACE, 0.8);
            assert!(smeared < last * 0.97, "{smear}: {smeared} of {last}");
            last = smeared;
        }
        assert!(last < 0.85 * sharp, "{last} of {sharp}");
        assert!(last >= SMEARED * sharp, "bounded: {last} of {sharp}");
    }

    fn track(label: Label, rect: NormRect, score: f32) -> Track {
        Track {
            id: TrackId(1),
            label,
            state: TrackState::Tracked,
            rect,
            seen: Some(rect),
            score,
            top_score: score,
            evidence: 1.0,
            hits: 3,
            first_seen: MediaTime::ZERO,
            last_seen: MediaTime::ZERO,
            first_rect: rect,
            travelled: 0.5,
            velocity: (0.0, 0.0),
            leaving: false,
        }
    }

    #[test]
    fn the_picture_is_of_what_the_incident_is_called_after() {
        let frame = figure(PLACE, 0, 0.0);
        let van = NormRect::new(0.05, 0.1, 0.9, 0.95);
        let tracks = [
            track(Label::Car, van, 0.95),
            track(Label::Person, PLACE, 0.6),
        ];
        let best = |label| SnapshotCandidate::best((IncidentId::new(), label), &frame, &tracks);
        assert_eq!(best(Label::Person).unwrap().rect, PLACE);
        assert_eq!(best(Label::Car).unwrap().rect, van);
        assert!(best(Label::Dog).is_none());
    }

    #[test]
    fn only_a_person_is_somebody() {
        let dir = tempfile::tempdir().unwrap();
        let site: SiteId = "home".parse().unwrap();
        let outbox = Outbox::open(
            dir.path(),
            site.clone(),
            SystemClock::start(),
            OutboxConfig::default(),
            Metrics::new(),
        )
        .unwrap();
        let (live, told) = (LiveState::new(&site), Arc::new(Mutex::new(Vec::new())));
        let heard = told.clone();
        live.also_to(move |topic, word| {
            assert_eq!(topic, "lares/home/door/person");
            heard
                .lock()
                .push(String::from_utf8_lossy(word).into_owned());
        });
        for (label, state) in [
            (Label::Car, IncidentState::Began),
            (Label::Person, IncidentState::Updated),
            (Label::Person, IncidentState::Ended),
        ] {
            let mut incident = crate::testing::incidents::visit(0.0);
            (incident.label, incident.state) = (label, state);
            let report = IncidentUpdate {
                change: IncidentChange {
                    incident,
                    recording: false,
                    subject: None,
                },
                view: None,
                confirmed_by: None,
                newest: MediaTime::ZERO,
            };
            report.commit(&outbox, &live).unwrap();
        }
        assert_eq!(*told.lock(), ["OFF", "ON", "OFF"]);
    }

    #[test]
    fn a_photograph_is_sharp_until_it_is_smeared() {
        use crate::testing::models;
        let picture = models::golden_picture();
        let face = NormRect::new(0.1, 0.1, 0.6, 0.9);
        let smeared = |by: usize| {
            let painter = Painter::new(picture.size.width, picture.size.height);
            let frame = painter.frame(MediaTime::ZERO, |x, y| {
                let row = picture.luma_row(y);
                let sum: usize = (0..=by)
                    .map(|back| usize::from(row[x.saturating_sub(back)]))
                    .sum();
                [(sum / (by + 1)) as u8, 128, 128]
            });
            sharpness(&frame, face)
        };
        let by = [0, 8, 16, 32].map(smeared);
        assert!(
            by[0] > 0.8 && by.is_sorted_by(|a, b| *a > 1.1 * b),
            "{by:?}"
        );
    }

    #[test]
    fn noise_is_no_structure() {
        let of = |smear, grain| sharpness(&figure(PLACE, smear, grain), PLACE);
        let wall = Painter::new(640, 360).frame(MediaTime::ZERO, |x, y| {
            [(110.0 + 12.0 * noise(x, y)).round() as u8, 128, 128]
        });
        let (wall, clean) = (sharpness(&wall, PLACE), of(0, 0.0));
        assert!(wall < 0.3 * clean, "{wall} and {clean}");
        for smear in [0, 8] {
            let (clean, grainy) = (of(smear, 0.0), of(smear, 12.0));
            assert!(grainy < clean * 1.1, "{smear}: {grainy} and {clean}");
        }
        assert!(of(8, 12.0) < 0.9 * of(0, 12.0));
    }

    #[test]
    fn light_and_size_matter_little_to_sharpness() {
        let far = NormRect::new(0.4, 0.2, 0.475, 0.55);
        let (near, far) = (
            sharpness(&figure(PLACE, 0, 3.0), PLACE),
            sharpness(&figure(far, 0, 3.0), far),
        );
        assert!((near / far - 1.0).abs() < 0.35, "{near} and {far}");
        let day = figure(PLACE, 0, 0.0);
        let night = Painter::new(640, 360).frame(MediaTime::ZERO, |x, y| {
            [day.luma_row(y)[x] / 2 + 10, 128, 128]
        });
        let ratio = sharpness(&night, PLACE) / sharpness(&figure(PLACE, 0, 0.0), PLACE);
        assert!((ratio - 1.0).abs() < 0.15, "{ratio}");
    }

    #[test]
    fn larger_and_surer_goes_before_sharper() {
        let small = NormRect::new(0.4, 0.2, 0.5, 0.67);
        let sharp = quality(&figure(small, 0, 0.0), small, 0.6);
        let smeared = quality(&figure(PLACE, 3, 0.0), PLACE, 0.8);
        assert!(smeared > 1.25 * sharp, "{smeared} and {sharp}");
    }

    #[test]
    fn whoever_is_cut_off_by_the_edge_loses() {
        let cut = NormRect::new(0.0, 0.2, 0.15, 0.9);
        let (at_edge, inside) = (
            quality(&figure(cut, 0, 0.0), cut, 0.9),
            quality(&figure(PLACE, 4, 0.0), PLACE, 0.7),
        );
        assert!(at_edge < inside, "{at_edge} and {inside}");
    }

    #[test]
    fn odd_boxes_have_a_quality() {
        let frame = figure(PLACE, 0, 0.0);
        for rect in [
            NormRect::FULL,
            NormRect::new(-0.5, -0.5, 1.5, 1.5),
            NormRect::new(0.5, 0.5, 0.5, 0.5),
            NormRect::new(0.999, 0.999, 1.0, 1.0),
            NormRect::new(1.2, 1.2, 1.4, 1.4),
            NormRect::new(0.5, 0.0, 0.502, 1.0),
        ] {
            let quality = quality(&frame, rect, 0.9);
            assert!(quality.is_finite() && quality >= 0.0, "{rect:?}: {quality}");
        }
    }
}

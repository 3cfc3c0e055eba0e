//! The box that the hub runs in: heard in this program, whatever broker it has.
//!
//! In: its alerts and the values of the moment, as its broker gets them. Out: rows of the index, and the state of the house. Numbers
//! are not looked at: the outbox delivers here again until the index has an alert, so that none can be missing.

use std::sync::Arc;

use bytes::Bytes;

use crate::{HubError, house::House, index::Index};
use crate::{
    base::clock::Clock,
    flow::{CameraId, SiteId},
    wire::{Health, IncidentMessage},
};

/// Longest word of a camera's state.
const LONGEST_WORD: usize = 16;

/// Hears the box in this program. Cheap to clone.
#[derive(Clone)]
pub struct Near {
    pub(crate) site: SiteId,
    pub(crate) index: Arc<Index>,
    pub(crate) house: House,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Near {
    /// Takes an alert in; it is in the index when this returns. Blocks: not for an async worker.
    ///
    /// # Errors
    /// When the document is none of ours, or the index cannot be written.
    pub fn alert(&self, json: &[u8]) -> Result<(), HubError> {
        let mut message = IncidentMessage::from_json(json).map_err(HubError::Document)?;
        message.n = None;
        if self.index.take(&message)? {
            self.house.incident(message);
        }
        Ok(())
    }

    /// Takes in a value of the moment. What is not for the page is left out.
    pub fn value(&self, topic: &str, payload: &Bytes) {
        let parts: Vec<_> = topic.split('/').collect();
        let (camera, what) = match parts[..] {
            ["lares", _, "health"] => {
                if let Ok(health) = serde_json::from_slice::<Health>(payload) {
                    self.house.health(health, true, self.clock.wall());
                }
                return;
            }
            ["lares", _, camera, what] => (camera, what),
            _ => return,
        };
        let Ok(camera) = camera.parse::<CameraId>() else {
            return;
        };
        if what == "snapshot" {
            self.house.picture(&self.site, &camera, payload.clone());
        } else if let Ok(word) = std::str::from_utf8(payload)
            && word.len() <= LONGEST_WORD
        {
            self.house.word(&self.site, &camera, what, word);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{base::clock::SystemClock, index::Filter};

    #[test]
    fn a_box_is_heard_without_a_broker() {
        let dir = tempfile::tempdir().unwrap();
        let (index, _) = Index::open(dir.path(), jiff::tz::TimeZone::UTC).unwrap();
        let site: SiteId = "home".parse().unwrap();
        let house = House::new([site.clone()], Some(site.clone()), "UTC".to_owned());
        house.near(&site);
        let near = Near {
            site: site.clone(),
            index: Arc::new(index),
            house: house.clone(),
            clock: SystemClock::start(),
        };
        let (mut news, view) = (house.listen(), || {
            serde_json::to_value(house.view(crate::flow::WallTime(1))).unwrap()
        });
        for (what, word) in [("status", "online"), ("mode", "armed"), ("person", "ON")] {
            near.value(&format!("lares/home/door/{what}"), &Bytes::from(word));
        }
        let camera = &view()["cameras"][0];
        assert_eq!(
            (&camera["state"], &camera["person"]),
            (&"online".into(), &true.into())
        );
        while news.try_recv().is_ok() {}

        let json = serde_json::json!({
            "v": 1, "n": 700, "id": "01990000-0000-7000-8000-000000000001", "seq": 1, "state": "began", "end_reason": null,
            "site": "home", "camera": "door", "label": "person", "start": 1_770_000_000_000i64, "end": null,
            "sent": 1, "clock": "good", "score": 0.9, "tracks": 1, "mode": "armed", "thumbnail": null,
            "clip": {"key": null, "state": "none", "segments": 0, "bytes": 0},
        });
        near.alert(json.to_string().as_bytes()).unwrap();
        near.alert(json.to_string().as_bytes()).unwrap();
        assert_eq!(
            near.index.incidents(&Filter::default(), 9).unwrap().0.len(),
            1
        );
        assert!(news.try_recv().is_ok());
        assert!(news.try_recv().is_err(), "the same alert again is no news");
        assert_eq!(
            near.index.highest(&site).unwrap(),
            0,
            "numbers are the broker's"
        );
        assert!(near.alert(b"{}").is_err());

        // A broker of the hub's that goes away says nothing of this box, and is not asked for its alerts.
        assert!(house.there().is_empty() && house.sites().is_empty());
        assert_eq!(view()["sites"][0]["online"], true);
    }
}

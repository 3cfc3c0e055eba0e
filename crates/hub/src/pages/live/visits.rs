//! Who watched what, in the record: an entry for a visit, not for each camera of it.
//!
//! A visit lasts until a session has had no socket for [`OVER`]: who switches tabs or loses the line goes on with it.

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::flow::{CameraId, SiteId};

/// A visit is over after this long.
const OVER: Duration = Duration::from_secs(30 * 60);
/// Visits that are remembered.
const MOST: usize = 1024;

/// A camera of a box.
pub(in crate::pages) type Seen = (SiteId, CameraId);

/// The visits of late, by session.
#[derive(Default)]
pub(in crate::pages) struct Visits(Mutex<HashMap<String, Visit>>);

struct Visit {
    last: Instant,
    noted: BTreeSet<Seen>,
}

impl Visits {
    /// Which of `seen` are new in the session's visit: those are to be written down.
    pub(in crate::pages) fn news(
        &self,
        session: &str,
        seen: impl IntoIterator<Item = Seen>,
        now: Instant,
    ) -> Vec<Seen> {
        let mut all = self.0.lock();
        if all.len() >= MOST {
            all.retain(|_, visit| now.duration_since(visit.last) < OVER);
        }
        let begin = || Visit {
            last: now,
            noted: BTreeSet::new(),
        };
        let visit = all.entry(session.to_owned()).or_insert_with(begin);
        if now.duration_since(visit.last) >= OVER {
            *visit = begin();
        }
        visit.last = now;
        let new = seen.into_iter();
        new.filter(|seen| visit.noted.insert(seen.clone()))
            .collect()
    }

    /// A socket of the session ends.
    pub(in crate::pages) fn left(&self, session: &str, now: Instant) {
        if let Some(visit) = self.0.lock().get_mut(session) {
            visit.last = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_is_new_once_in_a_visit() {
        let visits = Visits::default();
        let home: SiteId = "home".parse().unwrap();
        let seen = |names: &[&str]| -> Vec<Seen> {
            let camera = |name: &&str| (home.clone(), name.parse().unwrap());
            names.iter().map(camera).collect()
        };
        let now = Instant::now();
        let at = |minutes: u64| now + Duration::from_secs(60 * minutes);
        let news =
            |session, names: &[&str], minutes| visits.news(session, seen(names), at(minutes)).len();
        assert_eq!(news("a", &["door", "yard"], 0), 2);
        assert_eq!(news("a", &["yard", "attic"], 1), 1);
        assert_eq!(news("b", &["door"], 1), 1);
        visits.left("a", at(100));
        assert_eq!(news("a", &["door", "yard", "attic"], 120), 0);
        assert_eq!(news("a", &["door"], 150), 1);
    }
}

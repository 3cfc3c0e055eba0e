//! What is deleted first when files outgrow their share of the disk. Pure: no database, no clock, no file.

use crate::flow::{IncidentId, WallTime};

/// Kinds of files, those first that are deleted first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::outbox) enum Kept {
    /// Headers and segments.
    Clip,
    /// Thumbnail and crop.
    Picture,
}

/// An incident's files of one kind on disk, to be weighed against the quotas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::outbox) struct Stored {
    /// Whose.
    pub(in crate::outbox) incident: IncidentId,
    /// Which.
    pub(in crate::outbox) kept: Kept,
    /// When it began.
    pub(in crate::outbox) start: WallTime,
    /// Bytes on disk.
    pub(in crate::outbox) bytes: u64,
    /// All of them have arrived somewhere else.
    pub(in crate::outbox) delivered: bool,
}

/// Bytes to be freed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::outbox) struct Excess {
    /// Of clips.
    pub(in crate::outbox) clips: u64,
    /// Of pictures.
    pub(in crate::outbox) pictures: u64,
    /// Of both together, what is freed for the others included.
    pub(in crate::outbox) all: u64,
}

/// Which incidents' files to delete: delivered ones first, of these clips first, of these the oldest.
#[must_use]
pub(in crate::outbox) fn evict(mut stored: Vec<Stored>, excess: Excess) -> Vec<(IncidentId, Kept)> {
    stored.retain(|s| s.bytes > 0);
    stored.sort_by_key(|s| (!s.delivered, s.kept, s.start, s.incident));
    let mut gone = vec![false; stored.len()];
    let mut take = |most: u64, wanted: &dyn Fn(&Stored) -> bool| {
        let going = stored.iter().zip(&gone).filter(|(_, gone)| **gone);
        let mut freed: u64 = going
            .map(|(s, _)| s)
            .filter(|s| wanted(s))
            .map(|s| s.bytes)
            .sum();
        for (stored, gone) in stored.iter().zip(&mut gone) {
            if freed < most && !*gone && wanted(stored) {
                *gone = true;
                freed += stored.bytes;
            }
        }
    };
    take(excess.clips, &|s| s.kept == Kept::Clip);
    take(excess.pictures, &|s| s.kept == Kept::Picture);
    take(excess.all, &|_| true);
    stored
        .iter()
        .zip(gone)
        .filter(|(_, gone)| *gone)
        .map(|(stored, _)| (stored.incident, stored.kept))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn incident(n: u8) -> IncidentId {
        IncidentId(Uuid::from_u128(u128::from(n)))
    }

    proptest! {
        #[test]
        fn what_is_evicted_is_enough_and_undelivered_only_where_nothing_else_is_left(
            files in proptest::collection::vec((1u64..1000, any::<bool>(), any::<bool>()), 0..20),
            clips in 0u64..4000, pictures in 0u64..4000, all in 0u64..8000,
        ) {
            let stored: Vec<_> = files.iter().enumerate().map(|(at, (bytes, delivered, clip))| Stored {
                incident: incident(at as u8),
                kept: if *clip { Kept::Clip } else { Kept::Picture },
                start: WallTime(at as i64),
                bytes: *bytes,
                delivered: *delivered,
            }).collect();
            let gone = evict(stored.clone(), Excess { clips, pictures, all });
            let is_gone = |s: &Stored| gone.contains(&(s.incident, s.kept));
            let of = |kept: Option<Kept>, gone: bool| -> u64 {
                let kept = stored.iter().filter(|s| kept.is_none_or(|kept| s.kept == kept));
                kept.filter(|s| !gone || is_gone(s)).map(|s| s.bytes).sum()
            };
            for (excess, kept) in [(clips, Some(Kept::Clip)), (pictures, Some(Kept::Picture)), (all, None)] {
                prop_assert!(of(kept, true) >= excess.min(of(kept, false)));
            }
            for kept in [Kept::Clip, Kept::Picture] {
                let of_kind = || stored.iter().filter(|s| s.kept == kept);
                let lost = of_kind().any(|s| !s.delivered && is_gone(s));
                prop_assert!(!(lost && of_kind().any(|s| s.delivered && !is_gone(s))));
                // Of those that are alike, the oldest.
                for delivered in [true, false] {
                    let alike: Vec<_> = of_kind().filter(|s| s.delivered == delivered).map(is_gone).collect();
                    prop_assert!(alike.is_sorted_by(|a, b| a >= b), "{:?}", alike);
                }
            }
            if clips == 0 && pictures == 0 {
                prop_assert!(all > 0 || gone.is_empty());
            }
        }
    }
}

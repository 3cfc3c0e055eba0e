//! Files on their way to disk, in order, held and tried again while the disk refuses.
//!
//! In: files with their content, and events that may only be told once the files before them are on disk. Out: the
//! events, in that order. Bounded by bytes and by time: what stays refused is given up, said so, and everything that
//! names it is left out.

use std::{
    collections::{HashSet, VecDeque},
    path::PathBuf,
    time::Duration,
};

use super::files::{self, Content};
use crate::{
    flow::{MediaFile, MediaTime},
    recording::ClipEvent,
};

/// Wait between two tries while the disk refuses.
const RETRY_EVERY: Duration = Duration::from_secs(1);
/// How long a file is tried before it is given up.
const GIVE_UP_AFTER: Duration = Duration::from_secs(30);

#[derive(Debug)]
enum Entry {
    Write {
        file: MediaFile,
        content: Content,
        since: MediaTime,
    },
    Tell {
        event: ClipEvent,
    },
}

/// A queue in front of the disk.
#[derive(Debug)]
pub(super) struct WriteQueue {
    most_bytes: u64,
    queue: VecDeque<Entry>,
    bytes: u64,
    /// When to try again, while the disk refuses.
    retry_at: Option<MediaTime>,
    /// Files given up that something in the queue may still name.
    lost: HashSet<PathBuf>,
}

impl WriteQueue {
    /// Holds at most `most_bytes` while the disk refuses.
    pub(super) fn new(most_bytes: u64) -> Self {
        Self {
            most_bytes,
            queue: VecDeque::new(),
            bytes: 0,
            retry_at: None,
            lost: HashSet::new(),
        }
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Queues a file; [`ClipEvent::File`] follows once it is on disk.
    pub(super) fn write(&mut self, file: MediaFile, content: Content, now: MediaTime) {
        self.bytes += content.bytes;
        self.queue.push_back(Entry::Write {
            file,
            content,
            since: now,
        });
    }

    /// Queues an event.
    pub(super) fn tell(&mut self, event: ClipEvent) {
        self.queue.push_back(Entry::Tell { event });
    }

    /// Does what can be done at `now`. `last`: there will be no other try. Appends what happened to `events` and
    /// returns the files given up.
    pub(super) fn run(
        &mut self,
        now: MediaTime,
        last: bool,
        events: &mut Vec<ClipEvent>,
    ) -> Vec<MediaFile> {
        let mut given_up = Vec::new();
        let waiting = self.retry_at.is_some_and(|at| now < at);
        if waiting && !last && self.bytes <= self.most_bytes {
            return given_up;
        }
        while let Some(entry) = self.queue.pop_front() {
            match entry {
                Entry::Tell { event } => {
                    if !self.names_lost_file(&event) {
                        events.push(event);
                    }
                }
                Entry::Write {
                    file,
                    content,
                    since,
                } => {
                    if self.lost.contains(&header_of(&file)) {
                        self.give_up(file, &content, &mut given_up);
                        continue;
                    }
                    let Err(error) = files::write(&file.path, &content) else {
                        self.bytes -= content.bytes;
                        self.retry_at = None;
                        events.push(ClipEvent::File(file));
                        continue;
                    };
                    let lost =
                        last || self.bytes > self.most_bytes || now.since(since) >= GIVE_UP_AFTER;
                    if lost || self.retry_at.is_none() {
                        events.push(ClipEvent::Trouble {
                            incident: file.incident,
                            error,
                            lost,
                        });
                    }
                    self.retry_at = Some(now + RETRY_EVERY);
                    if lost {
                        self.give_up(file, &content, &mut given_up);
                    } else {
                        self.queue.push_front(Entry::Write {
                            file,
                            content,
                            since,
                        });
                        break;
                    }
                }
            }
        }
        if self.queue.is_empty() {
            self.lost.clear();
        }
        given_up
    }

    fn give_up(&mut self, file: MediaFile, content: &Content, given_up: &mut Vec<MediaFile>) {
        self.bytes -= content.bytes;
        self.lost.insert(file.path.clone());
        given_up.push(file);
    }

    fn names_lost_file(&self, event: &ClipEvent) -> bool {
        matches!(event, ClipEvent::Uses { file, .. }
            if self.lost.contains(&file.path) || self.lost.contains(&header_of(file)))
    }
}

/// Where the header lies that `file` needs; itself for a header.
fn header_of(file: &MediaFile) -> PathBuf {
    file.path.with_file_name(header_name(file.init))
}

/// Name of header number `number` of a rendition.
pub(super) fn header_name(number: u32) -> String {
    format!("init-{number}.mp4")
}

/// Name of media segment number `number` of a rendition.
pub(super) fn segment_name(number: u32) -> String {
    format!("{number:05}.m4s")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use bytes::Bytes;

    use super::*;
    use crate::{
        flow::{IncidentId, MediaKind, Rendition},
        recording::scripted::at,
    };

    fn file(kind: MediaKind, number: u32, folder: &std::path::Path) -> MediaFile {
        let name = match kind {
            MediaKind::Init => header_name(number),
            MediaKind::Media => segment_name(number),
        };
        MediaFile {
            incident: IncidentId::default(),
            rendition: Rendition::Sub,
            kind,
            number,
            init: 1,
            path: folder.join(name),
            bytes: 1000,
            sha256: [0; 32],
            start: MediaTime::ZERO,
            duration: Duration::ZERO,
            frames: 0,
            discontinuity: false,
        }
    }

    fn kilobyte() -> Content {
        vec![Bytes::from(vec![0; 1000])].into()
    }

    #[test]
    fn a_full_spool_gives_up_its_oldest_with_all_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("sub");
        fs::write(&folder, b"in the way").unwrap();
        let mut write_queue = WriteQueue::new(2500);
        let mut events = Vec::new();
        let header = file(MediaKind::Init, 1, &folder);
        write_queue.write(header.clone(), kilobyte(), at(0.0));
        let incident = IncidentId::new();
        write_queue.tell(ClipEvent::Uses {
            incident,
            file: header,
        });
        write_queue.write(file(MediaKind::Media, 1, &folder), kilobyte(), at(0.0));
        assert!(write_queue.run(at(0.0), false, &mut events).is_empty());
        assert!(matches!(
            events[..],
            [ClipEvent::Trouble { lost: false, .. }]
        ));
        // One more is too many: the header goes, and without it the segments are of no use.
        write_queue.write(file(MediaKind::Media, 2, &folder), kilobyte(), at(0.2));
        let lost = write_queue.run(at(0.2), false, &mut events);
        assert_eq!(lost.len(), 3);
        assert!(
            matches!(events[1..], [ClipEvent::Trouble { lost: true, .. }]),
            "{events:?}"
        );
        assert_eq!(write_queue.bytes, 0);
    }

    #[test]
    fn retries_wait_and_keep_their_order() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("sub");
        fs::write(&folder, b"in the way").unwrap();
        let mut write_queue = WriteQueue::new(1 << 20);
        let mut events = Vec::new();
        for number in [1, 2] {
            write_queue.write(file(MediaKind::Media, number, &folder), kilobyte(), at(0.0));
        }
        write_queue.run(at(0.0), false, &mut events);
        fs::remove_file(&folder).unwrap();
        write_queue.run(at(0.5), false, &mut events);
        assert_eq!(events.len(), 1, "not yet");
        write_queue.run(at(1.0), false, &mut events);
        let numbers: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                ClipEvent::File(file) => Some(file.number),
                _ => None,
            })
            .collect();
        assert_eq!(numbers, [1, 2]);
    }
}

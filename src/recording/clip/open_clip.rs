//! One incident's clip of one stream: what it wants, what it has, and the names of its files.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;

use super::{
    files::Content,
    segments::Piece,
    write_queue::{WriteQueue, header_name, segment_name},
};
use crate::{
    flow::{IncidentId, MediaFile, MediaKind, MediaTime, Rendition, StreamFormat},
    recording::{ClipEvent, buffer::continuity::same_pictures, cmaf::fmp4},
};

/// Whether a clip takes pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wants {
    /// Everything to come.
    All,
    /// What is shown up to this time.
    Until(MediaTime),
    /// Nothing.
    Nothing,
}

/// A piece that is in a file, or on its way there.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) header: MediaFile,
    pub(super) media: MediaFile,
    pub(super) chain: u64,
    pub(super) key: bool,
    pub(super) first_seq: u64,
    pub(super) next_seq: u64,
    pub(super) end: MediaTime,
}

/// The clip of one incident.
#[derive(Debug)]
pub(super) struct Clip {
    pub(super) incident: IncidentId,
    pub(super) wants: Wants,
    /// Nothing will be wanted once this is over.
    pub(super) ending: bool,
    /// From which unit on.
    pub(super) from_seq: u64,
    /// First unit that it has not got, once it has any.
    pub(super) have: Option<u64>,
    /// From when to when it plays, once it has anything.
    pub(super) span: Option<(MediaTime, MediaTime)>,
    rendition: Rendition,
    folder: PathBuf,
    chain: Option<u64>,
    headers: Vec<(Arc<StreamFormat>, MediaFile)>,
    /// Headers in other folders that it has been told of.
    borrowed: Vec<PathBuf>,
    last_header: u32,
    last_segment: u32,
}

impl Clip {
    /// A clip with nothing in it, whose files go to `dir/<rendition>/`.
    pub(super) fn new(incident: IncidentId, rendition: Rendition, dir: &Path) -> Self {
        Self {
            incident,
            wants: Wants::Nothing,
            ending: false,
            from_seq: 0,
            have: None,
            span: None,
            rendition,
            folder: dir.join(rendition.as_str()),
            chain: None,
            headers: Vec::new(),
            borrowed: Vec::new(),
            last_header: 0,
            last_segment: 0,
        }
    }

    /// Whether it takes pictures.
    pub(super) fn recording(&self) -> bool {
        self.wants != Wants::Nothing
    }

    /// Up to when it takes pictures, where that is known.
    pub(super) fn until(&self) -> Option<MediaTime> {
        match self.wants {
            Wants::Until(time) => Some(time),
            Wants::All | Wants::Nothing => None,
        }
    }

    /// Whether it has everything that it wants.
    pub(super) fn satisfied(&self) -> bool {
        match (self.until(), self.span) {
            (Some(until), Some((_, end))) => end > until,
            _ => false,
        }
    }

    /// Whether `piece` belongs to it.
    pub(super) fn takes(&self, piece: &Piece) -> bool {
        self.recording() && piece.next_seq > self.from_seq
    }

    /// Puts `piece` into a file of its own, after the header that it needs.
    pub(super) fn store(
        &mut self,
        piece: &Piece,
        write_queue: &mut WriteQueue,
        now: MediaTime,
    ) -> Stored {
        let header = self.header(piece, write_queue, now);
        self.last_segment += 1;
        let number = self.last_segment;
        let content: Content = fmp4::segment(number, piece.decode_time, &piece.samples).into();
        let media = MediaFile {
            incident: self.incident,
            rendition: self.rendition,
            kind: MediaKind::Media,
            number,
            init: header.number,
            path: self.folder.join(segment_name(number)),
            bytes: content.bytes,
            sha256: content.sha256,
            start: piece.start,
            duration: piece.end.since(piece.start),
            frames: u32::try_from(piece.samples.len()).unwrap_or(u32::MAX),
            discontinuity: self.breaks_before(piece.chain, piece.first_seq),
        };
        write_queue.write(media.clone(), content, now);
        let stored = Stored {
            header,
            media,
            chain: piece.chain,
            key: piece.key,
            first_seq: piece.first_seq,
            next_seq: piece.next_seq,
            end: piece.end,
        };
        self.note(&stored);
        stored
    }

    /// Takes up a piece that lies in another clip's folder.
    pub(super) fn borrow(&mut self, stored: &Stored, write_queue: &mut WriteQueue) {
        let incident = self.incident;
        if !self.borrowed.contains(&stored.header.path) {
            self.borrowed.push(stored.header.path.clone());
            let file = stored.header.clone();
            write_queue.tell(ClipEvent::Uses { incident, file });
        }
        let mut file = stored.media.clone();
        file.discontinuity = self.breaks_before(stored.chain, stored.first_seq);
        write_queue.tell(ClipEvent::Uses { incident, file });
        self.note(stored);
    }

    /// Forgets a header that could not be written: the next piece makes another.
    pub(super) fn lost_header(&mut self, path: &Path) {
        self.headers.retain(|(_, header)| header.path != path);
    }

    /// Whether a piece of `chain` that begins with unit `first_seq` leaves a hole after what it has.
    fn breaks_before(&self, chain: u64, first_seq: u64) -> bool {
        self.chain.is_some_and(|last| last != chain)
            || self.have.is_some_and(|have| have != first_seq)
    }

    fn note(&mut self, stored: &Stored) {
        self.chain = Some(stored.chain);
        self.have = Some(stored.next_seq);
        let start = self.span.map_or(stored.media.start, |(start, _)| start);
        self.span = Some((start, stored.end));
    }

    fn header(&mut self, piece: &Piece, write_queue: &mut WriteQueue, now: MediaTime) -> MediaFile {
        let known = |(format, _): &&(Arc<StreamFormat>, _)| same_pictures(format, &piece.format);
        if let Some((_, header)) = self.headers.iter().find(known) {
            return header.clone();
        }
        let bytes = fmp4::init(&piece.format).expect("only suited formats are recorded");
        let content: Content = vec![Bytes::from(bytes)].into();
        self.last_header += 1;
        let number = self.last_header;
        let header = MediaFile {
            incident: self.incident,
            rendition: self.rendition,
            kind: MediaKind::Init,
            number,
            init: number,
            path: self.folder.join(header_name(number)),
            bytes: content.bytes,
            sha256: content.sha256,
            start: piece.start,
            duration: Duration::ZERO,
            frames: 0,
            discontinuity: false,
        };
        write_queue.write(header.clone(), content, now);
        self.headers
            .push((Arc::clone(&piece.format), header.clone()));
        header
    }
}

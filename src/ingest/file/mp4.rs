//! What GStreamer's demuxer keeps from us about an MP4 or QuickTime file (ISO/IEC 14496-12): which track is the picture, how it is
//! turned, and where its time begins. Pure but for the file that it reads; no more than the headers of boxes and a few fields.
//!
//! The demuxer follows an edit list by leaving out what no player shows, and with it the keyframe that the rest needs. So edit
//! lists, and durations that count only what is shown, are hidden from it ([`Movie::patches`]) and followed here.

use std::{
    io::{Read, Seek, SeekFrom},
    ops::Range,
};

use crate::flow::Turn;

/// More boxes than this have no file's headers.
const MOST_BOXES: usize = 20_000;

/// The tracks of a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::ingest) struct Movie {
    pub(super) tracks: Vec<Track>,
    /// Words of the file that the demuxer must read otherwise, and how; none without an edit list.
    pub(super) patches: Vec<Patch>,
}

/// A word of the file, and what stands for it.
pub(super) type Patch = (u64, [u8; 4]);

/// Durations become so many times as long, where there is room for it: long enough for what an edit list leaves out, and all by
/// the same factor, since the demuxer takes a track that is much shorter than the others for a cover.
const LONGER: u64 = 1000;

/// A duration in the file: its place, whether it has 64 bits, and its value.
type Duration = (u64, bool, u64);

/// What is to be read instead of the durations.
fn lengthened(durations: &[Duration]) -> impl Iterator<Item = Patch> {
    let room = |&(_, long, value): &Duration| {
        let most = if long { u64::MAX >> 8 } else { 0xffff_fff0 };
        most.checked_div(value).unwrap_or(LONGER)
    };
    let factor = durations
        .iter()
        .map(room)
        .min()
        .unwrap_or(1)
        .clamp(1, LONGER);
    durations.iter().flat_map(move |&(at, long, value)| {
        let [a, b, c, d, e, f, g, h] = (value * factor).to_be_bytes();
        let (high, low) = ([a, b, c, d], [e, f, g, h]);
        let low = (if long { at + 4 } else { at }, low);
        long.then_some((at, high)).into_iter().chain([low])
    })
}

/// One track.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Track {
    pub(super) id: u32,
    /// It says that it holds pictures.
    pub(super) video: bool,
    /// Type of its first sample description.
    pub(super) coding: [u8; 4],
    /// Samples in the header; there may be more in fragments.
    pub(super) samples: u32,
    pub(super) turn: Turn,
    /// The track's own time at which a player's begins, in nanoseconds; none without an edit list.
    pub(super) zero: Option<i64>,
}

impl Movie {
    /// The track to look at: moving pictures before single ones, full tracks before empty ones, then the first.
    pub(super) fn picture(&self) -> Option<&Track> {
        let pictures = self.tracks.iter().filter(|track| track.video);
        pictures.min_by_key(|track| {
            let known = KNOWN.contains(&&track.coding);
            let single = track.samples == 1;
            (!known, single, track.samples == 0)
        })
    }
}

/// Sample descriptions of moving pictures; others are covers, metadata, or of a kind that nobody decodes.
const KNOWN: [&[u8; 4]; 20] = [
    b"avc1", b"avc2", b"avc3", b"avc4", b"hvc1", b"hev1", b"dvh1", b"dvhe", b"mp4v", b"s263",
    b"h263", b"vp08", b"vp09", b"av01", b"mjpa", b"mjpb", b"jpeg", b"raw ", b"apcn", b"apch",
];

/// Reads the headers of `file`; none where it is no such file, or one whose headers are damaged.
pub(super) fn movie(file: &mut (impl Read + Seek)) -> Option<Movie> {
    let length = file.seek(SeekFrom::End(0)).ok()?;
    let mut walk = Walk {
        file,
        left: MOST_BOXES,
    };
    let mut at = 0;
    while at < length {
        let (kind, body) = walk.head(at, length)?;
        match &kind {
            b"moov" => return walk.movie(body),
            _ if at == 0 && !matches!(&kind, b"ftyp" | b"wide" | b"free" | b"skip" | b"mdat") => {
                return None;
            }
            _ => at = body.end,
        }
    }
    None
}

struct Walk<'a, F> {
    file: &'a mut F,
    left: usize,
}

impl<F: Read + Seek> Walk<'_, F> {
    /// Type and body of the box at `at`, which ends at `limit` at the latest.
    fn head(&mut self, at: u64, limit: u64) -> Option<([u8; 4], Range<u64>)> {
        self.left = self.left.checked_sub(1)?;
        let head: [u8; 8] = self.bytes(at)?;
        let kind = [head[4], head[5], head[6], head[7]];
        let size = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
        let (body, size) = match size {
            0 => (at + 8, limit - at),
            1 => (at + 16, u64::from_be_bytes(self.bytes(at + 8)?)),
            size => (at + 8, u64::from(size)),
        };
        let end = at.checked_add(size).filter(|end| *end <= limit)?;
        (body <= end).then_some((kind, body..end))
    }

    fn bytes<const N: usize>(&mut self, at: u64) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        self.file.seek(SeekFrom::Start(at)).ok()?;
        self.file.read_exact(&mut bytes).ok()?;
        Some(bytes)
    }

    fn word(&mut self, at: u64) -> Option<u32> {
        self.bytes(at).map(u32::from_be_bytes)
    }

    /// The boxes in `body`.
    fn children(&mut self, body: Range<u64>) -> Option<Vec<([u8; 4], Range<u64>)>> {
        let (mut at, mut boxes) = (body.start, Vec::new());
        // Some writers end a list of boxes by a zero.
        while at + 8 <= body.end {
            let (kind, inner) = self.head(at, body.end)?;
            at = inner.end;
            boxes.push((kind, inner));
        }
        Some(boxes)
    }

    fn movie(&mut self, body: Range<u64>) -> Option<Movie> {
        let mut movie = Movie::default();
        let (mut scale, mut durations) = (0, Vec::new());
        for (kind, body) in self.children(body)? {
            match &kind {
                b"mvhd" => scale = self.times(body.start, &mut durations)?,
                b"trak" => {
                    let track = self.track(body, scale, &mut movie.patches, &mut durations)?;
                    movie.tracks.push(track);
                }
                _ => {}
            }
        }
        if !movie.patches.is_empty() {
            movie.patches.extend(lengthened(&durations));
        }
        Some(movie)
    }

    /// timescale of `mvhd` and `mdhd`, which begin alike. The duration is noted.
    fn times(&mut self, at: u64, durations: &mut Vec<Duration>) -> Option<u32> {
        let long = self.bytes::<1>(at)? == [1];
        let (scale, place) = if long { (20, at + 24) } else { (12, at + 16) };
        let duration = match long {
            true => u64::from_be_bytes(self.bytes(place)?),
            false => u64::from(self.word(place)?),
        };
        durations.push((place, long, duration));
        self.word(at + scale)
    }

    fn track(
        &mut self,
        body: Range<u64>,
        movie_scale: u32,
        patches: &mut Vec<Patch>,
        durations: &mut Vec<Duration>,
    ) -> Option<Track> {
        let mut track = Track::default();
        let (mut list, mut scale) = (None, 0);
        let mut boxes = self.children(body)?;
        while let Some((kind, body)) = boxes.pop() {
            let at = body.start;
            match &kind {
                b"tkhd" => {
                    let long = self.bytes::<1>(at)? == [1];
                    track.id = self.word(at + if long { 20 } else { 12 })?;
                    let matrix = at + if long { 52 } else { 40 };
                    track.turn = self.turn(matrix)?;
                }
                b"edts" => {
                    patches.push((at - 4, *b"free"));
                    let inner = self.children(body)?;
                    list = inner.into_iter().find(|(kind, _)| kind == b"elst");
                }
                b"mdhd" => scale = self.times(at, durations)?,
                b"hdlr" => track.video |= self.bytes(at + 8)? == *b"vide",
                b"stsd" if body.end - at >= 16 => track.coding = self.bytes(at + 12)?,
                b"stsz" => track.samples = self.word(at + 8)?,
                b"mdia" | b"minf" | b"stbl" => boxes.extend(self.children(body)?),
                _ => {}
            }
        }
        if let Some((_, list)) = list {
            track.zero = self.zero(list, scale, movie_scale);
        }
        Some(track)
    }

    /// The first two columns of a matrix, row by row: a b u, c d v.
    fn turn(&mut self, at: u64) -> Option<Turn> {
        let mut number = |place: u64| self.word(at + 4 * place).map(u32::cast_signed);
        let numbers = [number(0)?, number(1)?, number(3)?, number(4)?];
        Some(Turn::from_matrix(numbers).unwrap_or_default())
    }

    /// Where the time of players begins: empty edits move the track back, and the first other one begins amid its media. What
    /// later edits cut out is looked at like the rest.
    fn zero(&mut self, list: Range<u64>, scale: u32, movie_scale: u32) -> Option<i64> {
        let long = self.bytes::<1>(list.start)? == [1];
        let count = self.word(list.start + 4)?;
        let nanos = |ticks: i64, scale: u32| {
            let nanos = i128::from(ticks) * 1_000_000_000 / i128::from(scale.max(1));
            i64::try_from(nanos).ok()
        };
        let mut empty = 0i64;
        for number in 0..u64::from(count.min(64)) {
            let entry = list.start + 8 + number * if long { 20 } else { 12 };
            let (duration, start) = match long {
                true => (
                    i64::try_from(u64::from_be_bytes(self.bytes(entry)?)).ok()?,
                    i64::from_be_bytes(self.bytes(entry + 8)?),
                ),
                false => (
                    i64::from(self.word(entry)?),
                    i64::from(self.word(entry + 4)?.cast_signed()),
                ),
            };
            if start >= 0 {
                return nanos(start, scale)?.checked_sub(empty);
            }
            empty = empty.checked_add(nanos(duration, movie_scale)?)?;
        }
        None
    }
}

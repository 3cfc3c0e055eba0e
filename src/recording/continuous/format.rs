//! The format of one file of a recording, and how it is read again.
//!
//! | box | what is in it |
//! |---|---|
//! | `ftyp`, `moov` | the header that every fragment needs |
//! | `uuid` | [`Head`]: of what, as JSON |
//! | `styp`, `moof`, `mdat` | a fragment, again and again; each begins where the one before ended |
//! | `free` | after each fragment its [checksum](check) |
//! | `uuid` | [`Table`]: where the fragments are. It is written once everything before it is on the disk |
//!
//! Decode times are absolute: ticks of 1/90000 s since 1970. A file without a table was being written when the power went; it is
//! [scanned](scan) and counts up to its last whole fragment. Pure but for reading.

use std::{fs::File, io, os::unix::fs::FileExt};

use serde::{Deserialize, Serialize};

use crate::{base::recordings::Why, flow::CameraId, recording::cmaf::boxes::BoxWriter};

/// Ticks in a millisecond.
pub(super) const TICKS_MS: i64 = 90;
/// The longest file, in bytes: places in it have 31 bits.
pub(super) const LONGEST_FILE: u64 = 256 << 20;

const HEAD: &[u8; 16] = b"lares-recording-";
const TABLE: &[u8; 16] = b"lares-fragments-";
/// Longest box but `mdat`.
const LONGEST_BOX: u64 = 4 << 20;
/// What is read at once of a file's end: a usual table is in it.
const TAIL: u64 = 4096;
/// Bytes of an entry.
const ENTRY: usize = 12;
const KEY: u32 = 1 << 31;

/// Bytes of what follows a fragment.
pub(super) const CHECK: u64 = 12;

/// What follows a fragment: a `free` box with the CRC-32 of all its bytes. What never reached the disk reads as zeros.
pub(super) fn check(fragment: &[u8]) -> [u8; CHECK as usize] {
    let mut crc = flate2::Crc::new();
    crc.update(fragment);
    let mut written = *b"\0\0\0\x0cfree\0\0\0\0";
    written[8..].copy_from_slice(&crc.sum().to_be_bytes());
    written
}

/// What a file says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) v: u32,
    pub(super) camera: CameraId,
    /// The clock was known to be right.
    pub(super) clock_sure: bool,
    /// Why nothing was recorded before; none where it continues the file before.
    pub(super) before: Option<Why>,
    pub(super) codec: String,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// A fragment of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fragment {
    /// Where it begins, in bytes.
    pub(super) offset: u32,
    /// When it begins, in ticks after the file does.
    pub(super) at: u32,
    pub(super) frames: u32,
    /// Decoding can start here.
    pub(super) key: bool,
}

/// Where everything is in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) head: Head,
    /// When its first picture is shown, in ticks since 1970.
    pub(super) start: i64,
    /// When its last picture is over.
    pub(super) end: i64,
    /// Bytes of `ftyp` and `moov`.
    pub(super) init: u32,
    pub(super) fragments: Vec<Fragment>,
    /// Where the last fragment ends, in bytes.
    pub(super) data_end: u32,
}

impl Table {
    /// When fragment `n` begins, in ticks; for the number behind the last: the file's end.
    pub(super) fn at(&self, n: usize) -> i64 {
        let fragment = self.fragments.get(n);
        fragment.map_or(self.end, |fragment| self.start + i64::from(fragment.at))
    }

    /// Where fragment `n` begins, in bytes; for the number behind the last: where the data ends.
    pub(super) fn offset(&self, n: usize) -> u32 {
        self.fragments.get(n).map_or(self.data_end, |f| f.offset)
    }

    /// The table as the last box of its file.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let head = head_json(&self.head);
        let mut w = BoxWriter::with_capacity(64 + head.len() + ENTRY * self.fragments.len());
        w.boxed(b"uuid", |w| {
            w.bytes(TABLE);
            w.u64(self.start.cast_unsigned());
            w.u64(self.end.cast_unsigned());
            w.u32(self.init);
            w.u32(u32::try_from(head.len()).unwrap_or(0));
            w.bytes(&head);
            w.u32(u32::try_from(self.fragments.len()).unwrap_or(u32::MAX));
            for fragment in &self.fragments {
                w.u32(fragment.offset | if fragment.key { KEY } else { 0 });
                w.u32(fragment.at);
                w.u32(fragment.frames);
            }
            let length = w.len() + 4;
            w.u32(u32::try_from(length).unwrap_or(u32::MAX));
        });
        w.into_bytes()
    }

    /// The table that ends a file of `length` bytes; none where there is no sound one.
    fn from_bytes(bytes: &[u8], length: u64) -> Option<Self> {
        let mut rest = Reader(bytes);
        let size = rest.u32()?;
        if size as usize != bytes.len() || rest.take(4)? != b"uuid" || rest.take(16)? != TABLE {
            return None;
        }
        let (start, end) = (rest.u64()?.cast_signed(), rest.u64()?.cast_signed());
        let (init, head) = (rest.u32()?, rest.u32()? as usize);
        let head: Head = serde_json::from_slice(rest.take(head)?).ok()?;
        let count = rest.u32()? as usize;
        if rest.0.len() != count.checked_mul(ENTRY)? + 4 {
            return None;
        }
        let mut fragments = Vec::with_capacity(count);
        for _ in 0..count {
            let (offset, at, frames) = (rest.u32()?, rest.u32()?, rest.u32()?);
            fragments.push(Fragment {
                offset: offset & !KEY,
                at,
                frames,
                key: offset & KEY != 0,
            });
        }
        let data_end = u32::try_from(length - u64::from(size)).ok()?;
        let table = Self {
            head,
            start,
            end,
            init,
            fragments,
            data_end,
        };
        table.is_sound().then_some(table)
    }

    fn is_sound(&self) -> bool {
        let rise = |n: usize| self.offset(n) < self.offset(n + 1) && self.at(n) < self.at(n + 1);
        !self.fragments.is_empty()
            && self.init > 0
            && self.start >= 0
            && self.init <= self.fragments[0].offset
            && (0..self.fragments.len()).all(rise)
    }
}

fn head_json(head: &Head) -> Vec<u8> {
    serde_json::to_vec(head).expect("a head is plain text and numbers")
}

/// `head` as the box behind the header.
pub(super) fn head_box(head: &Head) -> Vec<u8> {
    let mut w = BoxWriter::with_capacity(256);
    w.boxed(b"uuid", |w| {
        w.bytes(HEAD);
        w.bytes(&head_json(head));
    });
    w.into_bytes()
}

/// Takes numbers off the front of bytes.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes(self.take(8)?.try_into().ok()?))
    }
}

/// The table at the end of `file`; none where it was not closed.
///
/// # Errors
/// When the disk refuses.
pub(super) fn table(file: &File) -> io::Result<Option<Table>> {
    let length = file.metadata()?.len();
    if !(8..=LONGEST_FILE * 2).contains(&length) {
        return Ok(None);
    }
    let read = length.min(TAIL);
    let mut tail = vec![0; usize::try_from(read).unwrap_or(0)];
    file.read_exact_at(&mut tail, length - read)?;
    let Some((_, size)) = tail.split_last_chunk::<4>() else {
        return Ok(None);
    };
    let size = u64::from(u32::from_be_bytes(*size));
    if size < 8 || size > length.min(LONGEST_BOX) {
        return Ok(None);
    }
    let wanted = usize::try_from(size).unwrap_or(usize::MAX);
    if wanted > tail.len() {
        tail = vec![0; wanted];
        file.read_exact_at(&mut tail, length - size)?;
    }
    Ok(Table::from_bytes(&tail[tail.len() - wanted..], length))
}

/// What a fragment's `moof` says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Moof {
    /// Where the sequence number is, from the beginning of the box's content.
    pub(super) sequence: usize,
    /// Where the decode time is.
    pub(super) time: usize,
    pub(super) start: u64,
    pub(super) ticks: u64,
    pub(super) key: bool,
    /// Lengths of its pictures.
    pub(super) sizes: Vec<u32>,
}

/// Reads the content of a `moof` that `fmp4` wrote; none for any other.
pub(super) fn moof(content: &[u8]) -> Option<Moof> {
    let mut rest = Reader(content);
    let begin = |kind: &[u8; 4], rest: &mut Reader<'_>| -> Option<()> {
        rest.u32()?;
        (rest.take(4)? == kind).then_some(())
    };
    begin(b"mfhd", &mut rest)?;
    let sequence = content.len() - rest.0.len() + 4;
    rest.take(8)?;
    begin(b"traf", &mut rest)?;
    begin(b"tfhd", &mut rest)?;
    rest.take(8)?;
    begin(b"tfdt", &mut rest)?;
    rest.take(4)?;
    let time = content.len() - rest.0.len();
    let start = rest.u64()?;
    begin(b"trun", &mut rest)?;
    rest.take(4)?;
    let count = rest.u32()? as usize;
    rest.take(4)?;
    if count == 0 || rest.0.len() != count.checked_mul(16)? {
        return None;
    }
    let (mut ticks, mut key, mut sizes) = (0u64, false, Vec::with_capacity(count));
    for n in 0..count {
        ticks += u64::from(rest.u32()?);
        sizes.push(rest.u32()?);
        const NOT_SYNC: u32 = 0x0001_0000;
        let sync = rest.u32()? & NOT_SYNC == 0;
        key |= n == 0 && sync;
        rest.take(4)?;
    }
    Some(Moof {
        sequence,
        time,
        start,
        ticks,
        key,
        sizes,
    })
}

/// Reads boxes of a file one after the other.
struct Walk<'a> {
    file: &'a File,
    length: u64,
    at: u64,
}

impl Walk<'_> {
    /// Kind and whole length of the next box, where it is whole.
    fn next(&self) -> io::Result<Option<([u8; 4], u64)>> {
        if self.at + 8 > self.length {
            return Ok(None);
        }
        let mut head = [0; 8];
        self.file.read_exact_at(&mut head, self.at)?;
        let [a, b, c, d, kind @ ..] = head;
        let size = u64::from(u32::from_be_bytes([a, b, c, d]));
        let whole = size >= 8 && self.at + size <= self.length;
        Ok(whole.then_some((kind, size)))
    }

    /// The content of the next box, which must be of `kind` and no longer than `most`; goes on behind it.
    fn content(&mut self, kind: &[u8; 4], most: u64) -> io::Result<Option<Vec<u8>>> {
        let Some((_, size)) = self
            .next()?
            .filter(|(is, size)| is == kind && *size <= most)
        else {
            return Ok(None);
        };
        let mut content = vec![0; usize::try_from(size - 8).unwrap_or(0)];
        self.file.read_exact_at(&mut content, self.at + 8)?;
        self.at += size;
        Ok(Some(content))
    }

    /// The next fragment, where every byte of it is as it was written.
    fn fragment(&mut self) -> io::Result<Option<Moof>> {
        let start = self.at;
        let Some(_) = self.content(b"styp", LONGEST_BOX)? else {
            return Ok(None);
        };
        let Some(found) = self.content(b"moof", LONGEST_BOX)? else {
            return Ok(None);
        };
        let Some(found) = moof(&found) else {
            return Ok(None);
        };
        let pictures: u64 = found.sizes.iter().map(|&size| u64::from(size)).sum();
        let mdat = self.next()?.filter(|(kind, _)| kind == b"mdat");
        let Some((_, size)) = mdat.filter(|(_, size)| *size == pictures + 8) else {
            return Ok(None);
        };
        let end = self.at + size;
        if end - start > LONGEST_FILE || end + CHECK > self.length {
            return Ok(None);
        }
        let mut bytes = vec![0; usize::try_from(end - start + CHECK).unwrap_or(0)];
        self.file.read_exact_at(&mut bytes, start)?;
        let (fragment, written) = bytes.split_at(bytes.len() - CHECK as usize);
        self.at = end + CHECK;
        Ok((check(fragment) == written).then_some(found))
    }
}

/// What of `file` is whole, by reading all of it; none where not even one fragment is.
///
/// # Errors
/// When the disk refuses.
pub(super) fn scan(file: &File) -> io::Result<Option<Table>> {
    let length = file.metadata()?.len();
    let mut walk = Walk {
        file,
        length,
        at: 0,
    };
    let header = walk.content(b"ftyp", LONGEST_BOX)?.is_some()
        && walk.content(b"moov", LONGEST_BOX)?.is_some();
    let init = walk.at;
    let head = match walk.content(b"uuid", LONGEST_BOX)? {
        Some(content) if header => content
            .strip_prefix(HEAD)
            .and_then(|json| serde_json::from_slice(json).ok()),
        _ => None,
    };
    let (Some(head), Ok(init)) = (head, u32::try_from(init)) else {
        return Ok(None);
    };
    let mut fragments: Vec<Fragment> = Vec::new();
    let (mut start, mut end, mut data_end) = (0, 0, 0);
    while let Ok(offset) = u32::try_from(walk.at) {
        let Some(found) = walk.fragment()? else { break };
        if fragments.is_empty() {
            start = found.start;
        } else if found.start != end {
            break;
        }
        end = found.start + found.ticks;
        let Ok(at) = u32::try_from(found.start - start) else {
            break;
        };
        fragments.push(Fragment {
            offset,
            at,
            frames: u32::try_from(found.sizes.len()).unwrap_or(u32::MAX),
            key: found.key,
        });
        data_end = walk.at;
    }
    let table = Table {
        head,
        start: i64::try_from(start).unwrap_or(-1),
        end: i64::try_from(end).unwrap_or(-1),
        init,
        fragments,
        data_end: u32::try_from(data_end).unwrap_or(u32::MAX),
    };
    Ok(table.is_sound().then_some(table))
}

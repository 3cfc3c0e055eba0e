//! A range as one MP4, without encoding anything: the header of its first file, then its fragments with times from zero on. Where
//! something is missing, the file plays on; the facts say what.
//!
//! Read fragment by fragment as somebody asks: a fragment is in memory at a time, however long the range.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt,
    path::Path,
};

use sha2::{Digest, Sha256};

use super::{
    Inner, format,
    index::{self, wall},
    place,
    select::Part,
};
use crate::{
    base::recordings::{Export, Facts, NoRecording, Range},
    flow::{CameraId, StreamRole},
};

/// What is read at once to compute a digest.
const CHUNK: usize = 256 * 1024;

impl Inner {
    pub(super) fn export_of(
        &self,
        camera: &CameraId,
        range: Range,
        stream: Option<StreamRole>,
    ) -> Result<Export, NoRecording> {
        let (role, parts) = self.select(camera, range, stream)?;
        let refused = |error: io::Error| {
            tracing::warn!(%camera, %error, "a recording could not be exported");
            NoRecording::Disk
        };
        let first = &parts[0];
        let init = header(first).map_err(refused)?;
        for pair in parts.windows(2) {
            let [before, part] = pair else { continue };
            if !part.continues(before) && header(part).map_err(refused)? != init {
                return Err(NoRecording::Format(wall(part.start())));
            }
        }
        let lasts: i64 = parts.iter().map(|part| part.end() - part.start()).sum();
        let init = with_duration(&init, lasts.cast_unsigned()).ok_or(NoRecording::Disk)?;
        let bytes = parts.iter().fold(init.len() as u64, |sum, part| {
            let checks = (part.last - part.first) as u64 * format::CHECK;
            sum + u64::from(part.table.offset(part.last) - part.table.offset(part.first)) - checks
        });
        let frames = |part: &Part| -> u64 {
            let fragments = &part.table.fragments[part.first..part.last];
            fragments.iter().map(|f| u64::from(f.frames)).sum()
        };
        let actual = Range {
            from: wall(first.start()),
            to: parts
                .iter()
                .map(|part| wall(part.end()))
                .max()
                .unwrap_or(range.to),
        };
        let gaps = {
            let index = self.index.lock();
            let files = index.0.get(camera);
            files.map(|files| {
                let own: index::Files = files
                    .iter()
                    .filter(|((_, of), _)| *of == role)
                    .map(|(key, entry)| (*key, entry.clone()))
                    .collect();
                index::timeline(&own, actual, None).gaps
            })
        };
        let head = &first.table.head;
        let facts = Facts {
            v: 1,
            site: self.site.to_string(),
            camera: camera.clone(),
            stream: place::word(role).to_owned(),
            asked: range,
            range: actual,
            gaps: gaps.unwrap_or_default(),
            clock_sure: parts.iter().all(|part| part.table.head.clock_sure),
            codec: head.codec.clone(),
            width: head.width,
            height: head.height,
            frames: parts.iter().map(frames).sum(),
            bytes,
            sha256: None,
            program: concat!("lares ", env!("CARGO_PKG_VERSION")).to_owned(),
        };
        let reader = Fragments {
            parts: parts.into(),
            file: None,
            buffer: init,
            read: 0,
            time: 0,
            number: 0,
        };
        Ok(Export {
            facts,
            reader: Box::new(reader),
        })
    }
}

/// `ftyp` and `moov` of a file.
fn header(part: &Part) -> io::Result<Vec<u8>> {
    let mut init = vec![0; part.table.init as usize];
    File::open(&part.path)?.read_exact_at(&mut init, 0)?;
    Ok(init)
}

/// The header with how long the whole film is, in a `mehd` (ISO/IEC 14496-12, 8.8.2) before the `trex`: players show it.
fn with_duration(init: &[u8], ticks: u64) -> Option<Vec<u8>> {
    const LENGTH: u32 = 20;
    let find = |kind: &[u8; 4], from: usize| {
        let at = init.get(from..)?.windows(4).position(|four| four == kind)?;
        (from + at).checked_sub(4)
    };
    let (moov, trex) = (find(b"moov", 0)?, find(b"trex", 0)?);
    let mvex = trex.checked_sub(8)?;
    if init.get(mvex + 4..trex)? != b"mvex" {
        return None;
    }
    let mut out = init.to_vec();
    for at in [moov, mvex] {
        let size: [u8; 4] = out.get(at..at + 4)?.try_into().ok()?;
        let size = u32::from_be_bytes(size).checked_add(LENGTH)?;
        out[at..at + 4].copy_from_slice(&size.to_be_bytes());
    }
    let mut mehd = LENGTH.to_be_bytes().to_vec();
    mehd.extend_from_slice(b"mehd\x01\0\0\0");
    mehd.extend_from_slice(&ticks.to_be_bytes());
    out.splice(trex..trex, mehd);
    Some(out)
}

/// The bytes of an export.
struct Fragments {
    parts: std::collections::VecDeque<Part>,
    file: Option<File>,
    /// What was read and is not taken yet, from `read` on.
    buffer: Vec<u8>,
    read: usize,
    /// When the next fragment begins, in ticks from the first.
    time: u64,
    number: u32,
}

impl Fragments {
    /// Reads the next fragment; false after the last.
    fn next(&mut self) -> io::Result<bool> {
        let Some(part) = self.parts.front_mut() else {
            return Ok(false);
        };
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(File::open(&part.path)?),
        };
        let (table, n) = (&part.table, part.first);
        let (from, to) = (table.offset(n), table.offset(n + 1));
        // Without the checksum, which is of the fragment as it lies.
        let length = u64::from(to - from).saturating_sub(format::CHECK);
        self.buffer.resize(usize::try_from(length).unwrap_or(0), 0);
        file.read_exact_at(&mut self.buffer, u64::from(from))?;
        self.number += 1;
        set_time(&mut self.buffer, self.number, self.time)
            .ok_or_else(|| io::Error::other("a fragment of the recording is damaged"))?;
        self.time += (table.at(n + 1) - table.at(n)).cast_unsigned();
        self.read = 0;
        part.first += 1;
        if part.first >= part.last {
            self.parts.pop_front();
            self.file = None;
        }
        Ok(true)
    }
}

/// Gives a fragment (`styp`, `moof`, `mdat`) another number and another decode time.
fn set_time(fragment: &mut [u8], number: u32, time: u64) -> Option<()> {
    let size = |at: usize| -> Option<usize> {
        let bytes: [u8; 4] = fragment.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_be_bytes(bytes)).ok()
    };
    let moof = size(0)?;
    let content = moof + 8..moof.checked_add(size(moof)?)?;
    let found = format::moof(fragment.get(content.clone())?)?;
    let inside = fragment.get_mut(content)?;
    inside[found.sequence..found.sequence + 4].copy_from_slice(&number.to_be_bytes());
    inside[found.time..found.time + 8].copy_from_slice(&time.to_be_bytes());
    Some(())
}

impl Read for Fragments {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.read == self.buffer.len() && !self.next()? {
            return Ok(0);
        }
        let rest = &self.buffer[self.read..];
        let count = rest.len().min(out.len());
        out[..count].copy_from_slice(&rest[..count]);
        self.read += count;
        Ok(count)
    }
}

/// Length and SHA-256 of what `reader` gives, which goes to `out` too.
///
/// # Errors
/// When reading or writing fails.
pub fn copy(reader: &mut dyn Read, out: &mut dyn io::Write) -> io::Result<(u64, String)> {
    let (mut digest, mut bytes) = (Sha256::new(), 0);
    let mut chunk = vec![0; CHUNK];
    loop {
        let count = match reader.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        if count == 0 {
            break;
        }
        digest.update(&chunk[..count]);
        out.write_all(&chunk[..count])?;
        bytes += count as u64;
    }
    Ok((bytes, hex::encode(digest.finalize())))
}

/// Whether the file at `path` is the one that `facts` are of; else what is wrong, in one sentence.
///
/// # Errors
/// When the file cannot be read.
pub fn verify(path: &Path, facts: &Facts) -> io::Result<Result<(), String>> {
    let (bytes, sha256) = copy(&mut File::open(path)?, &mut io::sink())?;
    let Some(expected) = &facts.sha256 else {
        return Ok(Err("the facts beside it hold no sha256".to_owned()));
    };
    if bytes != facts.bytes {
        return Ok(Err(format!(
            "it has {bytes} bytes, and {} when it was exported",
            facts.bytes
        )));
    }
    if !sha256.eq_ignore_ascii_case(expected) {
        return Ok(Err(
            "its sha256 is not the one of the export: the file was changed".to_owned(),
        ));
    }
    Ok(Ok(()))
}

//! Bodies from the disk: read beside the async tasks, a piece at a time, as fast as the client takes them.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
};

use axum::body::Body;
use bytes::Bytes;
use futures::stream;
use sha2::{Digest, Sha256};

use crate::base::tasks;

/// What is read at once, in bytes.
const PIECE: usize = 256 * 1024;

/// Bytes `range` of `file`.
pub(super) fn part(mut file: File, range: Range<u64>) -> Body {
    let length = range.end - range.start;
    let reader = move || -> io::Result<Box<dyn Read + Send>> {
        file.seek(SeekFrom::Start(range.start))?;
        Ok(Box::new(file.take(length)))
    };
    match reader() {
        Ok(reader) => all(reader, ()),
        Err(error) => Body::from_stream(stream::once(std::future::ready(Err::<Bytes, _>(error)))),
    }
}

/// All that `reader` has. `held` is held until then.
pub(super) fn all(reader: Box<dyn Read + Send>, held: impl Send + 'static) -> Body {
    Body::from_stream(stream::try_unfold(
        (reader, held),
        async |(mut reader, held)| -> io::Result<_> {
            let read = tasks::blocking(move || {
                let mut piece = Vec::with_capacity(PIECE);
                let read = (&mut reader).take(PIECE as u64).read_to_end(&mut piece);
                read.map(|_| (piece, reader))
            });
            let (piece, reader) = read.await??;
            let more = !piece.is_empty();
            Ok(more.then(|| (Bytes::from(piece), (reader, held))))
        },
    ))
}

/// The SHA-256 of all that `reader` has, in hexadecimal. Blocks.
pub(super) fn digest(mut reader: Box<dyn Read + Send>) -> io::Result<String> {
    let (mut digest, mut piece) = (Sha256::new(), vec![0; PIECE]);
    loop {
        match reader.read(&mut piece) {
            Ok(0) => return Ok(hex::encode(digest.finalize())),
            Ok(count) => digest.update(&piece[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

//! RTP payloads of JPEG images (RFC 2435): baseline, with the standard Huffman tables, 4:2:0 or 4:2:2.

/// Bytes of an image in one packet.
const PIECE: usize = 1300;

/// What a viewer must know to put an image together again.
struct Image<'a> {
    kind: u8,
    width: u8,
    height: u8,
    tables: Vec<u8>,
    scan: &'a [u8],
}

/// The payloads of an image; none when it is of a kind that RFC 2435 cannot carry.
pub(super) fn payloads(image: &[u8]) -> Vec<Vec<u8>> {
    let Some(image) = read(image) else {
        return Vec::new();
    };
    let pieces = image.scan.chunks(PIECE).enumerate();
    let payload = |(number, piece): (usize, &[u8])| {
        let offset = u32::try_from(number * PIECE).unwrap_or(0).to_be_bytes();
        let mut payload = vec![0, offset[1], offset[2], offset[3]];
        // Q 255: the tables are in the first packet of each image.
        payload.extend([image.kind, 255, image.width, image.height]);
        if number == 0 {
            let length = u16::try_from(image.tables.len()).unwrap_or(0);
            payload.extend([0, 0]);
            payload.extend(length.to_be_bytes());
            payload.extend(&image.tables);
        }
        payload.extend(piece);
        payload
    };
    pieces.map(payload).collect()
}

fn read(image: &[u8]) -> Option<Image<'_>> {
    let mut at = 2;
    let (mut tables, mut frame) = (Vec::new(), None);
    loop {
        let marker = *image.get(at + 1)?;
        let length = usize::from(u16::from_be_bytes([
            *image.get(at + 2)?,
            *image.get(at + 3)?,
        ]));
        let body = image.get(at + 4..at + 2 + length)?;
        at += 2 + length;
        match marker {
            // DQT: a table's number, then its 64 bytes; several may be in one segment.
            0xdb => {
                let whole = body.chunks_exact(65);
                whole.for_each(|table| tables.extend_from_slice(&table[1..]));
            }
            // SOF0: precision, height, width, components, and of the first its number and sampling.
            0xc0 => {
                let size = |at: usize| {
                    let pixels = u16::from_be_bytes([*body.get(at)?, *body.get(at + 1)?]);
                    u8::try_from(pixels.div_ceil(8)).ok()
                };
                let kind = match body.get(7)? {
                    0x21 => 0,
                    0x22 => 1,
                    _ => return None,
                };
                frame = Some((kind, size(3)?, size(1)?));
            }
            0xda => break,
            _ => {}
        }
    }
    let (kind, width, height) = frame?;
    let scan = image.get(at..)?;
    Some(Image {
        kind,
        width,
        height,
        tables,
        scan: scan.strip_suffix(&[0xff, 0xd9]).unwrap_or(scan),
    })
}

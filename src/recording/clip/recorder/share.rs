//! How a clip takes over what other clips of its stream have stored already.

use std::ops::Range;

use super::{Recorder, Segmenter, Stored};

impl Recorder {
    /// Gives the clip at `place` what there is before unit `open`: the stored pieces from the last one on that starts on
    /// a keyframe at or before unit `wanted`, and what lies between them out of the ring. `held`: the pictures from
    /// `open` on will be stored whatever this clip does. Returns its first unit.
    pub(super) fn share(&mut self, place: usize, wanted: u64, open: u64, held: bool) -> u64 {
        let have = self.clips[place].have;
        let mut first = self.stored.len();
        let mut from = open;
        let mut entry = held && self.segmenter.open_on_key() || have == Some(open);
        let mut holes = Vec::new();
        while !entry || wanted < from {
            let before = first.checked_sub(1).map(|i| &self.stored[i]);
            let reach = before.map_or(0, |piece| piece.next_seq);
            if reach <= wanted && reach < from {
                if wanted < from {
                    holes.push(wanted..from);
                    from = wanted;
                }
                break;
            }
            let Some(piece) = before else { break };
            if reach < from {
                holes.push(reach..from);
            }
            first -= 1;
            from = piece.first_seq;
            entry = piece.key || have == Some(from);
        }
        let pieces: Vec<Stored> = self.stored.range(first..).cloned().collect();
        for piece in pieces {
            while let Some(hole) = holes.pop_if(|hole| hole.start < piece.first_seq) {
                self.fill(place, hole);
            }
            self.clips[place].borrow(&piece, &mut self.write_queue);
        }
        for hole in holes {
            self.fill(place, hole);
        }
        from
    }

    /// Puts the ring's units of `hole`, which no piece holds, into files of the clip at `place`, from the first keyframe
    /// on: what comes before it could only be decoded together with the piece before, and that one is whole already.
    fn fill(&mut self, place: usize, hole: Range<u64>) {
        let mut segmenter = Segmenter::new(self.rule);
        let mut pieces = Vec::new();
        for unit in self.ring.units_from(hole.start) {
            if unit.seq >= hole.end {
                break;
            }
            if !segmenter.continues_with(unit) {
                pieces.extend(std::iter::from_fn(|| segmenter.next_piece(None, true)));
            }
            segmenter.push(unit.clone());
        }
        pieces.extend(std::iter::from_fn(|| segmenter.next_piece(None, true)));
        for piece in pieces {
            let stored = self.clips[place].store(&piece, &mut self.write_queue, self.now);
            let before = |other: &Stored| other.first_seq < stored.first_seq;
            let position = self.stored.partition_point(before);
            self.stored.insert(position, stored);
        }
    }
}

//! Reads the syntax elements of a NAL unit's payload: fixed lengths and Exp-Golomb codes (ITU-T H.264, 7.2 and 9.1; H.265, 7.2 and
//! 9.2), without the emulation prevention bytes (H.264, 7.4.1; H.265, 7.4.2). Pure; ends quietly where the data does.

/// A reader from the first bit after the NAL unit's header on.
pub(super) struct Bits<'a> {
    data: &'a [u8],
    byte: usize,
    bit: u32,
    zeros: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self {
            data,
            byte: 0,
            bit: 0,
            zeros: 0,
        }
    }

    fn bit(&mut self) -> Option<u32> {
        let value = *self.data.get(self.byte)?;
        let bit = u32::from(value >> (7 - self.bit)) & 1;
        self.bit += 1;
        if self.bit == 8 {
            self.bit = 0;
            self.byte += 1;
            self.zeros = if value == 0 { self.zeros + 1 } else { 0 };
            if self.zeros >= 2 && self.data.get(self.byte) == Some(&3) {
                self.byte += 1;
                self.zeros = 0;
            }
        }
        Some(bit)
    }

    /// u(1).
    pub(super) fn flag(&mut self) -> Option<bool> {
        Some(self.bit()? == 1)
    }

    /// u(n) of at most 32 bits.
    pub(super) fn fixed(&mut self, bits: u32) -> Option<u32> {
        (0..bits).try_fold(0, |value: u32, _| Some((value << 1) | self.bit()?))
    }

    /// Passes over so many bits.
    pub(super) fn skip(&mut self, bits: u32) -> Option<()> {
        (0..bits).try_for_each(|_| self.bit().map(drop))
    }

    /// ue(v).
    pub(super) fn unsigned(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.bit()? == 0 {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        let rest = u64::from(self.fixed(zeros)?);
        u32::try_from((1u64 << zeros) + rest - 1).ok()
    }

    /// se(v).
    pub(super) fn signed(&mut self) -> Option<i64> {
        let code = i64::from(self.unsigned()?);
        Some(if code % 2 == 1 {
            (code + 1) / 2
        } else {
            -code / 2
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_over_emulation_prevention() {
        // 00 00 03 01: the 03 is no data. u(16) is 0, ue 00000001 0000000 is 127.
        let data = [0, 0, 3, 1, 0, 0x80];
        let mut bits = Bits::new(&data);
        assert_eq!(bits.fixed(16), Some(0));
        assert_eq!(bits.unsigned(), Some(127));
        // 1, 010, 011, 00100, 00101 are se 0, 1, -1, 2, -2.
        let mut bits = Bits::new(&[0b1010_0110, 0b0100_0010, 0b1000_0000]);
        let values: Vec<_> = (0..5).map(|_| bits.signed().unwrap()).collect();
        assert_eq!(values, [0, 1, -1, 2, -2]);
        assert_eq!(Bits::new(&[0; 9]).unsigned(), None);
        assert_eq!(Bits::new(&[]).flag(), None);
    }
}

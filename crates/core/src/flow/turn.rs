//! How a picture is turned before people look at it.

use serde::Serialize;

use super::Size;

/// A turn by quarters, perhaps with a mirror: what a display matrix (ISO/IEC 14496-12, 8.3.2) or a camera's mounting asks for.
///
/// The point `x` to the right and `y` down comes to lie at `a x + c y` to the right and `b x + d y` down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct Turn {
    a: i8,
    b: i8,
    c: i8,
    d: i8,
}

impl Turn {
    /// As it comes.
    pub const NONE: Self = Self {
        a: 1,
        b: 0,
        c: 0,
        d: 1,
    };

    /// Clockwise by 0, 90, 180 or 270 degrees; none for any other number.
    #[must_use]
    pub fn clockwise(degrees: u32) -> Option<Self> {
        let [a, b, c, d] = match degrees {
            0 => [1, 0, 0, 1],
            90 => [0, 1, -1, 0],
            180 => [-1, 0, 0, -1],
            270 => [0, -1, 1, 0],
            _ => return None,
        };
        Some(Self { a, b, c, d })
    }

    /// From the four numbers `a`, `b`, `c`, `d` of a display matrix, of which the sign is of use; none where they are no turn by
    /// quarters.
    #[must_use]
    pub fn from_matrix(numbers: [i32; 4]) -> Option<Self> {
        let [a, b, c, d] = numbers.map(|number| number.signum() as i8);
        let upright = a != 0 && d != 0 && b == 0 && c == 0;
        let lying = a == 0 && d == 0 && b != 0 && c != 0;
        (upright || lying).then_some(Self { a, b, c, d })
    }

    /// The numbers `a`, `b`, `c`, `d`, each -1, 0 or 1.
    #[must_use]
    pub fn matrix(self) -> [i8; 4] {
        [self.a, self.b, self.c, self.d]
    }

    /// Whether width and height change places.
    #[must_use]
    pub fn swaps_sides(self) -> bool {
        self.a == 0
    }

    /// The size of a turned picture.
    #[must_use]
    pub fn size(self, size: Size) -> Size {
        match self.swaps_sides() {
            true => Size::new(size.height, size.width),
            false => size,
        }
    }

    /// Where the first sample of the picture comes to lie, for sides of such lengths: how far the turned picture must be moved to
    /// the right and down, so that nothing is left or above of it.
    #[must_use]
    pub fn shift<T: Copy + Default + std::ops::Add<Output = T>>(
        self,
        width: T,
        height: T,
    ) -> (T, T) {
        let if_negative = |sign: i8, side: T| if sign < 0 { side } else { T::default() };
        (
            if_negative(self.a, width) + if_negative(self.c, height),
            if_negative(self.b, width) + if_negative(self.d, height),
        )
    }
}

impl Default for Turn {
    fn default() -> Self {
        Self::NONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matrices_are_turns_by_quarters_or_nothing() {
        let quarter = Turn::from_matrix([0, 0x1_0000, -0x1_0000, 0]);
        assert_eq!(quarter, Turn::clockwise(90));
        assert_eq!(
            Turn::from_matrix([0x1_0000, 0, 0, 0x1_0000]),
            Some(Turn::NONE)
        );
        assert!(Turn::from_matrix([-1, 0, 0, 1]).is_some(), "mirrored");
        for odd in [
            [0; 4],
            [1, 1, -1, 1],
            [1, 0, 0, 0],
            [46_341, 46_341, -46_341, 46_341],
        ] {
            assert_eq!(Turn::from_matrix(odd), None);
        }
        assert_eq!(Turn::clockwise(45), None);
        let size = Turn::clockwise(270).map(|turn| turn.size(Size::new(640, 360)));
        assert_eq!(size, Some(Size::new(360, 640)));
        assert_eq!(
            Turn::clockwise(90).map(|turn| turn.shift(640, 360)),
            Some((360, 0))
        );
        assert_eq!(
            Turn::clockwise(180).map(|turn| turn.shift(640, 360)),
            Some((640, 360))
        );
    }
}

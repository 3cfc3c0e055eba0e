import unittest

from . import count

TEXT = '''//! A module.

use std::fmt; // of formatting

/* a block
   of comments */
#[cfg(test)]
use crate::only::Tests;

/// Documented.
struct Point<'a> {
    x: &'a str,
    #[cfg(test)]
    seen: bool,
}

fn text() -> (&'static str, char) {
    let _ = r#"
        // not a comment
    "#;
    ("// nor this", '"')
}

#[cfg(test)]
#[path = "elsewhere.rs"]
mod elsewhere;
mod child;

#[cfg(test)]
mod tests {
    #[test]
    fn nothing() {
        assert_eq!("}", "}");
    }
}
'''


class Count(unittest.TestCase):
    def test_only_code_counts(self) -> None:
        # use, struct, x, brace, fn, three lines of a raw string, the tuple, brace, mod child
        self.assertEqual(count.code(TEXT), 11)

    def test_modules_are_told_apart(self) -> None:
        self.assertEqual(count.children_of_tests(TEXT), ["elsewhere.rs"])
        self.assertEqual(count.children(TEXT), ["elsewhere", "child"])


if __name__ == "__main__":
    unittest.main()

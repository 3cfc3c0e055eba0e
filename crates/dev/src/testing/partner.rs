//! What a test needs beside this checkout: a program, a right, a file.
//!
//! Where everything must be there (`LARES_TESTS_REQUIRE=all`, which continuous integration sets) a test without its
//! partner fails. Elsewhere it is skipped, and says so.

/// Names what must be there; `all` is the one value that is known.
const REQUIRE: &str = "LARES_TESTS_REQUIRE";

/// `partner`; or none, after saying in one sentence what is `missing` and how to get it.
///
/// # Panics
/// When it is none where everything must be there.
#[must_use]
pub fn or_skip<T>(partner: Option<T>, missing: &str) -> Option<T> {
    let required = std::env::var_os(REQUIRE).is_some_and(|what| what == "all");
    decide(partner, missing, required)
}

#[allow(clippy::print_stderr, reason = "a test that is skipped must say so")]
fn decide<T>(partner: Option<T>, missing: &str, required: bool) -> Option<T> {
    if partner.is_none() {
        assert!(
            !required,
            "{missing}; with {REQUIRE}=all nothing is skipped"
        );
        eprintln!("skipped: {missing}");
    }
    partner
}

/// The program `path` when it is there; otherwise as [`or_skip`].
///
/// # Panics
/// When it is missing where everything must be there.
#[must_use]
pub fn program(path: &std::path::Path) -> Option<&std::path::Path> {
    let missing = format!("{} is missing, run \"make setup\"", path.display());
    or_skip(path.exists().then_some(path), &missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_given_and_what_is_not_is_skipped() {
        assert_eq!(decide(Some(1), "", true), Some(1));
        assert_eq!(decide::<u8>(None, "nothing is here", false), None);
    }

    #[test]
    #[should_panic(expected = "nothing is here; with LARES_TESTS_REQUIRE=all nothing is skipped")]
    fn what_must_be_there_fails_without() {
        let _ = decide::<u8>(None, "nothing is here", true);
    }
}

"""Lines of Rust code by room: no blanks, no comments, no tests."""

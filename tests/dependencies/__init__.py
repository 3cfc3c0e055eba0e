"""What the program is made of: licences that may be shipped, and no crate twice without a reason.

A check of our own, because `cargo-deny` takes ten minutes to compile on a small machine.
"""

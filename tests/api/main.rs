//! The tests that treat Praxis as a black box: one binary, so that it is linked once.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod tables;

//! The tests that treat Praxis as a black box: one binary, so that it is linked once.

mod tables;

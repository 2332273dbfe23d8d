//! Retention: how long each class of data is kept, what suspends that, and what was archived.
//!
//! A row of `retention_policies` says for one class of data how many years it is kept after the patient's
//! last encounter, to which age of a patient who was a minor, and how many years after death; the latest of
//! the three counts. A row of `legal_holds` suspends the end of retention, for one patient or (without a
//! patient) for the whole workspace, until it is lifted. A row of `archives` stands for data that was moved
//! into a bundle in the object store, with the hash of its manifest.

pub mod archive;
pub mod entity;
pub mod legal_hold;

//! Therapy sessions: the clinician's SOAP notes about a patient.
//!
//! A row of `therapy_sessions` is one note: what the patient reported (subjective), what was observed
//! (objective), what it means (assessment) and what follows (plan). It is a `DRAFT` until its author signs
//! it, `SIGNED` from then on, and `AMENDED` once a later version exists. Every signed state is kept in
//! `therapy_session_versions`: version 1 is the text that was signed, each higher number a complete text with
//! its author and reason, and the note itself holds the newest one.
//!
//! The database keeps that a draft has no signature and no version, that a signed note has both, that only
//! drafts carry a deletion mark, and that a version's facts never change and no version is removed.

pub mod entity;
pub mod version;

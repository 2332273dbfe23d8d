//! Medical records: diagnoses, results, prescriptions and the like, each with a FHIR R4 payload.
//!
//! A row of `medical_records` is one statement about a patient. It is `PENDING` while its result is awaited
//! and `COMPLETED` after; what has to be said differently later is a new row that names the one it `amends`,
//! which is then superseded and kept. `data_hash` binds the payload with a sealed salt, so the hash can be
//! shown and anchored without saying anything about the payload.
//!
//! `record_grants` is the one table that joins two workspaces: the owner lets another practice, or one of its
//! doctors, read one record until the grant expires or is revoked. `record_anchors` is the place of a
//! record's hash in a Merkle tree whose root was put on a ledger.

pub mod anchor;
pub mod entity;
pub mod grant;

//! The tables of keys, which hold wrapped keys only.

pub mod patient_key;
pub mod reencryption_job;
pub mod workspace_key;

//! FHIR R4: the exchange format in which patients come from, and go to, other systems.
//!
//! Reading knows no database. One file (a Bundle, a single resource or NDJSON) becomes one [`Batch`] of
//! neutral [records](record), with the references inside the file resolved, and a [`Report`] of what was not
//! taken. A broken file or a broken entry is one [`Problem`] there and stops nothing else. Only one file is in
//! memory at a time, and of resources that Praxis does not keep only the type is looked at.
//!
//! [Storing](load) a batch creates or updates what is there.
//!
//! Writing ([`export`]) makes the same records FHIR again.

mod bundle;
mod element;
pub mod export;
pub mod graphql;
pub mod load;
mod mapping;
pub mod record;
mod reference;
pub mod report;
#[cfg(test)]
mod tests;

pub use bundle::{Batch, MAX_FILE_BYTES, read_entries, read_file};
pub use mapping::LONGEST_ENCOUNTER_DAYS;
pub use reference::{ExternalKey, ExternalRef, Kind, Link};
pub use report::{Counts, Outcome, Problem, Report};

//! Disclosures: the account of what left the practice about a patient, to whom and why.
//!
//! A row of `disclosures` is one disclosure outside treatment, payment and operations: the day, the recipient
//! and their address, what was disclosed, for what purpose and on which legal basis (45 CFR 164.528 asks for
//! exactly this, for six years). Rows are only added: the database refuses to change their facts or to remove
//! them.

pub mod entity;

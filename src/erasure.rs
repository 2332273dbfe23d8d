//! Erasure: a patient's request that their data be deleted, from its receipt to its certificate.
//!
//! A row of `data_deletion_requests` is one request. It is `RECEIVED`, then `IDENTITY_VERIFIED` by a named
//! method, then `UNDER_REVIEW`. The review ends in `REJECTED` (with a code and a reason), in `RESTRICTED`
//! (the law obliges the practice to keep the data, nobody uses it), or in `APPROVED`. An approved request is
//! `EXECUTING` until it is `COMPLETED`, or `PARTIALLY_COMPLETED` with the list of what had to be kept and
//! why; either leaves the hash of a certificate. Every request is due on a date, which can be put off once.

pub mod entity;

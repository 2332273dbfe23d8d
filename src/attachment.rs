//! Attachments: files that belong to a patient's chart.
//!
//! A row of `attachments` stands for one encrypted object in the object store. It always belongs to a patient
//! and may hang on one therapy session or on one medical record. `PENDING` means that an upload was announced
//! and its bytes are awaited until `upload_expires_at`; `AVAILABLE` that they arrived and passed inspection;
//! `REJECTED` that they did not pass; `DELETED` that the file was taken out of the chart. The name of a file
//! is sealed like the text of a note.

pub mod entity;

//! Scalars of our own.

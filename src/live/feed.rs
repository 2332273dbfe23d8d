//! Reading the journal as a feed.

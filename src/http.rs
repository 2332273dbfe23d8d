//! The server's side of HTTP.

pub mod graphiql;

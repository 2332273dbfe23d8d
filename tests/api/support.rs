//! What the tests stand on.

pub mod app;
pub mod database;
pub mod sdl;
pub mod sign_in;
pub mod smtp;
pub mod world;

/// Declares each of the tests twice: once for each engine, as `name::sqlite` and `name::postgres`.
macro_rules! on_both_engines {
    ($($(#[doc = $doc:literal])* async fn $name:ident($on:ident: On) $body:block)+) => {$(
        mod $name {
            use super::*;

            async fn run($on: $crate::support::database::On) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                Box::pin(run($crate::support::database::On::Sqlite)).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                Box::pin(run($crate::support::database::On::Postgres)).await;
            }
        }
    )+};
}
pub(crate) use on_both_engines;

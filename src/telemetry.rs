//! The process's log: to the standard error stream, as text or, in production, as JSON.

use std::backtrace::Backtrace;
use std::fmt;
use std::io::IsTerminal;

use serde::Serializer;
use tracing::span::Record;
use tracing_serde::SerdeMapVisitor;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormattedFields;
use tracing_subscriber::fmt::format::{FormatFields, JsonFields, Writer};

use crate::config::Profile;

/// What is logged when `RUST_LOG` does not say.
const DEFAULT: &str = "info,sqlx=warn,sea_orm_migration=warn";

/// Starts logging, of panics too: where they happen, not their text, which may hold anything. A second call changes nothing.
pub fn init(profile: Profile) {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, backtrace = %Backtrace::capture(), "a panic");
    }));
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A logger that is set already stays: then somebody else logs for this process.
    let _ = match profile {
        Profile::Production => log.json().fmt_fields(SpanFields).try_init(),
        Profile::Development => log.with_ansi(std::io::stderr().is_terminal()).try_init(),
    };
}

/// The fields of a span as JSON, in the order in which they are given. Each request has a span, most without a word in the
/// log: the library's own form of this goes through a sorted tree of values.
struct SpanFields;

impl<'a> FormatFields<'a> for SpanFields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'a>, fields: R) -> fmt::Result {
        let mut json = Vec::with_capacity(256);
        let mut serializer = serde_json::Serializer::new(&mut json);
        let mut visitor = SerdeMapVisitor::new(serializer.serialize_map(None).map_err(|_| fmt::Error)?);
        fields.record(&mut visitor);
        visitor.finish().map_err(|_| fmt::Error)?;
        writer.write_str(str::from_utf8(&json).map_err(|_| fmt::Error)?)
    }

    fn add_fields(&self, current: &'a mut FormattedFields<Self>, fields: &Record<'_>) -> fmt::Result {
        let mut all = FormattedFields::<JsonFields>::new(std::mem::take(&mut current.fields));
        let added = JsonFields::new().add_fields(&mut all, fields);
        current.fields = all.fields;
        added
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use tracing::field::Empty;

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_fields_of_a_span_are_in_the_log_as_json() {
        let (log, id) = (Log::default(), "an \"id\"");
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .fmt_fields(SpanFields)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("request", %id, route = "/graphql", number = 7, later = Empty);
            span.in_scope(|| tracing::info!("first"));
            span.record("later", true);
            span.in_scope(|| tracing::info!("second"));
        });
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let spans: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["span"].take())
            .collect();
        let first = serde_json::json!({ "name": "request", "id": id, "route": "/graphql", "number": 7 });
        let second = serde_json::json!({
            "name": "request", "id": id, "route": "/graphql", "number": 7, "later": true
        });
        assert_eq!(spans, [first, second]);
    }
}

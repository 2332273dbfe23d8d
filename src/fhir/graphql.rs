//! Importing through the API: one small bundle at a time. Folders of them are the command line's.

use async_graphql::{Context, InputObject, Object, SimpleObject};

use super::load::Import;
use super::{Problem, Report, read_entries};
use crate::access::permission::Permission;
use crate::error::Error;
use crate::graphql::context::ContextExt;
use crate::graphql::document::cost::list_size;
use crate::graphql::error::Result;
use crate::graphql::guard::requires;

/// Bytes of a bundle: a request has at most 256 KiB, and JSON inside JSON grows.
const MAX_BUNDLE: usize = 200_000;

/// Records of another system.
#[derive(InputObject)]
pub struct ImportFhirInput {
    /// A FHIR R4 Bundle, a single resource, or NDJSON with one of them a line, as text of at most 200,000 bytes.
    /// Larger files go through `praxis import fhir`.
    bundle: String,
    /// What problems call the text: at most 255 characters.
    file_name: Option<String>,
}

/// What became of the resources of one type.
#[derive(SimpleObject)]
pub struct ImportCount {
    /// The FHIR name of the type.
    resource_type: String,
    /// How many were new.
    created: u64,
    /// How many were known and had changed.
    updated: u64,
    /// How many were known and stand as before.
    unchanged: u64,
    /// How many are of a type that is not kept, or were withdrawn by their source.
    skipped: u64,
    /// How many could not be read or stored; a problem says why.
    failed: u64,
}

/// Something that was not taken, or not completely.
#[derive(SimpleObject)]
pub struct ImportProblem {
    /// The text as the input named it.
    file: String,
    /// The entry, such as `entry[12] Encounter/abc`. Null when it is the whole text.
    entry: Option<String>,
    /// The element, and what was expected of it. Quotes no value.
    reason: String,
}

/// The outcome of an import.
#[derive(SimpleObject)]
pub struct ImportFhirPayload {
    /// Counts by resource type, in the order of the types' names.
    #[graphql(directive = list_size::apply(10))]
    counts: Vec<ImportCount>,
    /// The first 1,000 problems.
    #[graphql(directive = list_size::apply(20))]
    problems: Vec<ImportProblem>,
    /// How many problems there are beyond those.
    problems_omitted: u64,
}

impl From<Report> for ImportFhirPayload {
    fn from(report: Report) -> Self {
        let count = |(resource_type, counts): (String, super::Counts)| ImportCount {
            resource_type,
            created: counts.created,
            updated: counts.updated,
            unchanged: counts.unchanged,
            skipped: counts.skipped,
            failed: counts.failed,
        };
        let problem = |Problem { file, entry, reason }: Problem| ImportProblem { file, entry, reason };
        Self {
            counts: report.by_type.into_iter().map(count).collect(),
            problems: report.problems.into_iter().map(problem).collect(),
            problems_omitted: report.problems_omitted,
        }
    }
}

#[derive(Default)]
pub struct FhirMutation;

#[Object]
impl FhirMutation {
    /// Takes patients, practitioners, places and encounters from a FHIR R4 text, all of it or, on an error, nothing.
    /// Entries that cannot be read are listed as problems and stop nothing else. Repeating it changes nothing.
    #[graphql(directive = requires::apply(Permission::ImportData))]
    async fn import_fhir(
        &self,
        ctx: &Context<'_>,
        input: ImportFhirInput,
    ) -> Result<Option<ImportFhirPayload>> {
        if input.bundle.len() > MAX_BUNDLE {
            return Err(Error::invalid("bundle", format!("At most {MAX_BUNDLE} bytes.")).into());
        }
        let file = input.file_name.as_deref().unwrap_or("bundle");
        if file.chars().count() > 255 {
            return Err(Error::invalid("fileName", "At most 255 characters.").into());
        }
        let batch = read_entries(file, input.bundle.as_bytes());
        let report = Import::default().load(ctx.app(), &*ctx.actor()?, file, &batch).await?;
        Ok(Some(report.into()))
    }
}

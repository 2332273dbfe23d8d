//! What an import did, in counts by resource type, and what it could not take.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

/// Problems kept in one report; a report of more says how many it left out.
///
/// A hostile file can hold millions of broken entries, and nobody reads past the first thousand.
pub const MAX_PROBLEMS: usize = 1_000;

/// The type under which entries are counted whose own type cannot be read.
pub const UNKNOWN_TYPE: &str = "(unknown)";

/// What became of one resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was new.
    Created,
    /// It was known and something in it had changed.
    Updated,
    /// It was known and stands as before.
    Unchanged,
    /// Praxis does not keep this kind of resource, or the source has withdrawn it.
    Skipped,
    /// It could not be read or stored; a problem says why.
    Failed,
}

/// How many resources of one type came to which outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub created: u64,
    pub updated: u64,
    pub unchanged: u64,
    pub skipped: u64,
    pub failed: u64,
}

impl Counts {
    fn add(&mut self, other: Counts) {
        self.created += other.created;
        self.updated += other.updated;
        self.unchanged += other.unchanged;
        self.skipped += other.skipped;
        self.failed += other.failed;
    }

    fn cells(&self) -> [u64; 5] {
        [self.created, self.updated, self.unchanged, self.skipped, self.failed]
    }
}

/// Something that was not taken, or not completely.
///
/// Neither `entry` nor `reason` quotes a value of the file, so both may be logged. The name of the file
/// may hold a patient's name and belongs to the person who runs the import only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file as the caller named it.
    pub file: String,
    /// The entry, as `entry[12] Encounter/abc` or `line 3 Patient/abc`; null when it is the whole file.
    pub entry: Option<String>,
    /// The element and what was expected of it.
    pub reason: String,
}

/// The outcome of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Counts by FHIR resource type.
    pub by_type: BTreeMap<String, Counts>,
    /// The first [`MAX_PROBLEMS`] problems.
    pub problems: Vec<Problem>,
    /// Problems beyond those.
    pub problems_omitted: u64,
}

impl Report {
    /// Counts one resource.
    pub fn count(&mut self, resource_type: &str, outcome: Outcome) {
        // Looked up first: a file has many entries of few types, and `entry` would copy the name each time.
        if !self.by_type.contains_key(resource_type) {
            self.by_type.insert(resource_type.to_owned(), Counts::default());
        }
        if let Some(counts) = self.by_type.get_mut(resource_type) {
            let cell = match outcome {
                Outcome::Created => &mut counts.created,
                Outcome::Updated => &mut counts.updated,
                Outcome::Unchanged => &mut counts.unchanged,
                Outcome::Skipped => &mut counts.skipped,
                Outcome::Failed => &mut counts.failed,
            };
            *cell += 1;
        }
    }

    /// Notes a problem.
    pub fn problem(&mut self, problem: Problem) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(problem);
        } else {
            self.problems_omitted += 1;
        }
    }

    /// Adds the report of one more file.
    pub fn merge(&mut self, other: Report) {
        for (resource_type, counts) in other.by_type {
            self.by_type.entry(resource_type).or_default().add(counts);
        }
        for problem in other.problems {
            self.problem(problem);
        }
        self.problems_omitted += other.problems_omitted;
    }

    /// The sum over all types.
    pub fn total(&self) -> Counts {
        let mut total = Counts::default();
        for counts in self.by_type.values() {
            total.add(*counts);
        }
        total
    }

    /// The counts as a table and the problems as a list, for a terminal.
    pub fn table(&self) -> String {
        const HEADINGS: [&str; 5] = ["Created", "Updated", "Unchanged", "Skipped", "Failed"];
        let first = self.by_type.keys().map(|name| name.chars().count()).chain([8]).max().unwrap_or(8);
        let mut out = String::new();
        let mut line = |name: &str, cells: [String; 5]| {
            let _ = write!(out, "{name:first$}");
            for cell in cells {
                let _ = write!(out, "  {cell:>9}");
            }
            out.push('\n');
        };
        line("Resource", HEADINGS.map(str::to_owned));
        for (resource_type, counts) in &self.by_type {
            line(resource_type, counts.cells().map(|n| n.to_string()));
        }
        line("Total", self.total().cells().map(|n| n.to_string()));

        let count = self.problems.len() as u64 + self.problems_omitted;
        if count > 0 {
            let _ = writeln!(out, "\n{count} {}", if count == 1 { "problem" } else { "problems" });
        }
        for Problem { file, entry, reason } in &self.problems {
            // A file's name is the one part that others choose freely; it must not steer the terminal.
            let file: String = file.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
            let _ = match entry {
                Some(entry) => writeln!(out, "  {file}, {entry}: {reason}"),
                None => writeln!(out, "  {file}: {reason}"),
            };
        }
        if self.problems_omitted > 0 {
            let _ = writeln!(out, "  and {} more", self.problems_omitted);
        }
        out
    }
}

//! `load import`: the FHIR import of a folder of bundles, once and several times over.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Value as Json;
use tokio::process::Command;

use crate::site::{binaries, results};
use crate::table::{Goal, HEADING, Line};
use crate::{Outcome, process, say};

/// What the import stores; bundles hold more, which it reads and counts.
const STORED: [&str; 5] = ["Patient", "Practitioner", "Organization", "Location", "Encounter"];

#[derive(Args, Clone, Debug)]
pub struct Options {
    /// A folder of FHIR R4 bundles
    #[arg(long, default_value = "../shared/data/synthea-r4")]
    folder: PathBuf,
    /// How often the patients are copied, under other ids: one run for each number
    #[arg(long, value_delimiter = ',', default_values_t = [1, 10])]
    copies: Vec<u32>,
}

/// A folder of copies, and what is in it.
#[derive(Default)]
struct Copies {
    bundles: usize,
    resources: usize,
    stored: usize,
}

pub async fn run(options: &Options) -> Outcome<()> {
    if !options.folder.is_dir() {
        return Err(format!("there is no folder {}; name one with --folder", options.folder.display()).into());
    }
    for copies in &options.copies {
        let place = results()?.join(format!("import-{copies}"));
        if place.exists() {
            std::fs::remove_dir_all(&place)?;
        }
        let source = place.join("bundles");
        std::fs::create_dir_all(&source)?;
        let copied = copy(&options.folder, &source, *copies)?;
        measure(&place, &source, &copied).await?;
        std::fs::remove_dir_all(&place)?;
    }
    Ok(())
}

async fn measure(place: &Path, source: &Path, copied: &Copies) -> Outcome<()> {
    let praxis = |arguments: &[&str]| {
        let mut command = Command::new(binaries()?.join("praxis"));
        command
            .args(arguments)
            .env_clear()
            .env("PRAXIS_DATA_DIR", place.join("data"))
            .env("RUST_LOG", "warn");
        command.kill_on_drop(true).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        Outcome::Ok(command)
    };
    let created =
        praxis(&["workspace", "create", "--name", "Imported", "--slug", "imported"])?.status().await?;
    if !created.success() {
        return Err("the workspace for the import could not be created".into());
    }
    let began = Instant::now();
    let mut import =
        praxis(&["import", "fhir", &source.display().to_string(), "--workspace", "imported"])?.spawn()?;
    let pid = import.id().ok_or("the import ended at once")?;
    let mut peak = 0;
    let ended = loop {
        if let Some(status) = import.try_wait()? {
            break status;
        }
        // The last look before the end may find nothing any more.
        peak = process::memory(pid, "VmHWM").unwrap_or(peak);
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let seconds = began.elapsed().as_secs_f64();
    if !ended.success() {
        return Err(format!("the import ended with {ended}: something could not be stored").into());
    }
    say(&format!(
        "\n{} bundles: {} resources read, {} of them stored, in {seconds:.2} s; {:.0} stored/s; at most {:.0} MB\n\n{HEADING}",
        copied.bundles,
        copied.resources,
        copied.stored,
        copied.stored as f64 / seconds,
        peak as f64 / 1e3,
    ));
    let (values, goal) = (vec![copied.resources as f64 / seconds], Goal::AtLeast(3_000.0));
    say(&Line { measure: "import, resources read".into(), unit: "/s", values, goal }.text());
    Ok(())
}

/// Copies the bundles; from the second copy on those of patients only, with other ids for what is in them.
fn copy(from: &Path, to: &Path, copies: u32) -> Outcome<Copies> {
    let mut copied = Copies::default();
    for entry in std::fs::read_dir(from)? {
        let file = entry?.path();
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if !name.ends_with(".json") {
            continue;
        }
        let text = std::fs::read_to_string(&file)?;
        let own = Own::of(&text)?;
        let shared = name.contains("Information");
        for copy in 0..if shared { 1 } else { copies } {
            let target = if copy == 0 { to.join(&name) } else { to.join(format!("copy-{copy}-{name}")) };
            std::fs::write(target, if copy == 0 { text.clone() } else { own.renamed(&text, copy) })?;
            copied.bundles += 1;
            copied.resources += own.resources;
            copied.stored += own.stored;
        }
    }
    Ok(copied)
}

/// What a bundle has of its own.
struct Own {
    ids: HashSet<String>,
    resources: usize,
    stored: usize,
}

impl Own {
    fn of(text: &str) -> Outcome<Self> {
        let bundle: Json = serde_json::from_str(text)?;
        let entries = bundle.get("entry").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
        let kind = |entry: &Json| Some(entry.pointer("/resource/resourceType")?.as_str()?.to_owned());
        let stored = entries.iter().filter_map(kind).filter(|kind| STORED.contains(&kind.as_str())).count();
        let ids = entries
            .iter()
            .filter_map(|entry| Some(entry.get("fullUrl")?.as_str()?.strip_prefix("urn:uuid:")?.to_owned()));
        Ok(Self { ids: ids.collect(), resources: entries.len(), stored })
    }

    /// The text with other ids in the places of its own.
    fn renamed(&self, text: &str, copy: u32) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(dash) = rest.find('-') {
            let found = dash.checked_sub(8).and_then(|start| Some((start, rest.get(start..start + 36)?)));
            match found.filter(|(_, id)| self.ids.contains(*id)) {
                Some((start, id)) => {
                    out.push_str(rest.get(..start).unwrap_or_default());
                    out.push_str(&format!("{copy:08x}{}", id.get(8..).unwrap_or_default()));
                    rest = rest.get(start + 36..).unwrap_or_default();
                }
                None => {
                    out.push_str(rest.get(..=dash).unwrap_or_default());
                    rest = rest.get(dash + 1..).unwrap_or_default();
                }
            }
        }
        out.push_str(rest);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_other_ids_and_keeps_those_of_others() {
        let own = "0d2177ba-f67b-4f29-addb-91040de55388";
        let other = "fc712d1f-5a2e-4407-9c55-a2a2bad623c2";
        let text = format!(
            r#"{{"entry":[{{"fullUrl":"urn:uuid:{own}","resource":{{"resourceType":"Patient","id":"{own}","x":"-{other}-"}}}}]}}"#
        );
        let renamed = Own::of(&text).unwrap().renamed(&text, 3);
        assert!(!renamed.contains(own) && renamed.contains(other), "{renamed}");
        assert_eq!(renamed.matches("00000003-f67b-4f29-addb-91040de55388").count(), 2);
    }
}

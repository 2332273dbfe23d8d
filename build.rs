//! Embeds the GraphiQL page: `web/dist` becomes a table of files that `src/http/graphiql.rs` serves.
//!
//! A release build first builds the page itself when it is missing or older than its sources and npm is at hand;
//! `PRAXIS_WEB=off` stops it from doing so. Without the page the server builds and runs all the same.

use std::env;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

const DIST: &str = "web/dist";
const SOURCES: [&str; 5] =
    ["web/index.html", "web/operations", "web/package-lock.json", "web/src", "web/vite.config.js"];
const PATIENCE: Duration = Duration::from_secs(300);

fn main() -> io::Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let release = env::var_os("PROFILE").is_some_and(|profile| profile == "release");
    let off = env::var_os("PRAXIS_WEB").is_some_and(|web| web == "off");

    println!("cargo:rerun-if-env-changed=PRAXIS_WEB");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={DIST}");
    if release && !off {
        SOURCES.iter().for_each(|source| println!("cargo:rerun-if-changed={source}"));
        if is_stale()? {
            if has_npm() {
                build_page(&out)?;
            } else {
                println!(
                    "cargo:warning=no npm, so the GraphiQL page was not built; the API does not need it"
                );
            }
        }
    }
    if !Path::new(DIST).exists() {
        // Cargo takes a watched path that does not exist for a change, and would build the crate anew each time.
        fs::create_dir(DIST)?;
        date_as_sources()?;
    }
    fs::write(out.join("graphiql_assets.rs"), asset_table()?)
}

fn is_stale() -> io::Result<bool> {
    match fs::metadata(Path::new(DIST).join("index.html")) {
        Ok(page) => Ok(page.modified()? < sources_changed()?),
        Err(_) => Ok(true),
    }
}

fn sources_changed() -> io::Result<SystemTime> {
    let mut newest = SystemTime::UNIX_EPOCH;
    for source in SOURCES {
        for path in walk(Path::new(source))? {
            newest = newest.max(fs::metadata(path)?.modified()?);
        }
    }
    Ok(newest)
}

fn has_npm() -> bool {
    Command::new("npm").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// Runs `web/build`; a failure costs the page, never the build.
fn build_page(out: &Path) -> io::Result<()> {
    let log = out.join("web-build.log");
    let output = File::create(&log)?;
    let started = Instant::now();
    let mut child = Command::new("web/build")
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .process_group(0)
        .spawn()?;
    let outcome = loop {
        match child.try_wait()? {
            Some(status) if status.success() => return date_as_sources(),
            Some(status) => break status.to_string(),
            None if started.elapsed() > PATIENCE => {
                Command::new("kill").arg("--").arg(format!("-{}", child.id())).status()?;
                child.wait()?;
                break format!("stopped after {} s", PATIENCE.as_secs());
            }
            None => thread::sleep(Duration::from_millis(100)),
        }
    };
    println!(
        "cargo:warning=web/build failed ({outcome}), so the GraphiQL page was not built: {}",
        log.display()
    );
    let said = fs::read_to_string(&log)?;
    let telling = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with("at ");
    let lines: Vec<_> = said.lines().filter(telling).collect();
    lines.iter().rev().take(3).rev().for_each(|line| println!("cargo:warning={line}"));
    Ok(())
}

/// What this script makes gets the date of what it is made from: anything newer than the script's start would
/// make cargo run it, and compile the crate, once more.
fn date_as_sources() -> io::Result<()> {
    let date = sources_changed()?;
    walk(Path::new(DIST))?.iter().try_for_each(|path| File::open(path)?.set_modified(date))
}

fn asset_table() -> io::Result<String> {
    let root = fs::canonicalize(DIST)?;
    let mut table = String::from("static ASSETS: &[Asset] = &[\n");
    for file in walk(&root)?.iter().filter(|path| path.is_file()) {
        let path = file.strip_prefix(&root).expect("walked from the root");
        table += &format!(
            "    Asset {{ path: {:?}, content_type: {:?}, bytes: include_bytes!({:?}) }},\n",
            path.to_str().expect("vite writes ASCII names"),
            content_type(path),
            file.to_str().expect("a source directory with a UTF-8 name"),
        );
    }
    Ok(table + "];\n")
}

fn content_type(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("css") => "text/css; charset=utf-8",
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("ttf") => "font/ttf",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}

/// The path and everything below it, in a fixed order.
fn walk(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = vec![path.to_owned()];
    if path.is_dir() {
        let mut entries: Vec<_> =
            fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
        entries.sort();
        for entry in entries {
            found.extend(walk(&entry)?);
        }
    }
    Ok(found)
}

//! `load run`: both systems beside each other, interleaved, on each engine.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Serialize;
use tokio::process::Command;

use crate::drive::{Sample, Session, Shape, Target, compare, drive};
use crate::limit::Also;
use crate::process::{self, Process};
use crate::queries::{ALL, Query, Side};
use crate::site::{Data, Engine, ROLE, Site, binaries, results};
use crate::{Outcome, say, table};

#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Only this engine
    #[arg(long)]
    pub engine: Option<Engine>,
    /// Only these queries
    #[arg(long, value_delimiter = ',')]
    only: Vec<Query>,
    /// How often the systems take turns
    #[arg(long, default_value_t = 3)]
    rounds: u64,
    /// How long a turn lasts
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// Connections of the crowded turns; the others have one
    #[arg(long, default_value_t = 16)]
    connections: u64,
    /// What the handlers written by hand do besides, of what the server does: what none of the kind can go below
    #[arg(long, value_delimiter = ',')]
    limit_also: Vec<Also>,
    /// Binary of the server, instead of the one beside this program
    #[arg(long)]
    server: Option<std::path::PathBuf>,
}

/// Everything that was measured on one engine.
#[derive(Serialize)]
pub struct Report {
    pub engine: Engine,
    pub appointments: u64,
    pub queries: Vec<Measured>,
    /// Milliseconds from the start to ready.
    pub start: Vec<f64>,
    /// Kilobytes after the start.
    pub idle_memory: Vec<f64>,
    /// Kilobytes after the load.
    pub loaded_memory: u64,
    /// Megabytes of the server's binary.
    pub binary: f64,
}

/// One query, by round: the server and the limit.
#[derive(Serialize)]
pub struct Measured {
    pub query: Query,
    pub crowded: Vec<[Sample; 2]>,
    pub alone: Vec<[Sample; 2]>,
}

pub async fn run(options: &Options, data: &Data, sites: &[Site]) -> Outcome<()> {
    let mut reports = Vec::new();
    for site in sites {
        reports.push(measure(options, data, site).await?);
    }
    for report in &reports {
        let file = results()?.join(format!("{}-{}.json", report.engine.name(), report.appointments));
        std::fs::write(file, serde_json::to_string_pretty(report)?)?;
        table::print(report);
    }
    Ok(())
}

async fn measure(options: &Options, data: &Data, site: &Site) -> Outcome<Report> {
    let binary = match &options.server {
        Some(server) => server.clone(),
        None => binaries()?.join("praxis"),
    };
    let (mut start, mut idle_memory) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        let (server, _) = start_server(site, &binary).await?;
        start.push(server.started_in.as_secs_f64() * 1e3);
        server.stop().await?;
    }
    let (server, metrics) = start_server(site, &binary).await?;
    start.push(server.started_in.as_secs_f64() * 1e3);
    // Until it has given back what its start took.
    tokio::time::sleep(Duration::from_secs(6)).await;
    idle_memory.push(process::memory(server.pid, "VmRSS")? as f64);

    let limit = start_limit(site, data, &options.limit_also).await?;
    let systems = [
        Target {
            side: Side::Praxis,
            pid: server.pid,
            address: server.address,
            metrics: Some(metrics),
            backends: site.backends(ROLE),
        },
        Target {
            side: Side::Limit { signed_in: options.limit_also.contains(&Also::SignIn) },
            pid: limit.pid,
            address: limit.address,
            metrics: None,
            backends: site.backends(site.owner()),
        },
    ];
    let systems = &systems;
    let mut session = Session::start(site, server.address).await?;
    let only = if options.only.is_empty() { ALL.to_vec() } else { options.only.clone() };
    let mut queries = Vec::new();
    for query in only {
        session.sign_in(server.address).await?;
        if query == Query::Q3Chart {
            session.find_pages(server.address).await?;
        }
        if query.is_read() {
            compare(systems, query, site.plan, &session).await?;
        }
        queries.push(rounds(options, site, &session, systems, query).await?);
    }
    let loaded_memory = process::memory(server.pid, "VmRSS")?;
    limit.stop().await?;
    server.stop().await?;
    Ok(Report {
        engine: site.engine,
        appointments: data.appointments,
        queries,
        start,
        idle_memory,
        loaded_memory,
        binary: std::fs::metadata(&binary)?.len() as f64 / 1e6,
    })
}

async fn rounds(
    options: &Options,
    site: &Site,
    session: &Session,
    systems: &[Target; 2],
    query: Query,
) -> Outcome<Measured> {
    let time = Duration::from_secs_f64(options.seconds);
    let mut measured = Measured { query, crowded: Vec::new(), alone: Vec::new() };
    for target in systems {
        let shape =
            Shape { connections: options.connections, time: time.min(Duration::from_secs(1)), seed: 99 };
        drive(target, query, site.plan, session, shape).await?;
    }
    for seed in 0..options.rounds {
        for (connections, samples) in [(options.connections, &mut measured.crowded), (1, &mut measured.alone)]
        {
            let time = if connections == 1 { time / 2 } else { time };
            let shape = Shape { connections, time, seed };
            let mut pair = [Sample::default(), Sample::default()];
            // Each is first in turn.
            let order = if seed.is_multiple_of(2) { [0, 1] } else { [1, 0] };
            for at in order {
                if let (Some(target), Some(sample)) = (systems.get(at), pair.get_mut(at)) {
                    *sample = drive(target, query, site.plan, session, shape).await?;
                }
            }
            samples.push(pair);
        }
    }
    say(&table::summary(site.engine, &measured));
    Ok(measured)
}

/// The server on this site, and where it shows its figures.
pub async fn start_server(site: &Site, binary: &std::path::Path) -> Outcome<(Process, SocketAddr)> {
    let (listen, admin) = (process::free_address()?, process::free_address()?);
    let mut command = Command::new(binary);
    command.arg("serve").env_clear().envs(site.environment(listen, admin)?);
    let process = Process::start(&mut command, listen, "/readyz", &site.folder.join("server.log")).await?;
    Ok((process, admin))
}

pub async fn start_limit(site: &Site, data: &Data, also: &[Also]) -> Outcome<Process> {
    let listen = process::free_address()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["limit", "--engine", site.engine.name(), "--listen", &listen.to_string()]);
    command.args(["--appointments", &data.appointments.to_string()]);
    if let Some(url) = &data.postgres {
        command.args(["--postgres", url]);
    }
    for also in also.iter().filter_map(ValueEnum::to_possible_value) {
        command.args(["--also", also.get_name()]);
    }
    Process::start(&mut command, listen, "/readyz", &site.folder.join("limit.log")).await
}

//! The processes that are measured: started, watched through `/proc`, and ended.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};

use crate::{Outcome, client};

/// Kernel ticks of a second of processor time; Linux shows `/proc` in hundredths everywhere.
const TICKS: f64 = 100.0;

/// A child process, ended when dropped.
pub struct Process {
    child: Child,
    pub pid: u32,
    pub address: SocketAddr,
    /// From the start to the first answer.
    pub started_in: Duration,
}

impl Process {
    /// Starts a program and waits until it answers at this path with success. What it logs goes to a file.
    pub async fn start(command: &mut Command, address: SocketAddr, path: &str, log: &Path) -> Outcome<Self> {
        let began = Instant::now();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(log)?);
        let mut child = child.kill_on_drop(true).spawn()?;
        let pid = child.id().ok_or("the process ended at once")?;
        loop {
            if answers(address, path).await {
                return Ok(Self { child, pid, address, started_in: began.elapsed() });
            }
            if let Some(status) = child.try_wait()? {
                return Err(format!("{status}: {}", std::fs::read_to_string(log)?).into());
            }
            if began.elapsed() > Duration::from_secs(60) {
                return Err("the process does not listen".into());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Asks the process to end, and waits until it has.
    pub async fn stop(mut self) -> Outcome<()> {
        Command::new("kill").arg("-TERM").arg(self.pid.to_string()).status().await?;
        if tokio::time::timeout(Duration::from_secs(20), self.child.wait()).await.is_err() {
            self.child.kill().await?;
        }
        Ok(())
    }
}

async fn answers(address: SocketAddr, path: &str) -> bool {
    client::text(address, &client::get(path)).await.is_ok()
}

/// Seconds of user and system time of a process so far.
pub fn cpu(pid: u32) -> Outcome<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The fields after the name, which may hold spaces.
    let (_, fields) = stat.rsplit_once(')').ok_or("/proc has another form")?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks =
        || fields.next().and_then(|field| field.parse::<f64>().ok()).ok_or("/proc has another form");
    Ok((ticks()? + ticks()?) / TICKS)
}

/// Seconds of processor time so far of the PostgreSQL processes that serve this role in this database. Zero when
/// the server is on another machine.
pub fn backends(role: &str, database: &str) -> Outcome<f64> {
    let title = format!("postgres: {role} {database} ");
    let mut seconds = 0.0;
    for entry in std::fs::read_dir("/proc")? {
        let folder = entry?.path();
        let pid = folder.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
        // A process may end while it is looked at.
        let command = std::fs::read(folder.join("cmdline")).unwrap_or_default();
        if let Some(pid) = pid.filter(|_| String::from_utf8_lossy(&command).contains(&title)) {
            seconds += cpu(pid).unwrap_or(0.0);
        }
    }
    Ok(seconds)
}

/// A line of `/proc/PID/status`, such as `VmRSS`, in kilobytes.
pub fn memory(pid: u32, line: &str) -> Outcome<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let value = status.lines().find_map(|it| it.strip_prefix(line)?.strip_prefix(':'));
    let value = value.and_then(|it| it.trim().strip_suffix(" kB")).ok_or("/proc has another form")?;
    Ok(value.trim().parse()?)
}

/// An address on loopback that nobody listens on.
pub fn free_address() -> Outcome<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

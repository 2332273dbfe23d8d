//! `praxis healthcheck`: for service managers and containers, which have no HTTP client.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Outcome, terminal};
use crate::config::Config;

const PATIENCE: Duration = Duration::from_secs(2);

pub async fn run(config: &Config) -> Outcome {
    let address = reachable(config.listen);
    let answer = tokio::time::timeout(PATIENCE, ask(address)).await;
    match answer {
        Ok(Ok(status)) if status.contains(" 200 ") => {
            terminal::print("ready")?;
            Ok(ExitCode::SUCCESS)
        }
        Ok(Ok(status)) => Err(format!("{address} is not ready: {status}").into()),
        Ok(Err(error)) => Err(format!("{address} does not answer: {error}").into()),
        Err(_) => Err(format!("{address} does not answer in time").into()),
    }
}

/// The status line and, without its headers, what follows.
async fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut connection = TcpStream::connect(address).await?;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await?;
    let mut response = String::new();
    connection.take(16 * 1024).read_to_string(&mut response).await?;
    let status = response.lines().next().unwrap_or_default();
    let body = response.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok(format!("{status} {}", body.trim()))
}

/// A server that listens on every address is asked on the loopback one.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_on_every_address_is_asked_on_loopback() {
        for (listen, asked) in
            [("0.0.0.0:80", "127.0.0.1:80"), ("[::]:80", "[::1]:80"), ("10.0.0.7:8080", "10.0.0.7:8080")]
        {
            assert_eq!(reachable(listen.parse().unwrap()), asked.parse().unwrap());
        }
    }
}

//! `praxis serve`.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use clap::Args as ClapArgs;
use tokio::net::TcpListener;

use super::start::start;
use super::{Outcome, terminal};
use crate::config::{Config, Profile};
use crate::http::accept::{self, Limits};
use crate::reminder::worker::Worker;
use crate::shutdown::Shutdown;
use crate::{demo, http, metrics};

/// How long requests and sockets may take to finish after the server was told to stop.
const GRACE: Duration = Duration::from_secs(15);
/// How long the database may take to close after that.
const CLOSING: Duration = Duration::from_secs(2);
/// How often samples are put together.
const UPKEEP: Duration = Duration::from_secs(5);

#[derive(ClapArgs)]
pub struct Args {
    /// Fills a demo workspace at the first start and prints its accounts
    #[arg(long)]
    demo: bool,
    /// Address and port to listen on, instead of PRAXIS_LISTEN
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
}

pub async fn run(mut config: Config, args: Args) -> Outcome {
    if args.demo && config.profile == Profile::Production {
        return Err("--demo makes accounts whose password it prints: not in the production profile".into());
    }
    if let Some(listen) = args.listen {
        config.set_listen(listen);
    }
    // Before the database is touched: an address that is taken is the commonest mistake.
    let listener = bind(config.listen).await?;
    let admin = match config.admin_listen {
        Some(address) => Some(bind(address).await?),
        None => None,
    };
    metrics::install();
    let started = start(config).await?;
    let app = &started.app;
    if args.demo {
        let accounts = demo::fill(app).await?;
        terminal::print(&accounts.welcome(&app.config))?;
    }
    tracing::info!(address = %listener.local_addr()?, engine = ?app.db.engine(), "serving");

    let shutdown = &app.shutdown;
    let routes = http::routes(app.clone(), Router::new());
    let limits = Limits::of(&app.config);
    let upkeep = tokio::spawn(upkeep());
    let sweeper = tokio::spawn(crate::appointment::sweep::run(app.clone()));
    // Waited for with everybody who subscribed: the message in hand is sent and noted, or the next node would send
    // it again.
    tokio::spawn(Worker::new(app.clone(), shutdown.subscribe()).run());
    // The internal address answers to the end, so that it can be seen how the process stops.
    let internal = admin.map(|listener| {
        let (limits, last) = (limits.clone(), Shutdown::default());
        tokio::spawn(async move { accept::serve(listener, routes.internal, limits, &last).await })
    });
    tokio::join!(
        accept::serve(listener, routes.public, limits, shutdown),
        stop(shutdown, Duration::from_secs(app.config.shutdown_delay_seconds.into())),
    );
    if !shutdown.finished(GRACE).await {
        tracing::warn!("requests or sockets were still open");
    }
    if tokio::time::timeout(CLOSING, app.db.close()).await.is_err() {
        tracing::warn!("the database was still in use");
    }
    upkeep.abort();
    sweeper.abort();
    if let Some(internal) = internal {
        internal.abort();
    }
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

async fn bind(address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address).await.map_err(|error| format!("cannot listen on {address}: {error}"))
}

/// Waits until the process is told to stop, and starts its way down. Told a second time, it ends at once.
async fn stop(shutdown: &Shutdown, delay: Duration) {
    signal().await;
    tracing::info!("stopping: not ready any more, requests in flight are finished");
    tokio::spawn(async {
        signal().await;
        tracing::warn!("told to stop a second time");
        std::process::exit(1);
    });
    shutdown.leave();
    tokio::time::sleep(delay).await;
    shutdown.drain();
}

/// Keeps small what was counted, and what is kept of memory.
async fn upkeep() {
    let counted = metrics::install();
    loop {
        tokio::time::sleep(UPKEEP).await;
        counted.run_upkeep();
        give_back();
    }
}

/// Makes the allocator give freed memory back to the system: most of it is what the start leaves behind.
///
/// mimalloc keeps free pages for a second, and looks for older ones when something large is freed. While nothing
/// happens nothing is, so this does it: a block that is never touched, and thus never there.
fn give_back() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(1 << 20)));
}

/// Waits for Ctrl-C or, from a service manager, SIGTERM.
async fn signal() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut terminate) => {
                terminate.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}

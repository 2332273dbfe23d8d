//! `praxis serve`.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args as ClapArgs;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::start::start;
use super::{Outcome, terminal};
use crate::config::{Config, Profile};
use crate::{demo, http};

/// How long requests may take to finish after the server was told to stop.
const GRACE: Duration = Duration::from_secs(20);

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
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", config.listen))?;
    let started = start(config).await?;
    let app = &started.app;
    if args.demo {
        let accounts = demo::fill(app).await?;
        terminal::print(&accounts.welcome(&app.config))?;
    }
    tracing::info!(address = %listener.local_addr()?, engine = ?app.db.engine(), "serving");

    tokio::spawn(crate::appointment::sweep::run(app.clone()));
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        signal().await;
        tracing::info!("stopping: waiting for requests in flight");
        let _ = stop.send(true);
    });
    let service = http::router(app.clone()).into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener, service).with_graceful_shutdown(told(stopped.clone()));
    let overdue = async {
        told(stopped).await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        served = async { server.await } => served?,
        () = overdue => tracing::warn!("requests were still in flight"),
    }
    app.db.close().await;
    Ok(ExitCode::SUCCESS)
}

async fn told(mut stopped: watch::Receiver<bool>) {
    // The sender lives until it has told.
    let _ = stopped.wait_for(|stopped| *stopped).await;
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

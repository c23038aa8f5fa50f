//! Three chat servers as one, for a try: `make cluster`, or `make cluster BROKER=redis`.
//!
//! Starts a Postgres, a broker and three servers in development mode, and answers for all of them at
//! one address. A server that ends is started again, so that it can be killed to see what happens.
//! Ctrl-C stops everything; nothing is kept.

mod balancer;
mod node;
mod services;

use std::error::Error;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::node::Node;
use crate::services::Services;

/// How many servers.
const NODES: usize = 3;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error + Send + Sync>> {
    let variable = |name, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let (listen, broker) = (variable("LISTEN", "127.0.0.1:8080"), variable("BROKER", "nats"));
    let program = program()?;
    let listener = TcpListener::bind(&listen).await.map_err(|error| {
        format!("cannot listen on {listen} ({error}): choose another with LISTEN=127.0.0.1:8090")
    })?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;

    // Kept until the servers have stopped.
    let services = tokio::task::spawn_blocking(move || Services::start(&broker)).await??;
    let folder = tempfile::tempdir()?;
    let environment = services.environment(&secret()?);
    let nodes: Vec<Arc<Node>> = (1..=NODES)
        .map(|number| Node::new(number, &program, folder.path(), &environment).into())
        .collect();
    let (stop, stopping) = watch::channel(false);
    let mut running = JoinSet::new();
    for node in &nodes {
        running.spawn(Arc::clone(node).run(stopping.clone()));
    }

    let serve = async {
        for node in &nodes {
            node.ready().await;
        }
        greet(&listen, &services, &nodes);
        balancer::serve(&listener, &nodes).await
    };
    let outcome = tokio::select! {
        never = serve => never,
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
        Some(ended) = running.join_next() => match ended {
            Ok(ended) => ended.map_err(Into::into),
            Err(panic) => Err(panic.into()),
        },
    };
    println!("\nstopping");
    stop.send_replace(true);
    drop(listener);
    while running.join_next().await.is_some() {}
    outcome
}

/// The server's binary, which is built beside this one.
fn program() -> Result<PathBuf, Box<dyn Error + Send + Sync>> {
    let this = std::env::current_exe()?;
    let program = this.parent().and_then(|examples| examples.parent());
    let program = program.map(|folder| folder.join("chat-server")).unwrap_or_default();
    if program.exists() {
        return Ok(program);
    }
    Err(format!("{} is not there: start this with `make cluster`", program.display()).into())
}

/// A new one for each start, the same for all servers.
fn secret() -> Result<String, Box<dyn Error + Send + Sync>> {
    let mut bytes = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn greet(listen: &str, services: &Services, nodes: &[Arc<Node>]) {
    println!("\n{NODES} servers as one, in development mode\n\n  open      http://{listen}\n");
    for login in nodes[0].logins() {
        println!("  {login}");
    }
    println!();
    for node in nodes {
        println!("  {node}");
    }
    for (name, url) in services.places() {
        println!("  {name:<9} {url}");
    }
    println!(
        "\nOpen the page in two browsers, one for each login; each may be at another server. Then see\n\
         what becomes of them when a server stops (kill PROCESS) or crashes (kill -9 PROCESS): it is\n\
         started again after a few seconds. Ctrl-C stops everything, and nothing is kept."
    );
}

use std::io::Write;

use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{CommandError, Options, start};
use crate::Server;
use crate::banner::Banner;

/// `chat-server serve`.
#[derive(Debug, Args)]
pub(super) struct Serve {
    /// The address and port to listen on (default: 127.0.0.1:8080; port 0 takes any free one)
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Development: demo accounts, tokens for the asking, no TLS needed. Never for real users
    #[arg(long)]
    dev: bool,
    /// Let development listen on an address that other machines can reach
    #[arg(long, requires = "dev")]
    dev_allow_remote: bool,
}

impl Serve {
    pub(super) async fn run(self, options: &Options) -> Result<(), CommandError> {
        let mut sources = options.sources()?;
        sources.command_line.extend(self.listen.map(|listen| ("listen".to_owned(), listen)));
        sources.dev = self.dev;
        let mut config = start(&sources)?;
        config.dev_allow_remote = self.dev_allow_remote;

        let mut signals = Signals::listen()?;
        let server = Server::bind(config.clone()).await?;
        let banner = Banner { address: server.local_addr(), config: &config };
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "{banner}")?;
        stdout.flush()?;
        drop(stdout);
        tracing::info!(address = %server.local_addr(), dev = config.dev, "listening");

        let stop = CancellationToken::new();
        // A task: the thread that is here is no worker, and would be woken for every connection.
        let run = tokio::spawn(server.run(stop.clone().cancelled_owned()));
        let impatience = async {
            signals.recv().await;
            stop.cancel();
            signals.recv().await;
        };
        tokio::select! {
            ran = run => Ok(ran?),
            () = impatience => Err("stopped at once by a second signal".into()),
        }
    }
}

/// The signals that ask a process to end.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn recv(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

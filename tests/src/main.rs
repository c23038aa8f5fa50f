//! The server's own command line, as a binary of this package, so that its tests can start it and
//! kill it.

use clap::Parser;

#[tokio::main]
async fn main() -> std::process::ExitCode {
    match chat_server::commands::Cli::parse().run().await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}

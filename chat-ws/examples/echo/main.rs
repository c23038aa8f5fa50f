//! A WebSocket server that sends back what it gets, text and binary, on the connection code of the
//! chat: for conformance runs with the Autobahn test suite.
//!
//! ```sh
//! cargo run --release --package chat-ws --example echo -- 127.0.0.1:9001
//! wstest --mode fuzzingclient --spec chat-ws/examples/echo/fuzzingclient.json
//! ```
//!
//! The cases left out are those of compression, which is not offered.
//!
//! The limits are those of the suite, not those of a chat: messages of 16 MiB in fragments of any
//! number, frames at any rate.

mod speaker;

use std::convert::Infallible;
use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use chat_ws::{ConnectionConfig, serve, serve_tcp, upgrade};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use self::speaker::Echo;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".into());
    let listener = TcpListener::bind(address).await?;
    println!("echoing on ws://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let connection = http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service_fn(handle))
            .with_upgrades();
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                eprintln!("{error}");
            }
        });
    }
}

async fn handle(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let upgrade = match upgrade(request) {
        Ok(upgrade) => upgrade,
        Err(problem) => return Ok(problem.into_response()),
    };
    tokio::spawn(async move {
        let config = ConnectionConfig {
            message_bytes: 16 * 1024 * 1024,
            fragments: u32::MAX,
            assembly_timeout: Duration::from_secs(60),
            frames_per_second: u32::MAX,
            frame_burst: u32::MAX,
            ..ConnectionConfig::default()
        };
        match upgrade.stream.await {
            Ok(stream) => {
                let (echo, cut) = (Echo::default(), CancellationToken::new());
                // As the endpoint of a chat does.
                match stream.downcast::<TokioIo<TcpStream>>() {
                    Ok(tcp) => {
                        serve_tcp(tcp.io.into_inner(), tcp.read_buf, echo, &config, &cut).await
                    }
                    Err(stream) => serve(TokioIo::new(stream), echo, &config, &cut).await,
                };
            }
            Err(error) => eprintln!("{error}"),
        }
    });
    Ok(upgrade.response)
}

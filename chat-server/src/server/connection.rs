use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::time::Duration;

use axum::body::Body;
use chat_core::auth::PeerAddress;
use futures::FutureExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio_util::sync::CancellationToken;

use super::guarded::GuardedStream;
use crate::http::Site;

/// What one connection may cost, whatever its requests are.
#[derive(Debug, Clone, Copy)]
pub(super) struct ConnectionSettings {
    /// How long a request's head may take, and how long a connection may be idle between two.
    pub(super) header_timeout: Duration,
    /// The most bytes of a request's head; more is answered with 431.
    pub(super) header_bytes: usize,
    /// How long a client may take nothing of what is written to it.
    pub(super) write_timeout: Duration,
}

/// Serves the requests of one connection, until the client ends it, or `stop` and the request at
/// hand is answered, or `cut`.
pub(super) async fn serve(
    stream: GuardedStream,
    peer: IpAddr,
    site: Site,
    settings: ConnectionSettings,
    stop: CancellationToken,
    cut: CancellationToken,
) {
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(PeerAddress(peer));
        site.clone().answer(request.map(Body::new)).map(Ok::<_, Infallible>)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.header_timeout)
        .max_header_size(settings.header_bytes)
        .max_buf_size(settings.header_bytes)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let served = async {
        tokio::select! {
            served = connection.as_mut() => return served,
            () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        connection.await
    };
    tokio::select! {
        served = served => {
            if let Err(error) = served {
                tracing::debug!(%error, "a connection ended with an error");
            }
        }
        () = cut.cancelled() => {}
    }
}

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use chat_core::auth::PeerAddress;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio_util::sync::CancellationToken;

use super::guarded::GuardedStream;
use super::keep_alive::{Exchanges, RequestEnd};
use crate::http::Site;

/// What one connection may cost, whatever its requests are.
#[derive(Debug, Clone, Copy)]
pub(super) struct ConnectionSettings {
    /// How long a request's head may take: the first from when the connection is made, each other
    /// from its first byte.
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
    exchanges: Arc<Exchanges>,
    peer: IpAddr,
    site: Site,
    settings: ConnectionSettings,
    stop: CancellationToken,
    cut: CancellationToken,
) {
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(PeerAddress(peer));
        exchanges.begin_answer();
        let (site, exchanges) = (site.clone(), Arc::clone(&exchanges));
        let end = RequestEnd::of(&request);
        async move {
            let leaving = site.is_leaving();
            let response = site.answer(request.map(Body::new)).await;
            Ok::<_, Infallible>(exchanges.answer(&end, response, leaving))
        }
    });
    let connection = http1::Builder::new()
        // The stream keeps the time, which knows when a head has begun.
        .header_read_timeout(None)
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

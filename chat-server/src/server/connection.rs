use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;

use axum::body::Body;
use chat_core::auth::PeerAddress;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio_util::sync::CancellationToken;

use super::guarded::GuardedStream;
use super::keep_alive::{Exchanges, RequestEnd};
use super::settings::ConnectionSettings;
use crate::http::Site;

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

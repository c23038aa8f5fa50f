//! Whether a request is a WebSocket handshake, and the answer if it is.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{
    ALLOW, CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, Version};
use http_body_util::Full;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::{list, single};
use crate::problem::Problem;

/// The version of RFC 6455, the only one.
const VERSION: &str = "13";
/// Bytes of a key (§4.1 item 7).
const KEY_BYTES: usize = 16;

/// Checks everything that §4.2.1 asks of a request, and answers its key.
pub(super) fn accept(head: &Parts) -> Result<HeaderValue, Problem> {
    if head.method != Method::GET {
        return Err(Problem::method_not_allowed().with(ALLOW, "GET"));
    }
    if head.version != Version::HTTP_11 {
        return Err(Problem::bad_handshake("a WebSocket handshake is HTTP/1.1"));
    }
    if !names(head, &UPGRADE, "websocket") {
        return Err(upgrade_required("this address speaks WebSocket only"));
    }
    if !names(head, &CONNECTION, "upgrade") {
        return Err(Problem::bad_handshake("Connection must name Upgrade"));
    }
    if single(&head.headers, SEC_WEBSOCKET_VERSION) != Some(VERSION) {
        return Err(upgrade_required("Sec-WebSocket-Version must be 13"));
    }
    let key = single(&head.headers, SEC_WEBSOCKET_KEY).filter(|key| is_key(key));
    let Some(key) = key else {
        return Err(Problem::bad_handshake("Sec-WebSocket-Key must be 16 bytes in Base64"));
    };
    HeaderValue::try_from(derive_accept_key(key.as_bytes()))
        .map_err(|_| Problem::bad_handshake("Sec-WebSocket-Key cannot be answered"))
}

/// The response that ends the handshake (§4.2.2 step 5).
pub(super) fn switching(
    accept: HeaderValue,
    subprotocol: Option<HeaderValue>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    if let Some(subprotocol) = subprotocol {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, subprotocol);
    }
    response
}

fn upgrade_required(detail: &'static str) -> Problem {
    Problem::upgrade_required(detail)
        .with(CONNECTION, "Upgrade")
        .with(UPGRADE, "websocket")
        .with(SEC_WEBSOCKET_VERSION, VERSION)
}

/// Whether a list header has this token; tokens of these two headers know no case.
fn names(head: &Parts, header: &http::HeaderName, token: &str) -> bool {
    list(&head.headers, header.clone()).any(|element| element.eq_ignore_ascii_case(token))
}

fn is_key(key: &str) -> bool {
    STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == KEY_BYTES)
}

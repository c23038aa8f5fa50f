//! The opening handshake (RFC 6455 §4.2), as pure functions of a request's head.

mod credential;
mod protocols;
mod upgrade;

use bytes::Bytes;
use chat_core::auth::{OriginPolicy, requested_host, single_value};
use http::header::{HOST, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::Full;
use hyper::upgrade::OnUpgrade;

use crate::problem::Problem;

pub(crate) use self::credential::{Credential, CredentialPlaces};
use self::protocols::Protocols;

/// A handshake that has been accepted.
#[derive(Debug)]
pub struct Upgrade {
    /// The answer to the client.
    pub response: Response<Full<Bytes>>,
    /// Where the stream comes out once the answer has been written. Wrap it in
    /// [`TokioIo`](hyper_util::rt::TokioIo) for [`serve`](crate::serve).
    pub stream: OnUpgrade,
}

/// Answers a handshake, for hosts that decide themselves who may connect:
/// [`WsEndpoint`](crate::WsEndpoint) does all of it.
///
/// What RFC 6455 §4.2 asks of a request is checked; its origin and credentials are not. The
/// subprotocol of the chat is selected where it is offered.
///
/// # Errors
///
/// [`Problem`], which is the response to send instead.
pub fn upgrade<B>(mut request: Request<B>) -> Result<Upgrade, Problem> {
    let stream = hyper::upgrade::on(&mut request);
    let (head, _) = request.into_parts();
    let accept = upgrade::accept(&head)?;
    let subprotocol = Protocols::offered(&head.headers).selected();
    Ok(Upgrade { response: upgrade::switching(accept, subprotocol), stream })
}

/// A handshake that may be answered with 101, as far as that can be said before its credential is
/// checked.
#[derive(Debug)]
pub(crate) struct Handshake {
    /// The answer to the client's key.
    accept: HeaderValue,
    /// The subprotocol to name in the answer. A client that offers none, or none that is known
    /// here, is taken to speak ours (§4.2.2 step 5 allows the answer to name none).
    subprotocol: Option<HeaderValue>,
    /// Who connects, if the handshake says so.
    pub(crate) credential: Option<Credential>,
}

impl Handshake {
    /// Reads the head of a request.
    ///
    /// # Errors
    ///
    /// The [`Problem`] to answer with.
    pub(crate) fn read(
        head: &Parts,
        origins: &OriginPolicy,
        places: &CredentialPlaces,
    ) -> Result<Self, Problem> {
        let accept = upgrade::accept(head)?;
        let protocols = Protocols::offered(&head.headers);
        let credential = credential::find(head, &protocols, places);
        check_origin(head, origins, credential.as_ref())?;
        Ok(Self { accept, subprotocol: protocols.selected(), credential })
    }

    /// The response that accepts the handshake.
    pub(crate) fn into_response(self) -> Response<Full<Bytes>> {
        upgrade::switching(self.accept, self.subprotocol)
    }
}

/// Browsers let any page open a WebSocket to any server, and send the server's cookies along; the
/// `Origin` is all that tells such a page from the server's own (§10.2).
///
/// So an origin that is there must be allowed, whatever the credential, and a cookie counts only
/// together with one. A program that is no browser sends neither.
fn check_origin(
    head: &Parts,
    origins: &OriginPolicy,
    credential: Option<&Credential>,
) -> Result<(), Problem> {
    let mut given = head.headers.get_all(ORIGIN).iter();
    match (given.next(), given.next()) {
        (None, _) if matches!(credential, Some(Credential::Cookie(_))) => {
            Err(Problem::origin_not_allowed("a handshake with a cookie needs an Origin"))
        }
        (None, _) => Ok(()),
        (Some(origin), None) => match origin.to_str() {
            Ok(origin) if origins.allows(origin, host(head)) => Ok(()),
            _ => Err(Problem::origin_not_allowed("pages of this origin may not connect")),
        },
        (Some(_), Some(_)) => Err(Problem::origin_not_allowed("there is more than one Origin")),
    }
}

/// The host that the client wants to reach.
fn host(head: &Parts) -> Option<&str> {
    let target = head.uri.authority().map(|authority| authority.as_str());
    requested_host(target, head.headers.get_all(HOST).iter().map(HeaderValue::as_bytes))
}

/// The value of a header that comes exactly once.
fn single(headers: &HeaderMap, name: http::HeaderName) -> Option<&str> {
    single_value(headers.get_all(name).iter().map(HeaderValue::as_bytes))
}

/// The elements of a header that is a list (RFC 9110 §5.6.1), over all its lines.
fn list(headers: &HeaderMap, name: http::HeaderName) -> impl Iterator<Item = &str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .filter(|element| !element.is_empty())
}

#[cfg(test)]
mod tests;

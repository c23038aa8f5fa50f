use std::convert::Infallible;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;
use chat_core::auth::{ClientDetails, PeerAddress};

use crate::state::Api;

/// The most characters of a browser's name for itself that are kept.
const USER_AGENT_CHARS: usize = 256;

/// Where a request to log in comes from: the [`PeerAddress`] that the server put into the
/// request's extensions, what the browser calls itself, and the device token in its cookie.
#[derive(Debug)]
pub(crate) struct Client(pub(crate) ClientDetails);

impl<S> FromRequestParts<S> for Client
where
    S: Send + Sync,
    Api: FromRef<S>,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let device_token = Api::from_ref(state).config.session_cookie.device_token(&parts.headers);
        Ok(Self(ClientDetails { device_token, ..details(parts) }))
    }
}

fn details(parts: &Parts) -> ClientDetails {
    let address = parts.extensions.get::<PeerAddress>().map(|peer| peer.0);
    let user_agent = parts
        .headers
        .get(USER_AGENT)
        .map(|agent| String::from_utf8_lossy(agent.as_bytes()))
        .map(|agent| {
            agent.chars().filter(|c| !c.is_control()).take(USER_AGENT_CHARS).collect::<String>()
        })
        .filter(|agent| !agent.is_empty());
    ClientDetails { address, user_agent, device_token: None }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    #[test]
    fn an_endless_user_agent_is_cut() {
        let request = Request::get("/").header(USER_AGENT, "x".repeat(5_000));
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        parts.extensions.insert(PeerAddress([127, 0, 0, 1].into()));
        let details = details(&parts);
        assert_eq!(details.user_agent.unwrap().len(), USER_AGENT_CHARS);
        assert_eq!(details.address, Some([127, 0, 0, 1].into()));
    }
}

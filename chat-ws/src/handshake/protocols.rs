use chat_core::proto::SUBPROTOCOL;
use http::header::SEC_WEBSOCKET_PROTOCOL;
use http::{HeaderMap, HeaderValue};
use secrecy::SecretString;

use super::list;

/// What a browser puts before a token to send it as a subprotocol, the only header that a page can
/// set on a handshake.
const BEARER_PREFIX: &str = "bearer.";

/// The subprotocols that a client offers.
#[derive(Debug)]
pub(super) struct Protocols {
    knows_ours: bool,
    /// A token that was offered beside the protocols. It is never selected, or it would come back
    /// in the answer and in the logs of whatever is in between.
    pub(super) bearer: Option<SecretString>,
}

impl Protocols {
    pub(super) fn offered(headers: &HeaderMap) -> Self {
        let offers = || list(headers, SEC_WEBSOCKET_PROTOCOL);
        let token = offers().find_map(|offer| offer.strip_prefix(BEARER_PREFIX));
        Self {
            knows_ours: offers().any(|offer| offer == SUBPROTOCOL),
            bearer: token.filter(|token| !token.is_empty()).map(SecretString::from),
        }
    }

    /// The one to speak.
    pub(super) fn selected(&self) -> Option<HeaderValue> {
        self.knows_ours.then(|| HeaderValue::from_static(SUBPROTOCOL))
    }
}

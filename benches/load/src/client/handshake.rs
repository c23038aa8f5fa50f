use std::net::SocketAddr;

/// The request that asks for a WebSocket.
pub(super) fn request(server: SocketAddr, path: &str, token: Option<&str>) -> Vec<u8> {
    let bearer = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
    format!(
        "GET {path} HTTP/1.1\r\n\
         Host: {server}\r\n\
         Connection: Upgrade\r\n\
         Upgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: chat.v1\r\n\
         {}\r\n",
        bearer.unwrap_or_default()
    )
    .into_bytes()
}

/// What the server has said to it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer<'b> {
    /// Nothing whole yet.
    Incomplete,
    /// Yes; and this came behind it.
    Open(&'b [u8]),
    /// Another status.
    Refused(u16),
}

/// Reads the head of the answer. The key's digest in it is not compared: a server that gets it wrong
/// fails in other tests.
pub(super) fn answer(bytes: &[u8]) -> Answer<'_> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Answer::Incomplete;
    };
    let status = bytes.get(9..12).and_then(|status| std::str::from_utf8(status).ok());
    match status.and_then(|status| status.parse().ok()) {
        Some(101) => Answer::Open(&bytes[end + 4..]),
        status => Answer::Refused(status.unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_head_belongs_to_the_connection() {
        let head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x00";
        assert_eq!(answer(head), Answer::Open(b"\x81\x00"));
        assert_eq!(answer(&head[..30]), Answer::Incomplete);
    }

    #[test]
    fn another_status_is_a_refusal() {
        let head = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n\r\n";
        assert_eq!(answer(head), Answer::Refused(503));
    }
}

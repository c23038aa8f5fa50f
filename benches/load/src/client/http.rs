use std::net::SocketAddr;

/// A request of a REST client, with what it sends, if anything.
pub(super) fn request(
    server: SocketAddr,
    method: &str,
    path: &str,
    token: &str,
    body: Option<&str>,
) -> Vec<u8> {
    let head =
        format!("{method} {path} HTTP/1.1\r\nHost: {server}\r\nAuthorization: Bearer {token}\r\n");
    let rest = body.map_or_else(
        || "\r\n".to_owned(),
        |body| {
            let length = body.len();
            format!("Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
        },
    );
    [head.into_bytes(), rest.into_bytes()].concat()
}

/// An answer that has come whole: its status, and where it ends. Every answer of the server says how
/// long it is.
pub(super) fn answer(bytes: &[u8]) -> Option<(u16, usize)> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..end]);
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1).and_then(|status| status.parse().ok());
    let length = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, length)| length.trim().parse::<usize>().ok());
    let end = end + length.unwrap_or_default();
    (bytes.len() >= end).then_some((status.unwrap_or_default(), end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_where_its_length_says() {
        let one = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}";
        let two = [one.as_slice(), b"HTTP/1.1 204 No Content\r\n\r\n"].concat();
        assert_eq!(answer(&one[..one.len() - 1]), None);
        assert_eq!(answer(&two), Some((201, one.len())));
        assert_eq!(answer(&two[one.len()..]), Some((204, two.len() - one.len())));
    }

    #[test]
    fn a_request_says_how_long_its_body_is() {
        let server = SocketAddr::from(([127, 0, 0, 1], 80));
        let text = String::from_utf8(request(server, "POST", "/x", "t", Some("{}"))).unwrap();
        assert!(text.starts_with("POST /x HTTP/1.1\r\n") && text.contains("Bearer t\r\n"));
        assert!(text.ends_with("Content-Length: 2\r\n\r\n{}"), "{text}");
        assert!(request(server, "GET", "/x", "t", None).ends_with(b"\r\n\r\n"));
    }
}

use std::fmt::Write;

/// A word for the configuration of NATS or Redis, in quotes.
pub(crate) fn quoted(word: &str) -> String {
    let mut quoted = String::from("\"");
    for character in word.chars() {
        match character {
            '\n' => quoted.push_str("\\n"),
            '"' | '\\' => quoted.extend(['\\', character]),
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

/// A user or a password as it stands in a URL.
pub(crate) fn escaped(word: &str) -> String {
    let mut escaped = String::new();
    for byte in word.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(byte.into());
        } else {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

/// A URL that leads to another host and port; user, password and all the rest stay.
pub(crate) fn led_to(address: &str, url: &str) -> String {
    let start = url.find("://").map_or(0, |scheme| scheme + 3);
    let end = url[start..].find(['/', '?', '#']).map_or(url.len(), |length| start + length);
    let host = url[start..end].rfind('@').map_or(start, |user| start + user + 1);
    format!("{}{address}{}", &url[..host], &url[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_host_and_port_of_a_url_change() {
        let cases = [
            ("nats://127.0.0.1:4222", "nats://to:1"),
            ("redis://:pass%40word@localhost:6379/2", "redis://:pass%40word@to:1/2"),
            ("postgres://u:p@[::1]:5432/db?a=b@c", "postgres://u:p@to:1/db?a=b@c"),
            ("http://host?query", "http://to:1?query"),
            ("127.0.0.1:80", "to:1"),
        ];
        for (url, expected) in cases {
            assert_eq!(led_to("to:1", url), expected);
        }
    }

    #[test]
    fn quotes_and_escapes_hold_whatever_a_password_has() {
        assert_eq!(quoted("a\"b\\c\n$d"), "\"a\\\"b\\\\c\\n$d\"");
        assert_eq!(escaped("a:/@%é~"), "a%3A%2F%40%25%C3%A9~");
    }
}

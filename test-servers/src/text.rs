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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_escapes_hold_whatever_a_password_has() {
        assert_eq!(quoted("a\"b\\c\n$d"), "\"a\\\"b\\\\c\\n$d\"");
        assert_eq!(escaped("a:/@%é~"), "a%3A%2F%40%25%C3%A9~");
    }
}

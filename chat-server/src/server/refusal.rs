use std::sync::LazyLock;

use chat_core::proto::ErrorCode;

use super::capacity::Full;
use crate::http::problem::{PROBLEM_JSON, body, status};

static SERVER: LazyLock<String> = LazyLock::new(|| {
    answer(ErrorCode::Unavailable, "the server has as many connections as allowed: try again", 5)
});

static ADDRESS: LazyLock<String> = LazyLock::new(|| {
    answer(ErrorCode::TooMany, "this address has as many connections as allowed", 60)
});

/// The answer to a connection for which there is no place, written before any request is read.
pub(super) fn refusal(full: Full) -> &'static str {
    match full {
        Full::Server => &SERVER,
        Full::Address => &ADDRESS,
    }
}

/// A whole answer, with the seconds after which it is worth trying again.
fn answer(code: ErrorCode, detail: &str, retry_after: u32) -> String {
    let body = body(code, detail).to_string();
    format!(
        "HTTP/1.1 {}\r\nconnection: close\r\ncache-control: no-store\r\n\
         retry-after: {retry_after}\r\ncontent-type: {PROBLEM_JSON}\r\n\
         content-length: {}\r\n\r\n{body}",
        status(code),
        body.len(),
    )
}

use chat_core::auth::{OriginPolicy, PLAIN_SESSION_COOKIE};
use http::{Method, StatusCode, Version};
use secrecy::ExposeSecret;

use super::*;

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// The good handshake that the cases change.
const GOOD: [(&str, &str); 5] = [
    ("host", "chat.example.org"),
    ("connection", "keep-alive, Upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", KEY),
];

/// A good handshake in which these headers are replaced, removed (empty value) or added.
fn head(changes: &[(&str, &str)]) -> Parts {
    let mut request = Request::get("/api/chat/ws");
    let kept = GOOD.iter().filter(|(name, _)| changes.iter().all(|(other, _)| name != other));
    for (name, value) in kept.chain(changes.iter().filter(|(_, value)| !value.is_empty())) {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn read(head: &Parts) -> Result<Handshake, Problem> {
    let origins = OriginPolicy::new(["https://app.example.org".into()]);
    let places = CredentialPlaces { cookie: PLAIN_SESSION_COOKIE.into(), query: false };
    Handshake::read(head, &origins, &places)
}

fn status(head: &Parts) -> StatusCode {
    match read(head) {
        Ok(handshake) => handshake.into_response().status(),
        Err(problem) => problem.into_response().status(),
    }
}

#[test]
fn a_good_handshake_is_answered_as_the_rfc_shows() {
    let response =
        read(&head(&[("sec-websocket-protocol", "x, chat.v1")])).unwrap().into_response();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    let header = |name: &str| response.headers()[name].to_str().unwrap();
    assert_eq!(header("sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_eq!(header("upgrade"), "websocket");
    assert_eq!(header("connection"), "Upgrade");
    assert_eq!(header("sec-websocket-protocol"), "chat.v1");
}

#[test]
fn every_flaw_has_its_status() {
    let switching = StatusCode::SWITCHING_PROTOCOLS;
    let bad = StatusCode::BAD_REQUEST;
    let upgrade = StatusCode::UPGRADE_REQUIRED;
    for (name, value, expected) in [
        ("connection", "upgrade", switching),
        ("connection", "close, UPGRADE ,x", switching),
        ("connection", "keep-alive", bad),
        ("connection", "upgraded", bad),
        ("connection", "", bad),
        ("upgrade", "WebSocket", switching),
        ("upgrade", "h2c, websocket", switching),
        ("upgrade", "h2c", upgrade),
        ("upgrade", "websockets", upgrade),
        ("upgrade", "", upgrade),
        ("sec-websocket-version", " 13 ", switching),
        ("sec-websocket-version", "8", upgrade),
        ("sec-websocket-version", "13, 8", upgrade),
        ("sec-websocket-version", "", upgrade),
        ("sec-websocket-key", "", bad),
        ("sec-websocket-key", "AAAA", bad),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ", bad),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZSE=", bad),
        ("sec-websocket-key", "not base64 at all......", bad),
    ] {
        assert_eq!(status(&head(&[(name, value)])), expected, "{name}: {value:?}");
    }
}

#[test]
fn headers_that_must_be_single_are() {
    let two = head(&[("sec-websocket-key", KEY), ("sec-websocket-key", KEY)]);
    assert_eq!(status(&two), StatusCode::BAD_REQUEST);
    let two = head(&[("sec-websocket-version", "13"), ("sec-websocket-version", "13")]);
    assert_eq!(status(&two), StatusCode::UPGRADE_REQUIRED);
    let own = "https://chat.example.org";
    assert_eq!(status(&head(&[("origin", own), ("origin", own)])), StatusCode::FORBIDDEN);
}

#[test]
fn only_get_over_http_1_1_is_a_handshake() {
    for method in [Method::POST, Method::HEAD, Method::OPTIONS, Method::CONNECT] {
        let mut head = head(&[]);
        head.method = method;
        let response = read(&head).unwrap_err().into_response();
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()["allow"], "GET");
    }
    for version in [Version::HTTP_10, Version::HTTP_2] {
        let mut head = head(&[]);
        head.version = version;
        assert_eq!(status(&head), StatusCode::BAD_REQUEST);
    }
}

#[test]
fn a_wrong_version_is_told_the_right_one() {
    let response = read(&head(&[("sec-websocket-version", "8")])).unwrap_err().into_response();
    assert_eq!(response.headers()["sec-websocket-version"], "13");
    assert_eq!(response.headers()["content-type"], "application/problem+json");
}

#[test]
fn subprotocols_are_selected_only_if_known_and_tokens_never() {
    for (offered, selected) in [
        ("", None),
        ("chat.v1", Some("chat.v1")),
        ("chat.v2, chat.v1", Some("chat.v1")),
        ("CHAT.V1", None),
        ("soap", None),
        ("bearer.abc, chat.v1", Some("chat.v1")),
        ("bearer.abc", None),
    ] {
        let handshake = read(&head(&[("sec-websocket-protocol", offered)])).unwrap();
        let name = handshake.subprotocol.as_ref().map(|name| name.to_str().unwrap());
        assert_eq!(name, selected, "{offered:?}");
    }
}

#[test]
fn origins_are_checked_with_every_credential() {
    let none: &[(&str, &str)] = &[];
    let cookie = &[("cookie", "a=b; sid=c")];
    let header = &[("authorization", "Bearer t")];
    let protocol = &[("sec-websocket-protocol", "chat.v1, bearer.t")];
    let both = &[("authorization", "Bearer t"), ("cookie", "sid=c")];
    let ok = StatusCode::SWITCHING_PROTOCOLS;
    let no = StatusCode::FORBIDDEN;
    for (origin, without_cookie, with_cookie) in [
        ("", ok, no),
        ("https://chat.example.org", ok, ok),
        ("https://app.example.org", ok, ok),
        ("https://APP.example.org", ok, ok),
        ("https://evil.example.org", no, no),
        ("https://app.example.org.evil.test", no, no),
        ("https://chat.example.org:8443", no, no),
        ("null", no, no),
        ("file://", no, no),
    ] {
        for credential in [none, header, protocol, both] {
            let changes = [credential, &[("origin", origin)]].concat();
            assert_eq!(status(&head(&changes)), without_cookie, "{changes:?}");
        }
        let changes = [cookie.as_slice(), &[("origin", origin)]].concat();
        assert_eq!(status(&head(&changes)), with_cookie, "{changes:?}");
    }
}

#[test]
fn an_origin_that_is_no_text_is_refused() {
    let mut head = head(&[]);
    head.headers.insert(ORIGIN, HeaderValue::from_bytes(b"https://\xff").unwrap());
    assert_eq!(status(&head), StatusCode::FORBIDDEN);
}

#[test]
fn the_host_of_an_absolute_target_goes_before_the_header() {
    let mut head = head(&[("origin", "https://other.example.org")]);
    assert_eq!(status(&head), StatusCode::FORBIDDEN);
    head.uri = "http://other.example.org/api/chat/ws".parse().unwrap();
    assert_eq!(status(&head), StatusCode::SWITCHING_PROTOCOLS);
}

/// The credential of a handshake with these headers and this query, as `how:token`.
fn found(changes: &[(&str, &str)], query: &str, places: &CredentialPlaces) -> Option<String> {
    let mut head = head(changes);
    head.uri = format!("/ws{query}").parse().unwrap();
    let protocols = Protocols::offered(&head.headers);
    credential::find(&head, &protocols, places).map(|credential| {
        let kind = match credential {
            Credential::Explicit(_) => "explicit",
            Credential::Cookie(_) => "cookie",
        };
        format!("{kind}:{}", credential.token().expose_secret())
    })
}

#[test]
fn what_is_sent_on_purpose_goes_before_the_cookie() {
    let header = ("authorization", "Bearer header");
    let protocol = ("sec-websocket-protocol", "chat.v1, bearer.protocol");
    let cookie = ("cookie", "sid=cookie");
    let basic = ("authorization", "Basic abc");
    let places = |query| CredentialPlaces { cookie: "sid".into(), query };
    let find = |changes: &[_], query| found(changes, query, &places(true)).unwrap_or_default();
    assert_eq!(find(&[header, protocol, cookie], "?token=query"), "explicit:header");
    assert_eq!(find(&[protocol, cookie], "?token=query"), "explicit:protocol");
    assert_eq!(find(&[basic, cookie], "?token=query"), "explicit:query");
    assert_eq!(find(&[cookie], "?a=b&token=a%2Bb%3D"), "explicit:a+b=");
    assert_eq!(find(&[cookie], "?token="), "cookie:cookie");
    assert_eq!(find(&[], "?token=%zz"), "");
    assert_eq!(found(&[cookie], "?token=query", &places(false)).unwrap(), "cookie:cookie");
    assert_eq!(found(&[], "?token=query", &places(false)), None);
    assert_eq!(found(&[("cookie", "other=1")], "", &places(true)), None);
    assert_eq!(
        found(&[("cookie", "a=1"), ("cookie", "sid=2")], "", &places(true)).unwrap(),
        "cookie:2"
    );
}

#[test]
fn a_handshake_shows_no_token_in_its_debug_output() {
    let head =
        head(&[("authorization", "Bearer s3cret"), ("sec-websocket-protocol", "bearer.s3cret")]);
    assert!(!format!("{:?}", read(&head).unwrap()).contains("s3cret"));
}

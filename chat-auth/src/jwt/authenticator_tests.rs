use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::*;
use crate::jwt::{JwtIssuer, TokenSubject};

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
const NOW: i64 = 1_800_000_000;

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

fn key() -> HmacKey {
    HmacKey::new(SECRET).unwrap()
}

fn authenticator() -> JwtAuthenticator {
    JwtAuthenticator::hs256(&key(), JwtConfig::default()).unwrap()
}

fn strict() -> JwtAuthenticator {
    let config = JwtConfig {
        issuer: Some("https://host.test".into()),
        audience: Some("chat".into()),
        ..JwtConfig::default()
    };
    JwtAuthenticator::hs256(&key(), config).unwrap()
}

fn signed_with(header: &Header, claims: &Value) -> String {
    encode(header, claims, &EncodingKey::from_secret(SECRET)).unwrap()
}

fn signed(claims: &Value) -> String {
    signed_with(&Header::new(Algorithm::HS256), claims)
}

/// A token whose parts are written by hand, signed with nothing.
fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.", part(header), part(claims))
}

fn good() -> Value {
    json!({"sub": "ada", "exp": NOW + 60})
}

fn with(changes: &Value) -> Value {
    let mut claims = good();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

#[test]
fn a_good_token_tells_who_its_bearer_is() {
    let token = signed(&with(&json!({
        "preferred_username": "ada.l", "name": "Ada Lovelace", "extra": {"deep": [1, 2]},
    })));
    let identity = authenticator().identify(&token, now()).unwrap();
    assert_eq!(identity.claims.id.as_str(), "ada");
    assert_eq!(identity.claims.username.unwrap().as_str(), "ada.l");
    assert_eq!(identity.claims.display_name.unwrap().as_str(), "Ada Lovelace");
    assert_eq!(identity.login, None);
    assert_eq!(identity.expires_at.unwrap().as_second(), NOW + 60);
}

#[test]
fn names_that_cannot_be_used_are_left_out() {
    for (username, name) in
        [(json!("a b"), json!("")), (json!(7), json!({})), (json!([]), json!(1))]
    {
        let token = signed(&with(&json!({"preferred_username": username, "name": name})));
        let claims = authenticator().identify(&token, now()).unwrap().claims;
        assert_eq!(claims, chat_core::auth::UserClaims::of("ada".parse().unwrap()));
    }
}

#[test]
fn tokens_of_a_host_are_accepted_as_the_issuer_writes_them() {
    let issuer = JwtIssuer::hs256(&key(), Some("https://host.test".into()), Some("chat".into()));
    let subject = TokenSubject {
        username: Some("ada".parse_name()),
        ..TokenSubject::of("u-1".parse().unwrap())
    };
    let token = issuer.issue(&subject, now(), std::time::Duration::from_secs(60)).unwrap();
    let identity = strict().identify(token.expose_secret(), now()).unwrap();
    assert_eq!(identity.claims.id, subject.id);
    assert_eq!(identity.claims.username, subject.username);
    assert_eq!(identity.expires_at.unwrap().as_second(), NOW + 60);
}

trait ParseName {
    fn parse_name(&self) -> chat_core::proto::Username;
}

impl ParseName for str {
    fn parse_name(&self) -> chat_core::proto::Username {
        chat_core::proto::Username::parse(self).unwrap()
    }
}

#[test]
fn only_the_pinned_algorithm_is_accepted() {
    let claims = good();
    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        let token = signed_with(&Header::new(algorithm), &claims);
        assert_invalid(&token, "another HMAC");
    }
    assert_invalid(&unsigned(&json!({"alg": "none", "typ": "JWT"}), &claims), "none");
    assert_invalid(&unsigned(&json!({"alg": "None"}), &claims), "none, spelled otherwise");
    assert_invalid(&unsigned(&json!({"alg": "HS256"}), &claims), "no signature");
    let mut parts: Vec<String> = signed(&claims).split('.').map(str::to_owned).collect();
    for alg in ["none", "RS256", "ES256", "EdDSA", "HS384", "hs256"] {
        parts[0] = URL_SAFE_NO_PAD.encode(json!({"alg": alg}).to_string());
        assert_invalid(&parts.join("."), alg);
    }
    // A signature that is good for the header it names, as a confused verifier would accept.
    let mut header = Header::new(Algorithm::HS256);
    header.alg = Algorithm::RS256;
    assert!(encode(&header, &claims, &EncodingKey::from_secret(SECRET)).is_err());
}

#[test]
fn keys_named_by_the_token_are_not_used() {
    let attacker = b"attacker's own key, 32 bytes long";
    let mut header = Header::new(Algorithm::HS256);
    header.jku = Some("https://attacker.test/keys".into());
    header.kid = Some("../../dev/null".into());
    let forged = encode(&header, &good(), &EncodingKey::from_secret(attacker)).unwrap();
    assert_invalid(&forged, "signed with another key");
    let mut forged: Vec<String> = forged.split('.').map(str::to_owned).collect();
    let jwk = json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode(attacker)});
    forged[0] = URL_SAFE_NO_PAD.encode(json!({"alg": "HS256", "jwk": jwk}).to_string());
    assert_invalid(&forged.join("."), "brings its own key");
    // The same header on a token of the right key is simply not looked at.
    assert!(authenticator().identify(&signed_with(&header, &good()), now()).is_ok());
}

#[test]
fn critical_extensions_are_not_understood() {
    let mut header = Header::new(Algorithm::HS256);
    header.crit = Some(vec!["b64".into()]);
    assert_invalid(&signed_with(&header, &good()), "crit");
}

#[test]
fn claims_of_the_wrong_kind_are_refused() {
    for (claims, why) in [
        (with(&json!({"exp": null})), "no exp"),
        (with(&json!({"exp": (NOW + 60).to_string()})), "exp as text"),
        (with(&json!({"exp": -1})), "exp before 1970"),
        (with(&json!({"exp": true})), "exp of another type"),
        (with(&json!({"exp": {"$gt": 0}})), "exp of another type"),
        (with(&json!({"sub": null})), "no sub"),
        (with(&json!({"sub": 7})), "sub as a number"),
        (with(&json!({"sub": ""})), "empty sub"),
        (with(&json!({"sub": "a/b"})), "sub outside the alphabet"),
        (with(&json!({"sub": "x".repeat(65)})), "long sub"),
        (with(&json!({"nbf": NOW + 6})), "not yet"),
        (with(&json!({"nbf": "0"})), "nbf as text"),
        (json!([]), "no object"),
        (json!("ada"), "no object"),
    ] {
        assert_invalid(&signed(&claims), why);
    }
}

#[test]
fn time_is_kept_within_the_leeway() {
    let at = |exp: i64| authenticator().identify(&signed(&with(&json!({"exp": exp}))), now());
    assert!(at(NOW + 1).is_ok());
    assert!(at(NOW - 4).is_ok(), "within 5 s");
    assert!(matches!(at(NOW - 5), Err(AuthError::Expired)));
    assert!(matches!(at(NOW - 60), Err(AuthError::Expired)), "a usual leeway of a minute");
    assert!(matches!(at(0), Err(AuthError::Expired)));
    assert!(at(i64::MAX).is_ok(), "beyond the calendar");
    let broken = signed(&with(&json!({"exp": NOW as f64 + 0.5, "nbf": NOW as f64 - 0.5})));
    assert!(authenticator().identify(&broken, now()).is_ok(), "broken seconds");
    let early = signed(&with(&json!({"nbf": NOW + 5})));
    assert!(authenticator().identify(&early, now()).is_ok());
}

#[test]
fn every_number_that_is_later_than_all_clocks_is_alike() {
    let claims = |claims: &str| {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let message = format!("{}.{}", part(r#"{"alg":"HS256"}"#), part(claims));
        let key = EncodingKey::from_secret(SECRET);
        let signature = crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
        authenticator().identify(&format!("{message}.{signature}"), now())
    };
    for exp in [
        "253402300799",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "18446744073709551616.5",
        "1e20",
        "1E+308",
        "1e309",
        "1e99999999999999999999",
        &"9".repeat(2_000),
    ] {
        let identity = claims(&format!(r#"{{"sub":"ada","exp":{exp}}}"#));
        let expires_at = identity.unwrap_or_else(|error| panic!("{exp}: {error}")).expires_at;
        let year = expires_at.unwrap().to_string();
        assert!(year.starts_with("9999-12-"), "{exp}: {year}");
        let later = claims(&format!(r#"{{"sub":"ada","exp":{},"nbf":{exp}}}"#, NOW + 60));
        assert!(matches!(later, Err(AuthError::Invalid)), "not before {exp}");
    }
    for exp in [
        "-1",
        "-1e400",
        "-18446744073709551616",
        "true",
        "[1]",
        "{}",
        r#""1e400""#,
        r#""inf""#,
        "null",
    ] {
        let refused = claims(&format!(r#"{{"sub":"ada","exp":{exp}}}"#));
        assert!(matches!(refused, Err(AuthError::Invalid)), "{exp}");
    }
    for broken in ["inf", "NaN", "+1", "0x10", "1_000", ""] {
        let refused = claims(&format!(r#"{{"sub":"ada","exp":{broken}}}"#));
        assert!(matches!(refused, Err(AuthError::Invalid)), "{broken}");
    }
    let twice = claims(&format!(r#"{{"sub":"ada","exp":{},"exp":1e400}}"#, NOW + 60));
    assert!(matches!(twice, Err(AuthError::Invalid)), "a claim that comes twice");
}

#[test]
fn who_is_let_in_within_the_leeway_stays_until_its_end() {
    let end = |exp: i64| {
        let token = signed(&with(&json!({"exp": exp})));
        authenticator().identify(&token, now()).unwrap().expires_at.unwrap().as_second()
    };
    assert_eq!(end(NOW + 1), NOW + 1, "in force: it ends when it says");
    assert_eq!(end(NOW), NOW + 5);
    assert_eq!(end(NOW - 4), NOW + 1);
}

#[test]
fn no_leeway_accepts_nothing_that_has_expired() {
    let config = JwtConfig { leeway: std::time::Duration::ZERO, ..JwtConfig::default() };
    let exact = JwtAuthenticator::hs256(&key(), config).unwrap();
    let expired = signed(&with(&json!({"exp": NOW})));
    assert!(matches!(exact.identify(&expired, now()), Err(AuthError::Expired)));
    assert!(exact.identify(&signed(&with(&json!({"exp": NOW + 1}))), now()).is_ok());
}

#[test]
fn a_leeway_over_five_seconds_is_refused() {
    let leeway = std::time::Duration::from_secs(6);
    let config = JwtConfig { leeway, ..JwtConfig::default() };
    assert_eq!(
        JwtAuthenticator::hs256(&key(), config).unwrap_err(),
        InvalidJwtConfig::Leeway(leeway)
    );
}

#[test]
fn issuer_and_audience_are_checked_when_they_are_configured() {
    let claims = |iss: Value, aud: Value| signed(&with(&json!({"iss": iss, "aud": aud})));
    let host = || json!("https://host.test");
    assert!(strict().identify(&claims(host(), json!("chat")), now()).is_ok());
    assert!(strict().identify(&claims(host(), json!(["mail", "chat"])), now()).is_ok());
    for (iss, aud) in [
        (json!("https://host.test/"), json!("chat")),
        (json!("https://evil.test"), json!("chat")),
        (host(), json!("mail")),
        (host(), json!([])),
        (host(), Value::Null),
        (Value::Null, json!("chat")),
        (json!(7), json!("chat")),
        (host(), json!({"chat": true})),
    ] {
        let token = claims(iss.clone(), aud.clone());
        assert!(matches!(strict().identify(&token, now()), Err(AuthError::Invalid)), "{iss} {aud}");
    }
    let other = claims(json!("anyone"), json!("anything"));
    assert!(authenticator().identify(&other, now()).is_ok(), "not configured, not looked at");
}

#[test]
fn whatever_was_tampered_with_is_refused() {
    let token = signed(&good());
    for index in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
        let tampered = String::from_utf8(bytes).unwrap();
        // The last character of a part carries bits that are not used.
        let ends_part = token[index + 1..].is_empty() || token[index + 1..].starts_with('.');
        let result = authenticator().identify(&tampered, now());
        assert!(ends_part || matches!(result, Err(AuthError::Invalid)), "position {index}");
    }
    let mut parts: Vec<&str> = token.split('.').collect();
    let swapped = URL_SAFE_NO_PAD.encode(with(&json!({"sub": "ben"})).to_string());
    parts[1] = &swapped;
    assert_invalid(&parts.join("."), "another user's claims");
    let other_key = EncodingKey::from_secret(b"another secret, thirty-two bytes!");
    let token = encode(&Header::new(Algorithm::HS256), &good(), &other_key).unwrap();
    assert_invalid(&token, "another key");
}

#[test]
fn what_is_no_token_is_refused() {
    for text in ["", ".", "..", "...", "a.b.c", "chs_abc", "é.ü.ö", "\0", "Bearer x", "null"] {
        assert_invalid(text, text);
    }
    assert_invalid(&"a".repeat(100 * 1024), "100 KiB");
    let padded = signed(&with(&json!({"padding": "x".repeat(100 * 1024)})));
    assert_invalid(&padded, "100 KiB, signed");
    assert_invalid(&".".repeat(100 * 1024), "100 KiB of dots");
}

#[test]
fn diagnostics_show_no_key() {
    let shown = format!("{:?} {:?}", strict(), JwtIssuer::hs256(&key(), None, None));
    assert!(!shown.contains("0123456789abcdef") && !shown.contains("48, 49, 50"), "{shown}");
}

fn assert_invalid(token: &str, why: &str) {
    let result = authenticator().identify(token, now());
    assert!(matches!(result, Err(AuthError::Invalid)), "{why}: {result:?}");
}

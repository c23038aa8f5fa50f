use chat_core::auth::AccountError;
use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::UnicodeNormalization;

/// The fewest characters of a password (NIST SP 800-63B §3.1.1.2).
const MIN_CHARS: usize = 8;

/// The most characters of a password: more add nothing but work.
const MAX_CHARS: usize = 128;

/// A password in the one form that is hashed: NFC, since keyboards write the same character in
/// several ways (NIST SP 800-63B §3.1.1.2).
pub(super) fn normalize(password: &SecretString) -> SecretString {
    password.expose_secret().nfc().collect::<String>().into()
}

/// Accepts a new password by its length alone; rules of composition make passwords worse.
pub(super) fn accept(password: &SecretString) -> Result<SecretString, AccountError> {
    let password = normalize(password);
    let actual = password.expose_secret().chars().count();
    if (MIN_CHARS..=MAX_CHARS).contains(&actual) {
        return Ok(password);
    }
    Err(AccountError::PasswordLength { min: MIN_CHARS, max: MAX_CHARS, actual })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_judged_by_their_characters() {
        for (password, accepted) in [
            ("1234567".to_owned(), false),
            ("12345678".into(), true),
            ("ёлки-пал".into(), true),
            ("🦀🦀🦀🦀🦀🦀🦀".into(), false),
            (" ".repeat(8), true),
            ("x".repeat(128), true),
            ("x".repeat(129), false),
            (String::new(), false),
        ] {
            assert_eq!(accept(&password.clone().into()).is_ok(), accepted, "{password}");
        }
    }

    #[test]
    fn one_password_typed_on_two_keyboards_is_one_password() {
        let composed = accept(&"caf\u{e9}-au-lait".to_owned().into()).unwrap();
        let decomposed = accept(&"cafe\u{301}-au-lait".to_owned().into()).unwrap();
        assert_eq!(composed.expose_secret(), decomposed.expose_secret());
    }
}

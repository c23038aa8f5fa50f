use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// The longest namespace, in characters.
const MAX_NAMESPACE: usize = 32;

/// How to reach a broker.
#[derive(Clone, PartialEq, Eq)]
pub struct ClusterConfig {
    /// Where servers of the broker are, each with user and password if they are needed. Which of
    /// them is used is up to the client; more are found through those that answer.
    pub urls: Vec<String>,
    /// What all names begin with, so that several installations can share a broker. All nodes of one
    /// have the same. Default `chat`.
    pub namespace: Namespace,
    /// A file of certificates (PEM) that servers may be signed with, in place of those that the
    /// system or the web trusts. Default none.
    pub ca_file: Option<PathBuf>,
    /// How long making a connection, and one exchange on it, may take. Default 5 s.
    pub timeout: Duration,
    /// How many messages wait for a node that does not receive. Further ones are lost to it, and it
    /// compares with the store. Default 65,536.
    pub inbox: usize,
}

impl ClusterConfig {
    /// A broker at these URLs, with everything else as by default.
    #[must_use]
    pub fn new(urls: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            urls: urls.into_iter().map(Into::into).collect(),
            namespace: Namespace::default(),
            ca_file: None,
            timeout: Duration::from_secs(5),
            inbox: 65_536,
        }
    }
}

/// URLs may hold passwords, so they are not shown.
impl fmt::Debug for ClusterConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterConfig")
            .field("urls", &format_args!("[{} hidden]", self.urls.len()))
            .field("namespace", &self.namespace)
            .field("ca_file", &self.ca_file)
            .field("timeout", &self.timeout)
            .field("inbox", &self.inbox)
            .finish()
    }
}

/// What the names of one installation begin with: 1 to 32 of `a–z 0–9 - _`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Namespace(String);

/// A namespace has other characters, or too many or too few of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a namespace has 1 to 32 of the characters a-z, 0-9, - and _")]
pub struct InvalidNamespace;

impl Namespace {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Namespace {
    fn default() -> Self {
        Self("chat".to_owned())
    }
}

impl FromStr for Namespace {
    type Err = InvalidNamespace;

    fn from_str(text: &str) -> Result<Self, InvalidNamespace> {
        let fits = (1..=MAX_NAMESPACE).contains(&text.len());
        let is_name = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
        if fits && text.bytes().all(is_name) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidNamespace)
        }
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_a_short_plain_word() {
        for good in ["chat", "a", "chat-2_b", &"x".repeat(32)] {
            assert_eq!(good.parse::<Namespace>().map(|name| name.to_string()), Ok(good.to_owned()));
        }
        for bad in ["", "Chat", "a.b", "a b", "a*", "ä", &"x".repeat(33)] {
            assert_eq!(bad.parse::<Namespace>(), Err(InvalidNamespace), "{bad}");
        }
    }

    #[test]
    fn passwords_are_not_shown() {
        let config = ClusterConfig::new(["nats://chat:canary@127.0.0.1"]);
        assert!(!format!("{config:?}").contains("canary"));
    }
}

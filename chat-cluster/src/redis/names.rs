use std::fmt::Write;

use chat_core::broker::Subject;
use chat_core::limit::LimitKey;
use chat_core::proto::{NodeId, UserId};

use crate::config::Namespace;

/// Into how many parts users are divided. What is known of the users of one part is in one slot, so
/// that a script can change all of it at once.
pub(super) const PARTS: u16 = 256;

/// The names of channels and keys, all of which begin with the namespace.
///
/// | name | holds |
/// |---|---|
/// | `chat.conversation.<id>`, `chat.user.<hex>`, `chat.presence` | channels, by [`Subject`] |
/// | `chat.probe.<random>` | a channel of one node |
/// | `chat.{leases}.ends` | sorted set: node → end of its lease, µs by the server's clock |
/// | `chat.{leases}.begun` | hash: node → number of its lease; `last` → the last number given |
/// | `chat.{<part>}.user.<hex>` | hash: node → `<number of its lease>:<devices>`; `shown` → status |
/// | `chat.{<part>}.node.<id>` | set: users (hex) of this part who have entered this node |
/// | `chat.limit.<limit>.<hex>` | when the key is next free, µs by the server's clock |
#[derive(Debug, Clone)]
pub(super) struct Names {
    namespace: Namespace,
}

impl Names {
    pub(super) const fn new(namespace: Namespace) -> Self {
        Self { namespace }
    }

    pub(super) fn channel(&self, subject: &Subject) -> String {
        let name = subject.to_string();
        format!("{}.{}", self.namespace, name.strip_prefix("chat.").unwrap_or(&name))
    }

    pub(super) fn probe(&self, tag: &[u8]) -> String {
        format!("{}.probe.{}", self.namespace, hex(tag))
    }

    pub(super) fn lease_ends(&self) -> String {
        format!("{}.{{leases}}.ends", self.namespace)
    }

    pub(super) fn leases_begun(&self) -> String {
        format!("{}.{{leases}}.begun", self.namespace)
    }

    pub(super) fn user(&self, user: &UserId) -> String {
        let name = hex(user.as_str().as_bytes());
        format!("{}.{{{}}}.user.{name}", self.namespace, part(user))
    }

    pub(super) fn users_of_node(&self, node: NodeId, part: u16) -> String {
        format!("{}.{{{part}}}.node.{node}", self.namespace)
    }

    pub(super) fn limit(&self, key: &LimitKey) -> String {
        format!("{}.limit.{key}", self.namespace)
    }
}

/// The part a user belongs to: FNV-1a of the id, which never changes.
pub(super) fn part(user: &UserId) -> u16 {
    let hash = user
        .as_str()
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    (hash ^ (hash >> 16)) as u16 % PARTS
}

/// A user's name in sets: the id in hexadecimal.
pub(super) fn user_name(user: &UserId) -> String {
    hex(user.as_str().as_bytes())
}

/// The user of such a name.
pub(super) fn user_of(name: &str) -> Option<UserId> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> = name.as_bytes().chunks(2).map(byte).collect();
    String::from_utf8(bytes?).ok()?.parse().ok()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_begin_with_the_namespace() {
        let names = Names::new("prod".parse().unwrap());
        let user: UserId = "a.b".parse().unwrap();
        assert_eq!(names.channel(&Subject::Presence), "prod.presence");
        assert_eq!(names.channel(&Subject::User(user.clone())), "prod.user.612e62");
        assert_eq!(names.user(&user), format!("prod.{{{}}}.user.612e62", part(&user)));
        assert_eq!(user_of(&user_name(&user)), Some(user));
        assert_eq!(user_of("6"), None);
    }
}

use redis::{FromRedisValue, Value};

use super::access::Address;
use super::slot::{SLOTS, Slot};

/// Which server has which slots. A single server has all.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Layout {
    /// Sorted by first slot; first and last slot of each, both included.
    ranges: Vec<(u16, u16, Address)>,
    is_cluster: bool,
}

impl Layout {
    pub(super) fn single(server: Address) -> Self {
        Self { ranges: vec![(0, SLOTS - 1, server)], is_cluster: false }
    }

    /// Reads what a server answers to `CLUSTER SLOTS`. A server that does not know its own host, or
    /// that of another, means the host by which it was asked. None if it names no server.
    pub(super) fn read(answer: Value, asked: &Address) -> Option<Self> {
        let mut ranges: Vec<_> = Vec::<Value>::from_redis_value(answer)
            .ok()?
            .into_iter()
            .filter_map(|range| read_range(range, asked))
            .collect();
        ranges.sort_unstable();
        if ranges.is_empty() { None } else { Some(Self { ranges, is_cluster: true }) }
    }

    /// Whether these are the servers of a Redis Cluster, even if it is one.
    pub(super) const fn is_cluster(&self) -> bool {
        self.is_cluster
    }

    /// The server that has a slot.
    pub(super) fn server(&self, slot: Slot) -> Option<&Address> {
        let after = self.ranges.partition_point(|(first, ..)| *first <= slot.0);
        let (_, last, server) = self.ranges.get(after.checked_sub(1)?)?;
        (slot.0 <= *last).then_some(server)
    }

    /// All servers, each once.
    pub(super) fn servers(&self) -> Vec<Address> {
        let mut servers: Vec<_> = self.ranges.iter().map(|(.., server)| server.clone()).collect();
        servers.sort_unstable();
        servers.dedup();
        servers
    }
}

/// First slot, last slot, and servers, of which the first is not a replica.
fn read_range(range: Value, asked: &Address) -> Option<(u16, u16, Address)> {
    let mut parts = Vec::<Value>::from_redis_value(range).ok()?.into_iter();
    let first = u16::from_redis_value(parts.next()?).ok()?;
    let last = u16::from_redis_value(parts.next()?).ok()?;
    let mut server = Vec::<Value>::from_redis_value(parts.next()?).ok()?.into_iter();
    let host = Option::<String>::from_redis_value(server.next()?).ok()?;
    let port = u16::from_redis_value(server.next()?).ok()?;
    let host = host.filter(|host| !host.is_empty());
    let host = host.unwrap_or_else(|| asked.host.clone());
    // The server itself does not know which host that is.
    (host != "?").then_some((first, last, Address { host, port }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    fn range(first: i64, last: i64, host: Value, port: i64) -> Value {
        let server = Value::Array(vec![host, Value::Int(port), text("id"), Value::Array(vec![])]);
        Value::Array(vec![Value::Int(first), Value::Int(last), server])
    }

    #[test]
    fn every_slot_has_the_server_that_was_named() {
        let asked = Address { host: "asked".to_owned(), port: 1 };
        let answer = Value::Array(vec![
            range(8_000, 16_383, text("other"), 3),
            range(0, 5_000, Value::Nil, 2),
            range(5_001, 7_000, text("?"), 4),
        ]);
        let layout = Layout::read(answer, &asked).unwrap();
        let server = |slot| layout.server(Slot(slot)).map(ToString::to_string);
        assert_eq!(server(0).as_deref(), Some("asked:2"));
        assert_eq!(server(5_000).as_deref(), Some("asked:2"));
        assert_eq!(server(5_001), None);
        assert_eq!(server(16_383).as_deref(), Some("other:3"));
        assert_eq!(layout.servers().len(), 2);
        assert_eq!(Layout::read(Value::Array(vec![]), &asked), None);
    }
}

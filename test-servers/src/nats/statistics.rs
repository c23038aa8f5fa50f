/// What a NATS server has counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NatsStatistics {
    /// How many messages all clients have published, since the server was started.
    pub in_msgs: u64,
    /// How many it has passed on to all clients: one for each that gets it.
    pub out_msgs: u64,
    /// Who is connected now.
    pub connections: Vec<NatsConnection>,
}

/// A client of a NATS server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NatsConnection {
    /// The name it gave itself, or nothing.
    pub name: String,
    /// How many messages it has published.
    pub in_msgs: u64,
    /// How many it was sent.
    pub out_msgs: u64,
    /// The subjects it has subscribed to, in no order.
    pub subscriptions: Vec<String>,
}

impl NatsStatistics {
    /// The connections with a name: a client that connects again has two for a while.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a NatsConnection> {
        self.connections.iter().filter(move |connection| connection.name == name)
    }

    /// Reads two pages of the monitor, `/varz` and `/connz?subs=1`. They are JSON of which each
    /// line has one name or one value, so that lines are all that has to be understood.
    pub(super) fn read(server: &str, connections: &str) -> Self {
        let mut statistics = Self::default();
        for (name, value) in server.lines().filter_map(member) {
            match name {
                "in_msgs" => statistics.in_msgs = number(value),
                "out_msgs" => statistics.out_msgs = number(value),
                _ => {}
            }
        }
        for line in connections.lines() {
            if matches!(member(line), Some(("cid", _))) {
                statistics.connections.push(NatsConnection::default());
            }
            let Some(connection) = statistics.connections.last_mut() else {
                continue;
            };
            match member(line) {
                Some(("name", value)) => connection.name = text(value),
                Some(("in_msgs", value)) => connection.in_msgs = number(value),
                Some(("out_msgs", value)) => connection.out_msgs = number(value),
                // Subjects are the only texts without a name.
                None if line.trim().starts_with('"') => connection.subscriptions.push(text(line)),
                Some(_) | None => {}
            }
        }
        statistics
    }
}

/// The name and the value in a line such as `"in_msgs": 3,`. No subject holds a space.
fn member(line: &str) -> Option<(&str, &str)> {
    line.trim().strip_prefix('"')?.split_once("\": ")
}

fn number(value: &str) -> u64 {
    value.trim_end_matches(',').parse().unwrap_or_default()
}

/// A text without its quotes and escapes, as far as these name one character of 16 bits.
fn text(value: &str) -> String {
    let value = value.trim().trim_end_matches(',');
    let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    let mut rest = value.unwrap_or_default().chars();
    let mut text = String::new();
    while let Some(character) = rest.next() {
        let meant = match character {
            '\\' => match rest.next() {
                Some('u') => {
                    let digits: String = rest.by_ref().take(4).collect();
                    u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32)
                }
                Some('n') => Some('\n'),
                Some('t') => Some('\t'),
                other => other,
            },
            _ => Some(character),
        };
        text.extend(meant);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: &str = r#"{
  "connections": 2,
  "in_msgs": 7,
  "out_msgs": 12,
  "slow_consumers": 0
}"#;
    const CONNECTIONS: &str = r#"{
  "num_connections": 2,
  "connections": [
    {
      "cid": 4,
      "in_msgs": 1,
      "out_msgs": 3,
      "subscriptions": 2,
      "name": "node \"a\"",
      "subscriptions_list": [
        "chat.\u003e",
        "other.*"
      ]
    },
    {
      "cid": 5,
      "in_msgs": 6,
      "out_msgs": 9
    }
  ]
}"#;

    #[test]
    fn pages_of_the_monitor_are_read() {
        let node = NatsConnection {
            name: "node \"a\"".into(),
            in_msgs: 1,
            out_msgs: 3,
            subscriptions: vec!["chat.>".into(), "other.*".into()],
        };
        let other = NatsConnection { in_msgs: 6, out_msgs: 9, ..Default::default() };
        let expected = NatsStatistics { in_msgs: 7, out_msgs: 12, connections: vec![node, other] };
        assert_eq!(NatsStatistics::read(SERVER, CONNECTIONS), expected);
    }
}

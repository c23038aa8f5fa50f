use chat_test_servers::{Nats, Redis, ServerError};

/// A broker of a test's own, of either kind.
#[derive(Debug)]
pub(crate) enum Broker {
    Nats(Nats),
    Redis(Redis),
}

impl Broker {
    pub(crate) fn nats() -> Self {
        Self::Nats(Nats::start().unwrap())
    }

    pub(crate) fn redis() -> Self {
        Self::Redis(Redis::start().unwrap())
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Nats(nats) => nats.url(),
            Self::Redis(redis) => redis.url(),
        }
    }

    pub(crate) const fn port(&self) -> u16 {
        match self {
            Self::Nats(nats) => nats.port(),
            Self::Redis(redis) => redis.port(),
        }
    }

    /// SIGSTOP.
    pub(crate) fn pause(&self) -> Result<(), ServerError> {
        match self {
            Self::Nats(nats) => nats.pause(),
            Self::Redis(redis) => redis.pause(),
        }
    }

    /// SIGCONT.
    pub(crate) fn resume(&self) -> Result<(), ServerError> {
        match self {
            Self::Nats(nats) => nats.resume(),
            Self::Redis(redis) => redis.resume(),
        }
    }

    /// SIGKILL.
    pub(crate) fn kill(&self) -> Result<(), ServerError> {
        match self {
            Self::Nats(nats) => nats.kill(),
            Self::Redis(redis) => redis.kill(),
        }
    }

    /// Starts it again without anything that it knew.
    pub(crate) fn start_empty(&self) -> Result<(), ServerError> {
        match self {
            Self::Nats(nats) => nats.start_empty(),
            // It writes nothing down.
            Self::Redis(redis) => redis.start_again(),
        }
    }

    /// How many operations it has carried out: messages that clients published, or their commands.
    pub(crate) fn operations(&self) -> u64 {
        match self {
            Self::Nats(nats) => nats.statistics().unwrap().in_msgs,
            Self::Redis(redis) => {
                let told = redis.execute(&["INFO", "stats"]).unwrap();
                let count = told.lines().find_map(|l| l.strip_prefix("total_commands_processed:"));
                count.unwrap().trim().parse().unwrap()
            }
        }
    }

    /// How many messages the node was sent that has this user's device, and nobody else's. Redis
    /// does not count that; there, it is how many commands were carried out for all.
    pub(crate) fn received_by(&self, user: &str) -> u64 {
        match self {
            Self::Nats(nats) => {
                let name = hex(user);
                let statistics = nats.statistics().unwrap();
                let own = statistics.connections.iter();
                let mut own = own.filter(|c| c.subscriptions.iter().any(|s| s.contains(&name)));
                own.next().expect("the node listens for its user").out_msgs
            }
            Self::Redis(_) => 0,
        }
    }

    /// How many connections have subscribed to the same one of these conversations, at most.
    pub(crate) fn most_subscribers(&self, places: &[String]) -> usize {
        match self {
            Self::Nats(nats) => {
                let statistics = nats.statistics().unwrap();
                let of = |place: &String| {
                    let all = statistics.connections.iter();
                    all.filter(|c| c.subscriptions.iter().any(|s| s.contains(place))).count()
                };
                places.iter().map(of).max().unwrap()
            }
            Self::Redis(redis) => {
                let channels = redis.execute(&["PUBSUB", "CHANNELS"]).unwrap();
                let of = |place: &String| {
                    let Some(channel) = channels.lines().find(|c| c.contains(place)) else {
                        return 0;
                    };
                    let told = redis.execute(&["PUBSUB", "NUMSUB", channel]).unwrap();
                    told.lines().last().unwrap().trim().parse().unwrap()
                };
                places.iter().map(of).max().unwrap()
            }
        }
    }
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

use std::error::Error;

use chat_test_servers::{Database, Nats, Postgres, Redis};

/// What the servers share.
pub(crate) struct Services {
    database: Database,
    broker: Broker,
    _postgres: Postgres,
}

enum Broker {
    Nats(Nats),
    Redis(Redis),
}

impl Services {
    pub(crate) fn start(broker: &str) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let broker = match broker {
            "nats" => Broker::Nats(Nats::start()?),
            "redis" => Broker::Redis(Redis::start()?),
            other => return Err(format!("BROKER is nats or redis, not {other:?}").into()),
        };
        let postgres = Postgres::start()?;
        let database = postgres.create_database()?;
        Ok(Self { database, broker, _postgres: postgres })
    }

    fn broker(&self) -> (&'static str, String) {
        match &self.broker {
            Broker::Nats(nats) => ("NATS", nats.url()),
            Broker::Redis(redis) => ("Redis", redis.url()),
        }
    }

    /// What each server is told.
    pub(crate) fn environment(&self, secret: &str) -> Vec<(&'static str, String)> {
        vec![
            ("DATABASE_URL", self.database.url.clone()),
            ("CLUSTER_URL", self.broker().1),
            ("CHAT_JWT__SECRET", secret.to_owned()),
        ]
    }

    /// Where they are, for whoever wants to look or to disturb.
    pub(crate) fn places(&self) -> [(&'static str, String); 2] {
        [("Postgres", self.database.url.clone()), self.broker()]
    }
}

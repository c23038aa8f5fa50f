use std::sync::Arc;
use std::time::Duration;

use async_nats::{PublishErrorKind, Subscriber};
use chat_core::broker::{BrokerMessage, Received, Subject};
use futures::StreamExt;
use tokio_util::task::AbortOnDropHandle;

use super::connection::Connection;
use super::error::NatsError;
use super::inbox::Inbox;
use super::random;
use super::subscriptions::Subscriptions;
use crate::Namespace;

/// How long to wait before it is tried again to find out whether a new connection has all
/// subscriptions.
const AGAIN: Duration = Duration::from_millis(200);

/// What nodes tell each other, by a connection of its own.
#[derive(Debug)]
pub(super) struct Events {
    connection: Connection,
    namespace: Namespace,
    inbox: Arc<Inbox>,
    subscriptions: Subscriptions,
    /// What reads subscriptions, and what tells of new connections; they end with this.
    _tasks: [AbortOnDropHandle<()>; 2],
}

impl Events {
    /// Begins to listen; nothing is subscribed to. What is received comes through the inbox.
    pub(super) fn new(connection: Connection, namespace: Namespace, inbox: Arc<Inbox>) -> Self {
        let (subscriptions, reader) = Subscriptions::new(Arc::clone(&inbox));
        let announcing = announce(connection.clone(), Arc::clone(&inbox));
        let tasks = [tokio::spawn(reader.run()), tokio::spawn(announcing)];
        let tasks = tasks.map(AbortOnDropHandle::new);
        Self { connection, namespace, inbox, subscriptions, _tasks: tasks }
    }

    /// Hands messages to the client, which sends them in this order. One that is too large is left
    /// out, and told of when the others have gone.
    pub(super) async fn publish(&self, messages: Vec<BrokerMessage>) -> Result<(), NatsError> {
        let mut outcome = Ok(());
        for BrokerMessage { subject, payload } in messages {
            // At each, since the client would keep them for as long as the connection is away.
            self.connection.ready()?;
            let (client, size) = (self.connection.client(), payload.len());
            match client.publish(self.name(&subject), payload).await {
                Ok(()) => {}
                Err(error) if error.kind() == PublishErrorKind::MaxPayloadExceeded => {
                    outcome = Err(NatsError::TooLarge { size, max: client.max_payload() });
                }
                Err(error) => return Err(NatsError::client(error)),
            }
        }
        outcome
    }

    /// Subscribes to what is not subscribed to, and waits until the server knows of all: also of
    /// what an earlier call asked for in vain.
    pub(super) async fn subscribe(&self, subjects: Vec<Subject>) -> Result<(), NatsError> {
        if subjects.is_empty() {
            return Ok(());
        }
        self.connection.ready()?;
        for subject in subjects {
            if !self.subscriptions.contains(&subject) {
                let subscriber = self.subscriber(self.name(&subject)).await?;
                self.subscriptions.add(subject, subscriber).await?;
            }
        }
        self.connection.round_trip().await
    }

    pub(super) fn unsubscribe(&self, subjects: &[Subject]) {
        subjects.iter().for_each(|subject| self.subscriptions.end(subject));
    }

    /// The next of what came. `None` after the end.
    pub(super) async fn receive(&self) -> Option<Received> {
        self.inbox.take().await
    }

    /// Sends something to another connection and back. One that is being made anew is waited for,
    /// and what was lost with one that broke is sent again.
    pub(super) async fn probe(&self, other: &Connection) -> Result<(), NatsError> {
        let one = &self.connection;
        loop {
            tokio::join!(one.back(), other.back());
            let passing =
                async { tokio::try_join!(self.passes(one, other), self.passes(other, one)) };
            tokio::select! {
                passed = passing => match passed {
                    Err(NatsError::Away) => {}
                    passed => return passed.map(|((), ())| ()),
                },
                () = one.broken() => {}
                () = other.broken() => {}
            }
        }
    }

    /// Whether what one connection sends arrives by another.
    async fn passes(&self, from: &Connection, to: &Connection) -> Result<(), NatsError> {
        from.ready()?;
        let subject = format!("{}.probe.{:016x}", self.namespace, random::number());
        let mut heard = to.client().subscribe(subject.clone()).await.map_err(NatsError::client)?;
        to.round_trip().await?;
        from.client().publish(subject, "probe".into()).await.map_err(NatsError::client)?;
        heard.next().await.map(drop).ok_or(NatsError::Closed)
    }

    /// Waits until what was published has been taken, as far as the connection is there, and ends.
    pub(super) async fn close(&self) {
        if let Err(error) = self.connection.round_trip().await {
            tracing::warn!(%error, "what was published last may be lost");
        }
        self.inbox.close();
        self.connection.end().await;
    }

    async fn subscriber(&self, name: String) -> Result<Subscriber, NatsError> {
        self.connection.client().subscribe(name).await.map_err(NatsError::client)
    }

    /// A subject's name at the broker: its own, with the namespace in place of `chat`.
    fn name(&self, subject: &Subject) -> String {
        let name = subject.to_string();
        let (_, rest) = name.split_once('.').unwrap_or(("", &name));
        format!("{}.{rest}", self.namespace)
    }
}

/// Tells of each new connection, once the server knows of all subscriptions by it.
async fn announce(mut connection: Connection, inbox: Arc<Inbox>) {
    // The first one is what this begins with.
    let mut told = 1;
    loop {
        connection.made_again(told).await;
        let made = connection.times_made();
        match connection.round_trip().await {
            Ok(()) => {
                inbox.interrupt();
                told = made;
            }
            Err(_) => tokio::time::sleep(random::around(AGAIN)).await,
        }
    }
}

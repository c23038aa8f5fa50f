use std::time::Duration;

use async_nats::jetstream::context::ContextBuilder;
use async_nats::jetstream::response::Response;
use async_nats::jetstream::{self, Context};
use async_nats::{HeaderMap, Message, Request, jetstream::stream};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::connection::Connection;
use super::error::NatsError;

/// A connection that asks JetStream. Each question is one message, and its answer another.
#[derive(Debug, Clone)]
pub(super) struct JetStream {
    connection: Connection,
    context: Context,
    timeout: Duration,
}

impl JetStream {
    pub(super) fn new(connection: Connection, timeout: Duration) -> Self {
        let context = ContextBuilder::new().timeout(timeout).ack_timeout(timeout);
        let context = context.build(connection.client().clone());
        Self { connection, context, timeout }
    }

    pub(super) const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// What can be asked of a stream, whether or not it exists.
    pub(super) async fn stream(&self, name: &str) -> Result<stream::Stream<()>, NatsError> {
        self.context.get_stream_no_info(name).await.map_err(NatsError::client)
    }

    /// Sends a message and returns the answer.
    ///
    /// # Errors
    ///
    /// [`NatsError::Missing`] when nobody listens.
    pub(super) async fn ask(
        &self,
        subject: String,
        headers: HeaderMap,
        payload: Bytes,
    ) -> Result<Message, NatsError> {
        self.connection.ready()?;
        let request = Request::new().headers(headers).payload(payload).timeout(Some(self.timeout));
        Ok(self.connection.client().send_request(subject, request).await?)
    }

    /// Asks for something of JetStream itself.
    ///
    /// # Errors
    ///
    /// What it answers.
    pub(super) async fn api<T: DeserializeOwned>(
        &self,
        what: String,
        question: &(impl Serialize + Sync),
    ) -> Result<T, NatsError> {
        self.connection.ready()?;
        let asked = self.context.request::<_, _, Response<T>>(what, question).await;
        match asked {
            Ok(Response::Ok(answer)) => Ok(answer),
            Ok(Response::Err { error }) => Err(error.into()),
            Err(error) => Err(match error.kind() {
                jetstream::context::RequestErrorKind::NoResponders => NatsError::Missing,
                jetstream::context::RequestErrorKind::TimedOut => NatsError::TimedOut,
                _ => NatsError::client(error),
            }),
        }
    }
}

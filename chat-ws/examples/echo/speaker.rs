use bytes::Bytes;
use chat_ws::{Closing, Incoming, Speaker, Turn};

/// Says what it hears.
#[derive(Debug, Default)]
pub(crate) struct Echo {
    /// The message that has yet to be sent back. While there is one, no other is asked for.
    heard: Option<Turn>,
}

impl Speaker for Echo {
    fn receive(&mut self, message: Incoming<'_>) -> Result<(), Closing> {
        self.heard = Some(match message {
            Incoming::Text(text) => Turn::Text(vec![Bytes::copy_from_slice(text.as_bytes())]),
            Incoming::Binary(bytes) => Turn::Binary(vec![bytes]),
        });
        Ok(())
    }

    fn wants_messages(&self) -> bool {
        self.heard.is_none()
    }

    async fn next(&mut self) -> Turn {
        match self.heard.take() {
            Some(turn) => turn,
            None => std::future::pending().await,
        }
    }
}

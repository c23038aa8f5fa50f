//! An embeddable, transport-agnostic chat engine.
//!
//! [`Chat`] is the engine: every use case is one of its methods. A [`Session`] is one attached
//! device: frames of the protocol in, deliveries out, no socket. Storage, the broker between nodes,
//! and authentication are traits; what comes with the crate keeps everything in memory.
//!
//! Two users, one message:
//!
//! ```
//! use std::sync::Arc;
//!
//! use chat_core::auth::{Identity, UserClaims};
//! use chat_core::proto::{MessageSend, PeerTarget};
//! use chat_core::{Actor, Chat, MemoryStore, Outgoing};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let chat = Chat::builder(Arc::new(MemoryStore::new())).build();
//! let ada = chat.admit(&UserClaims::of("ada".parse()?)).await?;
//! let mut bo = chat.attach(&Identity::of("bo".parse()?)).await?;
//! bo.next().await; // session.ready
//!
//! let actor = Actor::user(ada.id);
//! let peer = PeerTarget { user_id: None, username: Some("bo".into()) };
//! let direct = chat.open_direct(&actor, &peer).await?;
//! let (conversation_id, content) = (direct.conversation_id, "hello, Bo".into());
//! let sent = chat.send(&actor, MessageSend { conversation_id, client_id: None, content }).await?;
//! assert_eq!((sent.message.seq, sent.recipient_online), (1, Some(true)));
//!
//! let mut events = String::new();
//! while !events.contains("hello, Bo") {
//!     let Outgoing::Frames(frames) = bo.next().await else { panic!("closed") };
//!     frames.iter().for_each(|frame| events += std::str::from_utf8(frame).unwrap());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What it promises
//!
//! A message that [`Chat::send`] has returned is stored durably, once, whatever is repeated. The
//! messages of a conversation have consecutive numbers, and every device on every node is told its
//! changes in that order, without a silent gap. A device that comes back is told exactly what it
//! missed. Every queue that a remote side can fill is bounded.
//!
//! # What to bring
//!
//! * A [store]: `chat-store` has one on SQLite and one on Postgres, which several nodes may share;
//!   [`MemoryStore`] is the smallest. A [breaker] before it bounds what callers wait for it.
//! * A [broker], for several nodes over one store.
//! * An [authenticator](crate::auth), for transports to ask.
//! * A transport: `chat-ws` and `chat-http`, or your own around [`Session`].
//!
//! With the feature `testing`, [`testing`] has conformance suites for what you bring, a store that
//! is away or hangs when told to, a broker that loses, repeats and reorders on purpose, and mocks of
//! every trait.

pub mod access;
pub mod auth;
pub mod breaker;
pub mod broker;
pub mod cache;
pub mod direct;
pub mod limit;
#[cfg(feature = "parts")]
pub mod parts;
pub mod presence;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;

mod appender;
mod chat;
mod config;
mod ended;
mod error;
mod gather;
mod hub;
mod memory;
mod router;
mod session;
mod sharded;
mod tasks;
mod typing;
mod within;

pub use chat::{Actor, Chat, ChatBuilder, Check, ClusterStats, NotReady, Receipt, Sent};
pub use chat_proto as proto;
pub use config::{ChatConfig, PresenceScope};
pub use error::ChatError;
pub use memory::{MemoryLimits, MemoryPresence, MemoryStore};
pub use router::BrokerTraffic;
pub use session::{Outgoing, Session};

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::FutureExt;
use redis::aio::MultiplexedConnection;
use redis::{PushInfo, PushKind, Value, cmd};
use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;

use super::access::{Access, Address};
use super::error::CallError;
use super::layout::Layout;
use super::link::{Dialled, Link, State};
use super::tasks::Tasks;
use super::wanted::Wanted;

/// How many channels one command names, or one pipeline.
const BATCH: usize = 512;

/// The connection by which one server is heard: nothing else is asked by it.
///
/// Each connection subscribes to all that is wanted before anybody may see it. Whoever changes what
/// is wanted does so first, and then takes a turn to tell the server, so that a change is either in
/// what a new connection begins with or told to it.
#[derive(Debug)]
pub(super) struct Ear {
    link: Link,
    timeout: Duration,
    is_sharded: bool,
    /// Held while the server is told what to send, by a new connection or a change.
    turn: Arc<Mutex<()>>,
    stale: Arc<Notify>,
}

/// What each connection of an ear needs.
#[derive(Debug)]
struct Opening {
    access: Access,
    address: Address,
    layout: Arc<Layout>,
    wanted: Arc<Wanted>,
    stale: Arc<Notify>,
    turn: Arc<Mutex<()>>,
    /// Whether something may have been missed before the next connection hears.
    has_missed: AtomicBool,
}

impl Ear {
    /// Opens one for a server, which hears what is wanted of the server's slots.
    pub(super) fn open(
        tasks: &Tasks,
        access: Access,
        (address, layout): (Address, Arc<Layout>),
        wanted: Arc<Wanted>,
        stale: Arc<Notify>,
        has_missed: bool,
    ) -> Self {
        let (timeout, is_sharded) = (access.timeout, layout.is_cluster());
        let server = address.clone();
        let (turn, has_missed) = (Arc::default(), AtomicBool::new(has_missed));
        let opening = Opening {
            access,
            address,
            layout,
            wanted,
            stale: Arc::clone(&stale),
            turn: Arc::clone(&turn),
            has_missed,
        };
        let opening = Arc::new(opening);
        let dial = Box::new(move |lost| Arc::clone(&opening).dial(lost).boxed());
        Self { link: Link::keep(tasks, &server, timeout, dial), timeout, is_sharded, turn, stale }
    }

    /// Waits until everything is heard, or could not be.
    pub(super) async fn settled(&self) -> Result<(), CallError> {
        self.link.settled().await.map(drop)
    }

    /// Waits until everything is heard, however often that has to be tried.
    pub(super) async fn up(&self) -> Result<(), CallError> {
        self.link.up().await.map(drop)
    }

    /// Hears channels from the moment this returns.
    pub(super) async fn subscribe(&self, channels: &[String]) -> Result<(), CallError> {
        self.in_time(async {
            if self.tell(true, channels).await? || self.tell(true, channels).await? {
                return Ok(());
            }
            // A new connection is about to begin with all that is wanted.
            self.settled().await
        })
        .await
    }

    /// Hears channels no more.
    pub(super) async fn unsubscribe(&self, channels: &[String]) -> Result<(), CallError> {
        // Without a connection there is nothing to end.
        self.in_time(self.tell(false, channels)).await.map(drop)
    }

    /// Tells the server, if there is a connection; returns whether there is.
    async fn tell(&self, subscribe: bool, channels: &[String]) -> Result<bool, CallError> {
        let _turn = self.turn.lock().await;
        let State::Up(mut connected) = self.link.state() else { return Ok(false) };
        let told = tell(&mut connected.connection, self.is_sharded, subscribe, channels).await;
        let Err(error) = told else { return Ok(true) };
        // Only a new connection makes certain what is heard.
        connected.lost.cancel();
        if error.is_about_layout() {
            self.stale.notify_one();
        }
        if error.breaks_connection() { Ok(false) } else { Err(error) }
    }

    async fn in_time<T>(
        &self,
        telling: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        tokio::time::timeout(self.timeout, telling).await.unwrap_or_else(|_| {
            self.link.renew();
            Err(CallError::TimedOut(self.timeout))
        })
    }
}

impl Opening {
    async fn dial(self: Arc<Self>, lost: CancellationToken) -> Result<Dialled, CallError> {
        let dialled = self.subscribe_to_all(lost).await;
        if dialled.is_err() {
            // Perhaps another server has taken the place of this one.
            self.stale.notify_one();
        }
        dialled
    }

    async fn subscribe_to_all(&self, lost: CancellationToken) -> Result<Dialled, CallError> {
        let (wanted, stale) = (Arc::clone(&self.wanted), Arc::clone(&self.stale));
        let pushes = move |push: PushInfo| {
            match push.kind {
                PushKind::Message | PushKind::SMessage => wanted.hear(push.data),
                PushKind::Disconnection => lost.cancel(),
                // Unasked, when the slot has gone to another server.
                PushKind::SUnsubscribe if is_wanted(&wanted, &push.data) => {
                    stale.notify_one();
                    lost.cancel();
                }
                _ => {}
            }
            Ok::<_, ()>(())
        };
        let mut connection = self.access.connect(&self.address, pushes).await?;
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let is_here = |slot| self.layout.server(slot) == Some(&self.address);
        let channels = self.wanted.channels(is_here);
        tell(&mut connection, self.layout.is_cluster(), true, &channels).await?;
        if self.has_missed.swap(true, Ordering::AcqRel) {
            self.wanted.inbox.note_loss();
        }
        Ok(Dialled { connection, turn: Some(turn) })
    }
}

fn is_wanted(wanted: &Wanted, said: &[Value]) -> bool {
    let Some(Value::BulkString(channel)) = said.first() else { return false };
    std::str::from_utf8(channel).is_ok_and(|channel| wanted.contains(channel))
}

/// Subscribes to channels or ends that, and waits until the server has confirmed each.
async fn tell(
    connection: &mut MultiplexedConnection,
    is_sharded: bool,
    subscribe: bool,
    channels: &[String],
) -> Result<(), CallError> {
    for batch in channels.chunks(BATCH) {
        match (is_sharded, subscribe) {
            (false, true) => connection.subscribe(batch).await?,
            (false, false) => connection.unsubscribe(batch).await?,
            // One command may only name channels of one slot.
            (true, _) => {
                let name = if subscribe { "SSUBSCRIBE" } else { "SUNSUBSCRIBE" };
                let mut pipeline = redis::pipe();
                for channel in batch {
                    let mut command = cmd(name);
                    command.arg(channel);
                    pipeline.add_command(command);
                }
                let values = connection.send_packed_commands(&pipeline, 0, batch.len()).await?;
                for value in values {
                    value.extract_error()?;
                }
            }
        }
    }
    Ok(())
}

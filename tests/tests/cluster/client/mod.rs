//! Somebody who writes and reads all the time, and comes back whatever happens.

mod membership;
mod session;
mod status;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chat_tests::history::Recorder;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

pub(crate) use self::status::Status;
use crate::PATIENCE;
use crate::dice::Dice;
use crate::directory::Directory;
use crate::link::Link;

/// A client at work, as a test sees it. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) user: String,
    pub(crate) token: String,
    /// The conversations that it is a member of.
    pub(crate) places: Vec<String>,
    /// Whether it begins to send further messages.
    writing: watch::Sender<bool>,
    status: watch::Receiver<Status>,
    work: JoinHandle<()>,
}

/// The client itself.
#[derive(Debug)]
struct Worker {
    user: String,
    token: String,
    places: Vec<String>,
    directory: Arc<Directory>,
    recorder: Recorder,
    dice: Dice,
    /// The highest change that it knows of each conversation it holds.
    known: BTreeMap<String, u64>,
    /// How many messages it has made.
    made: usize,
    /// A room that it enters and leaves all the time.
    revolving: Option<String>,
    /// The message that is not acknowledged yet: its client id, and where it goes.
    open: Option<(String, String)>,
    writing: watch::Receiver<bool>,
    status: watch::Sender<Status>,
}

impl Client {
    /// Connects, and reads; writes once it is told to.
    pub(crate) fn begin(
        user: &str,
        token: String,
        places: Vec<String>,
        revolving: Option<String>,
        directory: Arc<Directory>,
        recorder: Recorder,
    ) -> Self {
        let (writing, wanted) = watch::channel(false);
        let (told, status) = watch::channel(Status::default());
        let worker = Worker {
            user: user.to_owned(),
            token: token.clone(),
            places: places.clone(),
            directory,
            recorder,
            dice: Dice::of(user),
            known: BTreeMap::new(),
            made: 0,
            revolving,
            open: None,
            writing: wanted,
            status: told,
        };
        let work = tokio::spawn(worker.work());
        Self { user: user.to_owned(), token, places, writing, status, work }
    }

    pub(crate) fn writes(&self, writing: bool) {
        self.writing.send_replace(writing);
    }

    /// Has it stop writing after a while.
    pub(crate) fn stops_after(&self, time: Duration) -> impl Future<Output = ()> + use<> {
        let writing = self.writing.clone();
        async move {
            tokio::time::sleep(time).await;
            writing.send_replace(false);
        }
    }

    pub(crate) fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// Waits until something holds of it.
    pub(crate) async fn until(&self, what: &str, so: impl Fn(&Status) -> bool) {
        let mut status = self.status.clone();
        match timeout(PATIENCE, status.wait_for(|status| so(status))).await {
            Ok(Ok(_)) => {}
            Ok(Err(_)) => panic!("{}: the client has failed before {what}", self.user),
            Err(_) => panic!("{}: no {what} in time: {:?}", self.user, self.status()),
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.work.abort();
    }
}

impl Worker {
    async fn work(mut self) {
        loop {
            let mut pause = self.dice.millis(20, 250);
            if let Some((node, address)) = self.directory.choose(&mut self.dice) {
                match Link::connect(address, &self.token).await {
                    Ok((link, ready)) => {
                        let ended = self.session(node, link, &ready).await;
                        self.status.send_modify(|status| status.node = None);
                        if let Some(window) = ended.window {
                            pause = Duration::from_millis(self.dice.throw(window + 1) as u64);
                        }
                    }
                    Err(error) => {
                        let trouble = format!("node {node}: {error}");
                        self.status.send_modify(|status| status.trouble = Some(trouble));
                    }
                }
            }
            tokio::time::sleep(pause).await;
        }
    }
}

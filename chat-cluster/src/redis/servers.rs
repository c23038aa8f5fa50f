use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::{HashMap, HashMapExt};
use futures::FutureExt;
use futures::future::{join_all, try_join_all};
use redis::{PushInfo, PushKind, Value};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::access::{Access, Address};
use super::error::CallError;
use super::layout::Layout;
use super::link::{Connected, Dialled, Link};
use super::request::{Destination, Request};
use super::slot::Slot;
use super::tasks::Tasks;

/// How often one request is sent, at most: to where it should be, to where that server says, and
/// once more for a script's text or a lost connection.
const ROUNDS: usize = 4;

/// The servers as those who are asked: one connection to each, whose requests and answers pass each
/// other on their way.
pub(super) struct Servers {
    access: Access,
    tasks: Tasks,
    /// Held for a lookup or an exchange.
    state: Mutex<Known>,
    /// Told when a server does not have what it should.
    pub(super) stale: Arc<Notify>,
}

struct Known {
    layout: Arc<Layout>,
    links: HashMap<Address, Arc<Link>>,
    closed: bool,
}

impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Servers").field("servers", &self.layout().servers()).finish_non_exhaustive()
    }
}

impl Servers {
    pub(super) fn new(access: Access, layout: Layout, tasks: Tasks) -> Self {
        let known = Known { layout: Arc::new(layout), links: HashMap::new(), closed: false };
        let servers = Self { access, tasks, state: Mutex::new(known), stale: Arc::default() };
        for address in servers.layout().servers() {
            // Connections are made at once, and not when the first request needs them.
            let _ = servers.link(&address);
        }
        servers
    }

    pub(super) fn layout(&self) -> Arc<Layout> {
        Arc::clone(&self.lock().layout)
    }

    /// Takes another layout, and leaves servers that have no part in it.
    pub(super) fn rearrange(&self, layout: Layout) {
        let servers = layout.servers();
        {
            let mut known = self.lock();
            known.links.retain(|address, _| servers.contains(address));
            known.layout = Arc::new(layout);
        }
        for address in servers {
            let _ = self.link(&address);
        }
    }

    /// Ends all connections. What is asked from now on fails.
    pub(super) fn close(&self) {
        let mut known = self.lock();
        known.closed = true;
        known.links.clear();
    }

    /// Waits until all servers are connected to, or one could not be.
    pub(super) async fn settled(&self) -> Result<(), CallError> {
        let servers = self.layout().servers();
        let links =
            servers.iter().map(|server| self.link(server)).collect::<Result<Vec<_>, _>>()?;
        try_join_all(links.iter().map(|link| link.settled())).await.map(drop)
    }

    /// Waits until the server of a slot is connected to, however often that has to be tried.
    pub(super) async fn up(&self, slot: Slot) -> Result<(), CallError> {
        let layout = self.layout();
        let server = layout.server(slot).ok_or(CallError::NoServer)?;
        self.link(server)?.up().await.map(drop)
    }

    /// Asks for one thing.
    pub(super) async fn ask(&self, request: Request) -> Result<Value, CallError> {
        self.ask_all(vec![request]).await.pop().unwrap_or(Err(CallError::NoServer))
    }

    /// Asks for many things: all that one server has to answer go to it together, in this order.
    /// Returns an answer to each, within the timeout.
    pub(super) async fn ask_all(&self, requests: Vec<Request>) -> Vec<Result<Value, CallError>> {
        let (count, timeout) = (requests.len(), self.access.timeout);
        let asking = tokio::time::timeout(timeout, self.ask_in_rounds(requests));
        asking.await.unwrap_or_else(|_| vec![Err(CallError::TimedOut(timeout)); count])
    }

    async fn ask_in_rounds(&self, requests: Vec<Request>) -> Vec<Result<Value, CallError>> {
        let mut answers = vec![Err(CallError::NoServer); requests.len()];
        let mut waiting: Vec<_> = requests.into_iter().enumerate().collect();
        for _ in 0..ROUNDS {
            let mut again = Vec::new();
            for (index, request, answer) in self.round(std::mem::take(&mut waiting)).await {
                if let Err(error) = &answer {
                    if error.is_about_layout() {
                        self.stale.notify_one();
                    }
                    again.extend(request.again(error).map(|request| (index, request)));
                }
                answers[index] = answer;
            }
            if again.is_empty() {
                break;
            }
            // Servers answer in any order; requests keep theirs.
            again.sort_unstable_by_key(|(index, _)| *index);
            waiting = again;
        }
        answers
    }

    async fn round(
        &self,
        requests: Vec<(usize, Request)>,
    ) -> Vec<(usize, Request, Result<Value, CallError>)> {
        let layout = self.layout();
        let mut unknown = Vec::new();
        let mut batches = BTreeMap::<Address, Vec<(usize, Request)>>::new();
        for (index, request) in requests {
            let server = match &request.destination {
                Destination::Slot => layout.server(request.slot),
                Destination::Moved(address) | Destination::Asking(address) => Some(address),
            };
            match server.cloned() {
                Some(server) => batches.entry(server).or_default().push((index, request)),
                None => unknown.push((index, request, Err(CallError::NoServer))),
            }
        }
        let batches = join_all(batches.into_iter().map(|(server, batch)| async move {
            let answers = self.exchange(&server, &batch).await;
            let answered = batch.into_iter().zip(answers);
            answered.map(|((index, request), answer)| (index, request, answer)).collect::<Vec<_>>()
        }));
        unknown.extend(batches.await.into_iter().flatten());
        unknown
    }

    /// Sends a batch by one write, and waits for all answers.
    async fn exchange(
        &self,
        server: &Address,
        batch: &[(usize, Request)],
    ) -> Vec<Result<Value, CallError>> {
        let sent = async {
            let link = self.link(server)?;
            let Connected { mut connection, lost } = link.settled().await?;
            let mut pipeline = redis::pipe();
            batch.iter().for_each(|(_, request)| request.append_to(&mut pipeline));
            let sent = connection.send_packed_commands(&pipeline, 0, pipeline.len()).await;
            let sent = sent.map_err(CallError::from);
            if sent.as_ref().is_err_and(CallError::breaks_connection) {
                lost.cancel();
            }
            Ok((sent?, lost))
        };
        match sent.await {
            Ok((values, lost)) => {
                let mut values = values.into_iter();
                let answers = batch.iter().map(|(_, request)| {
                    let value = request.answer_of(&mut values);
                    let answer = value.extract_error().map_err(CallError::from);
                    if answer.as_ref().is_err_and(CallError::breaks_connection) {
                        lost.cancel();
                    }
                    answer
                });
                answers.collect()
            }
            Err(error) => vec![Err(error); batch.len()],
        }
    }

    /// The connection to a server, which is made if there is none.
    pub(super) fn link(&self, server: &Address) -> Result<Arc<Link>, CallError> {
        let mut known = self.lock();
        if known.closed {
            return Err(CallError::Closed);
        }
        let link = known.links.entry(server.clone()).or_insert_with(|| {
            let (access, address, stale) =
                (self.access.clone(), server.clone(), Arc::clone(&self.stale));
            let dial = move |lost| dial(access.clone(), address.clone(), lost, Arc::clone(&stale));
            let dial = Box::new(move |lost| dial(lost).boxed());
            Arc::new(Link::keep(&self.tasks, server, self.access.timeout, dial))
        });
        Ok(Arc::clone(link))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn dial(
    access: Access,
    address: Address,
    lost: CancellationToken,
    stale: Arc<Notify>,
) -> Result<Dialled, CallError> {
    let pushes = move |push: PushInfo| {
        if push.kind == PushKind::Disconnection {
            lost.cancel();
        }
        Ok::<_, ()>(())
    };
    let dialled = access.connect(&address, pushes).await;
    // Perhaps another server has taken the place of this one.
    let connection = dialled.inspect_err(|_| stale.notify_one())?;
    Ok(Dialled { connection, turn: None })
}

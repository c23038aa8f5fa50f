use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chat_core::proto::{ChangeEvent, ConversationId, MemberState};
use chat_core::store::MessageStore;
use chat_store::PostgresStore;
use chat_test_servers::Postgres;
use chat_tests::history::{
    Checks, Event, History, Membership, Message, Place, PresenceRules, Record, Truth,
};
use futures::future::join_all;
use serde_json::json;
use tokio::time::timeout;

use crate::broker::Broker;
use crate::client::Client;
use crate::directory::Directory;
use crate::link::{message_of, text};
use crate::node::Node;
use crate::person::Person;
use crate::soon;

/// How many nodes there are.
pub(crate) const NODES: usize = 3;
/// Who talks. All are in the first room.
const USERS: [&str; 12] =
    ["ada", "bo", "cy", "dee", "eve", "fay", "gus", "hal", "ivy", "jo", "kit", "lou"];
/// Who is a member of nothing.
const STRANGER: &str = "zoe";
/// Who enters and leaves the last of the rooms all the time, by place among the users.
const REVOLVING: usize = 11;
/// Further rooms, by places among the users.
const ROOMS: [&[usize]; 3] = [&[0, 1, 2, 3, 4, 5], &[6, 7, 8, 9, 10, 11], &[0, 2, 4, 6, 8, 10]];
/// Who talks to whom alone.
const PAIRS: [(usize, usize); 2] = [(0, 1), (2, 7)];
/// A connection may be left unread for a while.
const PATIENT: &str = "heartbeat.pong_timeout_ms=60000";
/// Those who talk always read, and say more than people do.
const TALKING: [&str; 2] = ["heartbeat.pong_timeout_ms=1500", "limits.messages_per_second=100"];
/// How long a user without a session may be shown as online: the lease and the grace time of the
/// nodes are 3 and 2 seconds, and the rest is for machines that are busy.
const GHOSTS_AFTER: Duration = Duration::from_secs(20);
/// Not yet: what other nodes stored before a leave comes after its answer when the broker is slow.
const LEAVING_ENDS_ALL: bool = false;
/// The grace time.
const GRACE: Duration = Duration::from_secs(2);

/// Three nodes over one database and one broker, and everybody who talks there.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) nodes: Vec<Node>,
    pub(crate) broker: Broker,
    pub(crate) clients: Vec<Client>,
    pub(crate) directory: Arc<Directory>,
    history: Arc<History>,
    /// The database itself, past all networks that may fail.
    store: PostgresStore,
    places: Vec<ConversationId>,
}

impl World {
    /// Nodes, and nobody there.
    pub(crate) async fn empty(broker: Broker, settings: &[&str]) -> Self {
        let postgres = Postgres::shared();
        let database = tokio::task::block_in_place(|| postgres.create_database().unwrap());
        let directory = Arc::new(Directory::default());
        let settings = [&[PATIENT], settings].concat();
        let mut nodes = Vec::new();
        for number in 0..NODES {
            let node =
                Node::start(number, &database, postgres.port(), Some(&broker), &settings).await;
            directory.set(number, Some(node.server().address));
            nodes.push(node);
        }
        let store = PostgresStore::open(&database.url).await.unwrap();
        let history = History::begin();
        Self { nodes, broker, clients: Vec::new(), directory, history, store, places: Vec::new() }
    }

    /// Nodes, and everybody there and writing.
    pub(crate) async fn talking(broker: Broker) -> Self {
        let mut world = Self::empty(broker, &TALKING).await;
        let tokens = join_all(USERS.map(|user| world.nodes[0].token(user))).await;
        let everybody: Vec<_> = (0..USERS.len()).collect();
        let rooms = [&everybody[..]].into_iter().chain(ROOMS);
        let mut places: Vec<(String, Vec<usize>)> = Vec::new();
        for (number, members) in rooms.enumerate() {
            places.push((world.room(number, members, &tokens).await, members.to_vec()));
        }
        for (one, other) in PAIRS {
            let with = format!("/conversations/with/{}", USERS[other]);
            // The other is known once seen.
            let server = world.nodes[0].server();
            server.get("/conversations", &tokens[other]).await;
            let pair = server.get(&with, &tokens[one]).await;
            places.push((text(&pair["id"]), vec![one, other]));
        }
        world.places = places.iter().map(|(place, _)| place.parse().unwrap()).collect();
        for (number, user) in USERS.into_iter().enumerate() {
            let own = places.iter().filter(|(_, members)| members.contains(&number));
            let own: Vec<_> = own.map(|(place, _)| place.clone()).collect();
            let revolving = (number == REVOLVING).then(|| places[ROOMS.len()].0.clone());
            world.enters(user, tokens[number].clone(), own, revolving);
        }
        let token = world.nodes[0].token(STRANGER).await;
        world.enters(STRANGER, token, Vec::new(), None);
        for client in &world.clients {
            client.until("session", |status| status.node.is_some()).await;
        }
        world.writes(true);
        world
    }

    async fn room(&self, number: usize, members: &[usize], tokens: &[String]) -> String {
        let server = self.nodes[0].server();
        let room = json!({"kind": "room", "name": format!("room {number}")});
        let owner = &tokens[members[0]];
        let made = server.request("POST", "/conversations", Some(owner), Some(room)).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let room = text(&made.json()["id"]);
        for member in &members[1..] {
            let join = format!("/conversations/{room}/join");
            let joined = server.request("POST", &join, Some(&tokens[*member]), None).await;
            assert_eq!(joined.status, 200, "{}", joined.body);
        }
        room
    }

    fn enters(
        &mut self,
        user: &str,
        token: String,
        places: Vec<String>,
        revolving: Option<String>,
    ) {
        let recorder = self.history.client(user);
        for place in &places {
            recorder.note(Event::Joining { place: place.clone() });
        }
        let directory = Arc::clone(&self.directory);
        self.clients.push(Client::begin(user, token, places, revolving, directory, recorder));
    }

    /// Starts a node that is down, and tells clients where it is.
    pub(crate) async fn start_again(&mut self, node: usize) {
        self.nodes[node].start_again().await;
        self.directory.set(node, Some(self.nodes[node].server().address));
    }

    /// Waits until everybody who writes had something acknowledged from now on, and everybody was
    /// told everything up to then.
    pub(crate) async fn goes_on(&self) {
        let before: Vec<_> = self.clients.iter().map(|c| c.status().acknowledged).collect();
        for (client, before) in self.clients.iter().zip(before) {
            if !client.places.is_empty() {
                client.until("acknowledgement", |status| status.acknowledged > before).await;
            }
        }
        self.catches_up().await;
    }

    /// Waits until everybody was told everything up to now.
    pub(crate) async fn catches_up(&self) {
        let heads = soon("heads", self.store.heads(&self.places)).await.unwrap();
        let heads: BTreeMap<_, _> =
            heads.iter().map(|head| (head.conversation_id.to_string(), head.change_seq)).collect();
        for client in &self.clients {
            client
                .until(&format!("change of {heads:?}"), |status| {
                    status.node.is_some() && status.has_reached(&heads, &client.places)
                })
                .await;
        }
    }

    /// Has everybody write, or not.
    pub(crate) fn writes(&self, writing: bool) {
        for client in &self.clients {
            client.writes(writing && !client.places.is_empty());
        }
    }

    /// Has everybody stop writing after a while.
    pub(crate) fn stops_after(&self, time: Duration) -> impl Future<Output = ()> + use<> {
        let stopping: Vec<_> = self.clients.iter().map(|client| client.stops_after(time)).collect();
        async { drop(join_all(stopping).await) }
    }

    /// Waits until nothing is on its way any more.
    pub(crate) async fn falls_silent(&self) {
        for client in &self.clients {
            client
                .until("last acknowledgement", |status| !status.is_sending && !status.is_moving)
                .await;
        }
    }

    /// Has everybody stop, waits until all has settled, and checks everything that was recorded.
    /// `steady` is whether nobody may ever have been shown as offline.
    pub(crate) async fn ends_well(self, steady: bool, what: &str) {
        self.writes(false);
        self.falls_silent().await;
        self.catches_up().await;
        self.signals_pass().await;
        self.presence_is_true().await;
        for node in &self.nodes {
            for place in &self.places {
                self.reads(node, &place.to_string()).await;
            }
        }
        let record = self.history.record();
        let deliveries = record.entries.iter();
        let deliveries = deliveries.filter(|entry| matches!(entry.event, Event::Delivered { .. }));
        let truth = self.truth().await;
        let stored: usize = truth.places.values().map(|place| place.messages.len()).sum();
        println!("{what}: {stored} messages, {} deliveries", deliveries.count());
        let grace = steady.then_some(GRACE);
        let presence = Some(PresenceRules { ghosts_after: GHOSTS_AFTER, grace });
        let found = record.violations(
            &truth,
            Checks { settled: true, leaving_ends_all: LEAVING_ENDS_ALL, presence },
        );
        let shown: Vec<_> = found.iter().take(10).map(ToString::to_string).collect();
        if !found.is_empty() {
            keep(&record, what);
        }
        assert!(found.is_empty(), "{what}: {} violations:\n{}", found.len(), shown.join("\n"));
        self.store.close().await;
    }

    /// Waits until what is never stored goes from every node to every other one.
    async fn signals_pass(&self) {
        let room = self.places[0].to_string();
        for from in &self.nodes {
            let mut typist = Person::connect(from.server(), &self.clients[0].token).await;
            for to in self.nodes.iter().filter(|to| to.number != from.number) {
                let mut watcher = Person::connect(to.server(), &self.clients[1].token).await;
                let typing = json!({"conversationId": room});
                soon(&format!("a signal from node {} on {}", from.number, to.number), async {
                    let mut seen = false;
                    while !seen {
                        // Who may see it may have to be asked of a database that is just back.
                        drop(typist.tries("typing.start", typing.clone()).await);
                        drop(typist.tries("typing.stop", typing.clone()).await);
                        let wait = Duration::from_millis(500);
                        seen = timeout(wait, watcher.event("typing.started")).await.is_ok();
                    }
                })
                .await;
            }
        }
    }

    /// Waits until every node shows everybody who is there, and nobody else, to somebody new.
    async fn presence_is_true(&self) {
        let watcher = &self.clients[0];
        let connected = self.clients.iter().filter(|client| client.status().node.is_some());
        let members = connected.filter(|client| !client.places.is_empty());
        let expected: BTreeSet<_> = members.map(|client| client.user.clone()).collect();
        let expected: BTreeSet<_> = expected.into_iter().filter(|u| *u != watcher.user).collect();
        for node in &self.nodes {
            let mut person = Person::connect(node.server(), &watcher.token).await;
            let mut users = BTreeSet::new();
            let settling = async {
                while users != expected {
                    // Where presence is kept may not answer yet.
                    if let Ok(shown) = person.tries("presence.list", json!({})).await {
                        let shown = shown["presence"].as_array().unwrap();
                        users = shown.iter().map(|entry| text(&entry["userId"])).collect();
                    }
                }
            };
            let settled = tokio::time::timeout(crate::PATIENCE, settling).await;
            assert!(settled.is_ok(), "node {}: {users:?} in place of {expected:?}", node.number);
            self.history.client(&watcher.user).note(Event::Online { users });
        }
    }

    async fn reads(&self, node: &Node, place: &str) {
        let reads = |client: &&Client| client.places.iter().any(|own| own == place);
        let reader = self.clients.iter().find(reads).unwrap();
        let read = node.server().history(&reader.token, place).await;
        let messages = read.iter().map(message_of).collect();
        let read = Event::Read { place: place.to_owned(), messages };
        self.history.client(&reader.user).note(read);
    }

    /// What the store holds.
    async fn truth(&self) -> Truth {
        let mut truth = Truth::default();
        for id in &self.places {
            let mut place = Place::default();
            loop {
                let read = self.store.changes(*id, place.head, 1_000).await.unwrap();
                place.head = read.through;
                read.events.into_iter().for_each(|event| take_in(&mut place, event));
                if read.complete {
                    break;
                }
            }
            truth.places.insert(id.to_string(), place);
        }
        truth
    }
}

/// Keeps what clients saw when a test has failed.
fn keep(record: &Record, what: &str) {
    let name = format!("cluster-{}-{what}.history", std::process::id());
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let lines = record
        .entries
        .iter()
        .map(|entry| format!("{:?} {} {:?}\n", entry.at, record.users[entry.client], entry.event));
    if std::fs::write(&kept, lines.collect::<String>()).is_ok() {
        println!("what all clients saw is in {}", kept.display());
    }
}

fn take_in(place: &mut Place, event: ChangeEvent) {
    match event {
        ChangeEvent::MessageCreated { message, .. } => place.messages.push(Message {
            id: message.id.to_string(),
            seq: message.seq,
            change_seq: message.change_seq,
            sender: message.sender_id.to_string(),
            client_id: message.client_id.to_string(),
            content: message.content.as_str().to_owned(),
        }),
        ChangeEvent::MemberJoined { change_seq, member, .. }
        | ChangeEvent::MemberUpdated { change_seq, member, .. }
        | ChangeEvent::MemberLeft { change_seq, member, .. } => {
            let joined = member.member.state == MemberState::Joined;
            let user = member.member.user_id.to_string();
            place.members.insert(user, Membership { joined, change_seq });
        }
        other => panic!("what is this? {other:?}"),
    }
}

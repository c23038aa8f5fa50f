//! What a cache shows, compared with the truth: two nodes over one store, each with a cache of its
//! own, and a broker that loses, repeats and reorders. Whatever users do, on whichever node:
//!
//! * an answer is what was true at some moment within the staleness bound;
//! * on the node where a user wrote, the user's own writes show at once;
//! * a list is never behind what a device of its user was told;
//! * after the bound everything is the truth.
//!
//! Time is paused, so the bound is exact.

#![allow(clippy::unwrap_used, reason = "where a test cannot go on, it has failed")]

mod common;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chat_core::auth::UserClaims;
use chat_core::cache::CacheConfig;
use chat_core::proto::{
    Conversation, ConversationId, ConversationSummary, ConversationTarget, CreateRoom, Member,
    MemberProfile, MessageSend, PeerTarget, RoomName, User, UserId,
};
use chat_core::store::{
    ConversationStore, Head, InboxPosition, InboxStore, MemberStore, MessageStore, UnreadTotal,
    UserStore,
};
use chat_core::testing::{Call, Faults, FaultyBroker, Watch, WatchedStore};
use chat_core::{Actor, Chat, ChatConfig, MemoryPresence, MemoryStore, PresenceScope};
use common::Device;
use proptest::prelude::*;
use tokio::time::Instant;

const USERS: [&str; 3] = ["ada", "bo", "cy"];
const NODES: usize = 2;
const BOUND: Duration = Duration::from_millis(5_000);
/// Conversations on a page, so few that there are more.
const PAGE: usize = 2;

/// All that there is to be seen.
#[derive(Debug, Default, Clone, PartialEq)]
struct Truth {
    users: BTreeMap<UserId, User>,
    /// Everybody's whole list.
    lists: BTreeMap<UserId, Vec<ConversationSummary>>,
    unread: BTreeMap<UserId, UnreadTotal>,
    conversations: BTreeMap<ConversationId, Conversation>,
    members: BTreeMap<ConversationId, Vec<MemberProfile>>,
    heads: BTreeMap<ConversationId, Head>,
}

impl Truth {
    fn page(&self, user: &UserId, after: Option<InboxPosition>) -> Vec<ConversationSummary> {
        let list = self.lists.get(user).into_iter().flatten();
        let beyond =
            list.filter(|summary| after.is_none_or(|after| InboxPosition::of(summary) < after));
        beyond.take(PAGE).cloned().collect()
    }

    fn summary(&self, user: &UserId, place: ConversationId) -> Option<ConversationSummary> {
        let mut list = self.lists.get(user)?.iter();
        list.find(|summary| summary.conversation_id == place).cloned()
    }

    fn member(&self, user: &UserId, place: ConversationId) -> Option<Member> {
        let mut members = self.members.get(&place)?.iter();
        members.find(|profile| profile.user.id == *user).map(|profile| profile.member.clone())
    }
}

/// What was true from when on: noted at every write, before its caller knows of it.
#[derive(Debug)]
struct History {
    store: Arc<MemoryStore>,
    moments: Mutex<Vec<(Instant, Truth)>>,
}

#[async_trait]
impl Watch for History {
    async fn after(&self, call: Call) {
        if call.writes {
            self.note().await;
        }
    }
}

impl History {
    fn len(&self) -> usize {
        self.moments.lock().unwrap().len()
    }

    fn places(&self) -> Vec<ConversationId> {
        self.moments.lock().unwrap().last().unwrap().1.conversations.keys().copied().collect()
    }

    async fn note(&self) {
        let store = &self.store;
        let mut truth = Truth::default();
        let known: Vec<_> = self
            .moments
            .lock()
            .unwrap()
            .last()
            .map_or_else(Vec::new, |(_, truth)| truth.conversations.keys().copied().collect());
        let mut places = known;
        for user in USERS {
            let user: UserId = user.parse().unwrap();
            let Some(record) = store.user(&user).await.unwrap() else { continue };
            let list = store.summaries(&user, None, usize::MAX).await.unwrap();
            places.extend(list.iter().map(|summary| summary.conversation_id));
            truth.unread.insert(user.clone(), store.unread_total(&user).await.unwrap());
            truth.lists.insert(user.clone(), list);
            truth.users.insert(user, record);
        }
        places.sort_unstable();
        places.dedup();
        for place in places {
            let conversation = store.conversation(place).await.unwrap().unwrap();
            truth.conversations.insert(place, conversation);
            truth.members.insert(place, store.members(place, None, 100).await.unwrap());
            truth.heads.insert(place, store.heads(&[place]).await.unwrap()[0]);
        }
        self.moments.lock().unwrap().push((Instant::now(), truth));
    }
}

/// Something to be seen.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Question {
    List(UserId),
    Unread(UserId),
    Summary(UserId, ConversationId),
    User(UserId),
    Conversation(ConversationId),
    Members(ConversationId),
    Member(UserId, ConversationId),
    Head(ConversationId),
}

struct World {
    history: Arc<History>,
    broker: FaultyBroker,
    nodes: Vec<Chat>,
    devices: HashMap<(usize, usize), Device>,
    /// Up to which change of each conversation a user's device was told, by node.
    told: HashMap<(usize, UserId, ConversationId), u64>,
    /// The first moment at which a user's write was true, by node and what it shows in.
    wrote: HashMap<(usize, Question), usize>,
    /// Answers that were not the truth any more: what a cache is allowed, and is here to do.
    outdated: usize,
}

impl World {
    async fn new(seed: u64) -> Self {
        let store = Arc::new(MemoryStore::new());
        let history = Arc::new(History { store: store.clone(), moments: Mutex::default() });
        let watched = Arc::new(WatchedStore::new(store, history.clone()));
        let broker = FaultyBroker::new(Faults::MANY, seed);
        let presence = MemoryPresence::new();
        let config = ChatConfig {
            reconcile_interval_ms: 2_000,
            presence_grace_ms: 700,
            presence_scope: PresenceScope::Everyone,
            ..common::unlimited()
        };
        let staleness_ms = u64::try_from(BOUND.as_millis()).unwrap();
        let nodes = (0..NODES).map(|_| {
            Chat::builder(watched.clone())
                .broker(Arc::new(broker.node()))
                .presence(Arc::new(presence.clone()))
                .cache(CacheConfig { staleness_ms, ..CacheConfig::default() })
                .config(config.clone())
                .build()
        });
        let nodes: Vec<_> = nodes.collect();
        for user in USERS {
            nodes[0].admit(&UserClaims::of(user.parse().unwrap())).await.unwrap();
        }
        let (devices, told, wrote) = (HashMap::new(), HashMap::new(), HashMap::new());
        Self { history, broker, nodes, devices, told, wrote, outdated: 0 }
    }

    /// Notes that a user has written through a node, and where that shows.
    fn has_written(
        &mut self,
        node: usize,
        user: usize,
        place: Option<ConversationId>,
        joined: bool,
    ) {
        let user: UserId = USERS[user].parse().unwrap();
        let moment = self.history.len() - 1;
        let mut shows = vec![Question::List(user.clone()), Question::Unread(user.clone())];
        if let Some(place) = place {
            shows.push(Question::Summary(user.clone(), place));
            shows.push(Question::Head(place));
            if joined {
                shows.push(Question::Conversation(place));
                shows.push(Question::Members(place));
                shows.push(Question::Member(user, place));
            }
        }
        for question in shows {
            self.wrote.insert((node, question), moment);
        }
    }

    /// Asserts that an answer was true at some moment within the bound, and not before the user's
    /// own write.
    fn check<A: PartialEq + Debug>(
        &mut self,
        node: usize,
        question: &Question,
        answer: &A,
        truth: impl Fn(&Truth) -> A,
    ) {
        let now = Instant::now();
        let first = self.wrote.get(&(node, question.clone())).copied().unwrap_or(0);
        let moments = self.history.moments.lock().unwrap();
        let until = |n: usize| moments.get(n + 1).map(|(next, _)| *next);
        let was_true = (first..moments.len()).rev().find(|n| {
            let lately = until(*n).is_none_or(|end| end + BOUND > now);
            lately && truth(&moments[*n].1) == *answer
        });
        let Some(moment) = was_true else {
            let true_since: Vec<_> = moments[first..]
                .iter()
                .map(|(since, state)| (now - *since, truth(state)))
                .collect();
            panic!("node {node} answers {question:?} by {answer:#?}\nof {true_since:#?}");
        };
        if truth(&moments[moments.len() - 1].1) != *answer {
            self.outdated += 1;
            assert!(moment + 1 < moments.len());
        }
    }

    /// A user looks at everything through a node.
    async fn look(&mut self, user: usize, node: usize) {
        self.catch_up(user, node).await;
        let me: UserId = USERS[user].parse().unwrap();
        let actor = Actor::user(me.clone());
        let (chat, shown) = (self.nodes[node].clone(), self.nodes[node].shown_store());
        let question = Question::List(me.clone());
        let (mut cursor, mut after) = (None, None);
        for _ in 0..2 {
            let page = chat.conversations(&actor, cursor.as_ref(), Some(PAGE)).await.unwrap();
            self.check(node, &question, &page.data, |truth| truth.page(&me, after));
            for summary in &page.data {
                let key = (node, me.clone(), summary.conversation_id);
                let told = self.told.get(&key).copied().unwrap_or(0);
                assert!(summary.change_seq >= told, "a step back from {told}: {summary:?}");
            }
            cursor = page.meta.next_cursor;
            let Some(last) = page.data.last() else { break };
            after = Some(InboxPosition::of(last));
            if cursor.is_none() {
                break;
            }
        }
        let total = chat.unread(&actor).await.unwrap();
        self.check(node, &Question::Unread(me.clone()), &total, |truth| truth.unread[&me]);
        for name in USERS {
            let other: UserId = name.parse().unwrap();
            let question = Question::User(other.clone());
            let record = chat.user(&other).await.unwrap();
            self.check(node, &question, &record, |truth| truth.users[&other].clone());
            let record = chat.user_by_name(name).await.unwrap();
            self.check(node, &question, &record, |truth| truth.users[&other].clone());
        }
        for place in self.history.places() {
            let summary = shown.inbox.summary(&me, place).await.unwrap();
            let question = Question::Summary(me.clone(), place);
            self.check(node, &question, &summary, |truth| truth.summary(&me, place));
            let record = shown.conversations.conversation(place).await.unwrap();
            let question = Question::Conversation(place);
            self.check(node, &question, &record, |truth| truth.conversations.get(&place).cloned());
            let member = shown.members.member(place, &me).await.unwrap();
            let question = Question::Member(me.clone(), place);
            self.check(node, &question, &member, |truth| truth.member(&me, place));
            let members = shown.members.members(place, None, 100).await.unwrap();
            let question = Question::Members(place);
            self.check(node, &question, &members, |truth| {
                truth.members.get(&place).cloned().unwrap_or_default()
            });
            let heads = shown.messages.heads(&[place]).await.unwrap();
            let question = Question::Head(place);
            self.check(node, &question, &heads.first().copied(), |truth| {
                truth.heads.get(&place).copied()
            });
        }
    }

    /// Takes in what a user's device was told.
    async fn catch_up(&mut self, user: usize, node: usize) {
        let Some(device) = self.devices.get_mut(&(user, node)) else { return };
        for frame in device.everything().await {
            let payload = &frame["payload"];
            if let Some(change) = payload["changeSeq"].as_u64() {
                let place = payload["conversationId"].as_str().unwrap().parse().unwrap();
                let told =
                    self.told.entry((node, USERS[user].parse().unwrap(), place)).or_default();
                *told = change.max(*told);
            }
        }
    }

    async fn act(&mut self, Act { what, user, node, place }: Act) {
        let actor = Actor::user(USERS[user].parse().unwrap());
        let chat = self.nodes[node].clone();
        let places = self.history.places();
        let place = (!places.is_empty()).then(|| places[usize::from(place) % places.len()]);
        // A write that is refused, such as that of somebody who is no member, is none.
        let (done, place, joins) = match (what, place) {
            (Action::Create, _) => {
                let room = CreateRoom {
                    kind: None,
                    name: RoomName::parse("room").unwrap(),
                    topic: None,
                    visibility: None,
                };
                let made = chat.create_room(&actor, room).await.unwrap();
                (true, Some(made.conversation_id), true)
            }
            (Action::Open(peer), _) => {
                let peer =
                    PeerTarget { user_id: Some(USERS[peer].parse().unwrap()), username: None };
                match chat.open_direct(&actor, &peer).await.map(|opened| opened.conversation_id) {
                    // One that is there already is found by reading.
                    Ok(opened) => (!places.contains(&opened), Some(opened), true),
                    Err(_) => (false, None, false),
                }
            }
            (_, None) => (false, None, false),
            (Action::Send, Some(id)) => {
                let message =
                    MessageSend { conversation_id: id, client_id: None, content: "hello".into() };
                (chat.send(&actor, message).await.is_ok(), place, false)
            }
            (Action::Read, Some(id)) => {
                (chat.mark_read(&actor, id, None).await.is_ok(), None, false)
            }
            (Action::Receive, Some(id)) => {
                (chat.mark_delivered(&actor, id, None).await.is_ok(), None, false)
            }
            (Action::Join, Some(id)) => {
                let target = ConversationTarget { conversation_id: Some(id), name: None };
                (chat.join_room(&actor, &target).await.is_ok(), place, true)
            }
            (Action::Leave, Some(id)) => {
                (chat.leave_room(&actor, id, true).await.is_ok(), place, true)
            }
        };
        if done {
            self.has_written(node, user, place, joins);
        }
    }

    /// Everything is the truth, on every node.
    async fn is_settled(&mut self) {
        let before = self.outdated;
        for node in 0..NODES {
            for user in 0..USERS.len() {
                self.look(user, node).await;
            }
        }
        assert_eq!(self.outdated, before, "after the bound");
    }
}

/// Something that a user does.
#[derive(Debug, Clone, Copy)]
struct Act {
    what: Action,
    user: usize,
    node: usize,
    place: u8,
}

#[derive(Debug, Clone, Copy)]
enum Action {
    Create,
    Open(usize),
    Send,
    Read,
    Receive,
    Join,
    Leave,
}

#[derive(Debug, Clone)]
enum Step {
    Act(Act),
    /// A user looks at everything.
    Look(usize, usize),
    /// A user's device comes, or goes.
    Connect(usize, usize),
    Disconnect(usize, usize),
    Faults(Faults),
    /// Time passes, in milliseconds.
    Wait(u16),
}

fn step() -> impl Strategy<Value = Step> {
    let (user, node) = (0..USERS.len(), 0..NODES);
    let action = prop_oneof![
        2 => Just(Action::Create),
        2 => (0..USERS.len()).prop_map(Action::Open),
        8 => Just(Action::Send),
        3 => Just(Action::Read),
        2 => Just(Action::Receive),
        4 => Just(Action::Join),
        2 => Just(Action::Leave),
    ];
    let act = (action, user.clone(), node.clone(), any::<u8>())
        .prop_map(|(what, user, node, place)| Step::Act(Act { what, user, node, place }));
    prop_oneof![
        10 => act,
        10 => (user.clone(), node.clone()).prop_map(|(user, node)| Step::Look(user, node)),
        3 => (user.clone(), node.clone()).prop_map(|(user, node)| Step::Connect(user, node)),
        1 => (user, node).prop_map(|(user, node)| Step::Disconnect(user, node)),
        1 => (0u8..60, 0u8..30, 0u8..30)
            .prop_map(|(lost, repeated, delayed)| Step::Faults(Faults { lost, repeated, delayed })),
        4 => (0u16..3_000).prop_map(Step::Wait),
    ]
}

/// Lets time pass.
async fn passes(time: Duration) {
    let _ = tokio::time::timeout(time, std::future::pending::<()>()).await;
}

async fn play(seed: u64, steps: Vec<Step>) -> usize {
    let mut world = World::new(seed).await;
    for step in steps {
        match step {
            Step::Act(act) => world.act(act).await,
            Step::Look(user, node) => world.look(user, node).await,
            Step::Connect(user, node) => {
                let device = Device::attach(&world.nodes[node], USERS[user]).await;
                world.devices.insert((user, node), device);
            }
            Step::Disconnect(user, node) => drop(world.devices.remove(&(user, node))),
            Step::Faults(faults) => world.broker.set_faults(faults),
            Step::Wait(ms) => passes(Duration::from_millis(ms.into())).await,
        }
    }
    passes(BOUND).await;
    world.is_settled().await;
    world.outdated
}

fn run(play: impl Future<Output = usize>) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(play)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_shown_was_true_within_the_bound(
        seed in any::<u64>(),
        steps in prop::collection::vec(step(), 1..80),
    ) {
        run(play(seed, steps));
    }
}

/// A model that never meets an outdated answer would prove nothing of how old it may be.
#[test]
fn an_outdated_answer_is_met_and_is_gone_at_the_bound() {
    let act = |what, user, node| Step::Act(Act { what, user, node, place: 0 });
    let mut steps = vec![
        Step::Faults(Faults { lost: 100, repeated: 0, delayed: 0 }),
        act(Action::Create, 0, 0),
        act(Action::Join, 1, 1),
        Step::Look(1, 1),
        act(Action::Send, 0, 0),
        Step::Look(1, 1),
    ];
    assert!(run(play(1, steps.clone())) > 0);
    steps.insert(5, Step::Wait(5_000));
    assert_eq!(run(play(1, steps)), 0);
}

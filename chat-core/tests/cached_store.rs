//! A cache over a store keeps the promises of the store, and its own: what it counts, how much it
//! keeps and for how long, and that no answer that a write overtook is taken for what came after.

#![allow(clippy::unwrap_used, reason = "where a test cannot go on, it has failed")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chat_core::MemoryStore;
use chat_core::cache::{CacheConfig, CacheCount, CachedStore};
use chat_core::proto::{
    ClientId, ConversationId, DisplayName, MessageBody, MessageId, RoomName, UserId, Username,
    Visibility,
};
use chat_core::store::{
    AppendOutcome, ConversationStore, CursorKind, CursorStore, InboxPosition, InboxStore,
    JoinOutcome, LeaveOutcome, MemberStore, MessageDraft, MessageStore, NewDirect, NewRoom,
    NewUser, Store, StoreError, UserStore,
};
use chat_core::testing::{Call, Watch, WatchedStore};
use common::PATIENCE;
use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::Semaphore;

async fn cached_store() -> Arc<CachedStore> {
    Arc::new(cache(Arc::new(MemoryStore::new())))
}

chat_core::testing::store_conformance!(cached_store);

fn cache(store: Arc<dyn Store>) -> CachedStore {
    CachedStore::new(store, CacheConfig::default())
}

fn id(user: &str) -> UserId {
    user.parse().unwrap()
}

async fn user(store: &dyn Store, name: &str) -> UserId {
    let username = Username::parse(name).unwrap();
    let display_name = DisplayName::from(&username);
    let user = NewUser { id: id(name), username, display_name, created_at: Timestamp::now() };
    store.ensure_user(user).await.unwrap();
    id(name)
}

fn new_room(owner: &UserId, name: &str) -> NewRoom {
    NewRoom {
        id: ConversationId::generate(),
        name: RoomName::parse(name).unwrap(),
        topic: None,
        visibility: Visibility::Public,
        owner: owner.clone(),
        created_at: Timestamp::now(),
        max_memberships: 10_000,
    }
}

fn new_direct(opener: &UserId, peer: &UserId) -> NewDirect {
    NewDirect {
        id: ConversationId::generate(),
        opener: opener.clone(),
        peer: peer.clone(),
        created_at: Timestamp::now(),
        max_memberships: 10_000,
    }
}

async fn room(store: &dyn Store, owner: &UserId) -> ConversationId {
    store.create_room(new_room(owner, "general")).await.unwrap().conversation().unwrap().id
}

fn draft(place: ConversationId, sender: &UserId) -> MessageDraft {
    MessageDraft {
        id: MessageId::generate(),
        conversation_id: place,
        sender_id: sender.clone(),
        client_id: ClientId::generate(),
        content: MessageBody::parse("hello", 100).unwrap(),
        mentions: Vec::new(),
        created_at: Timestamp::now(),
    }
}

async fn send(store: &dyn Store, place: ConversationId, sender: &UserId) -> u64 {
    let mut outcomes = store.append(vec![draft(place, sender)]).await.unwrap();
    match outcomes.remove(0) {
        AppendOutcome::Stored(message) => message.seq,
        other => panic!("{other:?}"),
    }
}

/// How many conversations are on the first page of a user's list.
async fn listed(store: &dyn Store, user: &UserId) -> usize {
    store.summaries(user, None, 51).await.unwrap().len()
}

async fn last_seq(store: &dyn Store, user: &UserId) -> u64 {
    store.summaries(user, None, 51).await.unwrap()[0].last_seq
}

const fn count(hits: u64, misses: u64, entries: u64) -> CacheCount {
    CacheCount { hits, misses, entries }
}

/// Counts calls.
#[derive(Debug, Default)]
struct Calls(AtomicUsize);

#[async_trait]
impl Watch for Calls {
    async fn after(&self, _: Call) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Calls {
    fn take(&self) -> usize {
        self.0.swap(0, Ordering::SeqCst)
    }
}

#[tokio::test]
async fn hits_and_misses_are_counted_by_kind() {
    let cache = cache(Arc::new(MemoryStore::new()));
    let (ada, bo) = (user(&cache, "ada").await, user(&cache, "bo").await);
    let place = room(&cache, &ada).await;

    assert!(cache.user(&id("cy")).await.unwrap().is_none());
    for _ in 0..3 {
        cache.user(&ada).await.unwrap().unwrap();
    }
    assert_eq!(cache.stats().users, count(2, 2, 1), "what is not there is not kept");
    let ids = [bo.clone(), ada.clone(), id("cy"), ada.clone()];
    let found = cache.users(&ids).await.unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(cache.stats().users, count(3, 4, 2), "each id counts once");

    for _ in 0..2 {
        cache.user_by_name("ada").await.unwrap().unwrap();
        cache.conversation(place).await.unwrap().unwrap();
        cache.member(place, &ada).await.unwrap().unwrap();
        assert!(cache.member(place, &bo).await.unwrap().is_none());
        cache.members(place, None, 10).await.unwrap();
        cache.heads(&[place, ConversationId::generate()]).await.unwrap();
        cache.summary(&ada, place).await.unwrap().unwrap();
        cache.summaries(&ada, None, 10).await.unwrap();
        cache.unread_total(&ada).await.unwrap();
    }
    let stats = cache.stats();
    assert_eq!(stats.memberships, count(1, 3, 1));
    assert_eq!(stats.heads, count(1, 3, 1));
    for (kind, counted) in stats.kinds() {
        if !["users", "memberships", "heads"].contains(&kind) {
            assert_eq!(counted, count(1, 1, 1), "{kind}");
        }
    }
}

#[tokio::test]
async fn what_is_kept_is_bounded() {
    let config = CacheConfig { entries: 10, page_items: 30, ..CacheConfig::default() };
    let cache = CachedStore::new(Arc::new(MemoryStore::new()), config);
    for n in 0..100 {
        let user = user(&cache, &format!("user{n}")).await;
        for _ in 0..4 {
            room(&cache, &user).await;
        }
        cache.user(&user).await.unwrap().unwrap();
        assert_eq!(listed(&cache, &user).await, 4);
        assert_eq!(listed(&cache, &user).await, 4);
    }
    let stats = cache.stats();
    assert!((1..=10).contains(&stats.users.entries), "{stats:?}");
    assert!((1..=6).contains(&stats.lists.entries), "each weighs five: {stats:?}");
    assert!(stats.lists.hits > 0);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_older_than_the_bound() {
    let store = Arc::new(MemoryStore::new());
    let cache = cache(store.clone());
    let ada = user(&*store, "ada").await;
    assert_eq!(listed(&cache, &ada).await, 0);
    room(&*store, &ada).await;
    tokio::time::advance(Duration::from_millis(4_999)).await;
    assert_eq!(listed(&cache, &ada).await, 0, "written behind its back");
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(listed(&cache, &ada).await, 1);
}

#[tokio::test(start_paused = true)]
async fn an_age_counts_from_before_the_store_was_asked() {
    #[derive(Debug)]
    struct Slow;
    #[async_trait]
    impl Watch for Slow {
        async fn after(&self, call: Call) {
            if !call.writes {
                let _ = tokio::time::timeout(Duration::from_secs(3), std::future::pending::<()>())
                    .await;
            }
        }
    }
    let cache = cache(Arc::new(WatchedStore::new(Arc::new(MemoryStore::new()), Arc::new(Slow))));
    let ada = user(&cache, "ada").await;
    cache.user(&ada).await.unwrap();
    tokio::time::advance(Duration::from_millis(1_999)).await;
    cache.user(&ada).await.unwrap();
    assert_eq!(cache.stats().users.hits, 1);
    tokio::time::advance(Duration::from_millis(1)).await;
    cache.user(&ada).await.unwrap();
    assert_eq!(cache.stats().users, count(1, 2, 1));
}

#[tokio::test]
async fn any_bound_can_be_set() {
    for (staleness_ms, hits) in [(0, 0), (u64::MAX, 2)] {
        let config = CacheConfig { staleness_ms, ..CacheConfig::default() };
        let cache = CachedStore::new(Arc::new(MemoryStore::new()), config);
        let ada = user(&cache, "ada").await;
        for _ in 0..3 {
            cache.user(&ada).await.unwrap().unwrap();
        }
        assert_eq!(cache.stats().users.hits, hits);
    }
}

#[tokio::test]
async fn lists_take_three_calls_at_most_and_none_when_kept() {
    let calls = Arc::new(Calls::default());
    let store = WatchedStore::new(Arc::new(MemoryStore::new()), calls.clone());
    let cache = cache(Arc::new(store));
    let ada = user(&cache, "ada").await;
    for _ in 0..200 {
        room(&cache, &ada).await;
    }
    calls.take();
    let page = cache.summaries(&ada, None, 50).await.unwrap();
    assert_eq!(calls.take(), 1, "the first page");
    let last = page.last().unwrap();
    let after = InboxPosition::of(last);
    assert_eq!(cache.summaries(&ada, Some(after), 50).await.unwrap().len(), 50);
    assert_eq!(calls.take(), 2, "a later page");
    cache.unread_total(&ada).await.unwrap();
    assert_eq!(calls.take(), 2, "a total");
    cache.summaries(&ada, None, 50).await.unwrap();
    cache.summaries(&ada, Some(after), 50).await.unwrap();
    cache.unread_total(&ada).await.unwrap();
    assert_eq!(calls.take(), 0);
}

/// Asserts that all that is shown of users and conversations is the truth, twice: as it is read, and
/// as it is kept.
async fn agrees(
    cache: &CachedStore,
    store: &MemoryStore,
    users: &[&UserId],
    places: &[ConversationId],
    when: &str,
) {
    for _ in 0..2 {
        for user in users {
            let shown = cache.summaries(user, None, 9).await.unwrap();
            assert_eq!(shown, store.summaries(user, None, 9).await.unwrap(), "{when}");
            let shown = cache.unread_total(user).await.unwrap();
            assert_eq!(shown, store.unread_total(user).await.unwrap(), "{when}");
            assert_eq!(cache.user(user).await.unwrap(), store.user(user).await.unwrap(), "{when}");
            let name = user.as_str();
            let shown = cache.user_by_name(name).await.unwrap();
            assert_eq!(shown, store.user_by_name(name).await.unwrap(), "{when}");
            for place in places {
                let shown = cache.summary(user, *place).await.unwrap();
                assert_eq!(shown, store.summary(user, *place).await.unwrap(), "{when}");
                let shown = cache.member(*place, user).await.unwrap();
                assert_eq!(shown, store.member(*place, user).await.unwrap(), "{when}");
            }
        }
        for place in places {
            let shown = cache.members(*place, None, 9).await.unwrap();
            assert_eq!(shown, store.members(*place, None, 9).await.unwrap(), "{when}");
            let shown = cache.conversation(*place).await.unwrap();
            assert_eq!(shown, store.conversation(*place).await.unwrap(), "{when}");
            let shown = cache.heads(&[*place]).await.unwrap();
            assert_eq!(shown, store.heads(&[*place]).await.unwrap(), "{when}");
        }
    }
}

/// Whatever is written, all that shows it shows it at once, also what was read while the write was
/// under way.
#[tokio::test]
async fn every_write_shows_at_once() {
    let store = Arc::new(MemoryStore::new());
    let (ada, bo) = (user(&*store, "ada").await, user(&*store, "bo").await);
    let hold = Hold::before_writes();
    let cache = cache(Arc::new(WatchedStore::new(store.clone(), hold.clone())));
    let (place, pair) = (new_room(&ada, "general"), new_direct(&bo, &ada));
    let other = new_room(&bo, "other");
    let places = [place.id, pair.id, other.id];
    let shows = async |what: &str, write: BoxFuture<'_, bool>| {
        let mut write = write;
        hold.arm();
        assert!(futures::poll!(&mut write).is_pending());
        agrees(&cache, &store, &[&ada, &bo], &places, &format!("during {what}")).await;
        hold.let_go();
        let changed = tokio::time::timeout(PATIENCE, write).await.unwrap();
        assert!(changed, "{what}");
        agrees(&cache, &store, &[&ada, &bo], &places, what).await;
    };
    let (now, cache) = (Timestamp::now(), &cache);
    let write = cache.create_room(place);
    shows("a room", Box::pin(async { write.await.is_ok() })).await;
    let write = cache.open_direct(pair);
    shows("a pair", Box::pin(async { write.await.unwrap().is_created() })).await;
    let write = cache.find_or_create_room(other);
    shows("a named room", Box::pin(async { write.await.unwrap().is_created() })).await;
    let write = cache.join(places[0], &bo, now, 100);
    let joined = async { matches!(write.await.unwrap(), JoinOutcome::Joined(..)) };
    shows("a join", Box::pin(joined)).await;
    for place in &places[..2] {
        shows("a message", Box::pin(async { send(cache, *place, &bo).await > 0 })).await;
    }
    for kind in [CursorKind::Delivered, CursorKind::Read] {
        for place in &places[..2] {
            let write = cache.advance(*place, &ada, kind, None);
            shows("a receipt", Box::pin(async { write.await.unwrap().unwrap().to == 1 })).await;
        }
    }
    let write = cache.record_last_seen(&bo, now);
    shows("a departure", Box::pin(async { write.await.is_ok() })).await;
    let write = cache.leave(places[0], &bo, false);
    let left = async { matches!(write.await.unwrap(), LeaveOutcome::Left { .. }) };
    shows("a leaving", Box::pin(left)).await;
    assert!(cache.stats().lists.hits > 0);
}

#[tokio::test]
async fn what_was_not_on_a_page_moves_onto_it() {
    let cache = cached_store().await;
    let (ada, bo) = (user(&*cache, "ada").await, user(&*cache, "bo").await);
    let mut rooms = Vec::new();
    for _ in 0..4 {
        let place = room(&*cache, &ada).await;
        cache.join(place, &bo, Timestamp::now(), 100).await.unwrap();
        rooms.push(place);
    }
    let pages = async || {
        let first = cache.summaries(&ada, None, 1).await.unwrap().remove(0);
        let after = InboxPosition::of(&first);
        let second = cache.summaries(&ada, Some(after), 1).await.unwrap().remove(0);
        [first.conversation_id, second.conversation_id]
    };
    assert_eq!(pages().await, [rooms[3], rooms[2]]);
    for pair in [[0, 3], [1, 0], [2, 1]] {
        send(&*cache, rooms[pair[0]], &bo).await;
        assert_eq!(pages().await, pair.map(|n: usize| rooms[n]));
    }
}

/// Holds up a call: before the store is asked, or after it has answered.
#[derive(Debug)]
struct Hold {
    /// A call of this method, or any that writes.
    method: Option<&'static str>,
    after: bool,
    armed: AtomicBool,
    reached: Semaphore,
    go: Semaphore,
}

impl Hold {
    fn new(method: Option<&'static str>, after: bool, armed: bool) -> Arc<Self> {
        let (reached, go) = (Semaphore::new(0), Semaphore::new(0));
        Arc::new(Self { method, after, armed: armed.into(), reached, go })
    }

    /// Holds up the next write once it is armed.
    fn before_writes() -> Arc<Self> {
        Self::new(None, false, false)
    }

    fn arm(&self) {
        self.armed.store(true, Ordering::SeqCst);
    }

    async fn pass(&self, call: Call, after: bool) {
        let meant = self.method.map_or(call.writes, |method| call.method == method);
        if meant && after == self.after && self.armed.swap(false, Ordering::SeqCst) {
            self.reached.add_permits(1);
            self.go.acquire().await.unwrap().forget();
        }
    }

    async fn is_reached(&self) {
        tokio::time::timeout(PATIENCE, self.reached.acquire()).await.unwrap().unwrap().forget();
    }

    fn let_go(&self) {
        self.go.add_permits(1);
    }
}

#[async_trait]
impl Watch for Hold {
    async fn before(&self, call: Call) -> Result<(), StoreError> {
        self.pass(call, false).await;
        Ok(())
    }

    async fn after(&self, call: Call) {
        self.pass(call, true).await;
    }
}

/// A cache whose first call of a method is held up, and a room of `ada` in it.
async fn held(method: &'static str, after: bool) -> (Arc<CachedStore>, Arc<Hold>, ConversationId) {
    let hold = Hold::new(Some(method), after, true);
    let store = Arc::new(MemoryStore::new());
    let ada = user(&*store, "ada").await;
    let place = room(&*store, &ada).await;
    let cache = cache(Arc::new(WatchedStore::new(store, hold.clone())));
    (Arc::new(cache), hold, place)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_a_write_overtook_is_not_served_afterwards() {
    for method in ["overviews", "heads", "members"] {
        let (cache, hold, place) = held(method, true).await;
        let ada = id("ada");
        let bo = user(&*cache, "bo").await;
        let look = async |cache: &CachedStore| match method {
            "overviews" => last_seq(cache, &ada).await,
            "heads" => cache.heads(&[place]).await.unwrap()[0].last_seq,
            _ => cache.members(place, None, 9).await.unwrap().len() as u64 - 1,
        };
        let reading = tokio::spawn({
            let (cache, user) = (Arc::clone(&cache), ada.clone());
            async move {
                match method {
                    "overviews" => last_seq(&*cache, &user).await,
                    "heads" => cache.heads(&[place]).await.unwrap()[0].last_seq,
                    _ => cache.members(place, None, 9).await.unwrap().len() as u64 - 1,
                }
            }
        });
        hold.is_reached().await;
        cache.join(place, &bo, Timestamp::now(), 100).await.unwrap();
        assert_eq!(send(&*cache, place, &ada).await, 1);
        // What came before the write has been read, and is kept only now.
        hold.let_go();
        let before = tokio::time::timeout(PATIENCE, reading).await.unwrap().unwrap();
        assert_eq!(before, 0, "{method}");
        assert_eq!(look(&cache).await, 1, "{method}");
        assert_eq!(look(&cache).await, 1, "{method}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_anothers_read_is_not_handed_what_was_before_a_write() {
    let (cache, hold, place) = held("overviews", true).await;
    let ada = id("ada");
    let read = || {
        let (cache, ada) = (Arc::clone(&cache), ada.clone());
        tokio::spawn(async move { last_seq(&*cache, &ada).await })
    };
    let first = read();
    hold.is_reached().await;
    send(&*cache, place, &ada).await;
    let waiting: Vec<_> = (0..8).map(|_| read()).collect();
    hold.let_go();
    assert_eq!(tokio::time::timeout(PATIENCE, first).await.unwrap().unwrap(), 0);
    for waiting in waiting {
        assert_eq!(tokio::time::timeout(PATIENCE, waiting).await.unwrap().unwrap(), 1);
    }
}

#[tokio::test]
async fn a_late_answer_does_not_replace_a_later_one() {
    let (cache, hold, place) = held("heads", true).await;
    let head = async || cache.heads(&[place]).await.unwrap()[0].last_seq;
    let mut late = Box::pin(head());
    assert!(futures::poll!(&mut late).is_pending());
    send(&*cache, place, &id("ada")).await;
    assert_eq!(head().await, 1);
    hold.let_go();
    assert_eq!(tokio::time::timeout(PATIENCE, late).await.unwrap(), 0);
    assert_eq!((head().await, cache.stats().heads.misses), (1, 2));
}

#[tokio::test]
async fn readers_of_one_thing_at_once_ask_the_store_once() {
    let (cache, hold, _) = held("overviews", false).await;
    let ada = id("ada");
    let mut reading: Vec<_> = (0..8).map(|_| Box::pin(last_seq(&*cache, &ada))).collect();
    for reader in &mut reading {
        assert!(futures::poll!(reader).is_pending());
    }
    // The first gives up: another one takes over.
    drop(reading.remove(0));
    hold.let_go();
    let read = futures::future::join_all(reading);
    tokio::time::timeout(PATIENCE, read).await.unwrap();
    // The one who gave up had asked, too.
    assert_eq!(cache.stats().lists, count(6, 2, 1));
}

#[tokio::test]
async fn a_write_that_failed_or_was_given_up_counts_as_done() {
    /// Carries out appends and then fails.
    #[derive(Debug)]
    struct Broken(Arc<MemoryStore>, ConversationId);
    #[async_trait]
    impl Watch for Broken {
        async fn before(&self, call: Call) -> Result<(), StoreError> {
            if call.method == "append" {
                send(&*self.0, self.1, &id("ada")).await;
                return Err(StoreError::unavailable("the connection broke"));
            }
            Ok(())
        }
    }
    let store = Arc::new(MemoryStore::new());
    let ada = user(&*store, "ada").await;
    let place = room(&*store, &ada).await;
    let broken = Arc::new(Broken(store.clone(), place));
    let cached = cache(Arc::new(WatchedStore::new(store, broken)));
    assert_eq!(last_seq(&cached, &ada).await, 0);
    cached.append(vec![draft(place, &ada)]).await.unwrap_err();
    assert_eq!(last_seq(&cached, &ada).await, 1);

    let (cached, hold, place) = held("append", true).await;
    assert_eq!(last_seq(&*cached, &ada).await, 0);
    {
        let mut writing = Box::pin(send(&*cached, place, &ada));
        assert!(futures::poll!(&mut writing).is_pending());
        hold.is_reached().await;
    }
    assert_eq!(last_seq(&*cached, &ada).await, 1);
}

/// With real threads, and no pauses: whoever reads after a write has returned sees it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_reader_sees_less_than_what_was_written_before_it_asked() {
    const WRITES: u64 = 2_000;
    let cache = cached_store().await;
    let (ada, bo) = (user(&*cache, "ada").await, user(&*cache, "bo").await);
    let place = room(&*cache, &ada).await;
    cache.join(place, &bo, Timestamp::now(), 100).await.unwrap();
    let written = Arc::new(AtomicU64::new(0));
    let readers: Vec<_> = (0..6)
        .map(|n| {
            let (cache, written, user) = (Arc::clone(&cache), Arc::clone(&written), bo.clone());
            tokio::spawn(async move {
                loop {
                    let least = written.load(Ordering::SeqCst);
                    let seen = match n % 3 {
                        0 => last_seq(&*cache, &user).await,
                        1 => cache.heads(&[place]).await.unwrap()[0].last_seq,
                        _ => cache.summary(&user, place).await.unwrap().unwrap().last_seq,
                    };
                    assert!(seen >= least, "{seen} < {least}");
                    if least == WRITES {
                        return;
                    }
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for _ in 0..WRITES {
        let seq = send(&*cache, place, &ada).await;
        written.store(seq, Ordering::SeqCst);
        tokio::task::yield_now().await;
    }
    let reading = futures::future::join_all(readers);
    for reader in tokio::time::timeout(PATIENCE, reading).await.unwrap() {
        reader.unwrap();
    }
}

#[tokio::test]
async fn warming_reads_recent_conversations_and_their_heads() {
    let calls = Arc::new(Calls::default());
    let store = WatchedStore::new(Arc::new(MemoryStore::new()), calls.clone());
    let config = CacheConfig { warm: 3, ..CacheConfig::default() };
    let cache = CachedStore::new(Arc::new(store), config);
    let ada = user(&cache, "ada").await;
    let mut rooms = Vec::new();
    for _ in 0..5 {
        let place = room(&cache, &ada).await;
        send(&cache, place, &ada).await;
        rooms.push(place);
    }
    calls.take();
    assert_eq!(cache.warm().await.unwrap(), 3);
    assert_eq!(calls.take(), 2);
    for place in &rooms[2..] {
        cache.conversation(*place).await.unwrap().unwrap();
    }
    cache.heads(&rooms[2..]).await.unwrap();
    assert_eq!(calls.take(), 0);
    cache.conversation(rooms[1]).await.unwrap().unwrap();
    assert_eq!(calls.take(), 1);
}

//! A message to another node beside one to the same node, and beside the broker's own round trip; and
//! what an event costs the processor on its way through a broker.

use std::sync::Arc;
use std::time::Instant;

use chat_benches::{Room, SideBySide, TEXT, cpu_time, runtime};
use chat_cluster::{ClusterConfig, NatsCluster, RedisCluster};
use chat_core::auth::{Identity, UserClaims};
use chat_core::broker::{Broker, BrokerMessage, Received, Subject};
use chat_core::presence::PresenceStore;
use chat_core::proto::{ConversationId, CreateRoom, MessageSend};
use chat_core::{Actor, Chat, ChatConfig, MemoryStore, Outgoing, Session};
use chat_test_servers::{Nats, Redis};
use futures::future::{LocalBoxFuture, join_all};
use tokio::runtime::Runtime;

/// How much is done. Without `--bench`, as in tests, just enough to see that it works.
#[derive(Debug, Clone, Copy)]
struct Amounts {
    rounds: usize,
    deliveries: usize,
    events: usize,
    idle: usize,
}

/// The device that is told, and where it is.
const WAYS: [(usize, &str); 2] = [(0, "the same node"), (1, "another node")];

/// A number of events on one way.
type Way<'a> = Box<dyn Fn() -> LocalBoxFuture<'a, ()> + 'a>;

/// How many events are under way at once.
const BATCH: usize = 100;

/// What two nodes have of a broker.
type Link = (Arc<dyn Broker>, Arc<dyn PresenceStore>);

fn main() {
    let measures = std::env::args().any(|argument| argument == "--bench");
    let amounts = if measures {
        Amounts { rounds: 9, deliveries: 500, events: 20_000, idle: 100 }
    } else {
        Amounts { rounds: 1, deliveries: 3, events: 50, idle: 3 }
    };
    let runtime = runtime();
    let nats = Nats::start().unwrap_or_else(|error| panic!("{error}"));
    let redis = Redis::start().unwrap_or_else(|error| panic!("{error}"));
    let to_nats = async || {
        let joined = NatsCluster::connect(ClusterConfig::new([nats.url()])).await;
        let joined = Arc::new(joined.expect("NATS"));
        (joined.clone() as Arc<dyn Broker>, joined as Arc<dyn PresenceStore>)
    };
    let to_redis = async || {
        let joined = RedisCluster::connect(ClusterConfig::new([redis.url()])).await;
        let joined = Arc::new(joined.expect("Redis"));
        (joined.clone() as Arc<dyn Broker>, joined as Arc<dyn PresenceStore>)
    };
    let places = [
        runtime.block_on(async {
            let place = Place::new(to_nats().await, to_nats().await).await;
            ("NATS", place, [to_nats().await.0, to_nats().await.0])
        }),
        runtime.block_on(async {
            let place = Place::new(to_redis().await, to_redis().await).await;
            ("Redis", place, [to_redis().await.0, to_redis().await.0])
        }),
    ];
    for (name, place, bare) in &places {
        latency(&runtime, name, place, amounts);
        runtime.block_on(cost(name, place, bare, amounts.events));
        runtime.block_on(silence(name, place, amounts.idle));
    }
}

/// Two nodes over one store in memory, and a room with somebody on each.
struct Place {
    nodes: [Chat; 2],
    brokers: [Arc<dyn Broker>; 2],
    sender: Actor,
    room: ConversationId,
    /// Somebody on the sender's node, and somebody on the other.
    devices: [tokio::sync::Mutex<Session>; 2],
}

impl Place {
    async fn new(one: Link, two: Link) -> Self {
        let store = Arc::new(MemoryStore::new());
        let mut config = ChatConfig { resume_window_ms: 0, ..ChatConfig::default() };
        config.limits = config.limits.without_rates();
        let brokers = [one.0.clone(), two.0.clone()];
        let nodes = [one, two].map(|(broker, presence)| {
            let builder = Chat::builder(store.clone()).broker(broker).presence(presence);
            builder.config(config.clone()).build()
        });
        let sender = nodes[0].admit(&claims("sender")).await.expect("a user");
        let sender = Actor::user(sender.id);
        let room = room(&nodes[0], &sender, "room").await;
        let target = serde_json::json!({"conversationId": room});
        let target = serde_json::from_value(target).expect("a target");
        let mut devices = Vec::new();
        for (node, user) in nodes.iter().zip(["here", "there"]) {
            let claims = claims(user);
            node.admit(&claims).await.expect("a user");
            node.join_room(&Actor::user(claims.id.clone()), &target).await.expect("a member");
            devices.push(node.attach(&Identity::of(claims.id)).await.expect("a session").into());
        }
        let devices = devices.try_into().expect("two devices");
        let place = Self { nodes, brokers, sender, room, devices };
        place.deliver(0).await;
        place.deliver(1).await;
        place
    }

    /// Sends a message, and waits until one of the devices is told of it.
    async fn deliver(&self, device: usize) {
        send(&self.nodes[0], &self.sender, self.room, TEXT).await;
        self.take(device, 1).await;
        // The other one is told, too; it is not waited for in the time that is measured next.
        self.take(1 - device, 1).await;
    }

    async fn take(&self, device: usize, messages: usize) -> Instant {
        let mut device = self.devices[device].lock().await;
        let mut seen = 0;
        while seen < messages {
            let Outgoing::Frames(frames) = device.next().await else { panic!("closed") };
            let is_message = |frame: &[u8]| frame.starts_with(br#"{"type":"message.created""#);
            seen += frames.iter().filter(|frame| is_message(frame)).count();
        }
        Instant::now()
    }
}

/// How long a message takes to a device on the same node, to one on another, and how long the broker
/// alone takes between the same two nodes.
fn latency(runtime: &Runtime, name: &str, place: &Place, amounts: Amounts) {
    let broker = &place.brokers[0];
    let mut comparison = SideBySide::new(format!("{name}: from a send to the device that is told"));
    for (device, way) in &WAYS {
        comparison = comparison.way(*way, async || {
            let mut times = Vec::with_capacity(amounts.deliveries);
            for _ in 0..amounts.deliveries {
                let began = Instant::now();
                send(&place.nodes[0], &place.sender, place.room, TEXT).await;
                times.push(place.take(*device, 1).await - began);
                place.take(1 - *device, 1).await;
            }
            times
        });
    }
    comparison = comparison.way("the broker's own round trip", async || {
        let mut times = Vec::with_capacity(amounts.deliveries);
        for _ in 0..amounts.deliveries {
            let began = Instant::now();
            broker.probe().await.expect("the broker works");
            times.push(began.elapsed());
        }
        times
    });
    comparison.run(runtime, amounts.rounds);
}

/// What an event costs the processor in this process: on the two ends of the broker alone, on its way
/// from a node to another, and without a broker.
async fn cost(name: &str, place: &Place, bare: &[Arc<dyn Broker>; 2], events: usize) {
    let subject = Subject::Conversation(ConversationId::generate());
    bare[1].subscribe(vec![subject.clone()]).await.expect("subscribed");
    let message = BrokerMessage { subject, payload: vec![b'x'; 500].into() };
    let alone = Room::with_devices(Arc::new(MemoryStore::new()), 2).await;
    let alone = tokio::sync::Mutex::new(alone);
    let ways: [(&str, Way<'_>); 3] = [
        (
            "the broker alone, published and received",
            Box::new(|| {
                Box::pin(async {
                    bare[0].publish(vec![message.clone(); BATCH]).await.expect("published");
                    let mut received = 0;
                    while received < BATCH {
                        let event = bare[1].receive().await.expect("received");
                        received += usize::from(matches!(event, Received::Message(_)));
                    }
                })
            }),
        ),
        (
            "an engine without a broker, told to two devices",
            Box::new(|| {
                Box::pin(async {
                    let mut room = alone.lock().await;
                    join_all((0..BATCH).map(|_| room.send())).await;
                    room.drain(BATCH).await;
                })
            }),
        ),
        (
            "two nodes, told to a device on each",
            Box::new(|| {
                Box::pin(async {
                    let sends =
                        (0..BATCH).map(|_| send(&place.nodes[0], &place.sender, place.room, TEXT));
                    join_all(sends).await;
                    futures::future::join(place.take(0, BATCH), place.take(1, BATCH)).await;
                })
            }),
        ),
    ];
    println!("{name}: processor time an event (5 rounds in turns; median, and from least to most)");
    let mut costs = [const { Vec::new() }; 3];
    for _ in 0..5 {
        for ((_, way), costs) in ways.iter().zip(&mut costs) {
            let began = cpu_time();
            for _ in 0..events.div_ceil(BATCH) {
                way().await;
            }
            costs.push((cpu_time() - began) / u32::try_from(events).expect("few"));
        }
    }
    for ((way, _), costs) in ways.iter().zip(&mut costs) {
        costs.sort_unstable();
        println!("{way:<50} {:>6.1?} ({:.1?} to {:.1?})", costs[2], costs[0], costs[4]);
    }
}

/// What a node hears of conversations that others have: nothing.
async fn silence(name: &str, place: &Place, conversations: usize) {
    let heard = place.nodes[1].cluster_stats().broker.received;
    for n in 0..conversations {
        let room = room(&place.nodes[0], &place.sender, &format!("quiet-{n}")).await;
        send(&place.nodes[0], &place.sender, room, TEXT).await;
    }
    // Something that it does hear comes after all that.
    place.deliver(1).await;
    let heard = place.nodes[1].cluster_stats().broker.received - heard;
    println!(
        "{name}: {conversations} conversations of another node, and one message of a common one: {heard} received"
    );
    assert_eq!(heard, 1);
}

async fn room(chat: &Chat, owner: &Actor, name: &str) -> ConversationId {
    let room: CreateRoom =
        serde_json::from_value(serde_json::json!({"name": name})).expect("a room");
    chat.create_room(owner, room).await.expect("a room").conversation_id
}

async fn send(chat: &Chat, sender: &Actor, conversation_id: ConversationId, text: &str) {
    let message = MessageSend { conversation_id, client_id: None, content: text.into() };
    chat.send(sender, message).await.expect("stored");
}

fn claims(user: &str) -> UserClaims {
    UserClaims::of(user.parse().expect("a user id"))
}

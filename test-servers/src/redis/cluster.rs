use std::sync::LazyLock;

use super::Redis;
use crate::ServerError;

/// How many nodes a cluster has.
const NODES: usize = 3;
/// The first slot of each node, and the one after the last.
const SLOTS: [u16; NODES + 1] = [0, 5_461, 10_923, 16_384];

/// Three Redis servers that share all keys and have no replicas: while one is away, there is no
/// whole cluster, and the others refuse commands as soon as they know. Whoever comes back has kept
/// its place in the cluster, and nothing else. To start one takes some seconds.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: [Redis; NODES],
}

impl RedisCluster {
    /// Starts a cluster that asks for no password; `Redis::builder` has `start_cluster` for others.
    ///
    /// # Errors
    ///
    /// When Redis is not installed or older than 7.0, or a node does not start or join.
    pub fn start() -> Result<Self, ServerError> {
        Redis::builder().start_cluster()
    }

    /// The one cluster of all tests in this process, started at first use. Each test has to use
    /// keys and channels of its own.
    ///
    /// # Panics
    ///
    /// When it cannot be started, with the reason.
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<RedisCluster> =
            LazyLock::new(|| RedisCluster::start().unwrap_or_else(|error| panic!("{error}")));
        &SHARED
    }

    /// Where to connect to, for each node.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(Redis::url).collect()
    }

    /// A node, to be frozen, killed and started again; after that, [`Self::wait_until_whole`].
    ///
    /// # Panics
    ///
    /// When there are not so many: nodes are counted from 0 to 2.
    #[must_use]
    pub const fn node(&self, index: usize) -> &Redis {
        &self.nodes[index]
    }

    /// Which node has a key, a channel's name, or whatever else is hashed to a slot.
    ///
    /// # Errors
    ///
    /// When the first node does not answer.
    pub fn node_of(&self, key: &str) -> Result<usize, ServerError> {
        let said = self.nodes[0].execute(&["CLUSTER", "KEYSLOT", key])?;
        let slot = said.parse::<u16>();
        let slot = slot.map_err(|_| ServerError::Failed { program: "redis-cli".into(), said })?;
        Ok(SLOTS[1..NODES].iter().filter(|first| **first <= slot).count())
    }

    /// Waits until all nodes know all others and somebody has each slot. All must be running.
    ///
    /// # Errors
    ///
    /// When that does not happen, or a node is not running.
    pub fn wait_until_whole(&self) -> Result<(), ServerError> {
        let signs = ["cluster_state:ok", "cluster_slots_ok:16384", "cluster_known_nodes:3"];
        self.nodes.iter().try_for_each(|node| {
            node.server.wait_until("join the others", || {
                let said = node.execute(&["CLUSTER", "INFO"]).unwrap_or_default();
                signs.iter().all(|sign| said.lines().any(|line| line.trim_end() == *sign))
            })
        })
    }

    /// Makes a cluster of three servers that do not know of each other.
    pub(super) fn join(nodes: [Redis; NODES]) -> Result<Self, ServerError> {
        let first = &nodes[0].server.place;
        let (port, second_port) = (first.port.to_string(), first.second_port.to_string());
        for (index, node) in nodes.iter().enumerate() {
            // Numbers that differ spare the nodes to settle which of them is right.
            node.execute(&["CLUSTER", "SET-CONFIG-EPOCH", &(index + 1).to_string()])?;
            let (from, to) = (SLOTS[index].to_string(), (SLOTS[index + 1] - 1).to_string());
            node.execute(&["CLUSTER", "ADDSLOTSRANGE", &from, &to])?;
        }
        for node in &nodes[1..] {
            node.execute(&["CLUSTER", "MEET", "127.0.0.1", &port, &second_port])?;
        }
        let cluster = Self { nodes };
        cluster.wait_until_whole()?;
        Ok(cluster)
    }
}

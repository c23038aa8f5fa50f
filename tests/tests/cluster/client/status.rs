use std::collections::BTreeMap;

/// How a client is doing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Status {
    /// The node that it is connected to, once it was told what it had missed.
    pub(crate) node: Option<usize>,
    /// The highest change that it knows of each conversation.
    pub(crate) known: BTreeMap<String, u64>,
    /// How many of its messages were acknowledged.
    pub(crate) acknowledged: usize,
    /// Whether one is still to be.
    pub(crate) is_sending: bool,
    /// Whether it is about to enter or to leave its revolving room.
    pub(crate) is_moving: bool,
    /// Why it could not connect, or had to try again, the last time.
    pub(crate) trouble: Option<String>,
}

impl Status {
    /// Whether it holds these conversations, and has been told of all these changes of what it holds.
    pub(crate) fn has_reached(&self, heads: &BTreeMap<String, u64>, places: &[String]) -> bool {
        let reached =
            |(place, known): (&String, &u64)| heads.get(place).is_none_or(|head| known >= head);
        places.iter().all(|place| self.known.contains_key(place)) && self.known.iter().all(reached)
    }
}

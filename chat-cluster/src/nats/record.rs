use chat_core::proto::{NodeId, PresenceStatus, UserId};
use serde::{Deserialize, Serialize};

/// One of the times for which a node held its lease without losing it: a number that no other has.
/// One that has ended does not come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Term(pub(super) u64);

/// Where a user is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) node: NodeId,
    /// The node's lease by which the user is there. When it has ended the user no longer is.
    pub(super) term: Term,
    /// With how many devices.
    pub(super) devices: u32,
    /// The revision of the key by which the user is found when the lease ends.
    pub(super) key: u64,
}

/// Everything that is shared about one user who is online. There is none for others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) places: Vec<Place>,
    /// How the user chose to be shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<PresenceStatus>,
}

impl Record {
    /// The same without places for which this does not hold. Who is nowhere is shown as nothing.
    pub(super) fn retain(mut self, keep: impl Fn(&Place) -> bool) -> Self {
        self.places.retain(keep);
        if self.places.is_empty() {
            self.status = None;
        }
        self
    }

    /// Puts a place in the place of the others on its node.
    pub(super) fn enter(&mut self, place: Place) {
        self.places.retain(|other| other.node != place.node);
        self.places.push(place);
    }

    pub(super) fn devices(&self) -> u64 {
        self.places.iter().map(|place| u64::from(place.devices)).sum()
    }

    pub(super) fn shown(&self) -> PresenceStatus {
        self.status.unwrap_or(PresenceStatus::Online)
    }
}

/// The key of a user's record: the id in hexadecimal, since ids hold what keys may not.
pub(super) fn user_key(user: &UserId) -> String {
    user.as_str().bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// The user whose record has this key.
pub(super) fn user_of(key: &str) -> Option<UserId> {
    let digits = key.as_bytes();
    let bytes = digits.chunks(2).map(|pair| {
        let text = std::str::from_utf8(pair).ok().filter(|text| text.len() == 2)?;
        u8::from_str_radix(text, 16).ok()
    });
    String::from_utf8(bytes.collect::<Option<_>>()?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(node: NodeId, term: u64, devices: u32) -> Place {
        Place { node, term: Term(term), devices, key: 7 }
    }

    #[test]
    fn a_user_is_at_one_place_on_each_node() {
        let (one, two) = (NodeId::generate(), NodeId::generate());
        let mut record = Record::default();
        record.enter(place(one, 1, 1));
        record.enter(place(two, 1, 2));
        record.enter(place(one, 2, 3));
        assert_eq!(record.places, [place(two, 1, 2), place(one, 2, 3)]);
        assert_eq!(record.devices(), 5);
        record.status = Some(PresenceStatus::Away);
        let here = record.clone().retain(|place| place.node == one);
        assert_eq!((here.devices(), here.shown()), (3, PresenceStatus::Away));
        assert_eq!(record.retain(|_| false), Record::default());
    }

    #[test]
    fn users_are_found_by_their_keys() {
        for id in ["a.b", "A:B@c~d_e-f", &"x".repeat(64)] {
            let user: UserId = id.parse().unwrap();
            assert_eq!(user_of(&user_key(&user)), Some(user));
        }
        for key in ["", "6", "zz", "612", "20", "+1", "ff"] {
            assert_eq!(user_of(key), None, "{key}");
        }
    }
}

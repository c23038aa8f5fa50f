//! Every client is told every change of its conversations, once, in order, and as it is stored; and
//! nobody else is.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Bound::{Excluded, Unbounded};
use std::time::Duration;

use super::{Change, Checks, Entry, Event, Record, Truth, Violation};

pub(super) fn check(record: &Record, truth: &Truth, checks: Checks) -> Vec<Violation> {
    let changes = truth.places.iter().map(|(place, held)| (place.as_str(), held.changes()));
    let changes: HashMap<_, _> = changes.collect();
    let mut found = Vec::new();
    for (client, user) in record.users.iter().enumerate() {
        let mut reader = Reader::new(user, truth, &changes);
        for entry in record.of(client) {
            reader.take(entry);
        }
        if !checks.leaving_ends_all {
            reader.found.retain(|violation| !matches!(violation, Violation::Late { .. }));
        }
        if checks.settled {
            reader.is_complete();
        }
        found.append(&mut reader.found);
    }
    found
}

/// One client, as the protocol asks it to keep its conversations.
struct Reader<'a> {
    user: &'a str,
    truth: &'a Truth,
    /// The changes that each conversation has in the store.
    changes: &'a HashMap<&'a str, BTreeSet<u64>>,
    /// Where it is a member, as far as it can know.
    member: HashSet<&'a str>,
    /// What it has left, until it is told of that, or has another session.
    leaving: HashSet<&'a str>,
    holds: HashMap<&'a str, Held>,
    /// How far its conversations were when the session began.
    heads: HashMap<&'a str, u64>,
    connected: bool,
    /// From the greeting until all that was missed has come. Who resumes late may be told live
    /// changes before those, and then again with those.
    catching_up: bool,
    found: Vec<Violation>,
}

/// A conversation that a client holds.
#[derive(Default)]
struct Held {
    /// What the summary said by which it learnt of the conversation. Up to there changes may still
    /// come, and change nothing.
    since: u64,
    /// It was told everything up to here.
    known: u64,
    /// What it was told, since it holds it.
    told: BTreeSet<u64>,
    /// What came while it was catching up, and left something out.
    ahead: BTreeSet<u64>,
    /// All that did so, and may come once more.
    early: BTreeSet<u64>,
}

impl<'a> Reader<'a> {
    fn new(user: &'a str, truth: &'a Truth, changes: &'a HashMap<&'a str, BTreeSet<u64>>) -> Self {
        Self {
            user,
            truth,
            changes,
            member: HashSet::new(),
            leaving: HashSet::new(),
            holds: HashMap::new(),
            heads: HashMap::new(),
            connected: false,
            catching_up: false,
            found: Vec::new(),
        }
    }

    fn take(&mut self, entry: &'a Entry) {
        let at = entry.at;
        match &entry.event {
            Event::Joining { place } => {
                self.member.insert(place);
                self.leaving.remove(place.as_str());
            }
            Event::Holds { place, change_seq } => {
                self.holds.insert(
                    place,
                    Held { since: *change_seq, known: *change_seq, ..Held::default() },
                );
            }
            Event::Left { place } => {
                if self.member.remove(place.as_str()) {
                    self.leaving.insert(place);
                }
                self.holds.remove(place.as_str());
            }
            Event::Greeted { heads, .. } => {
                (self.connected, self.catching_up) = (true, true);
                self.leaving.clear();
                self.heads = heads.iter().map(|(place, head)| (place.as_str(), *head)).collect();
                for held in self.holds.values_mut() {
                    held.ahead.clear();
                    held.early.clear();
                }
            }
            Event::Resuming { cursors } => {
                for (place, cursor) in cursors {
                    if let Some(held) = self.holds.get_mut(place.as_str()) {
                        held.known = *cursor;
                        held.told.retain(|told| told <= cursor || held.ahead.contains(told));
                    }
                }
            }
            Event::Resumed { reset } => self.has_caught_up(reset, at),
            Event::Delivered { place, change_seq, change } => {
                self.is_for_a_member(place, *change_seq, change);
                self.is_stored(place, *change_seq, change);
                self.is_in_order(place, *change_seq, at);
            }
            Event::Disconnected => (self.connected, self.catching_up) = (false, false),
            _ => {}
        }
    }

    fn is_for_a_member(&mut self, place: &'a str, change_seq: u64, change: &Change) {
        // Of having left, a user's other devices are told.
        let own = matches!(change, Change::Member { user, joined: false } if user == self.user);
        if own {
            self.leaving.remove(place);
        } else if !self.member.contains(place) {
            let late = self.leaving.contains(place);
            let (client, place) = (self.user.to_owned(), place.to_owned());
            self.found.push(match late {
                true => Violation::Late { client, place, change_seq },
                false => Violation::Leaked { client, place, change_seq },
            });
        }
    }

    fn is_stored(&mut self, place: &'a str, change_seq: u64, change: &Change) {
        let held = self.truth.places.get(place);
        let stored = held.is_some_and(|held| match change {
            Change::Message(message) => {
                let index = usize::try_from(message.seq.saturating_sub(1)).unwrap_or(usize::MAX);
                message.change_seq == change_seq && held.messages.get(index) == Some(message)
            }
            Change::Member { user, joined } => held.members.get(user).is_some_and(|member| {
                let as_told = member.change_seq == change_seq && member.joined == *joined;
                as_told || member.change_seq > change_seq
            }),
        });
        if !stored {
            self.found.push(Violation::NotStored {
                client: self.user.to_owned(),
                place: place.to_owned(),
                change_seq,
                change: change.clone(),
            });
        }
    }

    fn is_in_order(&mut self, place: &'a str, change_seq: u64, at: Duration) {
        // What a client does not hold it does not apply.
        let Some(held) = self.holds.get_mut(place) else { return };
        let (client, place_id) = (self.user.to_owned(), place.to_owned());
        let again = !held.told.insert(change_seq);
        if change_seq <= held.since && !again {
            return;
        }
        if again && self.catching_up && held.early.remove(&change_seq) {
            return;
        }
        if change_seq <= held.known {
            let known = held.known;
            self.found.push(match again {
                true => Violation::Again { client, place: place_id, change_seq, at },
                false => Violation::OutOfOrder { client, place: place_id, change_seq, known, at },
            });
            return;
        }
        if again {
            self.found.push(Violation::Again { client, place: place_id, change_seq, at });
            return;
        }
        let Some(changes) = self.changes.get(place) else { return };
        let missing = between(changes, held.known, change_seq);
        if self.catching_up && !missing.is_empty() {
            held.ahead.insert(change_seq);
            held.early.insert(change_seq);
            return;
        }
        held.known = change_seq;
        while let Some(next) = held.ahead.first().copied() {
            if !between(changes, held.known, next).is_empty() {
                break;
            }
            held.ahead.pop_first();
            held.known = held.known.max(next);
        }
        if !missing.is_empty() {
            let by = format!("change {change_seq}");
            self.found.push(Violation::Gap { client, place: place_id, missing, by, at });
        }
    }

    /// What was ahead must be complete now, and reach as far as the greeting said.
    fn has_caught_up(&mut self, reset: &[String], at: Duration) {
        self.catching_up = false;
        for (place, held) in &mut self.holds {
            if reset.iter().any(|reset| reset == place) {
                continue;
            }
            let head = self.heads.get(place).copied().unwrap_or_default();
            let last = held.ahead.last().copied().unwrap_or_default().max(head);
            let Some(changes) = self.changes.get(place) else { continue };
            let mut missing = between(changes, held.known, last.saturating_add(1));
            missing.retain(|change| !held.ahead.contains(change));
            if !missing.is_empty() {
                self.found.push(Violation::Gap {
                    client: self.user.to_owned(),
                    place: (*place).to_owned(),
                    missing,
                    by: "the answer to the resume".into(),
                    at,
                });
            }
            held.known = held.known.max(last);
            held.ahead.clear();
        }
    }

    fn is_complete(&mut self) {
        if !self.connected {
            return;
        }
        for (place, held) in &self.holds {
            let Some(stored) = self.truth.places.get(*place) else { continue };
            let missing = between(&self.changes[place], held.known, stored.head.saturating_add(1));
            if !missing.is_empty() {
                self.found.push(Violation::Behind {
                    client: self.user.to_owned(),
                    place: (*place).to_owned(),
                    known: held.known,
                    missing,
                });
            }
        }
    }
}

/// The changes of the store after one and before another.
fn between(changes: &BTreeSet<u64>, after: u64, before: u64) -> BTreeSet<u64> {
    if after >= before {
        return BTreeSet::new();
    }
    let range = changes.range((Excluded(after), Unbounded));
    range.copied().take_while(|change| *change < before).collect()
}

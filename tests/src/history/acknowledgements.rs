//! What was acknowledged is stored, as it was said, and in the order of sending.

use std::collections::{HashMap, HashSet};

use super::{Event, Record, Truth, Violation};

pub(super) fn check(record: &Record, truth: &Truth) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut in_order = Sent::new(truth);
    for entry in &record.entries {
        let client = &record.users[entry.client];
        match &entry.event {
            Event::Acknowledged { place, message } => {
                let held = truth.places.get(place);
                let index = usize::try_from(message.seq.saturating_sub(1)).unwrap_or(usize::MAX);
                let stored = held.and_then(|held| held.messages.get(index));
                if stored != Some(message) {
                    found.push(Violation::Lost {
                        client: client.clone(),
                        place: place.clone(),
                        acknowledged: message.clone(),
                        stored: stored.cloned(),
                    });
                }
            }
            Event::Refused { client_id, code } => found.push(Violation::Refused {
                client: client.clone(),
                client_id: client_id.clone(),
                code: code.clone(),
            }),
            Event::Sent { place, client_id } => {
                found.extend(in_order.check(entry.client, client, place, client_id));
            }
            _ => {}
        }
    }
    found
}

/// The last message that each client sent to each place, by its number in the store.
struct Sent<'a> {
    stored: HashMap<(&'a str, &'a str, &'a str), u64>,
    last: HashMap<(usize, &'a str), (&'a str, u64)>,
    /// What was sent before: only the first time counts.
    before: HashSet<(usize, &'a str, &'a str)>,
}

impl<'a> Sent<'a> {
    fn new(truth: &'a Truth) -> Self {
        let mut stored = HashMap::new();
        for (place, held) in &truth.places {
            for message in &held.messages {
                let key = (place.as_str(), message.sender.as_str(), message.client_id.as_str());
                stored.entry(key).or_insert(message.seq);
            }
        }
        Self { stored, last: HashMap::new(), before: HashSet::new() }
    }

    fn check(
        &mut self,
        client: usize,
        user: &str,
        place: &'a str,
        client_id: &'a str,
    ) -> Option<Violation> {
        if !self.before.insert((client, place, client_id)) {
            return None;
        }
        // What was never stored has no place in the order.
        let seq = *self.stored.get(&(place, user, client_id))?;
        let before = self.last.insert((client, place), (client_id, seq));
        let (earlier, _) = before.filter(|(_, before)| *before > seq)?;
        Some(Violation::Overtaken {
            client: user.to_owned(),
            place: place.to_owned(),
            earlier: earlier.to_owned(),
            later: client_id.to_owned(),
        })
    }
}

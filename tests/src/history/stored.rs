//! What must hold of the store by itself, of what was sent to it, and of what is read from it.

use std::collections::{BTreeMap, HashSet};

use super::{Event, Record, Truth, Violation};

pub(super) fn check(record: &Record, truth: &Truth) -> Vec<Violation> {
    let mut found = Vec::new();
    let senders: HashSet<&str> = record.users.iter().map(String::as_str).collect();
    let sent = sent(record);
    for (place, held) in &truth.places {
        let mut changes = 0;
        let mut numbers: BTreeMap<(&str, &str), Vec<u64>> = BTreeMap::new();
        for (message, expected) in held.messages.iter().zip(1..) {
            if message.seq != expected || message.change_seq <= changes {
                let (place, seq) = (place.clone(), message.seq);
                found.push(Violation::Numbering { place, seq, expected });
            }
            changes = message.change_seq;
            let (sender, client_id) = (message.sender.as_str(), message.client_id.as_str());
            numbers.entry((sender, client_id)).or_default().push(message.seq);
            if senders.contains(sender) && !sent.contains(&(place, sender, client_id)) {
                let (place, message) = (place.clone(), message.clone());
                found.push(Violation::Invented { place, message });
            }
        }
        for ((sender, client_id), seqs) in numbers {
            if seqs.len() > 1 {
                let (sender, client_id) = (sender.to_owned(), client_id.to_owned());
                found.push(Violation::Doubled { place: place.clone(), sender, client_id, seqs });
            }
        }
    }
    found.extend(misread(record, truth));
    found
}

fn sent(record: &Record) -> HashSet<(&String, &str, &str)> {
    let sent = record.entries.iter().filter_map(|entry| match &entry.event {
        Event::Sent { place, client_id } => {
            Some((place, record.users[entry.client].as_str(), client_id.as_str()))
        }
        _ => None,
    });
    sent.collect()
}

fn misread<'a>(record: &'a Record, truth: &'a Truth) -> impl Iterator<Item = Violation> + use<'a> {
    record.entries.iter().filter_map(|entry| {
        let Event::Read { place, messages } = &entry.event else { return None };
        let stored = truth.places.get(place).map_or(&[][..], |held| &held.messages);
        let longest = messages.len().max(stored.len());
        let differs = (0..longest).find(|n| messages.get(*n) != stored.get(*n))?;
        Some(Violation::Misread {
            client: record.users[entry.client].clone(),
            place: place.clone(),
            read: messages.get(differs).cloned(),
            stored: stored.get(differs).cloned(),
        })
    })
}

//! Who is shown as online has a session, or had one just now; who is shown as offline has none.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Entry, Event, Place, PresenceRules, Record, Truth, Violation};

/// What part of the grace time a user must have been away for, as the user's client saw it, to be
/// taken for gone: a server notices some moments earlier or later than the client.
const CERTAIN: f64 = 0.5;

pub(super) fn check(record: &Record, truth: &Truth, rules: PresenceRules) -> Vec<Violation> {
    let users: BTreeSet<&str> = record.users.iter().map(String::as_str).collect();
    let sessions = Sessions::of(record);
    let mut found = Vec::new();
    for entry in &record.entries {
        let Entry { at, client, event } = entry;
        let client = record.users[*client].as_str();
        let shown: Vec<&str> = match event {
            Event::Greeted { online: users, .. } | Event::Online { users } => {
                users.iter().map(String::as_str).collect()
            }
            Event::Presence { user, online: true } => vec![user],
            _ => Vec::new(),
        };
        for user in shown {
            if let Some(since) = sessions.gone_for(user, *at, rules.ghosts_after) {
                let (client, user) = (client.to_owned(), user.to_owned());
                found.push(Violation::Ghost { client, user, at: *at, since });
            }
        }
        match (event, rules.grace) {
            (Event::Presence { user, online: false }, Some(grace)) => {
                let certain = grace.mul_f64(CERTAIN);
                if !sessions.were_away(user, *at, certain, rules.ghosts_after) {
                    let (client, user) = (client.to_owned(), user.clone());
                    found.push(Violation::Flicker { client, user, at: *at, grace });
                }
            }
            (Event::Online { users: shown }, _) => {
                let missing = users.iter().filter(|user| {
                    !shown.contains(**user)
                        && **user != client
                        && are_companions(truth, user, client)
                        && sessions.have_one_for(user, *at, rules.ghosts_after)
                });
                found.extend(missing.map(|user| Violation::Unseen {
                    client: client.to_owned(),
                    user: (*user).to_owned(),
                    at: *at,
                }));
            }
            _ => {}
        }
    }
    found
}

/// Whether two users share a conversation, and so see each other's presence.
fn are_companions(truth: &Truth, one: &str, other: &str) -> bool {
    let is_in = |place: &Place, user| place.members.get(user).is_some_and(|member| member.joined);
    truth.places.values().any(|place| is_in(place, one) && is_in(place, other))
}

/// When users had a session, by what their clients saw.
struct Sessions<'a> {
    /// Whose, from when, and until when; without an end where it lasts.
    all: Vec<(&'a str, Duration, Option<Duration>)>,
}

impl<'a> Sessions<'a> {
    fn of(record: &'a Record) -> Self {
        let mut all = Vec::new();
        for (client, user) in record.users.iter().enumerate() {
            let mut since = None;
            for entry in record.of(client) {
                match entry.event {
                    Event::Greeted { .. } => since = since.or(Some(entry.at)),
                    Event::Disconnected => {
                        all.extend(
                            since.take().map(|since| (user.as_str(), since, Some(entry.at))),
                        );
                    }
                    _ => {}
                }
            }
            all.extend(since.map(|since| (user.as_str(), since, None)));
        }
        Self { all }
    }

    fn of_user(&self, user: &str) -> impl Iterator<Item = (Duration, Option<Duration>)> {
        let user = user.to_owned();
        let own = self.all.iter().filter(move |(whose, ..)| *whose == user);
        own.map(|(_, since, until)| (*since, *until))
    }

    /// When a user's last session ended, if for so long there was none at a moment.
    fn gone_for(&self, user: &str, at: Duration, long: Duration) -> Option<Option<Duration>> {
        let earliest = at.saturating_sub(long);
        let mut last = None;
        // A session is there before its client knows of it.
        for (since, until) in self.of_user(user) {
            match until {
                _ if since > at + long => {}
                Some(until) if until < earliest => last = last.max(Some(until)),
                _ => return None,
            }
        }
        // Before that, who was there before the history began may still be shown.
        (last.is_some() || earliest > Duration::ZERO).then_some(last)
    }

    /// Whether a user was away for so long, and back for no longer than `late` at a moment.
    fn were_away(&self, user: &str, at: Duration, long: Duration, late: Duration) -> bool {
        let mut sessions: Vec<_> = self.of_user(user).collect();
        sessions.sort_unstable();
        // Until when the user has been there without a pause that counts.
        let mut there = None;
        for (since, until) in sessions {
            let begins_late = match there {
                None => true,
                Some(there) => since > there + long,
            };
            let left = there.unwrap_or_default();
            if begins_late && left <= at && since + late >= at {
                return true;
            }
            match until {
                Some(until) => there = there.max(Some(until)),
                // What lasts has no pause after it.
                None => return false,
            }
        }
        there.is_none_or(|there| at >= there)
    }

    /// Whether a user has had one session for so long at a moment, and still has.
    fn have_one_for(&self, user: &str, at: Duration, long: Duration) -> bool {
        self.of_user(user)
            .any(|(since, until)| since + long <= at && until.is_none_or(|until| until > at))
    }
}

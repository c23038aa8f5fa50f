//! A good history passes, and each thing that must not happen is noticed in a bad one.

use std::time::Duration;

use super::*;

/// A history of ada and bo in a room, where messages 1 to 4 are changes 3 to 6.
struct Story {
    record: Record,
    truth: Truth,
    now: Duration,
}

const ADA: usize = 0;
const BO: usize = 1;
const RULES: PresenceRules =
    PresenceRules { ghosts_after: Duration::from_secs(10), grace: Some(Duration::from_secs(2)) };

fn message(seq: u64) -> Message {
    Message {
        id: format!("m{seq}"),
        seq,
        change_seq: seq + 2,
        sender: "ada".into(),
        client_id: format!("c{seq}"),
        content: format!("message {seq}"),
    }
}

fn told(seq: u64) -> Event {
    told_of(message(seq))
}

fn told_of(message: Message) -> Event {
    let change_seq = message.change_seq;
    Event::Delivered { place: "room".into(), change_seq, change: Change::Message(message) }
}

fn greeted(head: u64, online: &[&str]) -> Event {
    let online = online.iter().map(|user| (*user).to_owned()).collect();
    Event::Greeted { heads: [("room".to_owned(), head)].into(), online }
}

fn resuming(cursor: u64) -> Event {
    Event::Resuming { cursors: [("room".to_owned(), cursor)].into() }
}

fn resumed() -> Event {
    Event::Resumed { reset: Vec::new() }
}

fn holds(change_seq: u64) -> Event {
    Event::Holds { place: "room".into(), change_seq }
}

fn presence(user: &str, online: bool) -> Event {
    Event::Presence { user: user.into(), online }
}

impl Story {
    fn begin() -> Self {
        let joined = |change_seq| Membership { joined: true, change_seq };
        let members = [("ada".to_owned(), joined(1)), ("bo".to_owned(), joined(2))].into();
        let place = Place { messages: (1..=4).map(message).collect(), members, head: 6 };
        let record = Record { users: vec!["ada".into(), "bo".into()], entries: Vec::new() };
        let truth = Truth { places: [("room".to_owned(), place)].into() };
        let mut story = Self { record, truth, now: Duration::from_secs(100) };
        for client in [ADA, BO] {
            let joining = Event::Joining { place: "room".into() };
            story.notes(client, [joining, holds(2), greeted(2, &[]), resuming(2), resumed()]);
        }
        for seq in 1..=4 {
            story.notes(ADA, [Event::Sent { place: "room".into(), client_id: format!("c{seq}") }]);
            story.notes(ADA, [Event::Acknowledged { place: "room".into(), message: message(seq) }]);
            story.notes(ADA, [told(seq)]);
        }
        story
    }

    fn notes(&mut self, client: usize, events: impl IntoIterator<Item = Event>) {
        for event in events {
            self.record.entries.push(Entry { at: self.now, client, event });
        }
    }

    fn after(&mut self, seconds: u64) -> &mut Self {
        self.now += Duration::from_secs(seconds);
        self
    }

    fn stored(&mut self) -> &mut Vec<Message> {
        &mut self.truth.places.get_mut("room").unwrap().messages
    }

    /// The names of all violations.
    fn violations(&self) -> Vec<String> {
        let checks = Checks { settled: true, leaving_ends_all: true, presence: Some(RULES) };
        let found = self.record.violations(&self.truth, checks);
        found.iter().map(|one| format!("{one:?}").split(' ').next().unwrap().to_owned()).collect()
    }

    /// What bo is told decides: the violations of a story in which all else is well.
    fn of_bo(events: impl IntoIterator<Item = Event>) -> Vec<String> {
        let mut story = Self::begin();
        story.notes(BO, events);
        story.violations()
    }
}

const NONE: [&str; 0] = [];

#[test]
fn a_good_history_passes() {
    assert_eq!(Story::of_bo((1..=4).map(told)), NONE);
}

#[test]
fn what_was_missed_comes_with_a_resume() {
    let back = [told(1), Event::Disconnected, greeted(5, &[]), resuming(3)];
    let missed = [told(2), told(3), resumed(), told(4)];
    assert_eq!(Story::of_bo(back.into_iter().chain(missed)), NONE);
}

#[test]
fn who_resumes_late_may_be_told_live_changes_first_and_again() {
    let back = [told(1), Event::Disconnected, greeted(4, &[]), resuming(3)];
    let missed = [told(4), told(2), told(3), told(4), resumed()];
    assert_eq!(Story::of_bo(back.into_iter().chain(missed)), NONE);
}

#[test]
fn a_resume_that_fails_is_repeated_from_where_it_came_to() {
    let back = [told(1), Event::Disconnected, greeted(6, &[]), resuming(3), told(2)];
    let again = [resuming(4), told(3), told(4), resumed()];
    assert_eq!(Story::of_bo(back.into_iter().chain(again)), NONE);
}

#[test]
fn what_a_summary_includes_may_still_come() {
    let anew = [holds(5), told(2), told(3), told(4)];
    assert_eq!(Story::of_bo(anew), NONE);
    assert_eq!(Story::of_bo([holds(5), told(2), told(2), told(3), told(4)]), ["Again"]);
}

#[test]
fn a_resume_that_leaves_something_out_is_noticed() {
    let back = [told(1), Event::Disconnected, greeted(6, &[]), resuming(3)];
    let missed = [told(2), told(4), resumed()];
    assert_eq!(Story::of_bo(back.into_iter().chain(missed)), ["Gap"]);
    let back = [told(1), Event::Disconnected, greeted(6, &[]), resuming(3)];
    let missed = [told(2), told(3), resumed()];
    assert_eq!(Story::of_bo(back.into_iter().chain(missed)), ["Gap"], "less than was promised");
}

#[test]
fn a_resume_that_repeats_what_is_known_is_noticed() {
    let back = [told(1), told(2), Event::Disconnected, greeted(6, &[]), resuming(4)];
    let missed = [told(2), told(3), told(4), resumed()];
    assert_eq!(Story::of_bo(back.into_iter().chain(missed)), ["Again"]);
}

#[test]
fn gaps_repeats_and_disorder_are_noticed() {
    assert_eq!(Story::of_bo([told(1), told(3), told(4)]), ["Gap"]);
    assert_eq!(Story::of_bo([told(1), told(2), told(2), told(3), told(4)]), ["Again"]);
    assert_eq!(Story::of_bo([told(1), told(3), told(2), told(4)]), ["Gap", "OutOfOrder"]);
    assert_eq!(Story::of_bo([told(1), told(2), told(3)]), ["Behind"]);
}

#[test]
fn who_is_away_at_the_end_need_not_know_everything() {
    assert_eq!(Story::of_bo([told(1), Event::Disconnected]), NONE);
}

#[test]
fn a_lost_message_is_noticed() {
    let mut story = Story::begin();
    story.notes(BO, (1..=4).map(told));
    story.stored().pop();
    assert_eq!(story.violations(), ["Lost", "NotStored", "NotStored"]);
}

#[test]
fn a_message_that_is_not_stored_and_one_that_is_another_are_noticed() {
    let phantom = Message { seq: 5, change_seq: 7, id: "m5".into(), ..message(4) };
    let told_it = (1..=4).map(told).chain([told_of(phantom)]);
    assert_eq!(Story::of_bo(told_it), ["NotStored"]);
    let changed = Message { content: "another".into(), ..message(4) };
    assert_eq!(Story::of_bo((1..=3).map(told).chain([told_of(changed)])), ["NotStored"]);
}

#[test]
fn a_message_that_is_stored_twice_is_noticed() {
    let mut story = Story::begin();
    story.notes(BO, (1..=4).map(told));
    let again = Message { seq: 5, change_seq: 7, id: "m5".into(), ..message(4) };
    story.stored().push(again.clone());
    story.notes(ADA, [told_of(again.clone())]);
    story.notes(BO, [told_of(again)]);
    assert_eq!(story.violations(), ["Doubled"]);
}

#[test]
fn two_acknowledgements_that_differ_are_noticed() {
    let mut story = Story::begin();
    story.notes(BO, (1..=4).map(told));
    let elsewhere = Message { seq: 3, change_seq: 5, ..message(4) };
    story.notes(ADA, [Event::Acknowledged { place: "room".into(), message: elsewhere }]);
    assert_eq!(story.violations(), ["Lost"]);
}

#[test]
fn holes_in_the_store_and_messages_that_nobody_sent_are_noticed() {
    let mut story = Story::begin();
    story.notes(BO, (1..=4).map(told));
    story.stored().push(Message { seq: 6, change_seq: 7, client_id: "c9".into(), ..message(4) });
    let found = story.violations();
    assert_eq!(found, ["Numbering", "Invented"], "who is told is another question");
}

#[test]
fn messages_of_one_sender_in_another_order_are_noticed() {
    let mut story = Story::begin();
    story.notes(BO, (1..=4).map(told));
    let sent = |name: &str| Event::Sent { place: "room".into(), client_id: name.into() };
    story.record.entries.retain(|entry| !matches!(entry.event, Event::Sent { .. }));
    story.notes(ADA, ["c1", "c3", "c2", "c3", "c4"].map(sent));
    assert_eq!(story.violations(), ["Overtaken"], "a repeat of c3 is none");
}

#[test]
fn a_refusal_is_noticed() {
    let refused = Event::Refused { client_id: "c5".into(), code: "not_found".into() };
    assert_eq!(Story::of_bo((1..=4).map(told).chain([refused])), ["Refused"]);
}

#[test]
fn what_strangers_are_told_is_noticed() {
    let mut story = Story::begin();
    story.notes(BO, (1..=4).map(told));
    story.record.users.push("eve".into());
    story.notes(2, [greeted(0, &[]), told(4)]);
    assert_eq!(story.violations(), ["Leaked"]);
    // Who has left is told of that, and of nothing else.
    let own = Change::Member { user: "bo".into(), joined: false };
    let own = Event::Delivered { place: "room".into(), change_seq: 7, change: own };
    let mut story = Story::begin();
    let bo = Membership { joined: false, change_seq: 7 };
    story.truth.places.get_mut("room").unwrap().members.insert("bo".into(), bo);
    let left = Event::Left { place: "room".into() };
    story.notes(BO, [told(1), left, told(2), own]);
    assert_eq!(story.violations(), ["Late"]);
    let lenient = Checks { settled: true, leaving_ends_all: false, presence: None };
    assert_eq!(story.record.violations(&story.truth, lenient), []);
    story.notes(BO, [told(4)]);
    assert_eq!(story.violations(), ["Late", "Leaked"]);
}

#[test]
fn what_was_overtaken_by_a_later_change_need_not_be_told() {
    let mut story = Story::begin();
    let place = story.truth.places.get_mut("room").unwrap();
    place.members.insert("cy".into(), Membership { joined: false, change_seq: 8 });
    place.head = 8;
    let cy = |joined, change_seq| Event::Delivered {
        place: "room".into(),
        change_seq,
        change: Change::Member { user: "cy".into(), joined },
    };
    story.notes(ADA, [cy(true, 7), cy(false, 8)]);
    story.notes(BO, (1..=4).map(told).chain([cy(false, 8)]));
    assert_eq!(story.violations(), NONE);
}

#[test]
fn reading_something_else_is_noticed() {
    let read = |seqs: std::ops::RangeInclusive<u64>| Event::Read {
        place: "room".into(),
        messages: seqs.map(message).collect(),
    };
    assert_eq!(Story::of_bo((1..=4).map(told).chain([read(1..=4)])), NONE);
    assert_eq!(Story::of_bo((1..=4).map(told).chain([read(1..=3)])), ["Misread"]);
    assert_eq!(Story::of_bo((1..=4).map(told).chain([read(1..=5)])), ["Misread"]);
}

#[test]
fn ghosts_are_noticed() {
    let mut story = Story::begin();
    story.notes(BO, (1..=4).map(told).chain([Event::Disconnected]));
    story.after(9).notes(ADA, [Event::Online { users: ["bo".to_owned()].into() }]);
    assert_eq!(story.violations(), NONE, "the lease lasts");
    story.after(2).notes(ADA, [Event::Online { users: ["bo".to_owned()].into() }]);
    assert_eq!(story.violations(), ["Ghost"]);
    story.notes(ADA, [presence("bo", true)]);
    assert_eq!(story.violations(), ["Ghost", "Ghost"]);
    story.notes(BO, [greeted(6, &["ada"]), resuming(6), resumed()]);
    assert_eq!(story.violations(), NONE, "a session is there before its client knows");
}

#[test]
fn presence_that_flickers_is_noticed() {
    let mut story = Story::begin();
    story.notes(BO, (1..=4).map(told));
    story.after(20).notes(BO, [Event::Disconnected]);
    story.after(3).notes(ADA, [presence("bo", false)]);
    assert_eq!(story.violations(), NONE, "away for longer than the grace time");
    story.after(1).notes(BO, [greeted(6, &["ada"]), resuming(6), resumed()]);
    story.notes(ADA, [presence("bo", true)]);
    assert_eq!(story.violations(), NONE);
    story.after(9).notes(ADA, [presence("bo", false)]);
    assert_eq!(story.violations(), NONE, "told late");
    story.after(20).notes(ADA, [presence("bo", false), presence("bo", true)]);
    assert_eq!(story.violations(), ["Flicker"]);
}

#[test]
fn a_short_absence_must_not_be_told() {
    let mut story = Story::begin();
    story.notes(BO, (1..=4).map(told));
    story.after(20).notes(BO, [Event::Disconnected, greeted(6, &[]), resuming(6), resumed()]);
    story.after(1).notes(ADA, [presence("bo", false)]);
    assert_eq!(story.violations(), ["Flicker"]);
}

#[test]
fn who_is_there_must_be_seen() {
    let mut story = Story::begin();
    story.notes(BO, (1..=4).map(told));
    story.after(11).notes(ADA, [Event::Online { users: ["bo".to_owned()].into() }]);
    assert_eq!(story.violations(), NONE);
    story.notes(ADA, [Event::Online { users: [].into() }]);
    assert_eq!(story.violations(), ["Unseen"]);
}

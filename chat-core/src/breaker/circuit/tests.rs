use proptest::prelude::*;

use super::*;

fn circuit() -> Circuit {
    Circuit::new(BreakerConfig::default(), 7)
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Lets so many calls through, all with this outcome.
fn calls(circuit: &mut Circuit, count: u32, outcome: Outcome, now: Instant) -> Option<Transition> {
    (0..count).fold(None, |_, _| {
        let ticket = circuit.admit(now).unwrap();
        circuit.settle(ticket, outcome, now)
    })
}

fn opened(now: Instant) -> Circuit {
    let mut circuit = circuit();
    let transition = calls(&mut circuit, 5, Outcome::Failed, now);
    assert!(matches!(transition, Some(Transition::Opened { .. })), "{transition:?}");
    circuit
}

#[test]
fn failures_in_a_row_open_it() {
    let (mut circuit, now) = (circuit(), Instant::now());
    assert_eq!(calls(&mut circuit, 4, Outcome::Failed, now), None);
    assert_eq!(calls(&mut circuit, 1, Outcome::Answered, now), None, "an answer in between");
    assert_eq!(calls(&mut circuit, 4, Outcome::Failed, now), None);
    assert!(calls(&mut circuit, 1, Outcome::Failed, now).is_some());
    let pause = circuit.admit(now).unwrap_err();
    assert!((ms(375)..=ms(500)).contains(&pause), "{pause:?}");
}

#[test]
fn failures_that_take_a_timeout_each_open_it_sooner() {
    let (mut circuit, now) = (circuit(), Instant::now());
    assert_eq!(calls(&mut circuit, 2, Outcome::Failed, now), None);
    assert_eq!(calls(&mut circuit, 1, Outcome::Answered, now + ms(4_999)), None);
    assert_eq!(calls(&mut circuit, 1, Outcome::Failed, now + ms(5_000)), None);
    assert!(calls(&mut circuit, 1, Outcome::Failed, now + ms(10_000)).is_some());
}

#[test]
fn two_calls_that_time_out_open_it_even_if_they_wait_at_once() {
    let (mut circuit, now) = (circuit(), Instant::now());
    let tickets = [circuit.admit(now).unwrap(), circuit.admit(now + ms(1_000)).unwrap()];
    assert_eq!(circuit.settle(tickets[0], Outcome::Failed, now + ms(5_000)), None);
    assert!(circuit.settle(tickets[1], Outcome::Failed, now + ms(5_100)).is_some());

    let (mut circuit, now) = (self::circuit(), Instant::now());
    let tickets = [0, 0, 0].map(|_| circuit.admit(now).unwrap());
    assert_eq!(circuit.settle(tickets[0], Outcome::Answered, now + ms(4_000)), None);
    assert_eq!(circuit.settle(tickets[1], Outcome::Failed, now + ms(5_000)), None);
    let soon = circuit.settle(tickets[2], Outcome::Failed, now + ms(5_000));
    assert_eq!(soon, None, "there was an answer meanwhile");
}

#[test]
fn too_many_failures_among_answers_open_it() {
    let (mut circuit, now) = (circuit(), Instant::now());
    for _ in 0..9 {
        assert_eq!(calls(&mut circuit, 1, Outcome::Failed, now), None);
        assert_eq!(calls(&mut circuit, 1, Outcome::Answered, now), None);
    }
    assert_eq!(calls(&mut circuit, 1, Outcome::Answered, now), None);
    assert!(calls(&mut circuit, 1, Outcome::Failed, now).is_some(), "10 of 20");
}

#[test]
fn failures_that_are_spread_thin_do_not_open_it() {
    let (mut circuit, mut now) = (circuit(), Instant::now());
    for _ in 0..200 {
        assert_eq!(calls(&mut circuit, 3, Outcome::Failed, now), None);
        assert_eq!(calls(&mut circuit, 1, Outcome::Answered, now), None);
        now += ms(10_000);
    }
}

#[test]
fn one_call_finds_out_and_closes_it() {
    let now = Instant::now();
    let mut circuit = opened(now);
    let later = now + ms(500);
    let trial = circuit.admit(later).unwrap();
    assert_eq!(circuit.stand(later), Stand::HalfOpen);
    assert!(circuit.admit(later).is_err(), "one only");
    assert_eq!(circuit.settle(trial, Outcome::Answered, later), Some(Transition::Closed));
    assert!(circuit.admit(later).is_ok());
}

#[test]
fn pauses_double_up_to_the_longest_and_begin_anew() {
    let mut now = Instant::now();
    let mut circuit = opened(now);
    for longest in [1_000, 2_000, 4_000, 5_000, 5_000] {
        now += circuit.admit(now).unwrap_err();
        let trial = circuit.admit(now).unwrap();
        let Some(Transition::Reopened { pause }) = circuit.settle(trial, Outcome::Failed, now)
        else {
            panic!("reopened")
        };
        assert!(pause <= ms(longest) && pause >= ms(longest) * 3 / 4, "{pause:?} of {longest}");
    }
    now += ms(5_000);
    let trial = circuit.admit(now).unwrap();
    circuit.settle(trial, Outcome::Answered, now);
    calls(&mut circuit, 5, Outcome::Failed, now);
    assert!(circuit.admit(now).unwrap_err() <= ms(500));
}

#[test]
fn a_trial_whose_caller_goes_away_is_given_to_the_next() {
    let now = Instant::now();
    let mut circuit = opened(now);
    let later = now + ms(500);
    let trial = circuit.admit(later).unwrap();
    assert_eq!(circuit.settle(trial, Outcome::Abandoned, later), None);
    let next = circuit.admit(later).unwrap();
    assert_eq!(circuit.settle(trial, Outcome::Answered, later), None, "told twice");
    assert_eq!(circuit.settle(next, Outcome::Answered, later), Some(Transition::Closed));
}

#[test]
fn a_trial_that_nobody_drives_is_not_waited_for() {
    let now = Instant::now();
    let mut circuit = opened(now);
    let later = now + ms(500);
    let forgotten = circuit.admit(later).unwrap();
    assert!(circuit.admit(later + ms(6_249)).is_err());
    let next = circuit.admit(later + ms(6_250)).unwrap();
    assert_eq!(circuit.settle(forgotten, Outcome::Failed, later + ms(7_000)), None);
    let transition = circuit.settle(next, Outcome::Answered, later + ms(7_000));
    assert_eq!(transition, Some(Transition::Closed));
}

#[test]
fn calls_from_before_it_opened_say_nothing_about_later() {
    let (mut circuit, now) = (circuit(), Instant::now());
    let early: Vec<_> = (0..100).map(|_| circuit.admit(now).unwrap()).collect();
    let settled = early.iter().map(|ticket| circuit.settle(*ticket, Outcome::Failed, now));
    assert_eq!(settled.flatten().count(), 1, "opened once");
    let pause = circuit.admit(now).unwrap_err();
    assert!(pause <= ms(500), "not made longer: {pause:?}");
    circuit.settle(early[0], Outcome::Answered, now);
    assert!(circuit.admit(now).is_err(), "nor ended");
}

#[test]
fn a_probe_closes_it_at_any_time_and_its_failure_does_not_delay_the_trial() {
    let now = Instant::now();
    let mut circuit = opened(now);
    let pause = circuit.admit(now).unwrap_err();
    assert_eq!(circuit.probed(Outcome::Failed, now + ms(300), now + ms(300)), None);
    assert_eq!(circuit.admit(now + ms(300)).unwrap_err(), pause - ms(300));
    let late = circuit.probed(Outcome::Failed, now + ms(600), now + ms(600));
    assert!(matches!(late, Some(Transition::Reopened { .. })), "as good as a trial");
    assert_eq!(
        circuit.probed(Outcome::Answered, now + ms(600), now + ms(600)),
        Some(Transition::Closed)
    );
    for _ in 0..4 {
        assert_eq!(circuit.probed(Outcome::Failed, now, now), None);
    }
    assert!(circuit.probed(Outcome::Failed, now, now).is_some(), "its failures count");
}

/// Something that happens to a circuit.
#[derive(Debug, Clone)]
enum Step {
    Call,
    /// One of the calls under way ends.
    Settle(prop::sample::Index, Outcome),
    /// One of them is never heard of again.
    Forget(prop::sample::Index),
    Probe(Outcome),
    Wait(u64),
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        2 => Just(Outcome::Answered),
        5 => Just(Outcome::Failed),
        1 => Just(Outcome::Abandoned),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Call),
        6 => (any::<prop::sample::Index>(), outcome()).prop_map(|(n, o)| Step::Settle(n, o)),
        1 => any::<prop::sample::Index>().prop_map(Step::Forget),
        1 => prop_oneof![Just(Outcome::Answered), Just(Outcome::Failed)].prop_map(Step::Probe),
        3 => (0u64..4_000).prop_map(Step::Wait),
    ]
}

proptest! {
    /// Whatever happens: it refuses only while it is not closed, and says when to come back; of the
    /// calls under way at most one is a trial; and once calls succeed it closes.
    #[test]
    fn it_keeps_its_promises(steps in prop::collection::vec(step(), 1..300), seed: u64) {
        let mut circuit = Circuit::new(BreakerConfig::default(), seed);
        let mut now = Instant::now();
        let mut running: Vec<Ticket> = Vec::new();
        for step in steps {
            let before = circuit.stand(now);
            match step {
                Step::Call => match circuit.admit(now) {
                    Ok(ticket) => {
                        running.push(ticket);
                        let ready = Stand::Open { retry_after: Duration::ZERO };
                        let passes = before == Stand::Closed || before == ready
                            || before == Stand::HalfOpen;
                        prop_assert!(passes, "passed while {:?}", before);
                    }
                    Err(retry_after) => {
                        prop_assert_ne!(before, Stand::Closed);
                        prop_assert!(retry_after > Duration::ZERO && retry_after <= ms(5_000));
                    }
                },
                Step::Settle(index, outcome) if !running.is_empty() => {
                    let ticket = running.swap_remove(index.index(running.len()));
                    circuit.settle(ticket, outcome, now);
                }
                Step::Forget(index) if !running.is_empty() => {
                    running.swap_remove(index.index(running.len()));
                }
                Step::Settle(..) | Step::Forget(_) => {}
                Step::Probe(outcome) => {
                    circuit.probed(outcome, now, now);
                    if outcome == Outcome::Answered {
                        prop_assert_eq!(circuit.stand(now), Stand::Closed);
                    }
                }
                Step::Wait(time) => now += ms(time),
            }
            if circuit.stand(now) == Stand::HalfOpen {
                let trials = running.iter().filter(|ticket| ticket.epoch == circuit.epoch);
                prop_assert!(trials.count() <= 1, "two trials");
            }
            if before == Stand::Closed && circuit.stand(now) != Stand::Closed {
                prop_assert!(circuit.consecutive > 0, "opened without a failure");
            }
        }
        // From now on the store answers: the longest trial and the longest pause later it is closed.
        now += ms(6_250 + 5_000);
        let ticket = circuit.admit(now);
        prop_assert!(ticket.is_ok(), "{:?}", ticket);
        circuit.settle(ticket.unwrap(), Outcome::Answered, now);
        prop_assert_eq!(circuit.stand(now), Stand::Closed);
    }
}

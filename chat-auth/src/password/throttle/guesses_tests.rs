use super::*;

fn limit() -> GuessLimit {
    GuessLimit::new(&ThrottleConfig::default())
}

fn anybody(account: &str) -> Allowance {
    Allowance::Anybody(account.into())
}

fn address(account: &str, text: &str) -> Allowance {
    Allowance::Address(account.into(), text.parse().unwrap())
}

/// One whole try: none if it was made, or how many seconds it has to wait.
fn tries(limit: &mut GuessLimit, who: &Allowance, outcome: Outcome, now: Instant) -> Option<u64> {
    match limit.admit(who, now) {
        Admission::Admitted => {
            limit.end(who, outcome, now);
            None
        }
        Admission::Refused(Wait(wait)) => Some(wait.as_secs()),
        Admission::Undecided(_) => panic!("nobody else tries"),
    }
}

fn fails(limit: &mut GuessLimit, who: &Allowance, now: Instant) -> Option<u64> {
    tries(limit, who, Outcome::Wrong, now)
}

#[test]
fn waits_grow_with_failures_and_stay_bounded() {
    let (mut limit, mut now, ada) = (limit(), Instant::now(), anybody("ada"));
    for _ in 0..5 {
        assert_eq!(fails(&mut limit, &ada, now), None);
    }
    for seconds in [12, 24, 48, 60, 60, 60] {
        assert_eq!(fails(&mut limit, &ada, now), Some(seconds));
        now += Duration::from_secs(seconds - 1);
        assert_eq!(fails(&mut limit, &ada, now), Some(1), "asking again changes nothing");
        now += Duration::from_secs(1);
        assert_eq!(fails(&mut limit, &ada, now), None, "never locked");
    }
    for _ in 0..1_000 {
        now += Duration::from_secs(60);
        assert_eq!(fails(&mut limit, &ada, now), None);
    }
}

#[test]
fn no_allowance_waits_for_another() {
    let (mut limit, now) = (limit(), Instant::now());
    for _ in 0..6 {
        fails(&mut limit, &anybody("ada"), now);
    }
    assert!(fails(&mut limit, &anybody("ada"), now).is_some());
    for other in [
        anybody("ben"),
        address("ada", "192.0.2.1"),
        address("ada", "192.0.2.2"),
        Allowance::Device("ada".into(), DeviceId::from_bytes([1; 16])),
        Allowance::LoggedIn("ada".into()),
    ] {
        assert_eq!(fails(&mut limit, &other, now), None, "{other:?}");
    }
}

#[test]
fn who_shares_an_address_with_the_owner_has_no_more_tries_than_who_does_not() {
    let (mut limit, mut now) = (limit(), Instant::now());
    let (shared, anybody) = (address("ada", "127.0.0.1"), anybody("ada"));
    let mut made = 0;
    for _ in 0..600 {
        made += usize::from(fails(&mut limit, &shared, now).is_none());
        now += Duration::from_secs(1);
    }
    // 5 at once, then one after 12, 24, 48 and 60 seconds each.
    assert_eq!(made, 5 + 3 + 8);
    assert!(fails(&mut limit, &anybody, now).is_some(), "and they count for strangers as well");
}

#[test]
fn a_good_login_and_a_quiet_time_end_the_waits() {
    let (mut limit, mut now, ada) = (limit(), Instant::now(), anybody("ada"));
    for _ in 0..4 {
        assert_eq!(fails(&mut limit, &ada, now), None);
    }
    assert_eq!(tries(&mut limit, &ada, Outcome::Right, now), None);
    for _ in 0..5 {
        assert_eq!(fails(&mut limit, &ada, now), None);
    }
    assert_eq!(fails(&mut limit, &ada, now), Some(12));
    now += MEMORY;
    for _ in 0..5 {
        assert_eq!(fails(&mut limit, &ada, now), None);
    }
    assert_eq!(fails(&mut limit, &ada, now), Some(12));
}

#[test]
fn a_right_password_and_one_that_was_not_checked_count_for_nothing() {
    let (mut limit, now, ada) = (limit(), Instant::now(), anybody("ada"));
    for _ in 0..100 {
        assert_eq!(tries(&mut limit, &ada, Outcome::Untold, now), None);
        assert_eq!(tries(&mut limit, &ada, Outcome::Right, now), None);
    }
    assert!(limit.in_flight.is_empty(), "and leave nothing");
    for _ in 0..5 {
        assert_eq!(fails(&mut limit, &ada, now), None);
    }
    assert_eq!(fails(&mut limit, &ada, now), Some(12));
}

#[test]
fn of_tries_at_once_no_more_are_checked_than_may_fail() {
    let (mut limit, now, ada) = (limit(), Instant::now(), anybody("ada"));
    for _ in 0..5 {
        assert!(matches!(limit.admit(&ada, now), Admission::Admitted));
    }
    let Admission::Undecided(next) = limit.admit(&ada, now) else { panic!("five may fail") };
    assert!(!next.has_changed().unwrap());
    limit.end(&ada, Outcome::Right, now);
    assert!(next.has_changed().unwrap(), "whoever waits is told");
    assert!(matches!(limit.admit(&ada, now), Admission::Admitted));
    for _ in 0..5 {
        limit.end(&ada, Outcome::Wrong, now);
    }
    assert!(matches!(limit.admit(&ada, now), Admission::Refused(_)));
}

#[test]
fn no_flood_of_other_names_makes_an_account_forgotten() {
    let config = ThrottleConfig { capacity: 100, ..ThrottleConfig::default() };
    let (mut limit, now, ada) = (GuessLimit::new(&config), Instant::now(), anybody("ada"));
    for _ in 0..5 {
        assert_eq!(fails(&mut limit, &ada, now), None);
    }
    for name in 0..10_000 {
        let other = anybody(&format!("name{name}"));
        for outcome in [Outcome::Untold, Outcome::Right, Outcome::Wrong] {
            assert_eq!(tries(&mut limit, &other, outcome, now), None);
        }
    }
    assert_eq!(fails(&mut limit, &ada, now), Some(12));
}

//! Failover: who is asked where an acquirer fails, and what that takes.

use super::laws::{assert_shares, counts};
use super::{charge, world};
use crate::domain::command::{AuthorizationResponse as Response, FollowUpResponse};
use crate::domain::decline::DeclineReason as Why;
use crate::domain::event::TechnicalError;
use crate::domain::payment::FollowUp;
use crate::simulator::tests::following;
use crate::simulator::{Acquirer, Capacity, Entry, Gate, Question, Reply, World};

const REFUSED: Response = Response::TechnicalFailure(TechnicalError::Unavailable);

/// An acquirer that takes so long, and fails or does not.
fn acquirer(name: &str, ms: u32, fails: bool, more: &str) -> String {
    let share = u8::from(fails);
    format!(
        "[[acquirer]]\nname = \"{name}\"\nlatency = {{ fixed_ms = {ms} }}\n\
         errors = [{{ share = {share}, kind = \"refused\" }}]\n{more}\n"
    )
}

/// Notes who is asked, and keeps attempts away from some.
#[derive(Default)]
struct Noted<'n> {
    closed: &'n [&'n str],
    full: &'n [&'n str],
    wait_us: u64,
    asked: Vec<String>,
    failed: Vec<bool>,
}

impl Gate for Noted<'_> {
    fn enter(&mut self, acquirer: &Acquirer, _: Option<Capacity>) -> Entry {
        if self.closed.contains(&acquirer.name()) {
            return Entry::Closed;
        }
        self.asked.push(acquirer.name().to_owned());
        if self.full.contains(&acquirer.name()) { Entry::Full } else { Entry::Open { wait_us: self.wait_us } }
    }

    fn answered(&mut self, failed: bool) {
        self.failed.push(failed);
    }
}

fn asked(world: &World, gate: &mut Noted<'_>) -> Reply<Response> {
    world.ask(&charge("visa"), gate)
}

#[test]
fn the_next_one_is_asked_and_latencies_add_up() {
    let two =
        acquirer("first", 30, true, "") + &acquirer("second", 200, false, "route = { currency = \"eur\" }");
    let without = world(&two);
    assert_eq!(without.authorize(&charge("visa")), Reply::once(30_000, REFUSED));
    let with = world(&format!("failover = true\n{two}"));
    assert_eq!(with.authorize(&charge("visa")), Reply::once(230_000, Response::Approved));
    // What follows an authorization fails over as well.
    let capture = following(&charge("visa"), FollowUp::Capture { amount_minor: 5 });
    assert_eq!(with.follow_up(&capture), Reply::once(230_000, FollowUpResponse::Approved));
    assert_eq!(with.route(&capture).name(), "first");
}

#[test]
fn nobody_stands_in_whose_route_does_not_hold_nor_that_of_the_settings() {
    let two =
        acquirer("first", 30, true, "") + &acquirer("second", 200, false, "route = { currency = \"usd\" }");
    let world = world(&format!("failover = true\n{two}"));
    assert_eq!(world.authorize(&charge("visa")), Reply::once(30_000, REFUSED));
}

#[test]
fn a_decline_is_an_answer() {
    let declines = "[[acquirer]]\nname = \"first\"\nlatency = { fixed_ms = 5 }\n\
                    outcomes = [{ share = 1, decline = \"lost_card\" }]\n";
    let world = world(&format!(
        "failover = true\n{declines}{}",
        acquirer("second", 200, false, "route = { currency = \"eur\" }")
    ));
    let declined = Response::Declined(Why::LostCard);
    let replies = (0..50).map(|draw_key| world.authorize(&Question { draw_key, ..charge("visa") }));
    assert!(replies.into_iter().all(|reply| reply == Reply::once(5_000, declined)));
}

#[test]
fn the_rest_of_a_group_stands_in_by_weight_before_the_next_route() {
    let all = ["failover = true\n".to_owned()]
        .into_iter()
        .chain([("small", 1), ("big", 5), ("middle", 3)].map(|(name, weight)| {
            acquirer(name, 1, true, &format!("weight = {weight}\nroute = {{ brand = \"visa\" }}"))
        }))
        .chain([acquirer("general", 1, true, "")]);
    let world = world(&all.collect::<String>());
    let mut seen = std::collections::BTreeSet::new();
    for draw_key in 0..200 {
        let mut gate = Noted::default();
        let _ = world.ask(&Question { draw_key, ..charge("visa") }, &mut gate);
        assert_eq!(gate.failed, [true; 4]);
        seen.insert(gate.asked.join(" "));
    }
    let orders = ["big middle small general", "middle big small general", "small big middle general"];
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), orders);
}

#[test]
fn who_is_drawn_first_does_not_depend_on_failover() {
    let group = acquirer("a", 1, false, "weight = 7") + &acquirer("b", 1, false, "weight = 3");
    let (without, with) = (world(&group), world(&format!("failover = true\n{group}")));
    for draw_key in 0..1_000 {
        let asked = Question { draw_key, ..charge("visa") };
        assert_eq!(without.route(&asked).name(), with.route(&asked).name());
        assert_eq!(without.authorize(&asked), with.authorize(&asked));
    }
    // Those of the next route are shared by weight as well, whoever failed before them.
    let next = acquirer("c", 1, true, "route = { brand = \"visa\" }") + &group;
    let world = world(&format!("failover = true\n{next}"));
    let counts: [u64; 2] = counts(&world, |world, asked| {
        let mut gate = Noted::default();
        let _ = world.ask(asked, &mut gate);
        usize::from(gate.asked[1] == "b")
    });
    assert_shares(&counts, &[0.7, 0.3]);
}

#[test]
fn who_is_kept_away_or_refused_goes_to_the_next_one() {
    let two =
        acquirer("first", 30, false, "weight = 1000000") + &acquirer("second", 200, false, "weight = 0.001");
    let with = world(&format!("failover = true\n{two}"));
    let mut gate = Noted { closed: &["first"], ..Noted::default() };
    assert_eq!(asked(&with, &mut gate), Reply::once(200_000, Response::Approved));
    assert_eq!((gate.asked, gate.failed), (vec!["second".to_owned()], vec![false]));
    let mut gate = Noted { full: &["first"], wait_us: 7, ..Noted::default() };
    assert_eq!(asked(&with, &mut gate), Reply::once(200_007, Response::Approved));
    assert_eq!(gate.failed, [true, false]);
    // Without another one, or without failover, it fails at once, and says why.
    let not_asked = |why| Reply::once(0, Response::TechnicalFailure(why));
    let mut gate = Noted { closed: &["first", "second"], ..Noted::default() };
    assert_eq!(asked(&with, &mut gate), not_asked(TechnicalError::BreakerOpen));
    let mut gate = Noted { closed: &["first"], ..Noted::default() };
    assert_eq!(asked(&world(&two), &mut gate), not_asked(TechnicalError::BreakerOpen));
    assert!(gate.asked.is_empty());
    let mut gate = Noted { full: &["first"], ..Noted::default() };
    assert_eq!(asked(&world(&two), &mut gate), not_asked(TechnicalError::QueueFull));
}

#[test]
fn a_wait_is_no_part_of_what_times_out() {
    let world = world("[[acquirer]]\nname = \"a\"\nlatency = { fixed_ms = 100 }\ntimeout_ms = 100");
    let mut gate = Noted { wait_us: 5_000_000, ..Noted::default() };
    assert_eq!(asked(&world, &mut gate), Reply::once(5_100_000, Response::Approved));
}

#[test]
fn a_failover_ends_after_five_minutes() {
    let slow = |name| acquirer(name, 290_000, true, "route = { brand = \"visa\" }");
    let all = ["one", "two", "three", "four"].map(slow).concat();
    let mut gate = Noted::default();
    let reply = asked(&world(&format!("failover = true\n{all}")), &mut gate);
    assert_eq!((reply.latency_us, gate.asked.len()), (580_000_000, 2));
}

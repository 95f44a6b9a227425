//! Binding many agents at once: what is proposed for whom, what becomes of it, and what is left alone.

use super::desk::{AMY, BOB, Desk, NUMBER, ROBOT, Setup, hour, key, visit};
use calsync_core::binding::{Direction, Policy};
use calsync_core::clock::Clock;
use calsync_core::roster::{Agent, Applied, Done, Progress, Proposals, Template, Verdict};
use calsync_core::{Binding, ErrorKind};
use calsync_google::Google;
use calsync_testkit::fake_google::{AccountState, FakeGoogle, Fault, FaultKind, Role, Route};

const CARL: &str = "carl@example.com";
const DORA: &str = "dora@example.com";
const FINN: &str = "finn@example.com";
const GINA: &str = "gina@example.com";

fn agents(list: &[(&str, &str)]) -> Vec<Agent> {
    list.iter().map(|(id, address)| Agent::new(*id, *address)).collect()
}

async fn propose(desk: &Desk, list: &[(&str, &str)]) -> Proposals {
    desk.engine.propose_bindings(agents(list), Template::two_way("google")).await.unwrap()
}

/// `agent verdict`, with a star where it is selected.
fn table(proposals: &Proposals) -> Vec<String> {
    (proposals.rows().iter())
        .map(|row| {
            let star = if row.selected() { " *" } else { "" };
            format!("{} {}{star}", row.agent, row.verdict.as_str())
        })
        .collect()
}

async fn apply(desk: &Desk, proposals: &Proposals) -> Applied {
    desk.engine.apply_bindings(proposals).await.unwrap()
}

/// `agent calendar direction`, with `paused` where it is.
async fn bound(desk: &Desk) -> Vec<String> {
    let mut bound: Vec<String> = (desk.engine.bindings().await.unwrap().iter())
        .map(|b| {
            let paused = if b.paused { " paused" } else { "" };
            format!("{} {} {:?}{paused}", b.agent, b.target.calendar, b.direction)
        })
        .collect();
    bound.sort();
    bound
}

/// The service account acts as itself, in calendars that are shared with it.
fn shared_with_the_account() -> Setup {
    Setup::default().google(|| Google::service_account(key()).delegated(false)).fake(|fake| {
        for (person, role) in [
            (AMY, Some(Role::Writer)),
            (BOB, Some(Role::Reader)),
            (CARL, Some(Role::FreeBusyReader)),
            (DORA, None),
            (FINN, Some(Role::WriterWithoutPrivateAccess)),
            (GINA, Some(Role::Owner)),
        ] {
            fake.account(person);
            if let Some(role) = role {
                fake.share(person, ROBOT, role);
            }
        }
    })
}

#[tokio::test]
async fn each_agent_gets_a_verdict_and_what_can_be_bound_is_bound_and_nothing_is_written() {
    let desk = shared_with_the_account().desk().await;
    desk.engine.bind(Binding::two_way("zoe").to("google", "zoe@example.com")).await.unwrap();
    let list = [
        (AMY, "AMY@Example.com"),
        ("bob", BOB),
        ("carl", CARL),
        ("dora", DORA),
        ("nobody", "nobody@example.com"),
        ("finn", " Finn@Example.COM "),
        ("gina", GINA),
        ("gina-too", "Gina@example.com"),
        ("blank", " "),
        ("twice", "one@example.com"),
        ("twice", "two@example.com"),
    ];
    let mut proposals = propose(&desk, &list).await;
    let expected = [
        "amy@example.com keep",
        "bob bind, read only *",
        "carl free/busy only",
        "dora not shared",
        "nobody not shared",
        "finn bind *",
        "gina same address",
        "gina-too same address",
        "blank no address",
        "twice two addresses",
        "twice two addresses",
        "zoe pause *",
    ];
    assert_eq!(table(&proposals), expected, "{proposals}");
    let reason =
        |agent: &str| proposals.rows().iter().find(|row| row.agent.as_str() == agent).unwrap().reason.clone();
    assert!(reason("bob").contains("Make changes to events"), "{}", reason("bob"));
    assert!(reason("dora").contains(ROBOT) && reason("dora").contains(DORA), "{}", reason("dora"));
    for both in ["gina", "gina-too"] {
        assert!(reason(both).contains("gina and gina-too"), "{}", reason(both));
    }
    // What is bound is not asked about, one address only once, and what cannot be one not at all.
    assert_eq!(desk.asked(Route::ListEvents), 6);

    // Somebody looks it over; it travels as JSON.
    let gina = "gina".into();
    assert!(proposals.select(&gina) && !proposals.select(&"carl".into()));
    let proposals: Proposals = serde_json::from_str(&serde_json::to_string(&proposals).unwrap()).unwrap();
    let applied = apply(&desk, &proposals).await;
    assert_eq!(applied.rows.len(), 4, "{applied}");
    let now = [
        "amy@example.com amy@example.com TwoWay",
        "bob bob@example.com FromRemote",
        "finn finn@example.com TwoWay",
        "gina gina@example.com TwoWay",
        "zoe zoe@example.com TwoWay paused",
    ];
    assert_eq!(bound(&desk).await, now);

    // Again, the old proposals and the same list: nothing is left to do.
    let again = apply(&desk, &proposals).await;
    assert!(!again.changed() && again.rows.iter().all(|row| row.done == Done::Already), "{again}");
    let proposals = propose(&desk, &list).await;
    assert_eq!(proposals.selected().count(), 0, "{proposals}");
    assert!(!apply(&desk, &proposals).await.changed());
    assert_eq!((bound(&desk).await, desk.writes()), (now.map(str::to_owned).to_vec(), 0));
}

#[tokio::test]
async fn c10_a_calendar_that_is_only_readable_is_read_and_never_written() {
    let desk = shared_with_the_account().desk().await;
    let applied = apply(&desk, &propose(&desk, &[(AMY, AMY), ("bob", BOB)]).await).await;
    let [row] = applied.rows.as_slice() else { panic!("{applied}") };
    let Done::Bound(id) = &row.done else { panic!("{applied}") };
    let bindings = desk.engine.bindings().await.unwrap();
    let binding = bindings.iter().find(|binding| binding.id == *id).unwrap();
    desk.user(|fake, now| fake.user_insert(now, BOB, &hour("b1", 1))).unwrap();
    desk.crm.create("bob", &visit("v1", "2026-12-10T09:00:00")).await.unwrap();
    let report = desk.try_run_of(binding).await.unwrap();
    let (from, to) = ("2026-11-01T00:00:00Z".parse().unwrap(), "2027-01-31T00:00:00Z".parse().unwrap());
    assert_eq!(desk.crm.window("bob", from, to).await.unwrap().len(), 2, "{report}");
    assert_eq!((desk.living_in(BOB).len(), desk.writes()), (1, 0), "{report}");
}

#[tokio::test]
async fn g31_with_delegation_a_wrong_user_is_told_from_a_wrong_credential_and_others_go_on() {
    let desk = Setup::default()
        .fake(|fake| {
            for (person, state) in [
                (CARL, AccountState::DeletedLately),
                (DORA, AccountState::DeletedLongAgo),
                (FINN, AccountState::NoCalendar),
                (GINA, AccountState::Restricted),
            ] {
                fake.account(person).state = state;
            }
            fake.account("home@gmail.com");
        })
        .desk()
        .await;
    let list = [
        ("bob", BOB),
        ("nobody", "nobody@example.com"),
        ("carl", CARL),
        ("dora", DORA),
        ("finn", FINN),
        ("gina", GINA),
        ("home", "home@gmail.com"),
        (AMY, AMY),
    ];
    let mut proposals = propose(&desk, &list).await;
    let expected = [
        "bob bind *",
        "nobody no such user",
        "carl no such user",
        "dora no such user",
        "finn unreachable",
        "gina unreachable",
        "home unreachable",
        "amy@example.com keep",
    ];
    assert_eq!(table(&proposals), expected, "{proposals}");
    for (row, cure) in [(1, "Correct the address"), (4, "no Google Calendar"), (6, NUMBER)] {
        assert!(proposals.rows()[row].reason.contains(cure), "{}", proposals.rows()[row].reason);
    }
    // A misspelt address is corrected, and what was chosen otherwise stays.
    proposals.deselect(&"bob".into());
    desk.fake().account("nobody-else@example.com");
    desk.engine.correct_address(&mut proposals, &"nobody".into(), "Nobody-Else@example.com").await.unwrap();
    assert_eq!(table(&proposals)[..2], ["bob bind", "nobody bind *"], "{proposals}");
    apply(&desk, &proposals).await;
    let now = ["amy@example.com amy@example.com TwoWay", "nobody nobody-else@example.com TwoWay"];
    assert_eq!(bound(&desk).await, now);
    // With a credential that is not authorised at all, nobody is said not to exist.
    desk.fake().withdraw_delegation(NUMBER);
    desk.fake().expire_access_tokens();
    let proposals = propose(&desk, &[(AMY, AMY), ("nobody", "nobody-else@example.com"), ("bob", BOB)]).await;
    assert_eq!(table(&proposals)[2], "bob unreachable", "{proposals}");
}

fn people(fake: &mut FakeGoogle) {
    for person in [CARL, DORA, FINN, GINA] {
        fake.account(person);
    }
}

#[tokio::test]
async fn c22_whoever_is_added_renamed_or_gone_later_is_picked_up_and_nothing_is_deleted() {
    let desk = Setup::default().fake(people).desk().await;
    desk.engine.unbind(&desk.binding).await.unwrap();
    let first = [("1", AMY), ("2", BOB), ("3", CARL), ("4", DORA)];
    apply(&desk, &propose(&desk, &first).await).await;
    // A calendar of the team, bound by hand, is another calendar of agent 1 and not an older address.
    let team = Binding::two_way("1").on_behalf_of(AMY).to("google", super::desk::TEAM);
    desk.engine.bind(team).await.unwrap();
    for agent in ["1", "2", "3"] {
        desk.crm.create(agent, &visit(&format!("v{agent}"), "2026-12-10T09:00:00")).await.unwrap();
    }
    for binding in desk.engine.bindings().await.unwrap() {
        desk.try_run_of(&binding).await.unwrap();
    }
    let (writes, living) = (desk.writes(), desk.living_in(BOB).len());
    assert_eq!((writes, living), (4, 1));

    // 2 is Finn's address now, 3 has another id, 4 is gone, 5 is new; Dora's old calendar is wanted by nobody.
    let second = [("1", AMY), ("2", FINN), ("33", CARL), ("5", GINA)];
    let proposals = propose(&desk, &second).await;
    let expected = ["1 keep", "2 move *", "33 reassign *", "5 bind *", "4 pause *"];
    assert_eq!(table(&proposals), expected, "{proposals}");
    let applied = apply(&desk, &proposals).await;
    assert!(
        applied.rows.iter().all(|row| !matches!(row.done, Done::Failed(_) | Done::Outdated(_))),
        "{applied}"
    );
    let now = [
        "1 amy-team@group.calendar.google.com TwoWay",
        "1 amy@example.com TwoWay",
        "2 bob@example.com TwoWay paused",
        "2 finn@example.com TwoWay",
        "33 carl@example.com TwoWay paused",
        "4 dora@example.com TwoWay paused",
        "5 gina@example.com TwoWay",
    ];
    assert_eq!(bound(&desk).await, now);
    let proposals = propose(&desk, &second).await;
    assert_eq!(proposals.selected().count(), 0, "{proposals}");
    assert_eq!((desk.writes(), desk.living_in(BOB).len(), desk.living_in(CARL).len()), (writes, 1, 1));

    // What was agent 3's is 33's once the CRM says so, and the link holds: nothing is made or deleted.
    let (from, to) = ("2026-12-01T00:00:00Z".parse().unwrap(), "2027-01-31T00:00:00Z".parse().unwrap());
    let record = desk.crm.window("3", from, to).await.unwrap()[0].record.clone();
    desk.crm.reassign(&record, "33").await.unwrap();
    let mut proposals = propose(&desk, &second).await;
    assert!(proposals.select(&"33".into()), "{proposals}");
    apply(&desk, &proposals).await;
    let bindings = desk.engine.bindings().await.unwrap();
    let carl = bindings.iter().find(|b| b.agent.as_str() == "33").unwrap();
    assert!(!carl.paused);
    let report = desk.try_run_of(carl).await.unwrap();
    assert_eq!((desk.writes(), desk.living_in(CARL).len()), (writes, 1), "{report}");

    // Renamed back: the first calendar goes on where it stopped, and the second is paused.
    let back = [("1", AMY), ("2", BOB), ("33", CARL), ("5", GINA)];
    let proposals = propose(&desk, &back).await;
    assert_eq!(table(&proposals)[1], "2 move *", "{proposals}");
    apply(&desk, &proposals).await;
    let now = bound(&desk).await;
    assert!(now.contains(&"2 bob@example.com TwoWay".to_owned()), "{now:?}");
    assert!(now.contains(&"2 finn@example.com TwoWay paused".to_owned()), "{now:?}");
}

#[tokio::test]
async fn c09_an_empty_list_pauses_nobody_by_itself() {
    let desk = Desk::new().await;
    let proposals = propose(&desk, &[]).await;
    assert_eq!(table(&proposals), ["amy@example.com pause"], "{proposals}");
    assert!(proposals.rows()[0].reason.contains("is the list whole"), "{proposals}");
}

#[tokio::test]
async fn c17_a_rate_limit_in_the_middle_makes_all_wait_and_nobody_is_lost() {
    let desk = Setup::default()
        .fake(|fake| {
            for n in 0..60 {
                fake.account(&format!("p{n}@example.com"));
            }
            fake.behaviour_mut().project_quota_per_minute = Some(40);
        })
        .desk()
        .await;
    let mut list: Vec<Agent> =
        (0..60).map(|n| Agent::new(format!("a{n}"), format!("p{n}@example.com"))).collect();
    list.push(Agent::new("nobody", "nobody@example.com"));
    list.push(Agent::new(AMY, AMY));
    let started = desk.clock.now();
    let (engine, seen) = (desk.engine.clone(), std::sync::Arc::new(std::sync::Mutex::new(Vec::new())));
    let sink = std::sync::Arc::clone(&seen);
    // On a runtime that moves tasks between threads, as servers do.
    let proposals = tokio::spawn(async move {
        let progress = move |progress: Progress| sink.lock().unwrap().push(progress);
        engine.propose_bindings_with(list, Template::two_way("google"), progress).await
    });
    let proposals = proposals.await.unwrap().unwrap();
    assert_eq!(proposals.selected().count(), 60, "{proposals}");
    assert_eq!(proposals.rows()[60].verdict, Verdict::NoSuchUser);
    assert!(desk.clock.now() > started, "it did not wait");
    let refused = desk.fake().journal().iter().filter(|entry| entry.status == 403).count();
    assert!((1..=60).contains(&refused), "{refused} refusals");
    let seen = seen.lock().unwrap();
    assert_eq!(seen.last(), Some(&Progress { asked: 61, total: 61 }));
    assert!(seen.windows(2).all(|two| two[1].asked == two[0].asked + 1));
}

#[tokio::test]
async fn c15_a_limit_that_lasts_ends_the_call_in_time_and_the_next_call_goes_on() {
    let desk = Setup::default().fake(people).desk().await;
    let limit = FaultKind::Refuse { code: 403, reason: "rateLimitExceeded".into(), message: "No".into() };
    desk.fake().inject(Fault::new(limit).on(Route::ListEvents).times(10_000));
    let started = desk.clock.now();
    let list = [(AMY, AMY), ("bob", BOB), ("carl", CARL)];
    let proposals = propose(&desk, &list).await;
    assert_eq!(table(&proposals)[1..], ["bob not asked", "carl not asked"], "{proposals}");
    assert!(desk.clock.now() - started <= chrono::Duration::minutes(5));
    desk.fake().reset();
    let proposals = propose(&desk, &list).await;
    assert_eq!(table(&proposals)[1..], ["bob bind *", "carl bind *"], "{proposals}");
}

#[tokio::test]
async fn what_changed_since_the_proposals_is_left_alone_and_named() {
    let desk = Setup::default().fake(people).desk().await;
    let template = Template::two_way("google").with(|new| new.policy(Policy::Local));
    let list = agents(&[(AMY, AMY), ("bob", BOB), ("carl", CARL)]);
    let proposals = desk.engine.propose_bindings(list, template).await.unwrap();
    // Meanwhile somebody binds Bob's calendar for Amy.
    desk.engine.bind(Binding::two_way(AMY).to("google", "BOB@example.com")).await.unwrap();
    let applied = apply(&desk, &proposals).await;
    assert_eq!(applied.rows[0].done, Done::Outdated(Verdict::Taken { by: AMY.into() }), "{applied}");
    assert!(matches!(applied.rows[1].done, Done::Bound(_)), "{applied}");
    let bindings = desk.engine.bindings().await.unwrap();
    let carl = bindings.iter().find(|b| b.agent.as_str() == "carl").unwrap();
    assert_eq!((carl.policy, carl.direction), (Policy::Local, Direction::TwoWay));
    // And by hand no second agent gets the same calendar either.
    let error = desk.engine.bind(Binding::two_way("bob").to("google", BOB)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Duplicate);
}

#[tokio::test]
async fn c13_proposals_are_one_tenant_s_own() {
    let desk = Setup::default().fake(people).desk().await;
    let other = desk.engine.for_tenant("other");
    let list = || agents(&[("bob", BOB)]);
    let mine = desk.engine.propose_bindings(list(), Template::two_way("google")).await.unwrap();
    let theirs = other.propose_bindings(list(), Template::two_way("google")).await.unwrap();
    assert_eq!(table(&mine), ["bob bind *", "amy@example.com pause *"]);
    assert_eq!(table(&theirs), ["bob bind *"], "the other tenant's bindings are not seen");
    assert_eq!(other.apply_bindings(&mine).await.unwrap_err().kind(), ErrorKind::Config);
    assert!(other.apply_bindings(&theirs).await.unwrap().changed());
    assert_eq!(other.bindings().await.unwrap().len(), 1);
    assert_eq!(bound(&desk).await, ["amy@example.com amy@example.com TwoWay"]);
}

#[tokio::test]
async fn one_worker_at_a_time_applies() {
    let desk = Setup::default().fake(people).desk().await;
    let proposals = propose(&desk, &[(AMY, AMY), ("bob", BOB)]).await;
    let store = desk.engine.store();
    let ttl = std::time::Duration::from_secs(60);
    let lease = store.lease(desk.engine.tenant(), "bindings", "somebody", ttl).await.unwrap().unwrap();
    let error = desk.engine.apply_bindings(&proposals).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LeaseLost);
    store.release(desk.engine.tenant(), &lease).await.unwrap();
    assert!(apply(&desk, &proposals).await.changed());
}

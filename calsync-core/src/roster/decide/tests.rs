//! Lists, bindings and answers as text, and the rows that they come to.

use super::*;
use crate::provider::Target;
use chrono::DateTime;

/// `agent address; …`
fn agents(text: &str) -> Vec<Agent> {
    let one = |text: &str| {
        let (agent, address) = text.split_once(' ').unwrap_or((text, ""));
        Agent::new(agent, address)
    };
    text.split(';').map(str::trim).filter(|text| !text.is_empty()).map(one).collect()
}

fn binding(id: &str, agent: &str, calendar: &str, subject: &str, paused: bool) -> Binding {
    let new = Binding::two_way(agent);
    Binding {
        id: id.into(),
        tenant: "acme".into(),
        agent: new.agent,
        provider: "calendar".into(),
        target: Target { calendar: calendar.into(), subject: subject.into() },
        direction: new.direction,
        policy: new.policy,
        edit_or_delete: new.edit_or_delete,
        mail: new.mail,
        removal: new.removal,
        scope: new.scope,
        detail: new.detail,
        private_detail: new.private_detail,
        limits: new.limits,
        leaving: false,
        paused,
        created: DateTime::UNIX_EPOCH,
        version: 1,
    }
}

/// `id agent calendar; id agent calendar paused; …`
fn bindings(text: &str) -> Vec<Binding> {
    let one = |text: &str| {
        let words: Vec<&str> = text.split_whitespace().collect();
        binding(words[0], words[1], words[2], words[2], words.get(3) == Some(&"paused"))
    };
    text.split(';').map(str::trim).filter(|text| !text.is_empty()).map(one).collect()
}

/// `address answer; …`
fn answers(text: &str) -> BTreeMap<String, Answer> {
    let one = |text: &str| {
        let (address, answer) = text.split_once(' ').expect("an address and an answer");
        let message = "as it said".to_owned();
        let answer = match answer {
            "writer" => Answer::Access(Access::Writer),
            "reader" => Answer::Access(Access::Reader),
            "busy" => Answer::Access(Access::FreeBusy),
            "nobody" => Answer::Access(Access::NoSuchUser { message }),
            "unshared" => Answer::Access(Access::NotShared { message }),
            "failed" => Answer::Failed(message),
            other => panic!("no such answer: {other}"),
        };
        (address.to_owned(), answer)
    };
    text.split(';').map(str::trim).filter(|text| !text.is_empty()).map(one).collect()
}

/// `agent Verdict; …`, with a star where the row is selected by itself.
fn text(rows: &[Row]) -> String {
    let one = |row: &Row| {
        let verdict = format!("{:?}", row.verdict);
        let verdict = verdict.split(' ').next().unwrap_or_default().to_owned();
        format!("{} {verdict}{}", row.agent, if row.selected { "*" } else { "" })
    };
    rows.iter().map(one).collect::<Vec<_>>().join("; ")
}

#[track_caller]
fn decided(list: &str, bound: &str, said: &str) -> Vec<Row> {
    decide(&agents(list), &bindings(bound), &answers(said), &Template::two_way("calendar"))
}

#[track_caller]
fn check(list: &str, bound: &str, said: &str, expected: &str) {
    assert_eq!(text(&decided(list, bound, said)), expected);
}

#[test]
fn what_may_be_done_with_a_calendar_says_what_is_proposed() {
    for (answer, expected) in [
        ("a@x writer", "amy Bind*"),
        ("a@x reader", "amy BindReadOnly*"),
        ("a@x busy", "amy FreeBusyOnly"),
        ("a@x nobody", "amy NoSuchUser"),
        ("a@x unshared", "amy NotShared"),
        ("a@x failed", "amy Unreachable"),
        ("", "amy Unasked"),
    ] {
        check("amy a@x", "", answer, expected);
    }
    let rows = decided("amy a@x", "", "a@x reader");
    assert_eq!(rows[0].direction, Some(Direction::FromRemote), "what may only be read is never written");
}

#[test]
fn a_calendar_that_only_reads_is_not_selected_for_whoever_wants_to_write_only() {
    for (template, answer, expected, direction) in [
        (Template::from_remote("calendar"), "a@x reader", "amy Bind*", Direction::FromRemote),
        (Template::from_remote("calendar"), "a@x writer", "amy Bind*", Direction::FromRemote),
        (Template::to_remote("calendar"), "a@x reader", "amy BindReadOnly", Direction::FromRemote),
        (Template::to_remote("calendar"), "a@x writer", "amy Bind*", Direction::ToRemote),
    ] {
        let rows = decide(&agents("amy a@x"), &[], &answers(answer), &template);
        assert_eq!((text(&rows).as_str(), rows[0].direction), (expected, Some(direction)));
    }
}

#[test]
fn what_is_bound_stays_and_what_was_paused_is_not_selected_by_itself() {
    check("amy a@x", "b1 amy a@x", "", "amy Keep");
    check("amy  A@X ", "b1 amy a@x", "", "amy Keep");
    check("amy a@x", "b1 amy a@x paused", "", "amy Resume");
    // Of another provider.
    let mut other = bindings("b1 amy a@x");
    other[0].provider = "another".into();
    let rows = decide(&agents("amy a@x"), &other, &answers("a@x writer"), &Template::two_way("calendar"));
    assert_eq!(text(&rows), "amy Bind*");
}

#[test]
fn c22_another_address_pauses_the_old_binding_and_binds_the_new_one() {
    let rows = decided("amy new@x", "b1 amy old@x; b2 amy older@x paused", "new@x writer");
    assert_eq!(text(&rows), "amy Move*");
    assert_eq!(rows[0].verdict, Verdict::Move { pauses: vec!["b1".into()], resumes: None });
    assert!(
        rows[0].reason.contains("old@x") && rows[0].reason.contains("both sides keep"),
        "{}",
        rows[0].reason
    );
    // Back to the one before.
    let rows = decided("amy old@x", "b1 amy old@x paused; b2 amy new@x", "old@x writer");
    assert_eq!(rows[0].verdict, Verdict::Move { pauses: vec!["b2".into()], resumes: Some("b1".into()) });
    // Nothing moves to where nothing can be bound.
    check("amy new@x", "b1 amy old@x", "new@x unshared", "amy NotShared");
    // A team's calendar that the agent acts for under the own name is no address of the agent's.
    let team = [binding("b1", "amy", "team@x", "a@x", false)];
    let rows = decide(&agents("amy a@x"), &team, &answers("a@x writer"), &Template::two_way("calendar"));
    assert_eq!(text(&rows), "amy Bind*");
}

#[test]
fn c22_who_is_gone_is_paused_and_never_many_at_once() {
    check("bob b@x", "b1 amy a@x; b2 bob b@x", "", "bob Keep; amy Pause*");
    check("bob b@x", "b1 amy a@x paused; b2 bob b@x", "", "bob Keep; amy Keep");
    // Ten, or ten in a hundred; more than that may be half a list.
    for (running, gone, selected) in [(11, 10, 10), (12, 11, 0), (200, 20, 20), (200, 21, 0)] {
        let list: Vec<String> = (gone..running).map(|n| format!("a{n} a{n}@x")).collect();
        let bound: Vec<String> = (0..running).map(|n| format!("b{n} a{n} a{n}@x")).collect();
        let rows = decided(&list.join("; "), &bound.join("; "), "");
        let pauses = rows.iter().filter(|row| row.verdict == Verdict::Pause).count();
        let by_itself = rows.iter().filter(|row| row.selected).count();
        assert_eq!((pauses, by_itself), (gone, selected), "{gone} of {running}");
    }
}

#[test]
fn c09_an_empty_list_selects_nothing() {
    check("", "b1 amy a@x", "", "amy Pause");
}

#[test]
fn an_address_that_passes_on_takes_the_binding_along_and_pauses_it() {
    let rows = decided("bob a@x", "b1 amy a@x", "");
    assert_eq!(text(&rows), "bob Reassign*", "there is no second row for the one who is gone");
    assert_eq!(
        (&rows[0].verdict, rows[0].binding.as_ref()),
        (&Verdict::Reassign { from: "amy".into() }, Some(&"b1".into()))
    );
}

#[test]
fn one_address_of_several_agents_takes_a_person() {
    check("amy a@x; bob a@x", "", "a@x writer", "amy SameAddress; bob SameAddress");
    check("amy a@x; bob a@x", "b1 amy a@x", "", "amy Keep; bob SameAddress");
    check("amy a@x; bob a@x", "b1 eve a@x", "", "amy SameAddress; bob SameAddress; eve Pause*");
    let directions =
        |said| decided("amy a@x; bob a@x", "", said).into_iter().map(|row| row.direction).collect::<Vec<_>>();
    assert_eq!(directions("a@x writer"), [Some(Direction::TwoWay); 2], "one of them can be selected");
    assert_eq!(directions("a@x unshared"), [None; 2], "there is nothing to select");
    let rows = decided("amy a@x; bob a@x", "", "a@x writer");
    assert_eq!(rows[0].verdict, Verdict::SameAddress { others: vec!["bob".into()] });
    assert!(rows.iter().all(|row| row.reason.starts_with("amy and bob have the same address")), "{rows:?}");
}

#[test]
fn a_calendar_of_somebody_who_is_still_there_is_taken() {
    let rows = decided("amy new@x; bob a@x", "b1 amy a@x", "new@x writer; a@x writer");
    assert_eq!(text(&rows), "amy Move*; bob Taken");
    assert_eq!(rows[1].verdict, Verdict::Taken { by: "amy".into() });
}

#[test]
fn a_list_that_contradicts_itself_is_corrected_first() {
    check("amy a@x; amy b@x", "", "a@x writer; b@x writer", "amy TwoAddresses; amy TwoAddresses");
    check("amy a@x; amy A@x", "", "a@x writer", "amy Bind*");
    check("amy", "", "", "amy NoAddress");
    check("amy; bob b@x", "", "b@x writer", "amy NoAddress; bob Bind*");
}

#[test]
fn only_what_is_not_known_is_asked_and_each_address_once() {
    let asked = |list, bound, said| unasked(&decided(list, bound, said));
    assert_eq!(asked("bob b@x; amy a@x; eve e@x", "b1 eve e@x", ""), ["a@x", "b@x"]);
    assert_eq!(asked("amy a@x; bob a@x", "", ""), ["a@x"]);
    assert_eq!(asked("amy a@x; bob a@x", "b1 amy a@x", ""), Vec::<String>::new());
    assert_eq!(asked("amy a@x", "", "a@x failed"), Vec::<String>::new());
    assert_eq!(asked("amy; bob b@x; bob c@x", "", ""), Vec::<String>::new());
}

#[test]
fn the_same_list_is_decided_in_the_same_way_twice() {
    let (list, bound, said) =
        ("amy a@x; bob b@x; eve a@x", "b1 amy old@x; b2 zoe z@x", "a@x writer; b@x reader");
    assert_eq!(decided(list, bound, said), decided(list, bound, said));
}

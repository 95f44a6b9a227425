//! The accounts as tables: what is counted, what that leaves, what a confirmation is good for.

use super::*;
use crate::limits::{Allowance, Limit};
use crate::model::Slot;
use std::collections::BTreeSet;

const REMOTE_DELETE: Place = (Which::Remote, Kind::Delete);
const LOCAL_DELETE: Place = (Which::Local, Kind::Delete);

fn row(action: Action, slot: Option<Slot>) -> Row {
    Row {
        action,
        record: None,
        key: None,
        slot,
        again: false,
        summary: Some("Visit".into()),
        starts: None,
        reason: String::new(),
        units: BTreeSet::new(),
        before: None,
        after: None,
        lost: None,
        hours: None,
        waiting: None,
        conflict: false,
        candidates: Vec::new(),
        guests: Vec::new(),
        guests_told: 0,
        guests_untold: 0,
        versions: (None, None),
    }
}

fn whole(action: Action) -> Row {
    row(action, None)
}

fn one_date(action: Action) -> Row {
    row(action, Some(Slot::Date("2026-12-01".parse().expect("a date"))))
}

fn tally(place: Place, count: u64) -> Tally {
    let mut tally = Tally::default();
    tally.add(place, count);
    tally
}

/// `remote delete 2, …`
fn text(tally: Tally) -> String {
    let one = |(side, kind): Place| {
        let name = if side == Which::Local { "local" } else { "remote" };
        format!("{name} {kind} {}", tally.get((side, kind)))
    };
    tally.places().map(one).collect::<Vec<_>>().join(", ")
}

fn at(time: &str) -> DateTime<Utc> {
    format!("2026-11-23T{time}Z").parse().expect("an instant")
}

#[test]
fn a_series_counts_once_and_its_occurrences_are_one_change_of_it() {
    let table: [(Vec<Row>, bool, &str); 11] = [
        (vec![], false, ""),
        (vec![whole(Action::CreateRemote)], false, "remote create 1"),
        (vec![whole(Action::CreateLocal), one_date(Action::CreateLocal)], false, "local create 1"),
        (vec![one_date(Action::DeleteRemote), one_date(Action::UpdateRemote)], false, "remote update 1"),
        (vec![whole(Action::DeleteRemote), one_date(Action::DeleteRemote)], false, "remote delete 1"),
        // An occurrence that stands for itself.
        (
            vec![one_date(Action::DeleteRemote), one_date(Action::UpdateRemote)],
            true,
            "remote update 1, remote delete 1",
        ),
        (vec![whole(Action::Merge)], false, "local update 1"),
        (
            vec![whole(Action::UpdateLocal), one_date(Action::UpdateRemote)],
            false,
            "local update 1, remote update 1",
        ),
        (vec![whole(Action::Wait), whole(Action::Skip), one_date(Action::Wait)], false, ""),
        (vec![whole(Action::Join)], false, ""),
        // Planned before, and sent again.
        (vec![Row { again: true, ..whole(Action::DeleteRemote) }], false, ""),
    ];
    for (number, (rows, single, expected)) in table.into_iter().enumerate() {
        assert_eq!(text(Tally::of(&rows, single)), expected, "row {number} of the table");
    }
}

#[test]
fn what_is_taken_back_never_goes_below_nothing() {
    let mut tally = tally(REMOTE_DELETE, 2);
    tally.take(REMOTE_DELETE, 5);
    tally.take(LOCAL_DELETE, 1);
    assert!(tally.is_empty());
    tally.add(REMOTE_DELETE, u64::MAX);
    tally.add(REMOTE_DELETE, 1);
    assert_eq!(tally.get(REMOTE_DELETE), u64::MAX);
}

/// The verdict about `planned` deletions in the calendar, of 200 linked records.
#[track_caller]
fn check(limit: Limit, (run, hour): (u64, u64), confirmed: u64, planned: u64, expected: Verdict) {
    let mut limits = Limits::default();
    limits.calendar.delete = limit;
    let room = Room::new(&limits, REMOTE_DELETE, 200, run, hour, confirmed).expect("it has a limit");
    assert_eq!(room.verdict(planned), expected, "{room:?}");
}

#[test]
fn c09_as_many_as_the_tighter_limit_leaves_are_done_and_one_more_waits() {
    use Verdict::{Allowed, Held};
    let per_run = Limit::per_run(Allowance::count(10));
    let share = Limit::per_run(Allowance { count: 10, percent: 10 });
    let per_hour = Limit::per_hour(Allowance::count(10));
    let both = Limit { per_run: Some(Allowance::count(10)), per_hour: Some(Allowance::count(15)) };
    for (limit, done, most) in [
        (per_run, (0, 0), 10),
        (share, (0, 0), 20),
        (per_run, (4, 100), 6),
        (per_run, (11, 0), 0),
        (per_hour, (100, 4), 6),
        (both, (0, 0), 10),
        (both, (0, 8), 7),
        (both, (9, 9), 1),
        (Limit::per_run(Allowance::NOTHING), (0, 0), 0),
    ] {
        check(limit, done, 0, most, Allowed);
        check(limit, done, 0, most + 1, Held);
    }
}

#[test]
fn c09_what_was_confirmed_is_done_as_a_whole_or_not_at_all() {
    let limit = Limit::per_run(Allowance::count(10));
    check(limit, (0, 0), 12, 10, Verdict::Allowed);
    check(limit, (0, 0), 12, 12, Verdict::Confirmed);
    check(limit, (0, 0), 12, 13, Verdict::Held);
    // Under a confirmation nothing of the limit is used.
    check(limit, (10, 0), 12, 12, Verdict::Confirmed);
}

#[test]
fn what_has_no_limit_has_no_room_either() {
    let limits = Limits::default();
    assert_eq!(Room::new(&limits, (Which::Remote, Kind::Create), 200, 0, 0, 0), None);
    let limited: Vec<Place> = Kinds::limited(&limits).iter().collect();
    assert_eq!(limited, [LOCAL_DELETE, REMOTE_DELETE]);
}

#[test]
fn c09_an_hour_is_counted_in_steps_and_forgotten_after_it() {
    let mut accounts = Accounts::default();
    accounts.count(&tally(REMOTE_DELETE, 2), at("08:02:00"));
    accounts.count(&tally(REMOTE_DELETE, 3), at("08:04:59"));
    accounts.count(&tally(REMOTE_DELETE, 5), at("08:30:00"));
    let counted = |accounts: &Accounts, time| accounts.last_hour(at(time)).get(REMOTE_DELETE);
    for (time, expected) in
        [("08:31:00", 10), ("09:04:59", 10), ("09:05:00", 5), ("09:34:59", 5), ("09:35:00", 0)]
    {
        assert_eq!(counted(&accounts, time), expected, "{time}");
    }
    // Taken back from the step that was counted last.
    accounts.uncount(REMOTE_DELETE, 4);
    assert_eq!(counted(&accounts, "08:31:00"), 6);
    // A clock that was set back by a few minutes does not forget; what is far ahead is nonsense.
    assert_eq!(counted(&accounts, "07:45:00"), 6);
    assert_eq!(counted(&accounts, "06:00:00"), 0);
    // Counting lets go of what is too old to count.
    accounts.count(&tally(REMOTE_DELETE, 1), at("12:00:00"));
    assert_eq!(accounts.hour.len(), 1);
}

fn held(over: Over, planned: u64) -> Held {
    let titles = vec![Some("Visit".into()), None];
    Held { side: Which::Remote, kind: Kind::Delete, over, planned, allowed: 10, done: 0, linked: 50, titles }
}

#[test]
fn c09_only_what_is_held_back_can_be_confirmed_and_not_more_of_it() {
    for (asked, expected) in [
        (held(Over::Run, 12), true),
        (held(Over::Run, 11), true),
        (held(Over::Run, 13), false),
        (held(Over::Hour, 12), false),
        (Held { side: Which::Local, ..held(Over::Run, 12) }, false),
        (Held { kind: Kind::Update, ..held(Over::Run, 12) }, false),
    ] {
        let mut accounts = Accounts { held: vec![held(Over::Run, 12)], ..Accounts::default() };
        assert_eq!(accounts.confirm(&asked, at("08:00:00")), expected, "{asked:?}");
        assert_eq!(
            accounts.confirmed(REMOTE_DELETE, at("08:00:00")),
            if expected { asked.planned } else { 0 }
        );
        assert!(!accounts.confirm(&asked, at("08:00:00")), "twice");
    }
}

#[test]
fn c09_a_confirmation_is_used_up_by_the_run_that_begins_to_use_it() {
    let confirmed = || {
        let mut accounts = Accounts { held: vec![held(Over::Run, 12)], ..Accounts::default() };
        assert!(accounts.confirm(&held(Over::Run, 12), at("08:00:00")));
        accounts
    };
    let left = |accounts: &Accounts| accounts.confirmed(REMOTE_DELETE, at("08:30:00"));
    // A run that does not use it leaves it for the next.
    let mut accounts = confirmed();
    accounts.close(&[], at("08:10:00"));
    assert_eq!(left(&accounts), 12);
    // A crash after five leaves seven, the end of a run nothing.
    accounts.spend(REMOTE_DELETE, 5);
    assert_eq!(left(&accounts), 7);
    accounts.unspend(REMOTE_DELETE, 1);
    assert_eq!(left(&accounts), 8);
    accounts.close(&[held(Over::Run, 3)], at("08:10:00"));
    assert_eq!((left(&accounts), accounts.held.len()), (0, 1));
    // It waits for a day, and not longer.
    let mut accounts = confirmed();
    let day = |minutes| at("08:00:00") + CONFIRMED_FOR + TimeDelta::minutes(minutes);
    assert_eq!(accounts.confirmed(REMOTE_DELETE, day(-1)), 12);
    assert_eq!(accounts.confirmed(REMOTE_DELETE, day(0)), 0);
    accounts.close(&[], day(0));
    assert!(accounts.confirmed.is_empty());
}

#[test]
fn c09_a_listing_that_is_confirmed_brings_its_deletions_along() {
    let listing = Held { side: Which::Local, ..held(Over::Listing, 20) };
    let mut accounts = Accounts { held: vec![listing.clone()], ..Accounts::default() };
    assert!(accounts.confirm(&listing, at("08:00:00")));
    let now = at("08:10:00");
    assert_eq!((accounts.confirmed_missing(now), accounts.confirmed(LOCAL_DELETE, now)), (20, 20));
    accounts.listing_done();
    assert_eq!((accounts.confirmed_missing(now), accounts.confirmed(LOCAL_DELETE, now)), (0, 20));
}

#[test]
fn c09_a_listing_is_doubted_when_it_lacks_more_than_ten_and_more_than_half() {
    for (linked, most) in [(0, 10), (11, 10), (20, 10), (21, 10), (22, 11), (1_000, 500)] {
        assert_eq!(missing_max(linked), most, "of {linked}");
    }
}

#[test]
fn c09_families_are_counted_together_and_all_of_a_kind_wait() {
    let limits = Limits::default();
    let room = |confirmed| Room::new(&limits, REMOTE_DELETE, 50, 0, 0, confirmed).expect("it has a limit");
    let deletion = vec![whole(Action::DeleteRemote)];
    let one = Tally::of(&deletion, false);
    let mut list = Waitlist::new(50, BTreeMap::from([(REMOTE_DELETE, room(0))]));
    for number in 1..=11 {
        let held = list.count(&one, &deletion);
        assert_eq!(held.has(REMOTE_DELETE), number > 10, "after {number}");
    }
    assert!(!list.fits(&Tally::default(), &one), "all of them wait");
    assert!(
        list.fits(&Tally::default(), &Tally::of(&[whole(Action::UpdateRemote)], false)),
        "other kinds do not"
    );
    let report = list.report();
    assert_eq!((report.len(), report[0].planned, report[0].titles.len()), (1, 11, TITLES_MAX));
    // Confirmed, as many go, and no more than that.
    let mut list = Waitlist::new(50, BTreeMap::from([(REMOTE_DELETE, room(11))]));
    (0..11).for_each(|_| _ = list.count(&one, &deletion));
    assert!(list.under_confirmation().has(REMOTE_DELETE) && list.report().is_empty());
    assert!(list.fits(&tally(REMOTE_DELETE, 10), &one));
    assert!(!list.fits(&tally(REMOTE_DELETE, 11), &one));
}

#[test]
fn what_is_held_back_says_how_many_why_and_what_to_do_and_no_private_title() {
    assert_eq!(
        held(Over::Run, 12).to_string(),
        "12 records would have been deleted in the calendar and are held back, because one run may do 10 of that (50 linked): \
         \"Visit\", (private), …. If that is right, confirm it (Engine::confirm) and run again; if not, nothing is lost: put \
         the CRM right and run again"
    );
    let hour = Held { done: 9, titles: vec![], side: Which::Local, ..held(Over::Hour, 1) };
    assert_eq!(
        hour.to_string(),
        "1 record would have been removed in the CRM and is held back, because one hour may do 10 of that (50 linked, 9 done \
         before). If that is right, confirm it (Engine::confirm) and run again; if not, nothing is lost: put the calendar \
         right and run again"
    );
}

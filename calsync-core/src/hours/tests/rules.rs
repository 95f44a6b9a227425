//! The rules of time and of the layers.

use super::*;
use LayerKind::{Extra, Holiday, Leave, Override};

#[test]
fn c20_every_reason_is_told_with_its_times_on_the_wall() {
    let office =
        office().layer(layer(Holiday, "2026-12-25", &[])).layer(layer(Leave, "2026-12-21..2026-12-22", &[]));
    // 2026-12-01 is a Tuesday.
    judge(&office, "2026-12-01T09:00:00", 180, "inside");
    judge(&office, "2026-12-01T08:00:00", 90, "partly_outside; 12-01 08:00 to 12-01 09:00 before_start");
    judge(&office, "2026-12-01T16:30:00", 60, "partly_outside; 12-01 17:00 to 12-01 17:30 after_end");
    judge(&office, "2026-12-01T11:00:00", 180, "partly_outside; 12-01 12:00 to 12-01 13:00 break");
    judge(&office, "2026-12-01T12:00:00", 60, "outside; 12-01 12:00 to 12-01 13:00 break");
    judge(&office, "2026-12-05T10:00:00", 60, "outside; 12-05 10:00 to 12-05 11:00 day_off");
    judge(&office, "2026-12-25T10:00:00", 60, "outside; 12-25 10:00 to 12-25 11:00 holiday");
    judge(&office, "2026-12-21T10:00:00", 60, "outside; 12-21 10:00 to 12-21 11:00 leave");
    judge(
        &office,
        "2026-12-18T16:00:00",
        24 * 60 * 3,
        "partly_outside; 12-18 17:00 to 12-19 00:00 after_end; 12-19 00:00 to 12-21 00:00 day_off; 12-21 00:00 to 12-21 16:00 leave",
    );
}

#[test]
fn intervals_are_half_open_and_an_appointment_without_length_is_the_moment_at_its_start() {
    let office = office();
    judge(&office, "2026-12-01T16:00:00", 60, "inside");
    judge(&office, "2026-12-01T17:00:00", 60, "outside; 12-01 17:00 to 12-01 18:00 after_end");
    judge(&office, "2026-12-01T09:00:00", 0, "inside");
    judge(&office, "2026-12-01T17:00:00", 0, "outside; 12-01 17:00 to 12-01 17:00 after_end");
    // An end before the start occurs in real calendars.
    judge(&office, "2026-12-01T09:00:00", -600, "inside");
    judge(&office, "2026-12-01T08:59:00", -600, "outside; 12-01 08:59 to 12-01 08:59 before_start");
}

#[test]
fn a_night_belongs_to_the_day_on_which_it_begins() {
    let nights = week("Europe/Amsterdam", &[Mon, Fri], &["22:00-06:00"]);
    // 2026-11-23 is a Monday.
    judge(&nights, "2026-11-23T23:00:00", 240, "inside");
    judge(&nights, "2026-11-24T05:00:00", 120, "partly_outside; 11-24 06:00 to 11-24 07:00 day_off");
    judge(&nights, "2026-11-23T12:00:00", 60, "outside; 11-23 12:00 to 11-23 13:00 before_start");
    judge(&nights, "2026-11-28T03:00:00", 60, "inside");
    // Leave on Friday is of Friday's night, not of the one before that ends on it.
    let on_leave = nights.clone().layer(layer(Leave, "2026-11-27", &[]));
    judge(&on_leave, "2026-11-28T03:00:00", 60, "outside; 11-28 03:00 to 11-28 04:00 leave");
    judge(&on_leave, "2026-11-28T07:00:00", 60, "outside; 11-28 07:00 to 11-28 08:00 day_off");
    let on_leave = nights.clone().layer(layer(Leave, "2026-11-24", &[]));
    judge(&on_leave, "2026-11-24T03:00:00", 60, "inside");
    // Leave at times is of these times, whichever day's work they are in.
    let away = nights.clone().layer(layer(Leave, "2026-11-24", &["00:00-24:00"]));
    judge(&away, "2026-11-23T23:00:00", 120, "partly_outside; 11-24 00:00 to 11-24 01:00 leave");
    // A holiday takes its own night.
    let holiday = nights.layer(layer(Holiday, "2026-11-27", &[]));
    judge(&holiday, "2026-11-28T03:00:00", 60, "outside; 11-28 03:00 to 11-28 04:00 holiday");
}

#[test]
fn leave_comes_before_an_override_an_override_before_a_holiday_and_a_holiday_before_the_week() {
    // 2026-12-25 is a Friday.
    let day = "2026-12-25";
    let holiday = office().layer(layer(Holiday, day, &["09:00-11:00"]));
    judge(&holiday, "2026-12-25T10:00:00", 60, "inside");
    judge(&holiday, "2026-12-25T10:30:00", 60, "partly_outside; 12-25 11:00 to 12-25 11:30 holiday");
    judge(&holiday, "2026-12-25T18:00:00", 60, "outside; 12-25 18:00 to 12-25 19:00 after_end");
    let swapped = holiday.layer(layer(Override, day, &["14:00-20:00"]));
    judge(&swapped, "2026-12-25T18:00:00", 60, "inside");
    judge(&swapped, "2026-12-25T10:00:00", 60, "outside; 12-25 10:00 to 12-25 11:00 before_start");
    let on_leave = swapped.clone().layer(layer(Leave, day, &[]));
    judge(&on_leave, "2026-12-25T18:00:00", 60, "outside; 12-25 18:00 to 12-25 19:00 leave");
    let closed = office().layer(layer(Override, "2026-12-24", &[]));
    judge(&closed, "2026-12-24T10:00:00", 60, "outside; 12-24 10:00 to 12-24 11:00 day_off");
    // The order in the list says nothing about the kinds, and decides between two of one kind.
    let reversed =
        office().layer(layer(Override, day, &["14:00-20:00"])).layer(layer(Holiday, day, &["09:00-11:00"]));
    judge(&reversed, "2026-12-25T18:00:00", 60, "inside");
    let corrected = swapped.layer(layer(Override, day, &["08:00-09:00"]));
    judge(&corrected, "2026-12-25T18:00:00", 60, "outside; 12-25 18:00 to 12-25 19:00 after_end");
}

#[test]
fn extra_time_adds_to_whatever_holds_but_leave() {
    // 2026-12-05 is a Saturday.
    let extra = office().layer(layer(Extra, "2026-12-05", &["10:00-12:00"]));
    judge(&extra, "2026-12-05T10:00:00", 120, "inside");
    judge(&extra, "2026-12-05T09:00:00", 60, "outside; 12-05 09:00 to 12-05 10:00 before_start");
    let evening = office().layer(layer(Extra, "2026-12-01", &["16:00-20:00"]));
    judge(&evening, "2026-12-01T16:30:00", 180, "inside");
    let on_holiday = extra.clone().layer(layer(Holiday, "2026-12-05", &[]));
    judge(&on_holiday, "2026-12-05T11:00:00", 120, "partly_outside; 12-05 12:00 to 12-05 13:00 holiday");
    let on_leave = extra.layer(layer(Leave, "2026-12-05", &[]));
    judge(&on_leave, "2026-12-05T10:00:00", 60, "outside; 12-05 10:00 to 12-05 11:00 leave");
}

#[test]
fn leave_at_times_takes_these_times_only() {
    let dentist = office().layer(layer(Leave, "2026-12-01", &["08:00-10:30"]));
    judge(&dentist, "2026-12-01T10:00:00", 60, "partly_outside; 12-01 10:00 to 12-01 10:30 leave");
    judge(&dentist, "2026-12-01T08:30:00", 30, "outside; 12-01 08:30 to 12-01 09:00 leave");
    judge(&dentist, "2026-12-01T07:30:00", 30, "outside; 12-01 07:30 to 12-01 08:00 before_start");
    judge(&dentist, "2026-12-01T10:30:00", 60, "inside");
}

#[test]
fn touching_periods_are_one_also_over_midnight() {
    let all_day = week("UTC", &ALL_DAYS, &["00:00-24:00"]);
    judge(&all_day, "2026-12-01T20:00:00", 600, "inside");
    let split = week("UTC", &WORKDAYS, &["13:00-17:00", "09:00-13:00"]);
    assert_eq!(split.clone().check().expect("good").day(Mon), periods(&["09:00-17:00"]));
    judge(&split, "2026-12-01T12:00:00", 120, "inside");
    let hours = compile(all_day, "2026-12-01..2026-12-08");
    let span = instant("2026-12-01T00:00:00Z")..instant("2026-12-08T00:00:00Z");
    assert_eq!(hours.work(span.clone()).expect("short"), [span]);
}

#[test]
fn where_no_schedule_holds_nothing_is_said() {
    let bounded = office().valid(Some(date("2026-12-02")), Some(date("2026-12-03")));
    judge(&bounded, "2026-12-01T10:00:00", 60, "no_schedule");
    judge(&bounded, "2026-12-04T02:00:00", 60, "no_schedule");
    judge(&bounded, "2026-12-02T10:00:00", 60, "inside");
    judge(&bounded, "2026-12-03T23:00:00", 120, "outside; 12-03 23:00 to 12-04 00:00 after_end");
    judge(&bounded, "2026-12-03T16:00:00", 24 * 60, "partly_outside; 12-03 17:00 to 12-04 00:00 after_end");
    // The last night goes on after its day.
    let nights = week("UTC", &ALL_DAYS, &["22:00-06:00"]).valid(None, Some(date("2026-12-03")));
    judge(&nights, "2026-12-04T05:00:00", 120, "inside");
    judge(&nights, "2026-12-04T06:00:00", 120, "no_schedule");
    let nobody = Check::no_schedule(instant("2026-12-01T10:00:00Z"), instant("2026-12-01T11:00:00Z"));
    assert_eq!((say(&nobody), nobody.version), ("no_schedule".to_owned(), None));
}

#[test]
fn a_person_who_moves_has_a_schedule_in_each_zone() {
    let until = office().valid(None, Some(date("2026-12-01"))).check().expect("good");
    let from = week("Europe/Lisbon", &WORKDAYS, &["09:00-17:00"]).valid(Some(date("2026-12-02")), None);
    let own = [layer(Leave, "2026-12-03", &[])];
    let rota = Rota::of([from.check().expect("good").into(), until.into()], own, None).expect("apart");
    let judge = |span: [&str; 2], expected: &str| {
        judge_instants(&rota, instant(span[0])..instant(span[1]), expected);
    };
    judge(["2026-12-01T21:00:00Z", "2026-12-01T22:00:00Z"], "inside");
    judge(["2026-12-02T09:00:00Z", "2026-12-02T10:00:00Z"], "inside");
    // The last day in New York ends where the first in Lisbon begins.
    let night =
        "partly_outside; 12-01 17:00 to 12-01 19:00 after_end; 12-02 00:00 to 12-02 09:00 before_start";
    judge(["2026-12-01T21:00:00Z", "2026-12-02T10:00:00Z"], night);
    let leave = "outside; 12-03 10:00 to 12-03 11:00 leave";
    judge(["2026-12-03T10:00:00Z", "2026-12-03T11:00:00Z"], leave);
}

#[test]
fn a_day_that_never_was_has_no_work_and_the_night_before_ends_with_it() {
    // Samoa went from Thursday 29 December 2011 to Saturday 31.
    let samoa = week("Pacific/Apia", &[Fri], &["09:00-17:00"]);
    judge(&samoa, "2011-12-29T20:00:00", 720, "outside; 12-29 20:00 to 12-31 08:00 day_off");
    let nights = week("Pacific/Apia", &[Thu], &["22:00-06:00"]);
    judge(&nights, "2011-12-29T23:00:00", 120, "partly_outside; 12-31 00:00 to 12-31 01:00 day_off");
    let lost = nights.layer(layer(Holiday, "2011-12-30", &[]));
    judge(&lost, "2011-12-29T22:00:00", 120, "inside");
}

#[test]
fn a_bound_in_a_gap_is_its_end_and_in_an_overlap_nobody_loses_paid_time() {
    // New York skips 2 to 3 on 8 March 2026 and shows 1 to 2 twice on 1 November.
    let early = week("America/New_York", &[Sun], &["02:30-06:00"]);
    judge(&early, "2026-03-08T03:00:00", 180, "inside");
    judge(&early, "2026-03-08T01:30:00", 60, "partly_outside; 03-08 01:30 to 03-08 03:00 before_start");
    let swallowed = week("America/New_York", &[Sun], &["02:15-02:45"]);
    judge(&swallowed, "2026-03-08T01:00:00", 180, "outside; 03-08 01:00 to 03-08 05:00 day_off");
    let twice = rota(week("America/New_York", &[Sun], &["01:15-01:45"]));
    let [first, second, end] =
        ["2026-11-01T05:15:00Z", "2026-11-01T06:15:00Z", "2026-11-01T06:45:00Z"].map(instant);
    judge_instants(&twice, first..end, "inside");
    judge_instants(&twice, second..second + Duration::minutes(10), "inside");
    judge_instants(&twice, end..end + Duration::minutes(15), "outside; 11-01 01:45 to 11-01 02:00 after_end");
}

#[test]
fn what_lies_outside_of_the_compiled_span_is_answered_the_same() {
    let hours = compile(office(), "2026-12-01..2026-12-02");
    let check = |start: &str| hours.verdict(instant(start), instant(start) + Duration::hours(1));
    assert_eq!(check("2026-12-01T15:00:00Z"), Verdict::Inside);
    assert_eq!(check("2030-06-04T15:00:00Z"), Verdict::Inside);
    assert_eq!(check("1987-06-04T22:30:00Z"), Verdict::Outside);
    let work = hours.work(instant("2027-06-01T00:00:00Z")..instant("2027-06-02T00:00:00Z"));
    assert_eq!(work.expect("short").len(), 2);
}

#[test]
fn an_appointment_longer_than_a_year_and_the_ends_of_time_are_answered_at_once() {
    let hours = compile(office(), "2026-12-01..2027-12-01");
    let long = hours.check(instant("2026-12-01T00:00:00Z"), instant("9999-12-31T00:00:00Z"));
    assert_eq!(say(&long), "skipped: too_long");
    let year = hours.check(instant("2026-12-01T05:00:00Z"), instant("2027-12-01T05:00:00Z"));
    assert_eq!((year.verdict, year.outside.len()), (Verdict::PartlyOutside, PARTS_MAX));
    assert!(year.outside_left_out > 500, "{}", year.outside_left_out);
    for at in ["0000-01-03T12:00:00Z", "9999-12-31T12:00:00Z"] {
        assert!(hours.verdict(instant(at), instant(at) + Duration::hours(1)) != Verdict::NoSchedule);
    }
    for at in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
        hours.check(at, at);
    }
    assert_eq!(say(&hours.check(DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC)), "skipped: too_long");
    let refused = Hours::compile(&rota(office()), DateTime::<Utc>::MIN_UTC..DateTime::<Utc>::MAX_UTC);
    assert_eq!(refused.expect_err("too long").kind(), crate::ErrorKind::Limit);
}

#[test]
fn what_is_no_matter_of_hours_is_skipped_with_the_reason() {
    use crate::model::appointment::{Attendee, EventType, Response, Transparency};
    use crate::model::{Appointment, Status};
    let hours = compile(office(), "2026-12-01..2026-12-10");
    let evening = "2026-12-01T20:00:00".parse().expect("a time");
    let zone = Zone::new("America/New_York").expect("a zone");
    let timed = When::timed(evening, Duration::hours(1), &zone).expect("resolves");
    let check = |change: &dyn Fn(&mut Appointment)| {
        let mut appointment = Appointment::new("Dinner", timed.clone());
        let guest = Attendee { response: Response::Accepted, ..Attendee::default() };
        appointment.attendees.insert("amy@example.com".to_owned(), guest);
        change(&mut appointment);
        let check = hours.check_appointment(&appointment, Some("Amy@Example.com")).expect("resolves");
        say(&check)
    };
    assert_eq!(check(&|_| ()), "outside; 12-01 20:00 to 12-01 21:00 after_end");
    assert_eq!(check(&|one| one.when = When::day(date("2026-12-01"))), "skipped: all_day");
    assert_eq!(check(&|one| one.transparency = Transparency::Transparent), "skipped: free");
    assert_eq!(check(&|one| one.event_type = EventType::WorkingLocation), "skipped: working_location");
    assert_eq!(check(&|one| one.status = Status::Cancelled), "skipped: cancelled");
    let declines = |address: &'static str| {
        move |one: &mut Appointment| {
            let guest = Attendee { response: Response::Declined, ..Attendee::default() };
            one.attendees.insert(address.to_owned(), guest);
        }
    };
    assert_eq!(check(&declines("amy@example.com")), "skipped: declined");
    assert!(check(&declines("bob@example.com")).starts_with("outside"));
}

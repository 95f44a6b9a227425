//! What other products are known to get wrong, each as it was reported.

use super::*;
use LayerKind::{Extra, Leave, Override};

/// The times of work on a day, in UTC.
#[track_caller]
fn on_day(draft: Draft, day: &str, expected: &[&str]) {
    let zone = Zone::new(&draft.zone).expect("a zone");
    let midnight = |date: NaiveDate| {
        let when = When::timed(date.and_time(chrono::NaiveTime::MIN), Duration::zero(), &zone);
        when.and_then(|when| when.start_instant()).expect("resolves")
    };
    let window = midnight(date(day))..midnight(date(day).succ_opt().expect("a date"));
    let hours = Hours::compile(&rota(draft), window.clone()).expect("short");
    let found: Vec<String> = hours
        .work(window)
        .expect("short")
        .iter()
        .map(|work| format!("{}–{}", work.start.format("%H:%M"), work.end.format("%H:%M")))
        .collect();
    assert_eq!(found, expected, "{day}");
}

#[test]
fn calcom_1092_nine_o_clock_in_london_is_nine_o_clock_after_summer_time_too() {
    let london = week("Europe/London", &ALL_DAYS, &["09:00-17:00"]);
    on_day(london.clone(), "2022-10-29", &["08:00–16:00"]);
    on_day(london.clone(), "2022-10-30", &["09:00–17:00"]);
    on_day(london, "2022-10-31", &["09:00–17:00"]);
}

#[test]
fn calcom_2250_and_4702_half_past_seven_in_chicago_does_not_become_half_past_six_in_november() {
    let chicago = week("America/Chicago", &WORKDAYS, &["07:30-15:00"]);
    on_day(chicago.clone(), "2022-11-01", &["12:30–20:00"]);
    on_day(chicago.clone(), "2022-11-08", &["13:30–21:00"]);
    judge(&chicago, "2022-11-08T07:00:00", 60, "partly_outside; 11-08 07:00 to 11-08 07:30 before_start");
}

#[test]
fn calcom_6217_the_one_half_hour_of_a_week_stays_at_half_past_twelve_on_both_days_of_change() {
    let sundays = week("America/Toronto", &[Sun], &["12:30-13:00"]);
    on_day(sundays.clone(), "2023-03-05", &["17:30–18:00"]);
    on_day(sundays.clone(), "2023-03-12", &["16:30–17:00"]);
    on_day(sundays.clone(), "2023-11-05", &["17:30–18:00"]);
    judge(&sundays, "2023-03-12T12:30:00", 30, "inside");
    judge(&sundays, "2023-11-05T12:30:00", 30, "inside");
}

#[test]
fn calcom_10517_every_day_after_the_change_in_november_begins_at_nine() {
    for day in ["2023-11-03", "2023-11-06", "2023-11-07", "2023-11-30", "2023-12-01"] {
        judge(&office(), &format!("{day}T09:00:00"), 60, "inside");
        let early = format!("outside; {0} 08:00 to {0} 09:00 before_start", &day[5..]);
        judge(&office(), &format!("{day}T08:00:00"), 60, &early);
    }
}

#[test]
fn calcom_12137_a_notice_that_ends_on_the_day_of_change_shifts_nothing() {
    let hours = Hours::compile(&rota(week("America/New_York", &ALL_DAYS, &["09:00-17:00"])), {
        instant("2023-10-29T00:00:00Z")..instant("2023-11-30T00:00:00Z")
    });
    let hours = hours.expect("short");
    let source = Source { name: "calendar".into(), as_of: instant("2023-10-29T16:00:00Z"), busy: Vec::new() };
    for (days, first) in
        [(6, "2023-11-04T16:00:00Z"), (7, "2023-11-05T16:00:00Z"), (8, "2023-11-06T16:00:00Z")]
    {
        let window = instant("2023-10-29T00:00:00Z")..instant("2023-11-30T00:00:00Z");
        let mut question = SlotQuestion::new(window, Duration::hours(1));
        question.notice = Duration::days(days);
        let now = instant("2023-10-29T16:00:00Z");
        let slots = hours.free_slots(&question, std::slice::from_ref(&source), now, Duration::hours(1));
        let slots = slots.expect("fresh").slots;
        assert_eq!(slots[0].start, instant(first), "{days} days");
        let next_day = slots.iter().find(|slot| slot.start >= instant("2023-11-07T05:00:00Z"));
        assert_eq!(next_day.expect("one").start, instant("2023-11-07T14:00:00Z"), "{days} days");
    }
}

#[test]
fn calcom_30021_an_afternoon_is_not_moved_on_the_day_of_change() {
    let afternoons = week("America/New_York", &ALL_DAYS, &["13:00-18:00"]);
    on_day(afternoons.clone(), "2026-03-07", &["18:00–23:00"]);
    on_day(afternoons.clone(), "2026-03-08", &["17:00–22:00"]);
    on_day(afternoons, "2026-11-01", &["18:00–23:00"]);
}

#[test]
fn calcom_10254_an_override_late_in_the_day_is_on_its_own_day_though_it_is_the_next_in_utc() {
    // A Friday evening in New York is Saturday in UTC; a Saturday just after midnight in Amsterdam is still Friday there.
    let york = office().layer(layer(Override, "2023-07-21", &["22:00-23:00"]));
    judge(&york, "2023-07-21T22:00:00", 60, "inside");
    judge(&york, "2023-07-21T10:00:00", 60, "outside; 07-21 10:00 to 07-21 11:00 before_start");
    judge(&york, "2023-07-20T10:00:00", 60, "inside");
    judge(&york, "2023-07-22T10:00:00", 60, "outside; 07-22 10:00 to 07-22 11:00 day_off");
    let amsterdam = week("Europe/Amsterdam", &WORKDAYS, &["09:00-17:00"]).layer(layer(
        Override,
        "2023-05-13",
        &["00:00-00:15"],
    ));
    judge(&amsterdam, "2023-05-13T00:00:00", 15, "inside");
    judge(&amsterdam, "2023-05-12T09:00:00", 480, "inside");
}

#[test]
fn calcom_24843_the_hour_before_midnight_is_there_on_the_night_of_the_change() {
    let late = week("America/New_York", &ALL_DAYS, &["23:00-24:00"]);
    for day in ["2025-10-31", "2025-11-01", "2025-11-02", "2026-03-07", "2026-03-08"] {
        judge(&late, &format!("{day}T23:00:00"), 60, "inside");
    }
    let over = week("America/New_York", &ALL_DAYS, &["22:30-01:30"]);
    judge(&over, "2025-11-05T23:30:00", 60, "inside");
    let midnight = late.layer(layer(Override, "2025-11-02", &["23:00-24:00"]));
    judge(&midnight, "2025-11-02T23:00:00", 60, "inside");
    judge(&midnight, "2025-11-02T22:00:00", 60, "outside; 11-02 22:00 to 11-02 23:00 before_start");
}

#[test]
fn calcom_skipped_test_a_weekend_of_change_has_as_many_hours_of_work_as_any_other() {
    let zone = "Europe/London";
    for (first, second) in
        [("2023-10-28", "2023-10-29"), ("2023-03-25", "2023-03-26"), ("2023-06-03", "2023-06-04")]
    {
        let hours = Hours::compile(&rota(week(zone, &[Sat, Sun], &["09:00-17:00"])), {
            let from = instant(&format!("{first}T00:00:00Z"));
            from..from + Duration::days(2)
        });
        let window = instant(&format!("{first}T00:00:00Z"))..instant(&format!("{second}T23:59:59Z"));
        let work = hours.expect("short").work(window).expect("short");
        assert_eq!(work.len(), 2);
        assert!(work.iter().all(|work| work.end - work.start == Duration::hours(8)), "{work:?}");
    }
    // A night that has the change within it is an hour longer, or shorter, for whoever works it.
    let night = |from: &str| {
        let from = instant(from);
        let window = from..from + Duration::hours(24);
        let nights = rota(week("Europe/London", &[Sat], &["22:00-06:00"]));
        let work = Hours::compile(&nights, window.clone()).expect("short").work(window).expect("short");
        (work[0].end - work[0].start).num_hours()
    };
    assert_eq!(night("2023-10-28T12:00:00Z"), 9);
    assert_eq!(night("2023-03-25T12:00:00Z"), 7);
    assert_eq!(night("2023-06-03T12:00:00Z"), 8);
}

#[test]
fn nettu_a_shift_over_midnight_is_a_shift() {
    let nights = week("Europe/Oslo", &WORKDAYS, &["22:00-06:00"]);
    judge(&nights, "2026-11-24T01:00:00", 60, "inside");
    judge(
        &nights,
        "2026-11-23T21:00:00",
        600,
        "partly_outside; 11-23 21:00 to 11-23 22:00 before_start; 11-24 06:00 to 11-24 07:00 before_start",
    );
}

#[test]
fn nettu_a_bound_that_the_clock_shows_twice_is_not_moved_to_the_next_hour() {
    // Oslo shows 2 to 3 twice on 25 October 2026.
    let sundays = rota(week("Europe/Oslo", &[Sun], &["02:30-08:00"]));
    let start = instant("2026-10-25T00:30:00Z");
    judge_instants(&sundays, start..start + Duration::hours(2), "inside");
    let before = start - Duration::minutes(30);
    judge_instants(&sundays, before..start, "outside; 10-25 02:00 to 10-25 02:30 before_start");
}

#[test]
fn nettu_a_date_ten_years_from_now_counts_like_any_other() {
    let far = office().layer(layer(Extra, "2036-11-29", &["10:00-12:00"]));
    judge(&far, "2036-11-29T10:00:00", 120, "inside");
    judge(&far, "2036-11-22T10:00:00", 120, "outside; 11-22 10:00 to 11-22 12:00 day_off");
}

#[test]
fn halo_the_notice_says_which_appointment_which_part_and_which_occurrence() {
    let hours = compile(office().layer(layer(Leave, "2026-12-08", &[])), "2026-12-01..2027-01-01");
    let check = hours.check(instant("2026-12-01T21:00:00Z"), instant("2026-12-02T00:00:00Z"));
    assert_eq!(
        Words::english().warning(Some("Boiler check"), &check).as_deref(),
        Some(
            "Please note that part or all of this Appointment falls outside the Agents working hours. Boiler check, Tuesday \
             1 December 2026, 16:00–19:00 (America/New_York): 17:00–19:00 is after the end of the working day."
        )
    );
    // Every Tuesday at ten, of which one is a day of leave.
    let tuesdays = (0..4).map(|week| {
        let start = instant("2026-12-01T15:00:00Z") + Duration::weeks(week);
        Visit { slot: crate::model::Slot::Time(start), start, end: start + Duration::hours(1) }
    });
    let found = hours.check_series(tuesdays, LISTED_MAX);
    let named: Vec<String> = found.listed.iter().map(|(slot, _)| slot.to_string()).collect();
    assert_eq!(named, ["20261208T150000Z"]);
    assert_eq!(
        Words::english().series_warning(Some("Boiler check"), &found).as_deref(),
        Some(
            "Please note that part or all of this Appointment falls outside the Agents working hours. Boiler check: 1 of 4 \
             occurrences. The first is on Tuesday 8 December 2026, 10:00–11:00 (America/New_York): 10:00–11:00 is during leave."
        )
    );
}

#[test]
fn one_pattern_has_split_shifts_other_days_and_a_zone_of_its_own_where_others_have_one_start_and_end() {
    let mixed = week("Asia/Kathmandu", &[Mon], &["07:00-11:00", "16:15-20:45"])
        .every([Tue], periods(&["12:00-13:00"]));
    on_day(mixed.clone(), "2026-11-23", &["01:15–05:15", "10:30–15:00"]);
    on_day(mixed, "2026-11-24", &["06:15–07:15"]);
}

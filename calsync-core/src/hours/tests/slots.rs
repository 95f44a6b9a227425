//! Free time.

use super::*;
use crate::ErrorKind;

const NOW: &str = "2026-12-01T13:00:00Z"; // eight in the morning in New York

fn source(as_of: &str, busy: &[[&str; 2]]) -> Source {
    let busy = busy.iter().map(|[start, end]| {
        let day = |time: &str| instant(&format!("2026-12-01T{time}:00-05:00"));
        day(start)..day(end)
    });
    Source { name: "amy@example.com".into(), as_of: instant(as_of), busy: busy.collect() }
}

/// Starts on 1 December in New York.
fn starts(question: &SlotQuestion, busy: &[[&str; 2]]) -> String {
    let hours = compile(office(), "2026-12-01..2026-12-02");
    let found =
        hours.free_slots(question, &[source(NOW, busy)], instant(NOW), Duration::hours(1)).expect("fresh");
    let zone = Zone::new("America/New_York").expect("a zone");
    let starts = found.slots.iter().map(|slot| {
        assert_eq!(slot.end - slot.start, question.duration);
        zone.wall(slot.start).expect("resolves").time.format("%H:%M").to_string()
    });
    let more = if found.more { " and more" } else { "" };
    starts.collect::<Vec<_>>().join(" ") + more
}

fn day(minutes: i64) -> SlotQuestion {
    let window = instant("2026-12-01T05:00:00Z")..instant("2026-12-02T05:00:00Z");
    SlotQuestion::new(window, Duration::minutes(minutes))
}

#[test]
fn free_time_is_work_that_nothing_is_in() {
    assert_eq!(starts(&day(60), &[]), "09:00 10:00 11:00 13:00 14:00 15:00 16:00");
    assert_eq!(starts(&day(60), &[["10:00", "11:00"], ["13:30", "15:00"]]), "09:00 11:00 15:00 16:00");
    assert_eq!(starts(&day(90), &[]), "09:00 10:30 13:00 14:30");
    // Appointments in any order, over one another, without a length, and beyond the day.
    let messy =
        [["15:00", "23:00"], ["08:00", "10:30"], ["09:30", "10:00"], ["11:00", "11:00"], ["14:00", "13:00"]];
    assert_eq!(starts(&day(30), &messy), "10:30 11:00 11:30 13:00 13:30 14:00 14:30");
}

#[test]
fn steps_buffers_notice_and_the_number_wanted_are_kept() {
    let stepped = SlotQuestion { step: Duration::minutes(30), ..day(60) };
    assert_eq!(
        starts(&stepped, &[["10:00", "10:30"]]),
        "09:00 10:30 11:00 13:00 13:30 14:00 14:30 15:00 15:30 16:00"
    );
    let buffered = SlotQuestion { before: Duration::minutes(15), after: Duration::minutes(10), ..day(60) };
    assert_eq!(starts(&buffered, &[["10:00", "10:30"], ["14:45", "15:00"]]), "11:00 13:00 16:00");
    // A buffer keeps a distance to appointments and not to the end of work.
    assert_eq!(starts(&buffered, &[]), "09:00 10:00 11:00 13:00 14:00 15:00 16:00");
    let noticed = SlotQuestion { notice: Duration::minutes(361), ..day(60) };
    assert_eq!(starts(&noticed, &[]), "15:00 16:00");
    let few = SlotQuestion { count_max: 2, ..day(60) };
    assert_eq!(starts(&few, &[]), "09:00 10:00 and more");
    let all = SlotQuestion { count_max: 7, ..day(60) };
    assert_eq!(starts(&all, &[]), "09:00 10:00 11:00 13:00 14:00 15:00 16:00");
}

#[test]
fn the_same_times_are_offered_whatever_window_is_asked_for() {
    let mut question = day(60);
    question.window.start = instant("2026-12-01T14:20:00Z");
    question.window.end = instant("2026-12-01T20:59:00Z");
    assert_eq!(starts(&question, &[]), "10:00 11:00 13:00 14:00");
}

#[test]
fn a_source_that_is_too_old_or_missing_ends_the_question_and_says_how_old_it_is() {
    let hours = compile(office(), "2026-12-01..2026-12-02");
    let ask = |sources: &[Source]| {
        hours.free_slots(&day(60), sources, instant(NOW), Duration::minutes(30)).expect_err("not known")
    };
    let old = ask(&[source(NOW, &[]), source("2026-12-01T09:40:00Z", &[])]);
    assert_eq!(old.kind(), ErrorKind::Unavailable);
    let said = old.to_string();
    assert!(said.contains("too old") && said.contains("amy@example.com"), "{said}");
    assert!(said.contains("age 3 h 20 min") && said.contains("age_max 30 min"), "{said}");
    assert!(ask(&[source("2026-11-20T09:40:00Z", &[])]).to_string().contains("age 11 d 3 h"));
    let ahead = ask(&[source("2026-12-01T14:00:00Z", &[])]);
    assert!(ahead.to_string().contains("dated in the future"), "{ahead}");
    assert_eq!(ask(&[]).kind(), ErrorKind::Config);
}

#[test]
fn time_without_a_schedule_is_not_free_and_lengths_that_cannot_be_are_refused() {
    let bounded = compile(office().valid(Some(date("2026-12-02")), None), "2026-12-01..2026-12-03");
    let now = instant(NOW);
    let ask =
        |question: &SlotQuestion| bounded.free_slots(question, &[source(NOW, &[])], now, Duration::hours(1));
    assert_eq!(ask(&day(60)).expect("fresh").slots, []);
    for question in [
        day(0),
        SlotQuestion { step: Duration::zero(), ..day(60) },
        SlotQuestion { before: Duration::minutes(-1), ..day(60) },
        SlotQuestion { duration: Duration::MAX, ..day(60) },
        SlotQuestion { notice: Duration::MAX, ..day(60) },
    ] {
        assert_eq!(ask(&question).expect_err("refused").kind(), ErrorKind::Config, "{question:?}");
    }
    let ages = SlotQuestion { window: DateTime::<Utc>::MIN_UTC..DateTime::<Utc>::MAX_UTC, ..day(60) };
    assert_eq!(ask(&ages).expect_err("too long").kind(), ErrorKind::Limit);
}

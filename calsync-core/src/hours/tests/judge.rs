//! Whole appointments and series, as a run, a plan and an import judge them.

use super::*;
use crate::model::appointment::Transparency;
use crate::model::{Appointment, Recurrence, Slot, Status};
use std::collections::BTreeMap;

/// An appointment of an hour in New York.
fn visit(start: &str, rule: &str) -> Appointment {
    let zone = Zone::new("America/New_York").expect("a zone");
    let when = When::timed(start.parse().expect("a time"), Duration::hours(1), &zone).expect("resolves");
    let mut appointment = Appointment::new("Visit", when);
    if !rule.is_empty() {
        appointment.recurrence = Recurrence::new(vec![rule.to_owned()]);
    }
    appointment
}

/// What is raised about it, seen from 1 December 2026.
fn raised(appointment: &Appointment, changed: &[(&str, Appointment)]) -> Vec<String> {
    let changed: BTreeMap<Slot, Appointment> =
        changed.iter().map(|(slot, own)| (slot.parse().expect("a slot"), own.clone())).collect();
    let (person, event) = ("amy".into(), "visit".into());
    let subject = Subject {
        person: &person,
        address: Some("amy@example.com"),
        event: &event,
        appointment,
        changed: &changed,
    };
    let window = horizon(instant("2026-12-01T00:00:00Z"));
    let hours = Hours::compile(&rota(office()), window.clone()).expect("short");
    assert_eq!(settle([], [subject.judge(None, window.clone()).expect("judged")]), Settled::default());
    let settled = settle([], [subject.judge(Some(&hours), window).expect("judged")]);
    let name = |warning: &Warning| {
        let slot = warning.key.occurrence.map_or("single".to_owned(), |slot| slot.to_string());
        format!("{slot} {}", say(&warning.check))
    };
    settled.raised.iter().map(name).collect()
}

#[test]
fn a_single_appointment_is_judged_unless_it_is_over() {
    assert_eq!(raised(&visit("2026-12-01T10:00:00", ""), &[]), [""; 0]);
    let said = ["single outside; 12-01 20:00 to 12-01 21:00 after_end"];
    assert_eq!(raised(&visit("2026-12-01T20:00:00", ""), &[]), said);
    assert_eq!(raised(&visit("2026-11-01T20:00:00", ""), &[]), [""; 0]);
    let said = ["single outside; 12-01 20:00 to 12-01 21:00 after_end"];
    assert_eq!(raised(&visit("2031-12-01T20:00:00", ""), &[]), said);
}

#[test]
fn a_series_is_judged_with_its_changed_and_cancelled_occurrences() {
    let series = visit("2026-12-01T20:00:00", "RRULE:FREQ=DAILY;COUNT=4");
    let [mut cancelled, mut free] = [visit("2026-12-02T20:00:00", ""), visit("2026-12-03T20:00:00", "")];
    cancelled.status = Status::Cancelled;
    free.transparency = Transparency::Transparent;
    let moved = visit("2026-12-04T07:00:00", "");
    let changed =
        [("20261203T010000Z", cancelled), ("20261204T010000Z", free), ("20261205T010000Z", moved.clone())];
    let said = [
        "20261202T010000Z outside; 12-01 20:00 to 12-01 21:00 after_end",
        "20261205T010000Z outside; 12-04 07:00 to 12-04 08:00 before_start",
    ];
    assert_eq!(raised(&series, &changed), said);
    // Of a series that is free, the occurrence that is not.
    let mut series = series;
    series.transparency = Transparency::Transparent;
    let stray = ("20270105T010000Z", moved);
    assert_eq!(raised(&series, &[changed[2].clone(), stray]), [said[1]]);
}

#[test]
fn of_a_series_of_whole_days_only_an_occurrence_by_the_clock_is_judged() {
    let mut series = Appointment::new("Fair", When::day(date("2026-12-01")));
    series.recurrence = Recurrence::new(vec!["RRULE:FREQ=DAILY;COUNT=3".to_owned()]);
    assert_eq!(raised(&series, &[]), [""; 0]);
    let evening = visit("2026-12-02T20:00:00", "");
    let said = ["20261202 outside; 12-02 20:00 to 12-02 21:00 after_end"];
    assert_eq!(raised(&series, &[("20261202", evening)]), said);
}

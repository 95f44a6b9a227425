//! The recurrence lines of a series: kept as written, compared in canonical form, cut where a series is split.
//!
//! The lines are RRULE, EXRULE, RDATE and EXDATE as iCalendar has them, without DTSTART (RFC 5545, section 3.8.5; Google's
//! `recurrence` field). Nothing is expanded here, and nothing is refused: a rule that calsync cannot read is still carried
//! without loss. What counts as the same rule is decided by parts, because Google drops `INTERVAL=1` and moves parts around.

use super::when::Slot;
use crate::calendar::{self, Line};
use std::collections::BTreeMap;

/// The recurrence lines of a series, as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recurrence {
    lines: Vec<String>,
}

impl Recurrence {
    /// Takes the lines as they are.
    pub fn new(lines: Vec<String>) -> Self {
        Self { lines }
    }

    /// The lines as written.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// Whether this is a single appointment.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The lines in a form that ignores order, redundant parts, the zone in which dates are written, and repeated dates. In a series of
    /// `whole_days` a time in them means its day. What is equal in this form has the same occurrences.
    pub fn canonical(&self, whole_days: bool) -> Vec<String> {
        calendar::canonical(self.lines.iter().map(String::as_str), whole_days)
    }

    /// The lines as they are written, with each date of a list once: services bound how much an event may carry. What no list repeats is
    /// not touched.
    #[must_use]
    pub fn each_once(&self, whole_days: bool) -> Self {
        Self { lines: calendar::each_once(self.lines.iter().map(String::as_str), whole_days) }
    }

    /// The last moment the rule itself can reach, if it says one: the largest UNTIL, when every rule has one.
    pub fn until(&self) -> Option<Slot> {
        let mut last = None;
        for line in &self.lines {
            let Ok(line) = Line::of(line) else { continue };
            if line.name == "RRULE" {
                last = last.max(Some(read_date(parts(line.value).get("UNTIL")?)?));
            }
        }
        last
    }

    /// The COUNT of the only rule, if there is just one rule and it has a COUNT.
    pub fn count(&self) -> Option<u32> {
        let mut rules =
            self.lines.iter().filter_map(|line| Line::of(line).ok()).filter(|line| line.name == "RRULE");
        let rule = rules.next()?;
        if rules.next().is_some() {
            return None;
        }
        parts(rule.value).get("COUNT")?.parse().ok()
    }
}

fn read_date(text: &str) -> Option<Slot> {
    text.trim().parse().ok()
}

fn parts(rule: &str) -> BTreeMap<String, String> {
    rule.split(';')
        .filter_map(|part| part.split_once('='))
        .map(|(name, value)| (name.trim().to_ascii_uppercase(), value.trim().to_ascii_uppercase()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(lines: &[&str]) -> Recurrence {
        Recurrence::new(lines.iter().map(|l| (*l).to_owned()).collect())
    }

    #[track_caller]
    fn same(a: &[&str], b: &[&str]) {
        for whole_days in [false, true] {
            let once = lines(a).canonical(whole_days);
            assert_eq!(once, lines(b).canonical(whole_days));
            assert_eq!(once, Recurrence::new(once.clone()).canonical(whole_days), "twice");
        }
    }

    #[test]
    fn order_redundant_parts_zones_of_dates_and_parameters_before_the_colon_make_no_difference() {
        same(
            &["RRULE:FREQ=WEEKLY;INTERVAL=1;BYDAY=WE,MO;WKST=SU"],
            &["rrule;X-FOO=BAR:BYDAY=MO,WE;FREQ=WEEKLY"],
        );
        same(
            &["EXDATE;TZID=America/New_York:20261102T090000,20261109T090000"],
            &["EXDATE:20261109T140000Z", "EXDATE:20261102T140000Z"],
        );
        same(
            &["RRULE:DATE;TZID=Europe/Warsaw:20261102T090000"],
            &["RDATE;TZID=Europe/Warsaw:20261102T090000"],
        );
    }

    #[test]
    fn dates_that_are_listed_twice_are_written_once_and_the_rest_as_it_is() {
        let written = lines(&[
            "RRULE:INTERVAL=1;FREQ=DAILY",
            "EXDATE;TZID=Europe/Berlin:20261103T090000,20261104T090000,20261103T090000",
            "exdate:20261103T080000Z",
            "EXDATE;X-A=1:20261105T080000Z",
        ]);
        let once = written.each_once(false);
        assert_eq!(
            once.lines(),
            [
                "RRULE:INTERVAL=1;FREQ=DAILY",
                "EXDATE;TZID=Europe/Berlin:20261103T090000,20261104T090000",
                "EXDATE;X-A=1:20261105T080000Z",
            ]
        );
        assert_eq!(once.canonical(false), written.canonical(false));
        assert_eq!(once.each_once(false), once);
    }

    #[test]
    fn what_changes_the_occurrences_is_a_difference() {
        for (a, b) in [
            ("RRULE:FREQ=WEEKLY;INTERVAL=2;WKST=SU", "RRULE:FREQ=WEEKLY;INTERVAL=2"),
            ("RRULE:FREQ=DAILY;COUNT=3", "RRULE:FREQ=DAILY;COUNT=4"),
            ("RRULE:FREQ=MONTHLY;BYDAY=1MO", "RRULE:FREQ=MONTHLY;BYDAY=-1MO"),
        ] {
            assert_ne!(lines(&[a]).canonical(false), lines(&[b]).canonical(false));
        }
    }
}

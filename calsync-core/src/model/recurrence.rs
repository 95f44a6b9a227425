//! The recurrence lines of a series: kept as written, compared in canonical form, cut where a series is split.
//!
//! The lines are RRULE, EXRULE, RDATE and EXDATE as iCalendar has them, without DTSTART (RFC 5545, section 3.8.5; Google's
//! `recurrence` field). Nothing is expanded here, and nothing is refused: a rule that calsync cannot read is still carried
//! without loss. What counts as the same rule is decided by parts, because Google drops `INTERVAL=1` and moves parts around.

use super::when::Slot;
use crate::zone::{Wall, Zone};
use chrono::NaiveDateTime;
use std::collections::{BTreeMap, BTreeSet};

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

    /// The lines in a form that ignores order, redundant parts, the zone in which dates are written, and repeated dates.
    pub fn canonical(&self) -> Vec<String> {
        let mut set = BTreeSet::new();
        for line in &self.lines {
            let line = Line::parse(line);
            match line.name.as_str() {
                "RRULE" | "EXRULE" => {
                    set.insert(format!("{}:{}", line.name, canonical_rule(&line.value)));
                }
                "RDATE" | "EXDATE" => {
                    for date in line.dates() {
                        set.insert(format!("{}:{date}", line.name));
                    }
                }
                _ => {
                    set.insert(format!("{}:{}", line.name, line.value));
                }
            }
        }
        set.into_iter().collect()
    }

    /// The last moment the rule itself can reach, if it says one: the largest UNTIL, when every rule has one.
    pub fn until(&self) -> Option<Slot> {
        let mut last = None;
        for line in &self.lines {
            let line = Line::parse(line);
            if line.name == "RRULE" {
                last = last.max(Some(read_date(parts(&line.value).get("UNTIL")?)?));
            }
        }
        last
    }

    /// The COUNT of the only rule, if there is just one rule and it has a COUNT.
    pub fn count(&self) -> Option<u32> {
        let mut rules = self.lines.iter().map(|l| Line::parse(l)).filter(|l| l.name == "RRULE");
        let rule = rules.next()?;
        if rules.next().is_some() {
            return None;
        }
        parts(&rule.value).get("COUNT")?.parse().ok()
    }
}

/// One content line, taken apart.
struct Line {
    /// The property's name, mended where Google mislabels it.
    name: String,
    zone: Option<Zone>,
    value: String,
}

impl Line {
    fn parse(text: &str) -> Self {
        let (head, value) = text.trim().split_once(':').unwrap_or((text.trim(), ""));
        let mut words = head.split(';');
        let mut name = words.next().unwrap_or_default().to_ascii_uppercase();
        let zone = words
            .filter_map(|word| word.split_once('='))
            .find(|(key, _)| key.eq_ignore_ascii_case("TZID"))
            .and_then(|(_, zone)| Zone::new(zone.trim_matches('"')).ok());
        // Google has been seen to give `RRULE:DATE;TZID=Europe/Warsaw:2023…` where RDATE is meant.
        if name == "RRULE" && !value.to_ascii_uppercase().contains("FREQ=") && value.contains(':') {
            name = "RDATE".into();
            let (inner, dates) = value.split_once(':').unwrap_or(("", value));
            let zone = (inner.split(';'))
                .filter_map(|word| word.split_once('='))
                .find(|(key, _)| key.eq_ignore_ascii_case("TZID"))
                .and_then(|(_, zone)| Zone::new(zone).ok());
            return Self { name, zone, value: dates.to_owned() };
        }
        Self { name, zone, value: value.to_owned() }
    }

    fn dates(&self) -> impl Iterator<Item = String> {
        self.value.split(',').map(|date| {
            self.canonical_date(date).map_or_else(|| date.trim().to_owned(), |slot| slot.to_string())
        })
    }

    /// A date of the list, in UTC where the line says a zone. A local time without a zone stays unknown here.
    fn canonical_date(&self, text: &str) -> Option<Slot> {
        let text = text.trim();
        if let Some(slot) = read_date(text) {
            return Some(slot);
        }
        let time = NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%S").ok()?;
        self.zone.as_ref()?.instant(Wall { time, later: false }).ok().map(Slot::Time)
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

/// The parts in alphabetical order, lists sorted, what changes nothing left out.
fn canonical_rule(rule: &str) -> String {
    let mut parts = parts(rule);
    if parts.get("INTERVAL").is_some_and(|n| n == "1") {
        parts.remove("INTERVAL");
    }
    // The week's first day matters only where weeks are counted: RFC 5545, section 3.3.10.
    let weeks_count = parts.contains_key("BYWEEKNO")
        || (parts.get("FREQ").is_some_and(|f| f == "WEEKLY") && parts.contains_key("INTERVAL"));
    if !weeks_count || parts.get("WKST").is_some_and(|day| day == "MO") {
        parts.remove("WKST");
    }
    parts.retain(|name, _| !name.starts_with("X-"));
    // A count of days as UNTIL and the last second of that day are not the same for every zone: left as they are.
    let parts: Vec<String> = (parts.iter())
        .map(|(name, value)| {
            if !name.starts_with("BY") {
                return format!("{name}={value}");
            }
            let mut list: Vec<&str> = value.split(',').map(|v| v.trim_start_matches('+')).collect();
            list.sort_unstable();
            list.dedup();
            format!("{name}={}", list.join(","))
        })
        .collect();
    parts.join(";")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(lines: &[&str]) -> Recurrence {
        Recurrence::new(lines.iter().map(|l| (*l).to_owned()).collect())
    }

    #[track_caller]
    fn same(a: &[&str], b: &[&str]) {
        assert_eq!(lines(a).canonical(), lines(b).canonical());
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
    fn what_changes_the_occurrences_is_a_difference() {
        for (a, b) in [
            ("RRULE:FREQ=WEEKLY;INTERVAL=2;WKST=SU", "RRULE:FREQ=WEEKLY;INTERVAL=2"),
            ("RRULE:FREQ=DAILY;COUNT=3", "RRULE:FREQ=DAILY;COUNT=4"),
            ("RRULE:FREQ=MONTHLY;BYDAY=1MO", "RRULE:FREQ=MONTHLY;BYDAY=-1MO"),
        ] {
            assert_ne!(lines(&[a]).canonical(), lines(&[b]).canonical());
        }
    }
}

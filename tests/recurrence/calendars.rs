//! Whole calendars: series with moved, cancelled and listed occurrences, against what two other engines show of them.
//!
//! The reader is as small as these files allow: it unfolds, takes the lines of each VEVENT, and leaves everything else out. No
//! iCalendar library is used: those in Rust bring a recurrence engine of their own along.

use calsync_core::Zone;
use calsync_core::calendar::{Clock, Length, Moment, Override, Placed, Reach, Reading, RecurrenceSet, Start};
use calsync_core::model::{Recurrence, Slot};
use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// A content line: the name, what stands before the colon, and what behind it.
#[derive(Clone)]
struct Line {
    name: String,
    head: String,
    value: String,
}

impl Line {
    fn parameter(&self, key: &str) -> Option<&str> {
        let mut parameters = self.head.split(';').skip(1).filter_map(|word| word.split_once('='));
        parameters.find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value.trim_matches('"'))
    }

    fn start(&self) -> Start {
        if let Ok(day) = NaiveDate::parse_from_str(&self.value, "%Y%m%d") {
            return Start::Day(day);
        }
        let time = NaiveDateTime::parse_from_str(self.value.trim_end_matches('Z'), "%Y%m%dT%H%M%S").unwrap();
        match (self.value.ends_with('Z'), self.parameter("TZID")) {
            (true, _) => Start::Zoned(time, Zone::utc()),
            (false, Some(zone)) => Start::Zoned(time, Zone::new(zone).unwrap()),
            (false, None) => Start::Floating(time),
        }
    }
}

/// The lines of a VEVENT, without those of its alarms.
#[derive(Clone, Default)]
struct Event(Vec<Line>);

impl Event {
    fn all(text: &str) -> Vec<Self> {
        let text = text.replace("\r\n", "\n").replace("\n ", "").replace("\n\t", "");
        let (mut events, mut open): (Vec<Self>, Vec<String>) = (Vec::new(), Vec::new());
        for line in text.lines() {
            let Some((head, value)) = line.split_once(':') else { continue };
            let name = head.split(';').next().unwrap().to_ascii_uppercase();
            match (name.as_str(), open.last().map(String::as_str)) {
                ("BEGIN", _) => {
                    open.push(value.trim().to_owned());
                    if value.trim() == "VEVENT" {
                        events.push(Self::default());
                    }
                }
                ("END", _) => _ = open.pop(),
                (_, Some("VEVENT")) => {
                    let line = Line { name, head: head.to_owned(), value: value.trim_end().to_owned() };
                    events.last_mut().unwrap().0.push(line);
                }
                _ => {}
            }
        }
        events
    }

    fn line(&self, name: &str) -> Option<&Line> {
        self.0.iter().find(|line| line.name == name)
    }

    fn value(&self, name: &str) -> &str {
        self.line(name).map_or("", |line| &line.value)
    }

    fn placed(&self) -> Placed<String> {
        let start = self.line("DTSTART").unwrap().start();
        let length = match (self.line("DTEND"), self.line("DURATION")) {
            (Some(end), _) => Length::exactly(instant(&end.start()) - instant(&start)),
            (None, Some(length)) => Length::parse(&length.value).unwrap(),
            (None, None) => Length::default(),
        };
        Placed { start, length, value: self.value("SUMMARY").replace("\\,", ",") }
    }

    fn sequence(&self) -> u32 {
        self.value("SEQUENCE").parse().unwrap_or(0)
    }

    fn change(&self, series: &Start) -> Override<String> {
        let line = self.line("RECURRENCE-ID").unwrap();
        let slot = match (line.start(), series) {
            (Start::Day(day), _) => Slot::Date(day),
            (start, _) => Slot::Time(instant(&start)),
        };
        let following = line.parameter("RANGE") == Some("THISANDFUTURE");
        let reach = if following { Reach::Following } else { Reach::One };
        Override { slot, reach, to: Some(self.placed()) }
    }
}

fn instant(start: &Start) -> DateTime<Utc> {
    let series = calsync_core::calendar::Series::parse(start, [], Reading::Strict).unwrap();
    series.occurrences().next().unwrap().unwrap().instant()
}

fn sets(events: &[Event]) -> BTreeMap<String, RecurrenceSet<String>> {
    let mut of: BTreeMap<&str, (Vec<&Event>, Vec<&Event>)> = BTreeMap::new();
    for event in events {
        let (masters, overrides) = of.entry(event.value("UID")).or_default();
        if event.line("RECURRENCE-ID").is_some() { overrides.push(event) } else { masters.push(event) }
    }
    let set = |(uid, (masters, mut overrides)): (&str, (Vec<&Event>, Vec<&Event>))| {
        let [master] = masters[..] else { panic!("{uid}: {} masters", masters.len()) };
        let lines =
            master.0.iter().filter(|l| ["RRULE", "EXRULE", "RDATE", "EXDATE"].contains(&l.name.as_str()));
        // One calendar ends a list of dates with a comma.
        let lines = lines.map(|l| format!("{}:{}", l.head, l.value.trim_end_matches(',')));
        overrides.sort_by_key(|event| event.sequence());
        let own = master.placed();
        let overrides: Vec<_> = overrides.iter().map(|event| event.change(&own.start)).collect();
        let set = RecurrenceSet::new(own, Recurrence::new(lines.collect()), overrides, Reading::Lenient);
        (uid.to_owned(), set.unwrap())
    };
    of.into_iter().map(set).collect()
}

fn show(moment: Moment) -> String {
    match moment.clock() {
        Clock::Days => moment.wall().format("%Y-%m-%d").to_string(),
        Clock::Floating => moment.wall().format("%Y-%m-%dT%H:%M:%S").to_string(),
        Clock::Zoned => moment.instant().format("%Y-%m-%dT%H:%M:%SZ").to_string(),
    }
}

fn cases() -> Vec<Value> {
    let cases: Vec<Value> =
        serde_json::from_str(include_str!("../data/recurrence/ics_expected.json")).unwrap();
    assert_eq!(cases.len(), 34);
    cases
}

fn calendar(case: &Value) -> Vec<Event> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/recurrence/ics");
    Event::all(&std::fs::read_to_string(folder.join(case["file"].as_str().unwrap())).unwrap())
}

fn window(case: &Value) -> std::ops::Range<DateTime<Utc>> {
    let bound = |key: &str| case[key].as_str().unwrap().parse::<NaiveDateTime>().unwrap().and_utc();
    bound("window_from")..bound("window_to")
}

#[test]
fn whole_calendars_show_what_two_other_engines_show() {
    let (mut wrong, mut at_the_end) = (Vec::new(), 0);
    for case in cases() {
        let mut found = Vec::new();
        for (uid, set) in sets(&calendar(&case)) {
            // Its UNTIL is a day in a series by the clock, and both engines take that for midnight.
            let set =
                if case["id"].as_str().unwrap().contains("issue_75") { set.until_midnight() } else { set };
            for instance in set.instances(window(&case)) {
                let instance = instance.unwrap();
                let (start, end) = (show(instance.start()), show(instance.end()));
                found.push([uid.clone(), start, end, instance.value().clone()]);
            }
        }
        let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let expected = case["expected"].as_array().unwrap().iter();
        let mut expected: Vec<_> =
            expected.map(|e| ["uid", "start", "end", "summary"].map(|key| text(e, key))).collect();
        // A day that begins when the window ends does not overlap it.
        let to = case["window_to"].as_str().unwrap();
        let before = expected.len();
        expected.retain(|[_, start, ..]| start.len() > 10 || *start != to[..10]);
        at_the_end += before - expected.len();
        if found != expected {
            let lacking: Vec<_> = expected.iter().filter(|e| !found.contains(e)).take(4).collect();
            let added: Vec<_> = found.iter().filter(|f| !expected.contains(f)).take(4).collect();
            wrong.push(format!("{}: lacks {lacking:?}, adds {added:?}", case["id"]));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(at_the_end, 1, "the one that data/recurrence/README.md names");
}

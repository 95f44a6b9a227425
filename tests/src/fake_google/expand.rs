//! Expands a series: which occurrences it has, and whether a given slot is one of them.
//!
//! Expansion happens in wall-clock time: the `rrule` crate is handed local times as if they were UTC, and each result
//! becomes an instant through [`Zone`]. That keeps its outdated zone data out, and lets rules through that it would
//! refuse. Google's own habits are added here: a yearly rule with a day of the month and no month means the month of
//! the start; a date as UNTIL of a timed series includes that day.
//!
//! The expander serves `instances`, `singleEvents=true` and the question whether an instance id exists. It is written
//! apart from calsync's own on purpose, so that the two can be compared.

use std::collections::BTreeSet;
use std::iter::Peekable;

use chrono::{DateTime, Datelike, Duration, NaiveDate, NaiveDateTime, NaiveTime, TimeZone as _, Utc};
use rrule::{RRule, RRuleSet, Tz, Unvalidated};

use super::refusal::Refusal;
use super::when::{When, Zone};

/// No series is followed further than this many occurrences.
const OCCURRENCES_MAX: usize = 40_000;

/// A parsed series.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    all_day: bool,
    zone: Zone,
    start: NaiveDateTime,
    length: Duration,
    rules: Vec<RRuleSet>,
    exclusion_rules: Vec<RRuleSet>,
    dates: BTreeSet<NaiveDateTime>,
    excluded: BTreeSet<NaiveDateTime>,
    excluded_days: BTreeSet<NaiveDate>,
    finite: bool,
    /// Whether there is any rule, even one without an occurrence.
    ruled: bool,
}

impl Series {
    /// Parses recurrence lines. `strict` refuses what Google refuses on write; otherwise lines that make no sense are
    /// skipped, because calendars hold such lines from imports of long ago.
    pub(crate) fn parse(
        start: &When,
        end: &When,
        lines: &[String],
        calendar: &Zone,
        strict: bool,
    ) -> Result<Self, Refusal> {
        let all_day = start.is_date();
        let zone = match start {
            When::Time { zone: Some(zone), .. } => zone.clone(),
            _ => calendar.clone(),
        };
        let wall = start.wall(calendar);
        let length = match (start, end) {
            (When::Date(start), When::Date(end)) => *end - *start,
            (start, end) => end.instant(calendar) - start.instant(calendar),
        };
        let mut series = Self {
            all_day,
            zone,
            start: wall,
            length,
            rules: Vec::new(),
            exclusion_rules: Vec::new(),
            dates: BTreeSet::new(),
            excluded: BTreeSet::new(),
            excluded_days: BTreeSet::new(),
            finite: true,
            ruled: false,
        };
        for line in lines {
            if series.add(line, strict).is_none() && strict {
                return Err(Refusal::invalid("Invalid recurrence rule."));
            }
        }
        // A series of RDATE lines only has its own start as well.
        if !series.ruled {
            series.dates.insert(wall);
        }
        Ok(series)
    }

    /// The slots in order, without the excluded ones.
    pub(crate) fn slots(&self) -> impl Iterator<Item = When> + '_ {
        let mut sources: Vec<Peekable<Box<dyn Iterator<Item = NaiveDateTime> + '_>>> = Vec::new();
        let dates: Box<dyn Iterator<Item = NaiveDateTime> + '_> = Box::new(self.dates.iter().copied());
        sources.push(dates.peekable());
        for rule in &self.rules {
            sources.push(walls(rule).peekable());
        }
        let mut exclusions: Vec<_> = self.exclusion_rules.iter().map(|rule| walls(rule).peekable()).collect();
        std::iter::from_fn(move || {
            loop {
                let next = sources.iter_mut().filter_map(|source| source.peek().copied()).min()?;
                for source in &mut sources {
                    while source.next_if_eq(&next).is_some() {}
                }
                let mut excluded = self.excluded.contains(&next) || self.excluded_days.contains(&next.date());
                for exclusion in &mut exclusions {
                    while exclusion.next_if(|wall| *wall < next).is_some() {}
                    excluded |= exclusion.peek() == Some(&next);
                }
                if !excluded {
                    return Some(next);
                }
            }
        })
        .take(OCCURRENCES_MAX)
        .map(|wall| self.slot(wall))
    }

    /// The slots whose occurrence ends after `from` and starts before `to`.
    pub(crate) fn between(
        &self,
        from: Option<DateTime<Utc>>,
        to: DateTime<Utc>,
        calendar: &Zone,
    ) -> Vec<When> {
        self.slots()
            .take_while(|slot| slot.instant(calendar) < to)
            .filter(|slot| from.is_none_or(|from| overlaps(slot, &self.end_of(slot), from, calendar)))
            .collect()
    }

    /// Whether any occurrence ends after `from` and starts before `to`.
    pub(crate) fn meets(
        &self,
        from: Option<DateTime<Utc>>,
        to: Option<DateTime<Utc>>,
        calendar: &Zone,
    ) -> bool {
        self.slots()
            .take_while(|slot| to.is_none_or(|to| slot.instant(calendar) < to))
            .any(|slot| from.is_none_or(|from| overlaps(&slot, &self.end_of(&slot), from, calendar)))
    }

    pub(crate) fn contains(&self, slot: &When, calendar: &Zone) -> bool {
        let at = slot.instant(calendar);
        slot.is_date() == self.all_day
            && self
                .slots()
                .take_while(|candidate| candidate.instant(calendar) <= at)
                .any(|candidate| candidate.instant(calendar) == at)
    }

    /// Whether the series ends by itself.
    pub(crate) fn finite(&self) -> bool {
        self.finite
    }

    /// The last slot of a series that ends.
    pub(crate) fn last(&self) -> Option<When> {
        if self.finite { self.slots().last() } else { None }
    }

    pub(crate) fn end_of(&self, slot: &When) -> When {
        slot.plus(self.length)
    }

    fn slot(&self, wall: NaiveDateTime) -> When {
        if self.all_day {
            When::Date(wall.date())
        } else {
            When::Time { at: self.zone.instant(wall), zone: Some(self.zone.clone()) }
        }
    }

    fn add(&mut self, line: &str, strict: bool) -> Option<()> {
        let (head, value) = line.split_once(':')?;
        let mut parameters = head.split(';');
        let mut name = parameters.next()?.to_ascii_uppercase();
        let parameters: Vec<(String, String)> = parameters
            .filter_map(|parameter| parameter.split_once('='))
            .map(|(key, value)| (key.to_ascii_uppercase(), value.trim_matches('"').to_owned()))
            .collect();
        let parameter =
            |key: &str| parameters.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
        // Google has been seen to answer `RRULE:DATE;TZID=Europe/Warsaw:2023...` where an RDATE is meant.
        if name == "RRULE" && value.starts_with("DATE;") && !strict {
            return self.add(&format!("RDATE;{}", value.strip_prefix("DATE;")?), strict);
        }
        if name == "RRULE" && !value.to_ascii_uppercase().contains("FREQ=") && !strict {
            name = "RDATE".to_owned();
        }
        match name.as_str() {
            "RRULE" => {
                let rule = self.rule(value, strict)?;
                self.rules.extend(rule);
                self.ruled = true;
                Some(())
            }
            "EXRULE" => {
                let rule = self.rule(value, strict)?;
                self.exclusion_rules.extend(rule);
                Some(())
            }
            "RDATE" | "EXDATE" => {
                let zone = match parameter("TZID") {
                    None => None,
                    Some(id) => Some(Zone::named(id)?),
                };
                for text in value.split(',').filter(|text| !text.is_empty()) {
                    // Of a period only its start matters here.
                    let text = text.split('/').next().unwrap_or(text);
                    let (wall, is_date) = self.date(text, zone.as_ref())?;
                    match (name.as_str(), is_date && !self.all_day) {
                        // The value type may differ from the start's: a date names every occurrence of that day.
                        ("EXDATE", true) => {
                            self.excluded_days.insert(wall.date());
                        }
                        ("EXDATE", false) => {
                            self.excluded.insert(wall);
                        }
                        (_, true) => {
                            self.dates.insert(wall.date().and_time(self.start.time()));
                        }
                        (_, false) => {
                            self.dates.insert(wall);
                        }
                    }
                }
                Some(())
            }
            _ => None,
        }
    }

    /// One RDATE or EXDATE value as wall-clock time in the series' zone, and whether it was a bare date.
    fn date(&self, text: &str, zone: Option<&Zone>) -> Option<(NaiveDateTime, bool)> {
        if let Ok(date) = NaiveDate::parse_from_str(text, "%Y%m%d") {
            return Some((date.and_time(NaiveTime::MIN), true));
        }
        let utc = text.ends_with('Z');
        let local =
            NaiveDateTime::parse_from_str(text.strip_suffix('Z').unwrap_or(text), "%Y%m%dT%H%M%S").ok()?;
        if self.all_day {
            return Some((local.date().and_time(NaiveTime::MIN), true));
        }
        let wall = match (utc, zone) {
            (true, _) => self.zone.wall(Utc.from_utc_datetime(&local)),
            (false, Some(zone)) => self.zone.wall(zone.instant(local)),
            (false, None) => local,
        };
        Some((wall, false))
    }

    /// One rule; nothing inside means a valid rule without any occurrence.
    fn rule(&mut self, value: &str, strict: bool) -> Option<Option<RRuleSet>> {
        let mut parts: Vec<(String, String)> = Vec::new();
        for part in value.trim().split(';') {
            // An empty part is one semicolon too many, which old imports have.
            if part.is_empty() && !strict {
                continue;
            }
            let (key, value) = part.split_once('=')?;
            parts.push((key.to_ascii_uppercase(), value.to_ascii_uppercase()));
        }
        let get = |key: &str| parts.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone());
        let frequency = get("FREQ")?;
        let until = match get("UNTIL") {
            None => None,
            Some(_) if strict && get("COUNT").is_some() => return None,
            Some(text) => Some(self.until(&text, strict)?),
        };
        if until.is_none() && get("COUNT").is_none() {
            self.finite = false;
        }
        if strict && !well_formed(&parts) {
            return None;
        }
        complete(&mut parts, &frequency, self.start);
        let mut text = String::new();
        for (key, value) in parts.iter().filter(|(key, _)| key != "UNTIL" && !key.starts_with("X-")) {
            text.push_str(if text.is_empty() { "" } else { ";" });
            text.push_str(&format!("{key}={value}"));
        }
        let start = Tz::UTC.from_utc_datetime(&self.start);
        let mut rule: RRule<Unvalidated> = text.parse().ok()?;
        if let Some(until) = until {
            if until < self.start {
                return Some(None);
            }
            rule = rule.until(Tz::UTC.from_utc_datetime(&until));
        }
        let rule = rule.validate(start).ok()?;
        Some(Some(RRuleSet::new(start).rrule(rule).limit()))
    }

    fn until(&self, text: &str, strict: bool) -> Option<NaiveDateTime> {
        let (wall, is_date) = match text.strip_suffix('Z') {
            Some(_) => self.date(text, None)?,
            None => {
                let (wall, is_date) = self.date(text, None)?;
                // A floating UNTIL of a timed series is "Invalid recurrence rule." to Google.
                if strict && !is_date {
                    return None;
                }
                (wall, is_date)
            }
        };
        if is_date && !self.all_day {
            return wall.date().and_hms_opt(23, 59, 59);
        }
        Some(wall)
    }
}

/// What the `rrule` crate would let through, and Google would not.
fn well_formed(parts: &[(String, String)]) -> bool {
    let number = |value: &str| value.parse::<u32>().is_ok_and(|number| number > 0);
    parts.iter().enumerate().all(|(index, (key, value))| {
        let repeated = parts.iter().skip(index + 1).any(|(other, _)| other == key);
        !repeated && !value.is_empty() && (!["COUNT", "INTERVAL"].contains(&key.as_str()) || number(value))
    })
}

/// Says in full what a rule leaves to be understood, and rewrites what the `rrule` crate gets wrong.
fn complete(parts: &mut Vec<(String, String)>, frequency: &str, start: NaiveDateTime) {
    let has = |parts: &[(String, String)], key: &str| parts.iter().any(|(name, _)| name == key);
    let days = ["BYDAY", "BYMONTHDAY", "BYYEARDAY"];
    if frequency == "YEARLY" && has(parts, "BYWEEKNO") && !days.iter().any(|key| has(parts, key)) {
        const NAMES: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
        let index = usize::try_from(start.weekday().num_days_from_monday()).unwrap_or_default();
        parts.push(("BYDAY".to_owned(), NAMES.get(index).copied().unwrap_or("MO").to_owned()));
    }
    let narrows_year = ["BYMONTH", "BYWEEKNO", "BYYEARDAY", "BYDAY"].iter().any(|key| has(parts, key));
    if frequency == "YEARLY" && has(parts, "BYMONTHDAY") && !narrows_year {
        parts.push(("BYMONTH".to_owned(), start.month().to_string()));
    }
    let in_month = frequency == "MONTHLY" || (frequency == "YEARLY" && has(parts, "BYMONTH"));
    let fifth_from_end = frequency == "MONTHLY" && !has(parts, "BYMONTHDAY");
    let Some((_, weekdays)) = parts.iter_mut().find(|(key, _)| key == "BYDAY") else { return };
    let numbered = |day: &str| day.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+');
    // Numbered and plain weekdays in one list would cancel each other out.
    if weekdays.split(',').any(numbered) && !weekdays.split(',').all(numbered) {
        let last = if in_month { 5 } else { 53 };
        let all: Vec<String> = weekdays
            .split(',')
            .flat_map(|day| match numbered(day) {
                true => vec![day.to_owned()],
                false => (1..=last).map(|number| format!("{number}{day}")).collect(),
            })
            .collect();
        *weekdays = all.join(",");
    }
    // The fifth weekday from the end is refused; it is the one that falls on the 31st to 29th day from the end.
    if fifth_from_end && weekdays.split(',').all(|day| day.starts_with("-5")) {
        *weekdays = weekdays.replace("-5", "");
        parts.push(("BYMONTHDAY".to_owned(), "-31,-30,-29".to_owned()));
    }
}

/// A recurrence line without its redundant parts, as Google gives it back.
pub(crate) fn normalise(line: &str) -> String {
    let Some((head, value)) = line.split_once(':') else { return line.to_owned() };
    if !head.to_ascii_uppercase().starts_with("RRULE") {
        return line.to_owned();
    }
    let kept: Vec<&str> = value
        .split(';')
        .filter(|part| !part.is_empty() && !part.eq_ignore_ascii_case("INTERVAL=1"))
        .collect();
    format!("{head}:{}", kept.join(";"))
}

fn walls(set: &RRuleSet) -> Box<dyn Iterator<Item = NaiveDateTime> + '_> {
    Box::new(set.into_iter().map(|at| at.naive_utc()))
}

/// `timeMin` compares with the end, exclusively; an occurrence without length counts by its start.
fn overlaps(start: &When, end: &When, from: DateTime<Utc>, calendar: &Zone) -> bool {
    let end = end.instant(calendar);
    end > from || (end == start.instant(calendar) && end >= from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake_google::behaviour::Behaviour;
    use serde_json::{Value, json};

    #[track_caller]
    fn check(zone: &str, start: &str, lines: &[&str], expected: &str) {
        let zone = Zone::named(zone).unwrap();
        let value: Value = if start.contains('T') {
            json!({ "dateTime": start, "timeZone": zone.name })
        } else {
            json!({ "date": start })
        };
        let start = When::read(&value, "start", &zone, &Behaviour::default(), true).unwrap();
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        let series = Series::parse(&start, &start, &lines, &zone, false).unwrap();
        let slots: Vec<String> = series.slots().take(5).map(|slot| slot.suffix()).collect();
        assert_eq!(slots.join(" "), expected);
    }

    #[test]
    fn rules_run_in_wall_clock_time_with_todays_zone_data() {
        check(
            "America/Vancouver",
            "2026-10-26T09:00:00",
            &["RRULE:FREQ=WEEKLY;COUNT=3"],
            "20261026T160000Z 20261102T160000Z 20261109T160000Z",
        );
        check(
            "Europe/Berlin",
            "2026-03-28T02:30:00",
            &["RRULE:FREQ=DAILY;COUNT=3"],
            "20260328T013000Z 20260329T013000Z 20260330T003000Z",
        );
    }

    #[test]
    fn days_that_do_not_exist_are_skipped_and_a_yearly_day_means_the_month_of_the_start() {
        check("UTC", "2026-01-31", &["RRULE:FREQ=MONTHLY;COUNT=3"], "20260131 20260331 20260531");
        check("UTC", "2026-05-10", &["RRULE:FREQ=YEARLY;BYMONTHDAY=10;COUNT=2"], "20260510 20270510");
    }

    #[test]
    fn numbered_and_plain_weekdays_stand_in_one_list() {
        let rule = "RRULE:FREQ=MONTHLY;BYDAY=TH,2TU";
        check("UTC", "2026-01-01", &[rule], "20260101 20260108 20260113 20260115 20260122");
        check("UTC", "2026-01-02", &["RRULE:FREQ=MONTHLY;BYDAY=-5FR;COUNT=2"], "20260102 20260501");
        check("UTC", "2026-01-06", &["RRULE:FREQ=YEARLY;BYWEEKNO=2,3;COUNT=3"], "20260106 20260113 20270112");
    }

    #[test]
    fn extra_and_excluded_dates_come_in_every_form() {
        check(
            "America/New_York",
            "2026-01-05T09:00:00",
            &[
                "RRULE:FREQ=DAILY;COUNT=4",
                "EXDATE;TZID=America/New_York:20260106T090000",
                "EXDATE:20260107T140000Z",
                "RDATE;TZID=Europe/Berlin:20260110T150000,20260111T150000",
                "EXDATE;VALUE=DATE:20260111",
            ],
            "20260105T140000Z 20260108T140000Z 20260110T140000Z",
        );
        check("UTC", "2026-01-05", &["RDATE;VALUE=DATE:20260107,20260109"], "20260105 20260107 20260109");
    }

    #[test]
    fn the_end_of_a_rule_is_read_in_every_form() {
        for (start, until, expected) in [
            ("2026-01-05", "20260107", "20260105 20260106 20260107"),
            ("2026-01-05", "20260106T235959Z", "20260105 20260106"),
            ("2026-01-05T09:00:00", "20260106", "20260105T140000Z 20260106T140000Z"),
            ("2026-01-05T09:00:00", "20260106T140000Z", "20260105T140000Z 20260106T140000Z"),
            ("2026-01-05T09:00:00", "20260106T135959Z", "20260105T140000Z"),
            ("2026-01-05T09:00:00", "20200106T135959Z", ""),
        ] {
            check("America/New_York", start, &[&format!("RRULE:FREQ=DAILY;UNTIL={until}")], expected);
        }
    }

    #[test]
    fn malformed_lines_of_long_ago_are_read_as_they_were_meant() {
        check(
            "Europe/Warsaw",
            "2023-01-05T09:00:00",
            &["RRULE:DATE;TZID=Europe/Warsaw:20230107T090000", "RRULE;X-FOO=BAR:FREQ=DAILY;COUNT=2"],
            "20230105T080000Z 20230106T080000Z 20230107T080000Z",
        );
    }

    #[test]
    fn a_rule_that_never_ends_and_one_that_never_begins_both_come_to_an_end_here() {
        check("UTC", "2026-01-05T09:00:00", &["RRULE:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30"], "");
        check("UTC", "2026-01-05T09:00:00", &["RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"], "");
    }

    #[test]
    fn lines_that_google_refuses_are_refused() {
        let start = When::Time { at: Utc.with_ymd_and_hms(2026, 1, 5, 9, 0, 0).unwrap(), zone: None };
        for line in [
            "RRULE:FREQ=DAILY;UNTIL=20210605T000000",
            "RRULE:FREQ=SOMETIMES",
            "RRULE:",
            "DTSTART:20260105T090000Z",
            "FREQ=DAILY",
            "RRULE:FREQ=DAILY;COUNT=3;UNTIL=20260301T000000Z",
            "RRULE:FREQ=DAILY;INTERVAL=0",
            "RRULE:FREQ=DAILY;COUNT=3;COUNT=4",
            "RRULE:FREQ=DAILY;;COUNT=4",
            "EXDATE;TZID=Mars/Olympus:20260105T090000",
        ] {
            let lines = [line.to_owned()];
            let refused = Series::parse(&start, &start, &lines, &Zone::utc(), true).unwrap_err();
            assert_eq!(refused.message, "Invalid recurrence rule.", "{line}");
        }
    }

    #[test]
    fn redundant_parts_of_a_rule_do_not_come_back() {
        assert_eq!(normalise("RRULE:FREQ=DAILY;INTERVAL=1;COUNT=3"), "RRULE:FREQ=DAILY;COUNT=3");
        assert_eq!(normalise("EXDATE:20260105T090000Z"), "EXDATE:20260105T090000Z");
    }
}

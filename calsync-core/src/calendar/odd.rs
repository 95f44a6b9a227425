//! What is odd about a line, beyond the grammar of its rule: refused when read strictly, and otherwise noted with what it is taken for.
//!
//! RFC 5545 asks that UNTIL is of the same kind as the start (section 3.3.10), that a list says of which type its dates are, and
//! that a TZID stands with local times alone (3.2.19). Calendars hold all of it otherwise, and every one of these has one plain
//! meaning. Nothing is decided here about what that is: the words of each note say what the expansion does.
//!
//! A list gets one note for each thing that is odd in it, however many of its dates are: it may have ten thousand.

use super::length::Length;
use super::line::Line;
use super::overrides::Clock;
use super::rule::{Note, Reading, Refused, Rule, Stamp};
use super::set::First;

/// Refuses, or notes.
#[derive(Debug)]
pub(super) struct Odd<'a> {
    pub(super) reading: Reading,
    pub(super) notes: &'a mut Vec<Note>,
}

impl Odd<'_> {
    fn say(&mut self, part: &str, how: &'static str, why: &'static str) -> Result<(), Refused> {
        if self.reading == Reading::Strict {
            return Err(Refused::new(part, why));
        }
        self.notes.push(Note::new(part, how));
        Ok(())
    }

    /// Takes a line apart.
    pub(super) fn line<'t>(&mut self, text: &'t str) -> Result<Line<'t>, Refused> {
        let line = Line::of(text)?;
        let trimmed = text.trim();
        let named = trimmed.as_bytes().get(line.name.len()).is_some_and(|next| matches!(next, b':' | b';'));
        if trimmed.len() != text.len() || !(named || line.renamed) {
            self.say(
                text,
                "blanks around a line or its name say nothing",
                "blanks around a line or its name",
            )?;
        }
        if line.renamed {
            self.say(text, "a list of dates, whatever its name", "a list of dates under the name of a rule")?;
            return Ok(line);
        }
        for word in &line.parameters {
            let name = word.split_once('=').map_or("", |(name, _)| name);
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
                let part = if word.is_empty() { text } else { word };
                self.say(part, "it is passed over", "a parameter is a name, an equals sign and a value")?;
            }
        }
        Ok(line)
    }

    /// What does not go with the start of the series.
    pub(super) fn rule(&mut self, rule: &Rule, value: &str, first: First) -> Result<(), Refused> {
        let until = match (rule.until, first.clock) {
            (Some(Stamp::Wall(_) | Stamp::Utc(_)), Clock::Days) => {
                Some(("its day counts", "UNTIL is a time in a series of days"))
            }
            (Some(Stamp::Day(_)), Clock::Floating | Clock::Zoned) => {
                Some(("the whole day counts", "UNTIL is a day in a series by the clock"))
            }
            (Some(Stamp::Wall(_)), Clock::Zoned) => Some((
                "a time on the clock of the series",
                "UNTIL has to be in UTC where the series has a zone",
            )),
            (Some(Stamp::Utc(_)), Clock::Floating) => {
                Some(("a time on the clock of the series", "UNTIL in UTC in a series without a zone"))
            }
            _ => None,
        };
        if let Some((how, why)) = until {
            self.say(part_of(value, "UNTIL"), how, why)?;
        }
        if first.whole_days() && (rule.hours != 0 || rule.minutes != 0 || rule.seconds != 0) {
            let part = ["BYHOUR", "BYMINUTE", "BYSECOND"].map(|name| part_of(value, name));
            let part = part.into_iter().find(|part| *part != value).unwrap_or(value);
            self.say(part, "a time of day names its day", "a time of day in a series of days")?;
        }
        Ok(())
    }

    /// Looks at what a list says of all its dates.
    pub(super) fn dates(&mut self, line: &Line<'_>, first: First, in_zone: bool) -> Result<Dates, Refused> {
        let said = line.parameter("VALUE");
        let kind = match said.map(str::to_ascii_uppercase).as_deref() {
            None | Some("DATE-TIME") => Some(Kind::Time),
            Some("DATE") => Some(Kind::Day),
            Some("PERIOD") if line.name == "RDATE" => Some(Kind::Period),
            Some(_) => {
                let why = "a type that this line cannot have";
                self.say(said.unwrap_or_default(), "each date is read as it is written", why)?;
                None
            }
        };
        // The zone of a mislabelled list is as little to be taken at its word.
        let kind = kind.filter(|_| !line.renamed);
        Ok(Dates { first, in_zone, kind, noted: Vec::new() })
    }
}

/// The type of a date in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Day,
    Time,
    Period,
}

/// The dates of one list, judged one after the other.
#[derive(Debug)]
pub(super) struct Dates {
    first: First,
    /// Whether the list has a TZID.
    in_zone: bool,
    /// Of which type it says its dates are; unknown where it says what no list can have.
    kind: Option<Kind>,
    /// What was noted of it already.
    noted: Vec<&'static str>,
}

impl Dates {
    /// A date as it is written and as it is read; of a period how long it lasts, if that can be read.
    pub(super) fn judge(
        &mut self,
        date: &str,
        read: Stamp,
        period: Option<Option<Length>>,
        odd: &mut Odd<'_>,
    ) -> Result<(), Refused> {
        let kind = match (period, read) {
            (Some(_), _) => Kind::Period,
            (None, Stamp::Day(_)) => Kind::Day,
            (None, Stamp::Wall(_) | Stamp::Utc(_)) => Kind::Time,
        };
        let (day, utc) = (matches!(read, Stamp::Day(_)), matches!(read, Stamp::Utc(_)));
        let clock = self.first.clock;
        for (is, how, why) in [
            (date.contains(char::is_whitespace), "blanks in a list say nothing", "blanks in a list"),
            (
                self.kind.is_some_and(|said| said != kind),
                "it is read as it is written",
                "another type than VALUE says, or than a list without VALUE has",
            ),
            (
                self.in_zone && (day || utc),
                "it is read as it is written, whatever TZID says",
                "TZID does not go with days, nor with times in UTC",
            ),
            (clock == Clock::Days && !day, "its day counts", "a time in a series of days"),
            (
                clock != Clock::Days && day && kind == Kind::Day,
                "that whole day is left out, or has an occurrence at the time of the start",
                "a day in a series by the clock",
            ),
            (
                clock == Clock::Floating && (utc || self.in_zone),
                "its time in UTC is one on the clock of the series",
                "a time in a zone in a series without one",
            ),
            (
                matches!(period, Some(None)) || (kind == Kind::Period && day),
                "only its start counts",
                "no period of time",
            ),
            (
                matches!(period, Some(Some(length)) if length.most() == 0),
                "it has no length",
                "a period that does not end after its start",
            ),
        ] {
            if is && !self.noted.contains(&why) {
                odd.say(date, how, why)?;
                self.noted.push(why);
            }
        }
        Ok(())
    }
}

/// The part of a rule that has this name, as written; all of the rule where none has.
fn part_of<'a>(value: &'a str, name: &str) -> &'a str {
    let is =
        |part: &&str| part.split_once('=').is_some_and(|(found, _)| found.trim().eq_ignore_ascii_case(name));
    value.split(';').find(is).unwrap_or(value)
}

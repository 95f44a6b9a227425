//! What is said of an appointment outside of working hours, in the reader's language.
//!
//! The first sentence is the one that people know from the CRM whose place calsync takes; it says neither which appointment nor which
//! part of it, so both follow. All wording is in one table, which is data: a CRM changes a sentence, or brings a language, without code.
//!
//! Names in braces stand for what is filled in; others are left as they are. A title is somebody else's text: it is shortened, and what
//! moves the cursor is taken out. Whoever may not see a title is given none.

use super::check::{Check, Part};
use super::compile::Reason;
use super::series::SeriesCheck;
use crate::error::Error;
use chrono::{Datelike, NaiveDate, NaiveDateTime, Timelike};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt::Write as _;

/// How many parts outside one sentence names.
pub const PARTS_NAMED_MAX: usize = 3;
/// How many characters of a title are shown.
pub const TITLE_CHARS_MAX: usize = 120;

type Text = Cow<'static, str>;

/// The wording of one language.
///
/// ```
/// # use calsync_core::hours::{Draft, Hours, Period, Rota, Words, horizon};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let schedule = Draft::new("America/Vancouver").every([chrono::Weekday::Mon], [Period::hours(9, 18)]).check()?;
/// # let hours = Hours::compile(&Rota::new(schedule), horizon("2026-11-01T00:00:00Z".parse()?))?;
/// let check = hours.check("2026-11-23T23:00:00Z".parse()?, "2026-11-24T02:00:00Z".parse()?);
/// assert_eq!(
///     Words::english().warning(Some("Site visit"), &check).unwrap(),
///     "Please note that part or all of this Appointment falls outside the Agents working hours. Site visit, Monday \
///      23 November 2026, 16:00–19:00 (America/Vancouver): 18:00–19:00 is after the end of the working day.",
/// );
///
/// let shorter = Words { notice: "Outside working hours:".into(), ..Words::english() };
/// assert!(shorter.warning(None, &check).unwrap().starts_with("Outside working hours: Appointment, Monday 23"));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Words {
    /// The first sentence.
    pub notice: Text,
    /// What follows it: `{title}`, `{when}`, `{parts}`.
    pub detail: Text,
    /// What follows it for a series: `{title}`, `{outside}` of `{all}` occurrences, and `{first}`, a `detail` without a title.
    pub series: Text,
    /// The first occurrence of a series: `{when}`, `{parts}`.
    pub first: Text,
    /// In place of all that, where it cannot be told: `{title}`, `{why}`, which is the error.
    pub unjudged: Text,
    /// When an appointment is: `{date}`, `{start}`, `{end}`, `{zone}`.
    pub when: Text,
    /// One part: `{start}`, `{end}`, `{reason}`.
    pub part: Text,
    /// Between two parts.
    pub between: Text,
    /// Further parts: `{count}`.
    pub more: Text,
    /// A date: `{weekday}`, `{day}`, `{month}`, `{year}`.
    pub date: Text,
    /// A time of day: `{hour}` from 00 to 23, `{minute}`.
    pub time: Text,
    /// A time on another day than the one before: `{date}`, `{time}`.
    pub moment: Text,
    /// In place of a title that is empty or must not be shown.
    pub untitled: Text,
    /// For [`Reason::BeforeStart`].
    pub before_start: Text,
    /// For [`Reason::AfterEnd`].
    pub after_end: Text,
    /// For [`Reason::Break`].
    pub in_break: Text,
    /// For [`Reason::DayOff`].
    pub day_off: Text,
    /// For [`Reason::Holiday`].
    pub holiday: Text,
    /// For [`Reason::Leave`].
    pub leave: Text,
    /// From Monday on.
    pub weekdays: [Text; 7],
    /// From January on.
    pub months: [Text; 12],
}

impl Words {
    /// English.
    pub const fn english() -> Self {
        let text = Cow::Borrowed;
        Self {
            notice: text(
                "Please note that part or all of this Appointment falls outside the Agents working hours.",
            ),
            detail: text("{title}, {when}: {parts}."),
            series: text("{title}: {outside} of {all} occurrences. The first is on {first}."),
            unjudged: text("{title} was not held against working hours: {why}"),
            first: text("{when}: {parts}"),
            when: text("{date}, {start}–{end} ({zone})"),
            part: text("{start}–{end} is {reason}"),
            between: text(", "),
            more: text(", and {count} more"),
            date: text("{weekday} {day} {month} {year}"),
            time: text("{hour}:{minute}"),
            moment: text("{date} {time}"),
            untitled: text("Appointment"),
            before_start: text("before the start of the working day"),
            after_end: text("after the end of the working day"),
            in_break: text("in a break"),
            day_off: text("on a day off"),
            holiday: text("on a holiday"),
            leave: text("during leave"),
            weekdays: [
                text("Monday"),
                text("Tuesday"),
                text("Wednesday"),
                text("Thursday"),
                text("Friday"),
                text("Saturday"),
                text("Sunday"),
            ],
            months: [
                text("January"),
                text("February"),
                text("March"),
                text("April"),
                text("May"),
                text("June"),
                text("July"),
                text("August"),
                text("September"),
                text("October"),
                text("November"),
                text("December"),
            ],
        }
    }

    /// Dutch.
    pub const fn dutch() -> Self {
        let text = Cow::Borrowed;
        Self {
            notice: text(
                "Let op: deze afspraak valt geheel of gedeeltelijk buiten de werktijden van de medewerker.",
            ),
            detail: text("{title}, {when}: {parts}."),
            series: text("{title}: {outside} van de {all} keer. De eerste is op {first}."),
            unjudged: text("{title} is niet met de werktijden vergeleken: {why}"),
            first: text("{when}: {parts}"),
            when: text("{date}, {start}–{end} ({zone})"),
            part: text("{start}–{end} valt {reason}"),
            between: text(", "),
            more: text(", en nog {count}"),
            date: text("{weekday} {day} {month} {year}"),
            time: text("{hour}:{minute}"),
            moment: text("{date} {time}"),
            untitled: text("Afspraak"),
            before_start: text("voor het begin van de werkdag"),
            after_end: text("na het einde van de werkdag"),
            in_break: text("in een pauze"),
            day_off: text("op een vrije dag"),
            holiday: text("op een feestdag"),
            leave: text("tijdens verlof"),
            weekdays: [
                text("maandag"),
                text("dinsdag"),
                text("woensdag"),
                text("donderdag"),
                text("vrijdag"),
                text("zaterdag"),
                text("zondag"),
            ],
            months: [
                text("januari"),
                text("februari"),
                text("maart"),
                text("april"),
                text("mei"),
                text("juni"),
                text("juli"),
                text("augustus"),
                text("september"),
                text("oktober"),
                text("november"),
                text("december"),
            ],
        }
    }

    /// Portuguese.
    pub const fn portuguese() -> Self {
        let text = Cow::Borrowed;
        Self {
            notice: text(
                "Atenção: este compromisso está, total ou parcialmente, fora do horário de trabalho do agente.",
            ),
            detail: text("{title}, {when}: {parts}."),
            series: text("{title}: {outside} de {all} ocorrências. A primeira é em {first}."),
            unjudged: text("{title} não foi comparado com o horário de trabalho: {why}"),
            first: text("{when}: {parts}"),
            when: text("{date}, {start}–{end} ({zone})"),
            part: text("{start}–{end} {reason}"),
            between: text(", "),
            more: text(", e mais {count}"),
            date: text("{weekday}, {day} de {month} de {year}"),
            time: text("{hour}:{minute}"),
            moment: text("{date} {time}"),
            untitled: text("Compromisso"),
            before_start: text("antes do início do dia de trabalho"),
            after_end: text("depois do fim do dia de trabalho"),
            in_break: text("num intervalo"),
            day_off: text("num dia de folga"),
            holiday: text("num feriado"),
            leave: text("durante uma ausência"),
            weekdays: [
                text("segunda-feira"),
                text("terça-feira"),
                text("quarta-feira"),
                text("quinta-feira"),
                text("sexta-feira"),
                text("sábado"),
                text("domingo"),
            ],
            months: [
                text("janeiro"),
                text("fevereiro"),
                text("março"),
                text("abril"),
                text("maio"),
                text("junho"),
                text("julho"),
                text("agosto"),
                text("setembro"),
                text("outubro"),
                text("novembro"),
                text("dezembro"),
            ],
        }
    }

    /// The shipped wording of a language tag such as `nl` or `pt-BR`; `None` for a language that does not ship.
    pub fn of_language(tag: &str) -> Option<Self> {
        let language = tag.split(['-', '_']).next().unwrap_or(tag).to_ascii_lowercase();
        match language.as_str() {
            "en" => Some(Self::english()),
            "nl" => Some(Self::dutch()),
            "pt" => Some(Self::portuguese()),
            _ => None,
        }
    }

    /// The warning about an appointment or one occurrence, with dates and times in the zone of the schedule; `None` where there is
    /// nothing to warn of.
    pub fn warning(&self, title: Option<&str>, check: &Check) -> Option<String> {
        let (when, parts) = self.facts(check)?;
        let detail = fill(&self.detail, &[("title", &self.title(title)), ("when", &when), ("parts", &parts)]);
        Some(format!("{} {detail}", self.notice))
    }

    /// The warning about a series: how many occurrences, and the first; `None` where there is nothing to warn of.
    pub fn series_warning(&self, title: Option<&str>, checked: &SeriesCheck) -> Option<String> {
        let (_, check) = checked.first()?;
        let (when, parts) = self.facts(check)?;
        let first = fill(&self.first, &[("when", &when), ("parts", &parts)]);
        let (outside, all) = (checked.outside.to_string(), checked.looked_at.to_string());
        let title = self.title(title);
        let values = [("title", &*title), ("outside", &outside), ("all", &all), ("first", &first)];
        Some(format!("{} {}", self.notice, fill(&self.series, &values)))
    }

    /// What is said of an appointment or a series that cannot be judged.
    pub fn not_judged(&self, title: Option<&str>, why: &Error) -> String {
        fill(&self.unjudged, &[("title", &self.title(title)), ("why", &why.to_string())])
    }

    /// When an appointment is, and its parts outside.
    fn facts(&self, check: &Check) -> Option<(String, String)> {
        let zone = &check.outside.first()?.zone;
        let wall = |instant: chrono::DateTime<chrono::Utc>| {
            zone.wall(instant).map_or(instant.naive_utc(), |wall| wall.time)
        };
        let (start, end) = (wall(check.start), wall(check.end));
        let when = fill(
            &self.when,
            &[
                ("date", &self.date(start.date())),
                ("start", &self.time(start)),
                ("end", &self.end(end, start.date())),
                ("zone", zone.as_str()),
            ],
        );
        let mut parts = String::new();
        for (at, part) in check.outside.iter().take(PARTS_NAMED_MAX).enumerate() {
            if at > 0 {
                parts.push_str(&self.between);
            }
            parts.push_str(&self.part(part, start.date()));
        }
        let more = check.outside.len().saturating_sub(PARTS_NAMED_MAX) + check.outside_left_out as usize;
        if more > 0 {
            parts.push_str(&fill(&self.more, &[("count", &more.to_string())]));
        }
        Some((when, parts))
    }

    fn part(&self, part: &Part, day: NaiveDate) -> String {
        let reason = match part.reason {
            Reason::BeforeStart => &self.before_start,
            Reason::AfterEnd => &self.after_end,
            Reason::Break => &self.in_break,
            Reason::DayOff => &self.day_off,
            Reason::Holiday => &self.holiday,
            Reason::Leave => &self.leave,
        };
        let start = self.moment(part.wall_start, day);
        let end = self.end(part.wall_end, part.wall_start.date());
        fill(&self.part, &[("start", &start), ("end", &end), ("reason", reason)])
    }

    /// A time, with its date where that is another than the one known.
    fn moment(&self, moment: NaiveDateTime, known: NaiveDate) -> String {
        if moment.date() == known {
            return self.time(moment);
        }
        let (date, time) = (self.date(moment.date()), self.time(moment));
        fill(&self.moment, &[("date", &date), ("time", &time)])
    }

    /// The same of an end: the midnight after the known date needs no date.
    fn end(&self, moment: NaiveDateTime, known: NaiveDate) -> String {
        let midnight = moment.num_seconds_from_midnight() == 0 && known.succ_opt() == Some(moment.date());
        if midnight { self.time(moment) } else { self.moment(moment, known) }
    }

    fn date(&self, date: NaiveDate) -> String {
        let weekday = &self.weekdays[date.weekday().num_days_from_monday() as usize];
        let month = &self.months[date.month0() as usize];
        let (day, year) = (date.day().to_string(), date.year().to_string());
        fill(&self.date, &[("weekday", weekday), ("day", &day), ("month", month), ("year", &year)])
    }

    fn time(&self, time: NaiveDateTime) -> String {
        let (hour, minute) = (format!("{:02}", time.hour()), format!("{:02}", time.minute()));
        fill(&self.time, &[("hour", &hour), ("minute", &minute)])
    }

    fn title(&self, title: Option<&str>) -> String {
        let title = title.unwrap_or_default();
        let plain =
            title.chars().filter(|c| !is_steering(*c)).map(|c| if c.is_whitespace() { ' ' } else { c });
        let mut shown: String = plain.clone().take(TITLE_CHARS_MAX).collect();
        if plain.count() > TITLE_CHARS_MAX {
            let _ = write!(shown, "…");
        }
        match shown.trim() {
            "" => self.untitled.clone().into_owned(),
            shown => shown.to_owned(),
        }
    }
}

impl Default for Words {
    /// English.
    fn default() -> Self {
        Self::english()
    }
}

/// Whether a character moves the cursor, or turns the direction of what follows it.
fn is_steering(c: char) -> bool {
    (c.is_control() && !c.is_whitespace()) || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Puts values in place of their names, once: what a value says is never looked at.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let found = after.split_once('}').and_then(|(name, after)| {
            let (_, value) = values.iter().find(|(known, _)| *known == name)?;
            Some((value, after))
        });
        match found {
            Some((value, after)) => {
                filled.push_str(value);
                rest = after;
            }
            None => {
                filled.push('{');
                rest = after;
            }
        }
    }
    filled.push_str(rest);
    filled
}

//! What an edit makes of a series: this occurrence, this and all that follow, or all.
//!
//! Pure: a new set comes out, the old one stays, and nothing is written. Google and others know no RANGE; "this and following" is two
//! series there: the old one, ended by UNTIL just before the slot, and a new one that starts in it. What is split here shows the
//! same as before, slot by slot, until somebody changes one half: each line and each override goes to its half, a COUNT is
//! shared, and a rule that ended before the slot has no part in the second half.
//!
//! A rule takes what it does not say from the start of its series. Where it would not go on from the slot as it went before (the
//! slot is a listed date and none of the rule, or several rules step differently), splitting is refused instead of bending the
//! series; that is found out by comparing both.

use super::civil::{DAY, date_text};
use super::course::Course;
use super::line::Line;
use super::offsets::At;
use super::overrides::{Override, Placed, Reach, RecurrenceSet, start_like};
use super::rule::{Reading, Refused, Rule};
use super::series::{Series, Start, Truncated, zone_of};
use super::set::{First, Set};
use super::walk::{Step, Walk};
use crate::model::{Recurrence, Slot};
use std::fmt;

/// The days that lines can write, from the year 53 to 9999.
const DAYS: [i64; 2] = [-700_000, 2_932_896];

/// How many occurrences of a rule are compared with those of its second half.
const COMPARED: usize = 64;

/// Why an edit is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EditRefused {
    /// The series does not have this slot.
    NoSlot(Slot),
    /// It is the first one: nothing would be left before it.
    FirstSlot(Slot),
    /// A rule would not go on from this slot as it went before.
    Rules(Slot),
    /// The series cannot be followed to the slot within the work.
    Truncated,
    /// The lines cannot be read.
    Refused(Refused),
}

impl fmt::Display for EditRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSlot(slot) => write!(f, "the series has no occurrence at {slot}"),
            Self::FirstSlot(slot) => {
                write!(f, "{slot} is the first occurrence: edit the series as a whole")
            }
            Self::Rules(slot) => {
                write!(
                    f,
                    "the rules of the series cannot go on from {slot} as they are: split it at another occurrence"
                )
            }
            Self::Truncated => Truncated.fmt(f),
            Self::Refused(refused) => refused.fmt(f),
        }
    }
}

impl std::error::Error for EditRefused {}

impl From<Truncated> for EditRefused {
    fn from(_: Truncated) -> Self {
        Self::Truncated
    }
}

impl From<Refused> for EditRefused {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// What becomes of overrides whose slot the changed series does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Orphans {
    /// They are lost.
    Drop,
    /// What takes place stays: its slot is listed as a date of its own (RDATE). A cancelled slot that is none any more is dropped.
    Keep,
}

/// A series in two halves.
#[derive(Clone, Debug)]
pub struct Split<T> {
    /// What is before the slot.
    pub before: RecurrenceSet<T>,
    /// A series that starts in the slot.
    pub following: RecurrenceSet<T>,
}

impl<T: Clone> RecurrenceSet<T> {
    /// This occurrence: the series with one override more, or another one in its place.
    ///
    /// # Errors
    /// [`EditRefused::NoSlot`] when the series does not have its slot.
    pub fn with(&self, change: Override<T>) -> Result<Self, EditRefused> {
        if !self.has_slot(change.slot)? {
            return Err(EditRefused::NoSlot(change.slot));
        }
        let overrides = self.overrides.iter().cloned().chain([change]);
        self.like(self.own.clone(), self.lines.clone(), overrides)
    }

    /// This occurrence as the series has it: without an override of its own.
    ///
    /// # Errors
    /// None that the set did not have before.
    pub fn without(&self, slot: Slot) -> Result<Self, EditRefused> {
        let key = self.key(slot);
        let kept = self.overrides.iter();
        let kept = kept.filter(|change| change.reach != Reach::One || self.key(change.slot) != key);
        self.like(self.own.clone(), self.lines.clone(), kept.cloned())
    }

    /// This and all that follow, in two series. Both together show what the one showed.
    ///
    /// # Errors
    /// [`EditRefused`], where there is no such slot, nothing before it, or no second half that goes on as the rules say.
    pub fn split(&self, slot: Slot) -> Result<Split<T>, EditRefused> {
        let key = self.key(slot);
        if !self.has_slot(slot)? {
            return Err(EditRefused::NoSlot(slot));
        }
        if self
            .series
            .walk_from(i64::MIN / 4)
            .next()
            .transpose()?
            .is_none_or(|first| first.instant().timestamp() >= key)
        {
            return Err(EditRefused::FirstSlot(slot));
        }
        let at = self.series.zone.at(key);
        let halves = [Some(at.wall), self.series.zone.skipped_to(at)].into_iter().flatten().map(|wall| {
            let halves = self.halves(at, First { wall, ..self.series.first })?;
            Ok(halves.map(|(before, following)| (wall, before, following)))
        });
        let halves: Result<Vec<_>, EditRefused> = halves.collect();
        let Some((wall, before, following)) = halves?.into_iter().flatten().next() else {
            return Err(EditRefused::Rules(slot));
        };
        let (early, mut late): (Vec<_>, Vec<_>) =
            self.overrides.iter().cloned().partition(|change| self.key(change.slot) < key);
        let range = &self.ranges[self.range_of(key)];
        if let Some(of) = range.of.filter(|_| range.from < key) {
            // What holds from an earlier slot on goes on holding.
            let to = self.overrides[of].to.as_ref().map(|to| {
                let like = if range.clock == self.ranges[0].clock { &self.own.start } else { &to.start };
                Placed { start: start_like(like, range.place(at).wall), ..to.clone() }
            });
            late.push(Override { slot, reach: Reach::Following, to });
        }
        let own = Placed { start: start_like(&self.own.start, wall), ..self.own.clone() };
        Ok(Split {
            before: self.like(self.own.clone(), before, early)?,
            following: self.like(own, following, late)?,
        })
    }

    /// All: another start, length, value or rule. Overrides move to the slots that are as far from the old ones, on the wall clock, as the
    /// new start is from the old one; where they take place does not change.
    ///
    /// # Errors
    /// [`EditRefused::Refused`] for lines that cannot be read, [`EditRefused::Truncated`] when it cannot be told which slots there are.
    pub fn changed(&self, own: Placed<T>, lines: Recurrence, orphans: Orphans) -> Result<Self, EditRefused> {
        let bare = self.like(own.clone(), lines.clone(), [])?;
        let shift = own.start.wall() - self.own.start.wall();
        let (mut kept, mut listed) = (Vec::new(), Vec::new());
        let mut work = self.series.work_max;
        for change in &self.overrides {
            let (at, slot) = self.moved(change.slot, shift, &bare.series);
            // One that reaches further says something of later slots, whether or not its own is there.
            if change.reach == Reach::One && !bare.series.has(at.instant, &mut work)? {
                if orphans == Orphans::Drop || change.to.is_none() {
                    continue;
                }
                listed.push(slot);
            }
            kept.push(Override { slot, ..change.clone() });
        }
        let mut lines = lines.lines().to_vec();
        lines.extend(listed.iter().map(|slot| match slot {
            Slot::Date(_) => format!("RDATE;VALUE=DATE:{slot}"),
            Slot::Time(_) if matches!(own.start, Start::Floating(_)) => {
                format!("RDATE:{}", slot.to_string().trim_end_matches('Z'))
            }
            Slot::Time(_) => format!("RDATE:{slot}"),
        }));
        self.like(own, Recurrence::new(lines), kept)
    }

    /// The lines with their EXDATEs and RDATEs moved as far on the wall clock as a new start is from the old one: what
    /// [`RecurrenceSet::changed`] wants when a series is moved. The rules stay as they are.
    ///
    /// # Errors
    /// [`EditRefused::Refused`] for lines that cannot be read.
    pub fn lines_moved_to(&self, start: &Start) -> Result<Recurrence, EditRefused> {
        let shift = start.wall() - self.own.start.wall();
        let zone = start.offsets()?;
        let whole_days = matches!(start, Start::Day(_));
        let mut lines = Vec::new();
        for text in self.lines.lines() {
            let line = Line::of(text)?;
            if line.is_rule() {
                lines.push(text.clone());
                continue;
            }
            let mut moved = Vec::new();
            for date in line.value.split(',') {
                let begin = match self.listed(&line, date)? {
                    Listed::At(at) => {
                        let at = zone.at_wall(at.wall + shift);
                        let slot = slot_of(at, whole_days).to_string();
                        match start {
                            Start::Floating(_) => slot.trim_end_matches('Z').to_owned(),
                            _ => slot,
                        }
                    }
                    Listed::Day(day) => {
                        date_text((day + shift.div_euclid(DAY)).clamp(DAYS[0], DAYS[1]) as i32)
                    }
                };
                moved.push(match date.split_once('/') {
                    // A period that says its end is as long as it was; one that says its length says it still.
                    Some((_, end)) if end.trim().starts_with(['P', 'p']) => format!("{begin}/{end}"),
                    _ => begin,
                });
            }
            let value = if moved.iter().all(|date| date.len() == 8) { ";VALUE=DATE" } else { "" };
            lines.push(format!("{}{value}:{}", line.name, moved.join(",")));
        }
        Ok(Recurrence::new(lines))
    }

    /// The slot that is as far from this one, on the wall clock, as another start is from that of the series.
    ///
    /// # Errors
    /// [`EditRefused::Refused`] for a zone that this machine's data does not know.
    pub fn slot_moved_to(&self, slot: Slot, start: &Start) -> Result<Slot, EditRefused> {
        let to = Series::parse(start, [], Reading::Lenient)?;
        Ok(self.moved(slot, start.wall() - self.own.start.wall(), &to).1)
    }

    fn moved(&self, slot: Slot, shift: i64, to: &Series) -> (At, Slot) {
        let at = to.zone.at_wall(self.series.zone.at(self.key(slot)).wall + shift);
        (at, slot_of(at, to.first.whole_days()))
    }

    /// Another set, read and asked as this one is.
    fn like(
        &self,
        own: Placed<T>,
        lines: Recurrence,
        overrides: impl IntoIterator<Item = Override<T>>,
    ) -> Result<Self, EditRefused> {
        let set = Self::new(own, lines, overrides, Reading::Lenient)?;
        let set = set.gap(self.series.gap).work_max(self.series.work_max);
        Ok(if self.series.until_midnight { set.until_midnight() } else { set })
    }

    /// The lines before a slot, and those from it on for a series that starts so; nothing where a rule would not go on as it went before.
    fn halves(&self, slot: At, start: First) -> Result<Option<(Recurrence, Recurrence)>, EditRefused> {
        let (mut before, mut following) = (Vec::new(), Vec::new());
        for text in self.lines.lines() {
            let line = Line::of(text)?;
            if !line.is_rule() {
                let (mut early, mut late) = (Vec::new(), Vec::new());
                for date in line.value.split(',') {
                    let (is_early, is_late) = match self.listed(&line, date)? {
                        Listed::At(at) => (at.instant < slot.instant, at.instant >= slot.instant),
                        // A day that is left out whole may have occurrences on both sides.
                        Listed::Day(day) => {
                            (day <= slot.wall.div_euclid(DAY), day >= slot.wall.div_euclid(DAY))
                        }
                    };
                    early.extend(is_early.then_some(date));
                    late.extend(is_late.then_some(date));
                }
                for (half, dates) in [(&mut before, early), (&mut following, late)] {
                    if !dates.is_empty() {
                        half.push(format!("{}:{}", line.head(), dates.join(",")));
                    }
                }
                continue;
            }
            let mut notes = Vec::new();
            let rule = Rule::parse(line.value, Reading::Lenient, &mut notes)?;
            match self.rest_of(&rule, slot, start)? {
                Rest::Nothing => before.push(text.clone()),
                Rest::Other => return Ok(None),
                Rest::Same(count) => {
                    before
                        .push(rule_with(&line, &[("COUNT", None), ("UNTIL", Some(self.until_before(slot)))]));
                    following.push(match count {
                        Some(count) => rule_with(&line, &[("COUNT", Some(count.to_string()))]),
                        None => text.clone(),
                    });
                }
            }
        }
        Ok(Some((Recurrence::new(before), Recurrence::new(following))))
    }

    /// What a rule has from a slot on, and whether it has the same when the series starts there.
    fn rest_of(&self, rule: &Rule, slot: At, start: First) -> Result<Rest, EditRefused> {
        let zone = &self.series.zone;
        let course = Course::new(rule.clone(), self.series.first, zone);
        let mut old = Walk::new(&course, zone, self.series.gap, self.series.work_max);
        old.seek(slot.instant);
        let mut passing = self.series.work_max;
        let mut next = old.step();
        while matches!(next, Step::Found(at) if at.instant < slot.instant) {
            passing = passing.checked_sub(1).ok_or(Truncated)?;
            next = old.step();
        }
        let count = match next {
            Step::Done => return Ok(Rest::Nothing),
            Step::Spent => return Err(EditRefused::Truncated),
            // This one is counted already, and so is what a gap moved.
            Step::Found(_) => old.left.map(|left| left.saturating_add(1 + old.moved.len() as u32)),
        };
        let rest = Course::new(Rule { count, ..rule.clone() }, start, zone);
        let mut new = Walk::new(&rest, zone, self.series.gap, self.series.work_max);
        for _ in 0..COMPARED {
            match (next, new.step()) {
                (Step::Found(old), Step::Found(new)) if old.instant == new.instant => {}
                (Step::Spent, _) | (_, Step::Spent) => return Err(EditRefused::Truncated),
                (Step::Done, Step::Done) => break,
                _ => return Ok(Rest::Other),
            }
            next = old.step();
        }
        Ok(Rest::Same(count))
    }

    /// What one date of a list means.
    fn listed(&self, line: &Line<'_>, date: &str) -> Result<Listed, EditRefused> {
        let mut set = Set::default();
        let text = format!("{}:{date}", line.head());
        set.line(&text, self.series.first, &self.series.zone, &zone_of, Reading::Lenient)?;
        let left_out = set.left_out.first().map(|instant| self.series.zone.at(*instant));
        let at = set.dates.first().copied().or(left_out).map(Listed::At);
        let day = set.days_left_out.first().copied().map(Listed::Day);
        at.or(day).ok_or_else(|| EditRefused::Refused(Refused::new(&text, "no date or time")))
    }

    /// The last moment before a slot, as UNTIL writes it.
    fn until_before(&self, slot: At) -> String {
        let before = At { instant: slot.instant - 1, wall: slot.wall - 1 };
        let text = slot_of(before, self.series.first.whole_days()).to_string();
        match self.own.start {
            Start::Floating(_) => text.trim_end_matches('Z').to_owned(),
            _ => text,
        }
    }
}

/// What a rule has from a slot on.
enum Rest {
    /// It ended before.
    Nothing,
    /// The same, when the series starts there; of a COUNT what is left of it.
    Same(Option<u32>),
    /// Something else.
    Other,
}

/// A date of a list.
enum Listed {
    At(At),
    /// All of a day is left out.
    Day(i64),
}

/// The rule with these parts said so, or not said; the others as they are.
fn rule_with(line: &Line<'_>, said: &[(&str, Option<String>)]) -> String {
    let is = |part: &str, name: &str| {
        part.split_once('=').is_some_and(|(found, _)| found.trim().eq_ignore_ascii_case(name))
    };
    let kept = line.value.split(';').filter(|part| !part.trim().is_empty());
    let kept = kept.filter(|part| !said.iter().any(|(name, _)| is(part, name)));
    let added = said.iter().filter_map(|(name, value)| Some(format!("{name}={}", value.as_ref()?)));
    let parts: Vec<String> = kept.map(str::to_owned).chain(added).collect();
    format!("{}:{}", line.head(), parts.join(";"))
}

fn slot_of(at: At, whole_days: bool) -> Slot {
    let instant = chrono::DateTime::from_timestamp(at.instant, 0);
    let instant = instant.unwrap_or(chrono::DateTime::<chrono::Utc>::MAX_UTC);
    if whole_days { Slot::Date(instant.date_naive()) } else { Slot::Time(instant) }
}

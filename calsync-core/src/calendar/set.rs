//! The rules and the listed dates of a series, merged into one stream.
//!
//! Everything is compared as an instant (or as a wall time where there is no zone), so that an EXDATE in another zone takes out what
//! it means. What stands twice is there once. Changed and cancelled occurrences are not known here.

use super::civil::DAY;
use super::course::Course;
use super::length::Length;
use super::line::Line;
use super::odd::Odd;
use super::offsets::{At, Offsets};
use super::overrides::Clock;
use super::rule::{Note, Reading, Refused, Rule, Stamp, stamp};
use super::series::Truncated;
use super::walk::{Gap, Step, Walk};
use chrono::Duration;
use std::cmp::Reverse;
use std::ops::Range;
use std::sync::Arc;

/// How a series starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct First {
    /// The wall time, in seconds from 1 January 1970; of a whole day its midnight.
    pub(super) wall: i64,
    /// What its times mean.
    pub(super) clock: Clock,
}

impl First {
    /// Whether the series is one of whole days.
    pub(super) fn whole_days(&self) -> bool {
        self.clock == Clock::Days
    }
}

/// The zone of a property whose dates are in another one than the series.
pub(super) type Zones<'a> = &'a dyn Fn(&str) -> Option<Arc<Offsets>>;

/// Rules and listed dates of a series.
#[derive(Clone, Debug, Default)]
pub(super) struct Set {
    pub(super) rules: Vec<Course>,
    pub(super) exceptions: Vec<Course>,
    pub(super) dates: Vec<At>,
    /// Instants that are left out, in order.
    pub(super) left_out: Vec<i64>,
    /// Days that are left out whole, in order.
    pub(super) days_left_out: Vec<i64>,
    /// How long listed occurrences last, by instant, where the list says so.
    pub(super) lengths: Vec<(i64, Length)>,
    /// What was odd and accepted.
    pub(super) notes: Vec<Note>,
}

impl Set {
    /// Reads RRULE, EXRULE, RDATE and EXDATE lines of a series that starts so.
    ///
    /// # Errors
    /// The first part of the first line that cannot be read.
    pub(super) fn parse<'a>(
        lines: impl IntoIterator<Item = &'a str>,
        first: First,
        zone: &Offsets,
        zones: Zones<'_>,
        reading: Reading,
    ) -> Result<Self, Refused> {
        let mut set = Self::default();
        for (line, text) in lines.into_iter().enumerate() {
            set.line(text, first, zone, zones, reading).map_err(|refused| Refused { line, ..refused })?;
        }
        if set.rules.is_empty() {
            set.dates.push(zone.at_wall(first.wall));
        }
        set.dates.sort_unstable();
        set.dates.dedup();
        // Of several lengths in one slot the longest counts, in whatever order they are listed.
        set.lengths.sort_by_key(|(at, length)| (*at, Reverse(length.rank())));
        set.lengths.dedup_by_key(|(at, _)| *at);
        set.left_out.sort_unstable();
        set.left_out.dedup();
        set.days_left_out.sort_unstable();
        set.days_left_out.dedup();
        Ok(set)
    }

    /// Reads one line. What it says is in order only when all are read.
    pub(super) fn line(
        &mut self,
        text: &str,
        first: First,
        zone: &Offsets,
        zones: Zones<'_>,
        reading: Reading,
    ) -> Result<(), Refused> {
        let mut odd = Odd { reading, notes: &mut self.notes };
        let line = odd.line(text)?;
        match line.name.as_str() {
            "RRULE" | "EXRULE" => {
                let rule = Rule::parse(line.value, reading, odd.notes)?;
                odd.rule(&rule, line.value, first)?;
                let course = Course::new(rule, first, zone);
                match line.name.as_str() {
                    "RRULE" => self.rules.push(course),
                    _ => self.exceptions.push(course),
                }
                Ok(())
            }
            "RDATE" | "EXDATE" => self.list(&line, first, zone, zones, reading),
            _ => Err(Refused::new(&line.head(), "a line that says nothing about recurrence")),
        }
    }

    fn list(
        &mut self,
        line: &Line<'_>,
        first: First,
        zone: &Offsets,
        zones: Zones<'_>,
        reading: Reading,
    ) -> Result<(), Refused> {
        let added = line.name == "RDATE";
        let own = match line.parameter("TZID") {
            Some(name) => Some(zones(name).ok_or_else(|| Refused::new(name, "an unknown time zone"))?),
            None => None,
        };
        let in_zone = own.is_some();
        let own = own.as_deref().unwrap_or(zone);
        let mut dates = Odd { reading, notes: &mut self.notes }.dates(line, first, in_zone)?;
        for date in line.value.split(',') {
            let (begin, end) = date.split_once('/').map_or((date, None), |(b, e)| (b, Some(e)));
            let read = stamp(begin.trim()).ok_or_else(|| Refused::new(date, "no date or time"))?;
            let length = end.map(|end| period(read, end.trim(), own));
            dates.judge(date, read, length, &mut Odd { reading, notes: &mut self.notes })?;
            self.date(read, added, first, zone, own);
            if let (true, Some(Some(length)), Some(at)) = (added, length, self.dates.last()) {
                self.lengths.push((at.instant, length));
            }
        }
        Ok(())
    }

    fn date(&mut self, read: Stamp, added: bool, first: First, zone: &Offsets, own: &Offsets) {
        let at = match read {
            Stamp::Day(day) if first.whole_days() => {
                At { instant: i64::from(day) * DAY, wall: i64::from(day) * DAY }
            }
            Stamp::Day(day) if added => zone.at_wall(i64::from(day) * DAY + first.wall.rem_euclid(DAY)),
            Stamp::Day(day) => return self.days_left_out.push(day.into()),
            Stamp::Wall(wall) | Stamp::Utc(wall) if first.whole_days() => {
                let day = wall.div_euclid(DAY) * DAY;
                At { instant: day, wall: day }
            }
            Stamp::Wall(wall) => zone.at(own.at_wall(wall).instant),
            Stamp::Utc(instant) => zone.at(instant),
        };
        match added {
            true => self.dates.push(at),
            false => self.left_out.push(at.instant),
        }
    }

    /// Whether there is nothing but rules and instants that they leave out.
    fn is_plain(&self) -> bool {
        self.exceptions.is_empty() && self.dates.is_empty() && self.days_left_out.is_empty()
    }

    /// The instants of all occurrences from `from` to before `to`, appended to `found`.
    ///
    /// # Errors
    /// [`Truncated`] when the work was spent before all were found; what was found stays.
    pub(super) fn fill(
        &self,
        zone: &Offsets,
        gap: Gap,
        window: Range<i64>,
        work: u64,
        found: &mut Vec<i64>,
    ) -> Result<(), Truncated> {
        let (true, [course]) = (self.is_plain(), &self.rules[..]) else {
            let begin = found.len();
            for at in self.walk(zone, gap, window.start, work) {
                let at = at?;
                if at.instant >= window.end {
                    break;
                }
                if (found.len() - begin) as u64 >= work {
                    return Err(Truncated);
                }
                found.push(at.instant);
            }
            return Ok(());
        };
        let mut walk = Walk::new(course, zone, gap, work);
        walk.seek(window.start);
        let most = found.len().saturating_add(usize::try_from(work).unwrap_or(usize::MAX));
        let mut passed = 0;
        let mut left_out = &self.left_out[self.left_out.partition_point(|date| *date < window.start)..];
        let mut last = None;
        loop {
            // What the search went too far back for is behind once one was found.
            if last.is_some() {
                let before = found.len();
                let stop = left_out.first().map_or(window.end, |date| window.end.min(*date));
                walk.run(stop, most.saturating_sub(before), |at| found.push(at.instant));
                if found.len() > before {
                    if found.get(before).copied() == last {
                        found.remove(before);
                    }
                    last = found.last().copied().or(last);
                }
            }
            let at = match walk.step() {
                Step::Found(at) => at.instant,
                Step::Done => return Ok(()),
                Step::Spent => return Err(Truncated),
            };
            if at >= window.end {
                return Ok(());
            }
            if passed == work || found.len() >= most {
                return Err(Truncated);
            }
            if at < window.start || last == Some(at) {
                passed += 1;
                continue;
            }
            last = Some(at);
            while left_out.first().is_some_and(|date| *date < at) {
                left_out = &left_out[1..];
            }
            if left_out.first() != Some(&at) {
                found.push(at);
            }
        }
    }

    /// The occurrences from `from` on, an instant. The rules share the work.
    pub(super) fn walk<'a>(&'a self, zone: &'a Offsets, gap: Gap, from: i64, work: u64) -> Merged<'a> {
        let parts = self.rules.len() + self.exceptions.len();
        let share = (work / parts.max(1) as u64).max(1);
        let walk = |course: &'a Course| {
            let mut walk = Walk::new(course, zone, gap, share);
            walk.seek(from);
            Source::new(walk)
        };
        let dates = self.dates.partition_point(|date| date.instant < from);
        Merged {
            rules: self.rules.iter().map(walk).collect(),
            exceptions: self.exceptions.iter().map(walk).collect(),
            dates: &self.dates[dates..],
            left_out: &self.left_out[self.left_out.partition_point(|date| *date < from)..],
            days_left_out: &self.days_left_out,
            from,
            last: None,
            plain: self.is_plain() && self.rules.len() == 1,
            passing: work,
            given: work.saturating_add(share.saturating_mul(parts as u64)),
        }
    }
}

/// How long a period lasts: what stands behind its slash is its end or its duration (section 3.3.9).
pub(super) fn period(begin: Stamp, end: &str, zone: &Offsets) -> Option<Length> {
    let instant = |stamp: Stamp| match stamp {
        Stamp::Day(_) => None,
        Stamp::Wall(wall) => Some(zone.at_wall(wall).instant),
        Stamp::Utc(instant) => Some(instant),
    };
    match stamp(end) {
        Some(end) => Some(Length::exactly(Duration::seconds(instant(end)? - instant(begin)?))),
        None => Length::parse(end),
    }
}

/// How many occurrences are found ahead.
const AHEAD: usize = 16;

/// A walk and what it found next.
#[derive(Debug)]
struct Source<'a> {
    walk: Walk<'a>,
    next: Step,
    /// What comes after it, from `taken` to `found`, where that was found in one go.
    ahead: [At; AHEAD],
    taken: usize,
    found: usize,
}

impl<'a> Source<'a> {
    fn new(mut walk: Walk<'a>) -> Self {
        let next = walk.step();
        Self { walk, next, ahead: [At::default(); AHEAD], taken: 0, found: 0 }
    }

    #[inline]
    fn advance(&mut self) {
        if self.taken == self.found {
            self.find_ahead();
        }
        self.next = match self.ahead.get(self.taken) {
            Some(at) if self.taken < self.found => {
                self.taken += 1;
                Step::Found(*at)
            }
            _ => self.walk.step(),
        };
    }

    fn find_ahead(&mut self) {
        (self.taken, self.found) = (0, 0);
        let (ahead, found) = (&mut self.ahead, &mut self.found);
        self.walk.run(i64::MAX, AHEAD, |at| {
            ahead[*found] = at;
            *found += 1;
        });
    }
}

/// Merged in order, each once.
#[derive(Debug)]
pub(super) struct Merged<'a> {
    rules: Vec<Source<'a>>,
    exceptions: Vec<Source<'a>>,
    dates: &'a [At],
    left_out: &'a [i64],
    days_left_out: &'a [i64],
    from: i64,
    last: Option<i64>,
    /// Whether there is one rule and nothing to merge it with but instants that are left out.
    plain: bool,
    /// How many more may be passed over without being given: a single period of a rule can have millions.
    passing: u64,
    /// The work that there was in the beginning.
    given: u64,
}

/// What came next.
enum Looked {
    Given(At),
    PassedOver,
    Done,
}

impl Merged<'_> {
    /// How much work was done.
    pub(super) fn spent(&self) -> u64 {
        let sources = self.rules.iter().chain(&self.exceptions);
        let left = sources.fold(self.passing, |left, source| left.saturating_add(source.walk.work));
        self.given.saturating_sub(left)
    }

    /// Passes over one, if the work allows it.
    fn pass_over(&mut self) -> Result<(), Truncated> {
        self.passing = self.passing.checked_sub(1).ok_or(Truncated)?;
        Ok(())
    }

    /// Whether an exception takes this one out.
    fn is_left_out(&mut self, at: At) -> Result<bool, Truncated> {
        while self.left_out.first().is_some_and(|date| *date < at.instant) {
            self.left_out = &self.left_out[1..];
        }
        if self.left_out.first() == Some(&at.instant) {
            return Ok(true);
        }
        if !self.days_left_out.is_empty()
            && self.days_left_out.binary_search(&at.wall.div_euclid(DAY)).is_ok()
        {
            return Ok(true);
        }
        for rule in 0..self.exceptions.len() {
            loop {
                match self.exceptions[rule].next {
                    Step::Found(found) if found.instant < at.instant => {
                        self.pass_over()?;
                        self.exceptions[rule].advance();
                    }
                    Step::Found(found) if found.instant == at.instant => return Ok(true),
                    Step::Spent => return Err(Truncated),
                    _ => break,
                }
            }
        }
        Ok(false)
    }

    fn look(&mut self) -> Result<Looked, Truncated> {
        if self.rules.iter().any(|source| source.next == Step::Spent) {
            return Err(Truncated);
        }
        let mut found = self.dates.first().copied();
        let mut of = None;
        for (at, source) in self.rules.iter().enumerate() {
            if let Step::Found(next) = source.next
                && found.is_none_or(|found| next < found)
            {
                (found, of) = (Some(next), Some(at));
            }
        }
        let Some(found) = found else { return Ok(Looked::Done) };
        match of {
            Some(at) => self.rules[at].advance(),
            None => self.dates = &self.dates[1..],
        }
        if found.instant >= self.from && self.last != Some(found.instant) {
            self.last = Some(found.instant);
            if !self.is_left_out(found)? {
                return Ok(Looked::Given(found));
            }
        }
        self.pass_over()?;
        Ok(Looked::PassedOver)
    }
}

impl Merged<'_> {
    /// The next one where there is one rule and nothing else to merge it with.
    #[inline]
    fn next_of_rule(&mut self) -> Option<Result<At, Truncated>> {
        let source = self.rules.first_mut()?;
        loop {
            let at = match source.next {
                Step::Found(at) => at,
                Step::Done => return None,
                Step::Spent => {
                    source.next = Step::Done;
                    return Some(Err(Truncated));
                }
            };
            source.advance();
            if at.instant >= self.from && self.last != Some(at.instant) {
                self.last = Some(at.instant);
                while let [date, rest @ ..] = self.left_out
                    && *date < at.instant
                {
                    self.left_out = rest;
                }
                if self.left_out.first() != Some(&at.instant) {
                    return Some(Ok(at));
                }
            }
            let Some(passing) = self.passing.checked_sub(1) else {
                source.next = Step::Done;
                return Some(Err(Truncated));
            };
            self.passing = passing;
        }
    }

    /// The next one of everything that is merged.
    fn next_of_all(&mut self) -> Option<Result<At, Truncated>> {
        loop {
            match self.look() {
                Ok(Looked::Given(found)) => return Some(Ok(found)),
                Ok(Looked::PassedOver) => {}
                Ok(Looked::Done) => return None,
                Err(truncated) => {
                    self.rules.clear();
                    self.dates = &[];
                    return Some(Err(truncated));
                }
            }
        }
    }
}

impl Iterator for Merged<'_> {
    type Item = Result<At, Truncated>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.plain { self.next_of_rule() } else { self.next_of_all() }
    }
}

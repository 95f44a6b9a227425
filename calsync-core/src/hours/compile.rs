//! A rota over a span of time, as a flat list of instants: work, and the reason of each gap.
//!
//! All thinking about days, zones and layers is done here once. What is left for a question is a search in a sorted list, and so an
//! appointment is judged in some ten nanoseconds.
//!
//! First each local day says which work begins on it, as instants, and what a leave or a holiday took away. Then all of it is
//! sorted and walked from day to day, since work may reach into the next day and across a change of zone. A day begins at its first
//! midnight. Two rules of the zone are kept by [`Offsets::bound`](crate::calendar): a bound in a gap is the gap's end, and in an
//! overlap a start takes the earlier and an end the later instant, so that nobody loses paid time.

use super::rota::Rota;
use super::schedule::{LayerKind, Period, Placed, Schedule, number_of};
use crate::error::{Error, ErrorKind, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;

/// The longest span that is compiled, in days: a century, which takes some 2 MB.
pub const SPAN_DAYS_MAX: i64 = 36_600;

/// The most times of a day that the layers of a rota may name in one span: of leave at times and extra time, periods by days. A person
/// has some thousands in a century.
pub const LAYER_PERIODS_MAX: u64 = 20_000_000;

pub(super) const DAY: i64 = 86_400;

/// Why a time is outside of working hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Before the first work of the day.
    BeforeStart,
    /// After the last work of the day.
    AfterEnd,
    /// Between two times of work of one day.
    Break,
    /// On a day without work.
    DayOff,
    /// On a holiday, or at a time of work that a holiday takes away.
    Holiday,
    /// On leave.
    Leave,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 6] =
        [Self::BeforeStart, Self::AfterEnd, Self::Break, Self::DayOff, Self::Holiday, Self::Leave];

    /// The reason as it is written in data.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BeforeStart => "before_start",
            Self::AfterEnd => "after_end",
            Self::Break => "break",
            Self::DayOff => "day_off",
            Self::Holiday => "holiday",
            Self::Leave => "leave",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a stretch of time is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Work,
    Gap(Reason),
    /// No schedule holds.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) kind: Kind,
    /// The schedule whose day it is, and so whose clock.
    pub(super) schedule: u8,
}

/// Stretches of time in order, each up to the next one, without holes. Seconds since 1970.
#[derive(Clone, Debug)]
pub(super) struct Stretches {
    pub(super) span: Range<i64>,
    starts: Vec<i64>,
    states: Vec<State>,
}

impl Stretches {
    fn push(&mut self, start: i64, state: State) {
        if self.states.last() != Some(&state) {
            self.starts.push(start);
            self.states.push(state);
        }
    }

    /// The stretches that have part in a span within the whole one, cut to it. An empty span is the moment at its start.
    pub(super) fn within(&self, span: Range<i64>) -> impl Iterator<Item = (Range<i64>, State)> + '_ {
        let until = span.end.max(span.start + 1);
        let mut at = self.starts.partition_point(|start| *start <= span.start).saturating_sub(1);
        std::iter::from_fn(move || {
            let start = *self.starts.get(at).filter(|start| **start < until)?;
            let end = self.starts.get(at + 1).copied().unwrap_or(self.span.end);
            let state = self.states[at];
            at += 1;
            Some((start.max(span.start)..end.min(span.end), state))
        })
    }
}

/// The working hours of one person, ready to be asked.
///
/// What lies in the span that it was compiled for is answered from a list; what lies outside of it is worked out when it is asked.
#[derive(Clone, Debug)]
pub struct Hours {
    rota: Rota,
    stretches: Stretches,
}

impl Hours {
    /// Compiles a rota for a span of time.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] for a span longer than [`SPAN_DAYS_MAX`], or in which the layers name more than [`LAYER_PERIODS_MAX`] times.
    pub fn compile(rota: &Rota, span: Range<DateTime<Utc>>) -> Result<Self> {
        let span = span.start.timestamp()..span.end.timestamp().max(span.start.timestamp());
        check_span(rota, &span)?;
        Ok(Self { rota: rota.clone(), stretches: lay_out(rota, span) })
    }

    /// What it was compiled from.
    pub fn rota(&self) -> &Rota {
        &self.rota
    }

    /// The times of work in a window, in order; none touches another.
    ///
    /// # Errors
    /// As [`Hours::compile`], for a window that was not compiled.
    pub fn work(&self, window: Range<DateTime<Utc>>) -> Result<Vec<Range<DateTime<Utc>>>> {
        let window = window.start.timestamp()..window.end.timestamp();
        if window.is_empty() {
            return Ok(Vec::new());
        }
        check_span(&self.rota, &window)?;
        let own;
        let stretches = match self.covers(&window) {
            true => &self.stretches,
            false => {
                own = lay_out(&self.rota, window.clone());
                &own
            }
        };
        let mut found: Vec<Range<i64>> = Vec::new();
        for (stretch, state) in stretches.within(window) {
            match found.last_mut() {
                _ if state.kind != Kind::Work => {}
                // Work that goes on from one schedule to the next.
                Some(last) if last.end == stretch.start => last.end = stretch.end,
                _ => found.push(stretch),
            }
        }
        Ok(found.into_iter().map(|work| instant(work.start)..instant(work.end)).collect())
    }

    pub(super) fn covers(&self, span: &Range<i64>) -> bool {
        self.stretches.span.start <= span.start && span.end.max(span.start + 1) <= self.stretches.span.end
    }

    pub(super) fn stretches(&self) -> &Stretches {
        &self.stretches
    }
}

fn check_span(rota: &Rota, span: &Range<i64>) -> Result<()> {
    let about = "working hours are not worked out over so long a time at once";
    if span.end.saturating_sub(span.start) > SPAN_DAYS_MAX * DAY {
        return Err(Error::new(ErrorKind::Limit, about).with("days_max", SPAN_DAYS_MAX));
    }
    let days = days_of(span);
    let own = || rota.placed().iter();
    let layers = rota.schedules().iter().flat_map(|schedule| schedule.placed().iter().chain(own()));
    let named = layers
        .filter(|placed| matches!(placed.layer.kind, LayerKind::Extra | LayerKind::Leave))
        .fold(0_u64, |named, Placed { days: of_layer, layer }| {
            let days = of_layer.end.min(days.end).saturating_sub(of_layer.start.max(days.start)).max(0);
            named.saturating_add(days.unsigned_abs().saturating_mul(layer.periods.len() as u64))
        });
    match named > LAYER_PERIODS_MAX {
        true => Err(Error::new(ErrorKind::Limit, about)
            .with("layer_periods", named)
            .with("layer_periods_max", LAYER_PERIODS_MAX)),
        false => Ok(()),
    }
}

/// The days on which what is in a span can begin: work reaches into the day after its own, and clocks are up to a day and some hours away
/// from UTC's.
fn days_of(span: &Range<i64>) -> Range<i64> {
    span.start.div_euclid(DAY) - 4..span.end.div_euclid(DAY) + 4
}

/// An instant of so many seconds since 1970.
pub(super) fn instant(seconds: i64) -> DateTime<Utc> {
    let end = if seconds < 0 { DateTime::<Utc>::MIN_UTC } else { DateTime::<Utc>::MAX_UTC };
    DateTime::from_timestamp(seconds, 0).unwrap_or(end)
}

/// What is true of the time of a day that is no work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nature {
    /// There is work on it, first and last.
    Working(i64, i64),
    Off,
    Holiday,
    Leave,
    Unknown,
}

/// A day on the wall clock of a schedule.
#[derive(Clone, Copy, Debug)]
struct Day {
    number: i64,
    begin: i64,
    schedule: u8,
    nature: Nature,
}

/// What the layers do to one day.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    /// The override that holds, counted from 1.
    instead: u32,
    /// The holiday that holds, counted from 1.
    holiday: u32,
    leave: bool,
    /// There is leave at times, or extra time.
    more: bool,
}

/// All days with what begins on them.
#[derive(Debug, Default)]
struct Ledger {
    days: Vec<Day>,
    work: Vec<Range<i64>>,
    /// Absence at times of a day.
    absent: Vec<Range<i64>>,
    /// What is leave whatever its day is.
    leave: Vec<Range<i64>>,
    /// What would be work if there were no holiday.
    holiday: Vec<Range<i64>>,
}

/// Lays out a span of time.
pub(super) fn lay_out(rota: &Rota, span: Range<i64>) -> Stretches {
    let days = days_of(&span);
    let mut ledger = Ledger::default();
    ledger.days.reserve(usize::try_from(days.end - days.start).unwrap_or_default() + 1);
    for (at, schedule) in rota.schedules().iter().enumerate() {
        // `Rota::of` lets no more in than fit.
        ledger.read(schedule, u8::try_from(at).unwrap_or(u8::MAX), rota.placed(), &days);
    }
    for list in [&mut ledger.work, &mut ledger.absent, &mut ledger.leave, &mut ledger.holiday] {
        unite(list);
    }
    if !ledger.absent.is_empty() {
        ledger.work = without(&ledger.work, &ledger.absent);
    }
    ledger.walk(span)
}

impl Ledger {
    /// Writes down the days of a schedule.
    fn read(&mut self, schedule: &Schedule, at: u8, own: &[Placed], days: &Range<i64>) {
        let from = schedule.from().map_or(days.start, number_of).max(days.start);
        let until = schedule.until().map_or(days.end, |last| number_of(last) + 1).min(days.end);
        if from >= until {
            return;
        }
        if self.days.last().is_some_and(|last| last.number == from) {
            self.days.pop();
        }
        let layers = || schedule.placed().iter().chain(own);
        let marks = marks(layers(), from..until);
        let offsets = schedule.offsets();
        let mut hint = 0;
        for number in from..until {
            let midnight = number * DAY;
            let begin = offsets.bound(midnight, &mut hint).0;
            // Periods are in order, and so the next row is looked for from where the midnight was found.
            let mut here = hint;
            let mut resolve = |period: &Period| {
                let start = offsets.bound(midnight + i64::from(period.start) * 60, &mut here).0;
                let end = offsets.bound(midnight + i64::from(period.end) * 60, &mut here).1;
                start..end
            };
            let weekday = (number + 3).rem_euclid(7) as usize;
            let usual = schedule.week()[weekday].as_slice();
            let mark = usize::try_from(number - from).ok().and_then(|at| marks.get(at).copied());
            let mark = mark.unwrap_or_default();
            let layer = |place: u32| (place > 0).then(|| layers().nth(place as usize - 1)).flatten();
            let layer = |place: u32| layer(place).map(|placed| &placed.layer);
            let (instead, holiday) = (layer(mark.instead), layer(mark.holiday));
            let periods = match (instead, holiday) {
                (Some(layer), _) | (None, Some(layer)) => layer.periods.as_slice(),
                (None, None) => usual,
            };
            let mut bounds: Option<(i64, i64)> = None;
            let shifts = if mark.leave { &mut self.leave } else { &mut self.work };
            let (began, began_absent) = (shifts.len(), self.absent.len());
            let mut add = |shift: Range<i64>| {
                if !shift.is_empty() {
                    let (first, last) = bounds.unwrap_or((shift.start, shift.end));
                    bounds = Some((first.min(shift.start), last.max(shift.end)));
                    shifts.push(shift);
                }
            };
            periods.iter().map(&mut resolve).for_each(&mut add);
            if mark.more {
                let today = layers().filter(|placed| placed.days.contains(&number));
                for layer in today.map(|placed| &placed.layer) {
                    match layer.kind {
                        LayerKind::Extra => layer.periods.iter().map(&mut resolve).for_each(&mut add),
                        LayerKind::Leave => {
                            let away = layer.periods.iter().map(&mut resolve);
                            self.absent.extend(away.filter(|away| !away.is_empty()));
                        }
                        LayerKind::Override | LayerKind::Holiday => {}
                    }
                }
                // However many layers say the same, a day has only so many minutes.
                unite_from(shifts, began);
                unite_from(&mut self.absent, began_absent);
            }
            let holiday = holiday.filter(|_| instead.is_none());
            if holiday.is_some() {
                let lost = usual.iter().map(&mut resolve).filter(|lost| !lost.is_empty());
                self.holiday.extend(lost);
            }
            let nature = match (holiday, bounds) {
                _ if mark.leave => Nature::Leave,
                (Some(holiday), _) if holiday.periods.is_empty() => Nature::Holiday,
                (_, Some((first, last))) => Nature::Working(first, last),
                (_, None) => Nature::Off,
            };
            self.days.push(Day { number, begin, schedule: at, nature });
        }
        // What comes after is nobody's, unless the next schedule begins there.
        let begin = offsets.bound(until * DAY, &mut hint).0;
        self.days.push(Day { number: until, begin, schedule: at, nature: Nature::Unknown });
    }

    /// Walks from day to day and says what each stretch is.
    fn walk(mut self, span: Range<i64>) -> Stretches {
        self.leave.extend(std::mem::take(&mut self.absent));
        unite(&mut self.leave);
        let mut work = Cursor::new(&self.work);
        let mut leave = Cursor::new(&self.leave);
        let mut holiday = Cursor::new(&self.holiday);
        let guess = self.days.len() * 5 + 8;
        let (starts, states) = (Vec::with_capacity(guess), Vec::with_capacity(guess));
        let mut stretches = Stretches { span: span.clone(), starts, states };
        let mut now = span.start;
        let nobodys = Day { number: i64::MIN, begin: i64::MIN, schedule: 0, nature: Nature::Unknown };
        for at in 0..=self.days.len() {
            let day = at.checked_sub(1).map_or(nobodys, |at| self.days[at]);
            let end = self.days.get(at).map_or(span.end, |next| next.begin.min(span.end));
            while now < end {
                let mut until = end;
                let kind = if work.holds(now, &mut until) {
                    Kind::Work
                } else if day.nature == Nature::Unknown {
                    Kind::Unknown
                } else if day.nature == Nature::Leave || leave.holds(now, &mut until) {
                    Kind::Gap(Reason::Leave)
                } else if day.nature == Nature::Holiday || holiday.holds(now, &mut until) {
                    Kind::Gap(Reason::Holiday)
                } else {
                    Kind::Gap(match day.nature {
                        Nature::Working(first, _) if now < first => {
                            until = until.min(first);
                            Reason::BeforeStart
                        }
                        Nature::Working(_, last) if now >= last => Reason::AfterEnd,
                        Nature::Working(_, last) => {
                            until = until.min(last);
                            Reason::Break
                        }
                        _ => Reason::DayOff,
                    })
                };
                stretches.push(now, State { kind, schedule: day.schedule });
                now = until;
            }
        }
        stretches
    }
}

/// What the layers do to each of these days; nothing at all where there are none.
fn marks<'a>(layers: impl Iterator<Item = &'a Placed>, days: Range<i64>) -> Vec<Mark> {
    let mut marks = Vec::new();
    for (place, Placed { days: own, layer }) in (1u32..).zip(layers) {
        let from = own.start.max(days.start) - days.start;
        let until = own.end.min(days.end) - days.start;
        if from >= until {
            continue;
        }
        if marks.is_empty() {
            marks = vec![Mark::default(); usize::try_from(days.end - days.start).unwrap_or_default()];
        }
        for mark in marks.iter_mut().take(until as usize).skip(from as usize) {
            match layer.kind {
                LayerKind::Override => mark.instead = place,
                LayerKind::Holiday => mark.holiday = place,
                LayerKind::Leave if layer.periods.is_empty() => mark.leave = true,
                LayerKind::Leave | LayerKind::Extra => mark.more = true,
            }
        }
    }
    marks
}

/// A place in a sorted list of stretches that only goes forward.
#[derive(Debug)]
struct Cursor<'a> {
    list: &'a [Range<i64>],
}

impl<'a> Cursor<'a> {
    fn new(list: &'a [Range<i64>]) -> Self {
        Self { list }
    }

    /// Whether one of them is on now; `until` comes down to where this changes.
    fn holds(&mut self, now: i64, until: &mut i64) -> bool {
        while let Some(first) = self.list.first().filter(|first| first.end <= now) {
            debug_assert!(first.start < first.end);
            self.list = &self.list[1..];
        }
        match self.list.first() {
            Some(first) if first.start <= now => {
                *until = first.end.min(*until);
                true
            }
            Some(first) => {
                *until = first.start.min(*until);
                false
            }
            None => false,
        }
    }
}

/// Unites what a list has from an index on.
fn unite_from(list: &mut Vec<Range<i64>>, from: usize) {
    let mut tail = list.split_off(from);
    unite(&mut tail);
    list.append(&mut tail);
}

/// Sorts stretches and makes those one that overlap or touch.
fn unite(list: &mut Vec<Range<i64>>) {
    if !list.is_sorted_by_key(|stretch| stretch.start) {
        list.sort_unstable_by_key(|stretch| stretch.start);
    }
    list.dedup_by(|next, last| {
        let one = next.start <= last.end;
        if one {
            last.end = last.end.max(next.end);
        }
        one
    });
}

/// The parts of the first list that are not in the second; both sorted.
fn without(list: &[Range<i64>], taken: &[Range<i64>]) -> Vec<Range<i64>> {
    let mut left = Vec::with_capacity(list.len() + taken.len());
    let mut taken = Cursor::new(taken);
    for stretch in list {
        let mut now = stretch.start;
        while now < stretch.end {
            let mut until = stretch.end;
            if !taken.holds(now, &mut until) {
                left.push(now..until);
            }
            now = until;
        }
    }
    left
}

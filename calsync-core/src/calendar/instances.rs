//! What takes place in a window: slots and overrides, merged by start.
//!
//! Each range of a series between two THISANDFUTURE is a stream of its own, sought from where it can first reach into the window, so that what
//! such an override moved far away is found, and what it moved out is not walked through. Overrides of one slot are a list by start. The
//! merge allocates nothing for an occurrence; only where a range moves its slots, and clock changes may bring them out of order, are
//! those of the next few days held.

use super::offsets::At;
use super::overrides::{APART, Clock, Range, RecurrenceSet, Single};
use super::series::Truncated;
use super::set::Merged;
use crate::model::Slot;
use chrono::{DateTime, NaiveDateTime, Utc};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops;

/// A moment, in UTC and on the wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Moment {
    at: At,
    clock: Clock,
}

impl Moment {
    /// The instant; of a whole day or a floating time, its wall time as if it were UTC.
    #[inline]
    pub fn instant(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.at.instant, 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// What the clocks show.
    #[inline]
    pub fn wall(&self) -> NaiveDateTime {
        DateTime::from_timestamp(self.at.wall, 0).unwrap_or(DateTime::<Utc>::MAX_UTC).naive_utc()
    }

    /// What it means.
    pub fn clock(&self) -> Clock {
        self.clock
    }
}

/// Something that takes place.
#[derive(Debug)]
pub struct Instance<'a, T> {
    found: Found,
    clock: Clock,
    slot_clock: Clock,
    value: &'a T,
    changed: bool,
}

impl<T> Clone for Instance<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Instance<'_, T> {}

impl<'a, T> Instance<'a, T> {
    /// The slot that names it within its series, wherever it was moved.
    #[inline]
    pub fn slot(&self) -> Slot {
        let instant = DateTime::from_timestamp(self.found.key, 0).unwrap_or(DateTime::<Utc>::MAX_UTC);
        match self.slot_clock {
            Clock::Days => Slot::Date(instant.date_naive()),
            Clock::Floating | Clock::Zoned => Slot::Time(instant),
        }
    }

    /// When it starts.
    #[inline]
    pub fn start(&self) -> Moment {
        Moment { at: At { instant: self.found.start, wall: self.found.wall }, clock: self.clock }
    }

    /// When it ends; not before its start.
    #[inline]
    pub fn end(&self) -> Moment {
        Moment { at: self.found.end, clock: self.clock }
    }

    /// What it carries: an override's own, or the series'.
    pub fn value(&self) -> &'a T {
        self.value
    }

    /// Whether an override says so.
    pub fn is_changed(&self) -> bool {
        self.changed
    }
}

/// The numbers of an instance. In order of start, and of slot where two start at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    start: i64,
    key: i64,
    wall: i64,
    end: At,
}

/// Whether something takes place in a window.
fn meets(start: i64, end: i64, window: &ops::Range<i64>) -> bool {
    start < window.end && (end > window.start || (end == start && start >= window.start))
}

impl<T> RecurrenceSet<T> {
    /// What takes place between the start of `window` and before its end, in order of start: whatever begins before the end and ends after the
    /// start, or begins at the start and has no length. Of whole days and floating times, the wall time counts as if it were UTC.
    ///
    /// Ends with [`Truncated`] where the work was spent; there may be more then.
    pub fn instances(&self, window: ops::Range<DateTime<Utc>>) -> Instances<'_, T> {
        let window = window.start.timestamp()..window.end.timestamp();
        let mut within: Vec<(usize, ops::Range<i64>)> = Vec::new();
        for (at, range) in self.ranges.iter().enumerate() {
            let shift = range.shift.map_or((0, 0), |shift| (shift - APART, shift + APART));
            let next = self.ranges.get(at + 1).map_or(i64::MAX, |next| next.from);
            let from = window.start.saturating_sub(range.length.most().max(self.series.longest())) - shift.1;
            let slots = from.max(range.from)..(window.end - shift.0).min(next);
            if !range.cancelled && slots.start < slots.end {
                within.push((at, slots));
            }
        }
        let share = (self.series.work_max / within.len().max(1) as u64).max(1);
        let parts = within.into_iter().map(|(at, slots)| Part {
            range: at,
            merged: self.series.merged(slots.start, share),
            until: slots.end,
            single: self.singles.partition_point(|single| *single < slots.start),
            passed: i64::MIN,
            next: None,
            held: BinaryHeap::new(),
            done: false,
            hint: 0,
        });
        let mut instances = Instances {
            set: self,
            parts: parts.collect(),
            single: 0,
            next_single: None,
            work: self.series.work_max,
            window,
            spent: false,
        };
        let begun = (0..instances.parts.len()).try_for_each(|part| instances.advance(part));
        instances.spent = begun.and_then(|()| instances.advance_single()).is_err();
        instances
    }

    /// What takes place of one slot, wherever it is now; `None` where it is cancelled, or no slot of the series.
    ///
    /// # Errors
    /// [`Truncated`] when that is not known before the work is spent.
    pub fn instance(&self, slot: Slot) -> Result<Option<Instance<'_, T>>, Truncated> {
        let key = self.key(slot);
        if !self.series.has(key, &mut self.series.work_max.clone())? {
            return Ok(None);
        }
        if self.singles.binary_search(&key).is_ok() {
            let single = self.by_start.iter().find(|single| single.key == key);
            return Ok(single.and_then(|single| self.of_single(single)));
        }
        let range = &self.ranges[self.range_of(key)];
        if range.cancelled {
            return Ok(None);
        }
        let found = self.found(range, self.series.zone.at(key), &mut 0);
        Ok(Some(self.of_range(range, found)))
    }

    /// A slot, as its range places it.
    #[inline]
    fn found(&self, range: &Range, slot: At, hint: &mut usize) -> Found {
        let at = range.place(slot);
        let listed = self.series.length_of(slot.instant).filter(|_| range.of.is_none());
        let end = listed.unwrap_or(range.length).end(at, &range.zone, hint);
        Found { start: at.instant, key: slot.instant, wall: at.wall, end }
    }

    fn of_range<'a>(&'a self, range: &'a Range, found: Found) -> Instance<'a, T> {
        let (value, changed) = (self.value_of(range), range.of.is_some());
        let slot_clock = self.ranges[0].clock;
        Instance { found, clock: range.clock, slot_clock, value, changed }
    }

    fn of_single<'a>(&'a self, single: &'a Single) -> Option<Instance<'a, T>> {
        let Single { key, at, end, clock, of } = *single;
        let value = &self.overrides[of].to.as_ref()?.value;
        let found = Found { start: at.instant, key, wall: at.wall, end };
        Some(Instance { found, clock, slot_clock: self.ranges[0].clock, value, changed: true })
    }
}

/// The slots of one range on their way.
#[derive(Debug)]
struct Part<'a> {
    range: usize,
    merged: Merged<'a>,
    /// Slots from here on are another range's, or beyond the window.
    until: i64,
    /// The first override of one slot that is not before the slots that are still to come.
    single: usize,
    /// Nothing that is still to come starts before this instant.
    passed: i64,
    next: Option<Found>,
    held: BinaryHeap<Reverse<Found>>,
    done: bool,
    /// Where in its zone the last end was found.
    hint: usize,
}

/// What takes place, in order of start. Ends with an error where the work was spent.
#[derive(Debug)]
pub struct Instances<'a, T> {
    set: &'a RecurrenceSet<T>,
    parts: Vec<Part<'a>>,
    /// The first override of one slot that was not looked at.
    single: usize,
    next_single: Option<usize>,
    /// What is left for finding out whether the series has the slots of overrides.
    work: u64,
    window: ops::Range<i64>,
    spent: bool,
}

impl<'a, T> Instances<'a, T> {
    /// Finds what a range has next.
    fn advance(&mut self, part: usize) -> Result<(), Truncated> {
        let (set, part) = (self.set, &mut self.parts[part]);
        let range = &set.ranges[part.range];
        loop {
            if part.held.peek().is_some_and(|Reverse(held)| part.done || held.start <= part.passed) {
                part.next = part.held.pop().map(|Reverse(held)| held);
                return Ok(());
            }
            let slot = if part.done { None } else { part.merged.next().transpose()? };
            let Some(slot) = slot.filter(|slot| slot.instant < part.until) else {
                part.done = true;
                if part.held.is_empty() {
                    part.next = None;
                    return Ok(());
                }
                continue;
            };
            let single = loop {
                match set.singles.get(part.single) {
                    Some(single) if *single < slot.instant => part.single += 1,
                    single => break single,
                }
            };
            if single == Some(&slot.instant) {
                continue;
            }
            let found = set.found(range, slot, &mut part.hint);
            let met = meets(found.start, found.end.instant, &self.window);
            match range.shift {
                None if met => {
                    part.next = Some(found);
                    return Ok(());
                }
                None => {}
                Some(shift) => {
                    part.passed = slot.instant + shift - APART;
                    part.held.extend(met.then_some(Reverse(found)));
                }
            }
        }
    }

    /// Finds the next override of one slot that takes place in the window, if the series has the slot.
    fn advance_single(&mut self) -> Result<(), Truncated> {
        let set = self.set;
        self.next_single = None;
        while let Some(single) = set.by_start.get(self.single) {
            if single.at.instant >= self.window.end {
                break;
            }
            let at = self.single;
            self.single += 1;
            if meets(single.at.instant, single.end.instant, &self.window)
                && set.series.has(single.key, &mut self.work)?
            {
                self.next_single = Some(at);
                break;
            }
        }
        Ok(())
    }

    fn look(&mut self) -> Result<Option<Instance<'a, T>>, Truncated> {
        if self.spent {
            return Err(Truncated);
        }
        let set = self.set;
        let mut first: Option<(Found, usize)> = None;
        for (at, part) in self.parts.iter().enumerate() {
            if let Some(found) = part.next
                && first.is_none_or(|(first, _)| found < first)
            {
                first = Some((found, at));
            }
        }
        if let Some(single) = self.next_single.and_then(|at| set.by_start.get(at)) {
            let place = (single.at.instant, single.key);
            if first.is_none_or(|(first, _)| place < (first.start, first.key)) {
                // What is found is given, whatever comes after it.
                self.spent = self.advance_single().is_err();
                return Ok(set.of_single(single));
            }
        }
        let Some((found, at)) = first else { return Ok(None) };
        let range = &set.ranges[self.parts[at].range];
        self.spent = self.advance(at).is_err();
        Ok(Some(set.of_range(range, found)))
    }
}

impl<'a, T> Iterator for Instances<'a, T> {
    type Item = Result<Instance<'a, T>, Truncated>;

    fn next(&mut self) -> Option<Self::Item> {
        let found = self.look();
        if found.is_err() {
            self.parts.clear();
            self.next_single = None;
            self.single = usize::MAX;
            self.spent = false;
        }
        found.transpose()
    }
}

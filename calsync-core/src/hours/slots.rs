//! When somebody is free: working hours less what is in the calendars.
//!
//! An offer that turns out to be taken is worse than none. So what is known has to be new enough: a source that is older than the
//! caller allows, or no source at all, ends the question with an error that says how old it is. Time for which no schedule holds is
//! not free.
//!
//! Starts are counted in steps from the beginning of each time of work (of work that goes on for more than two days, from a midnight in
//! UTC before the window), so that the same times are offered whatever window is asked for. Buffers keep a distance to
//! appointments and may lie outside of working hours.

use super::compile::{DAY, Hours, instant};
use crate::error::{Error, ErrorKind, Result};
use chrono::{DateTime, Duration, Utc};
use std::ops::Range;

/// Most slots that one question answers with.
pub const SLOTS_MAX: usize = 10_000;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotQuestion {
    /// When the slots are to lie.
    pub window: Range<DateTime<Utc>>,
    /// How long each is; a minute or more.
    pub duration: Duration,
    /// How far apart they start; a minute or more. Default: as far as they are long.
    pub step: Duration,
    /// Free time before each. Default: none.
    pub before: Duration,
    /// Free time after each. Default: none.
    pub after: Duration,
    /// How long before its start a slot may still be taken. Default: none.
    pub notice: Duration,
    /// How many are wanted, at most [`SLOTS_MAX`]. Default: 200, more than a person looks through.
    pub count_max: usize,
}

impl SlotQuestion {
    /// Slots of this length in a window; the rest has its default.
    pub fn new(window: Range<DateTime<Utc>>, duration: Duration) -> Self {
        let none = Duration::zero();
        Self { window, duration, step: duration, before: none, after: none, notice: none, count_max: 200 }
    }
}

/// Where appointments, or the working hours themselves, are known from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What it is called, for whoever has to mend it.
    pub name: String,
    /// When it was last known to be complete.
    pub as_of: DateTime<Utc>,
    /// When the person is busy, in any order. Of the hours themselves: never.
    pub busy: Vec<Range<DateTime<Utc>>>,
}

/// Free times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slots {
    /// In order.
    pub slots: Vec<Range<DateTime<Utc>>>,
    /// Whether there are more than were wanted.
    pub more: bool,
}

impl Hours {
    /// The times in a window at which the person works and is not busy.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when a source is older than `age_max`, with its name and its age. [`ErrorKind::Config`] when there is no source,
    /// or a length that cannot be. [`ErrorKind::Limit`] for a window longer than [`SPAN_DAYS_MAX`](super::SPAN_DAYS_MAX) less five days.
    pub fn free_slots(
        &self,
        question: &SlotQuestion,
        sources: &[Source],
        now: DateTime<Utc>,
        age_max: Duration,
    ) -> Result<Slots> {
        check_question(question)?;
        check_sources(sources, now, age_max)?;
        let [duration, step, before, after, notice] =
            [question.duration, question.step, question.before, question.after, question.notice]
                .map(|length| length.num_seconds());
        let window = question.window.start.timestamp()..question.window.end.timestamp();
        let mut busy: Vec<Range<i64>> = sources.iter().flat_map(|source| &source.busy).map(seconds).collect();
        busy.retain(|busy| !busy.is_empty());
        busy.sort_unstable_by_key(|busy| busy.start);
        busy.dedup_by(|next, last| {
            let one = next.start <= last.end;
            if one {
                last.end = last.end.max(next.end);
            }
            one
        });
        let early = (window.start.div_euclid(DAY) - 2) * DAY;
        let work = self.work(instant(early)..instant(window.end.saturating_add(2 * DAY)))?;
        let earliest = now.timestamp().saturating_add(notice).max(window.start);
        let mut found = Slots { slots: Vec::new(), more: false };
        let mut busy = busy.as_slice();
        for work in work {
            let (begin, end) = (work.start.timestamp(), work.end.timestamp().min(window.end));
            // The first start that is not before `at`.
            let next = |at: i64| begin + (at - begin).max(0).div_euclid(step) * step;
            let next = |at: i64| if next(at) < at { next(at) + step } else { next(at) };
            let mut start = next(earliest);
            while start + duration <= end {
                while busy.first().is_some_and(|busy| busy.end + before <= start) {
                    busy = &busy[1..];
                }
                match busy.first().filter(|busy| busy.start < start + duration + after) {
                    Some(busy) => start = next(busy.end + before),
                    None if found.slots.len() == question.count_max.min(SLOTS_MAX) => {
                        found.more = true;
                        return Ok(found);
                    }
                    None => {
                        found.slots.push(instant(start)..instant(start + duration));
                        start += step;
                    }
                }
            }
        }
        Ok(found)
    }
}

/// In whole seconds that have all of it.
fn seconds(busy: &Range<DateTime<Utc>>) -> Range<i64> {
    busy.start.timestamp()..busy.end.timestamp() + i64::from(busy.end.timestamp_subsec_nanos() > 0)
}

fn check_question(question: &SlotQuestion) -> Result<()> {
    let refused = |message: &'static str, value: Duration| {
        Err(Error::new(ErrorKind::Config, message).with("minutes", value.num_minutes()))
    };
    let (minute, year) = (Duration::minutes(1), Duration::days(366));
    for length in [question.duration, question.step] {
        if !(minute..=year).contains(&length) {
            return refused("a slot and its step are a minute or more, and at most a year", length);
        }
    }
    for length in [question.before, question.after, question.notice] {
        if !(Duration::zero()..=year).contains(&length) {
            return refused("buffers and the notice are not negative, and at most a year", length);
        }
    }
    Ok(())
}

fn check_sources(sources: &[Source], now: DateTime<Utc>, age_max: Duration) -> Result<()> {
    if sources.is_empty() {
        return Err(Error::new(
            ErrorKind::Config,
            "free time cannot be told without a source of appointments",
        )
        .cure("Give every calendar that the person is busy in."));
    }
    for source in sources {
        let age = now - source.as_of;
        // What claims to be from the future says nothing about how old it is.
        if age > age_max || age < -age_max.max(Duration::zero()) {
            let (message, age) = match age < Duration::zero() {
                true => ("free time cannot be told: a source is dated in the future", -age),
                false => ("free time cannot be told: what is known is too old", age),
            };
            return Err(Error::new(ErrorKind::Unavailable, message)
                .with("source", &source.name)
                .with("age", spoken(age))
                .with("age_max", spoken(age_max))
                .later()
                .cure("Bring that source up to date, for a calendar by a run, and ask again."));
        }
    }
    Ok(())
}

/// A length of time for a person: `3 h 20 min`.
fn spoken(length: Duration) -> String {
    let minutes = length.num_minutes();
    match (minutes / 1440, minutes / 60 % 24, minutes % 60) {
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

//! Whether an appointment is within working hours, and which part of it is not.
//!
//! An answer is data and stops nothing. It names the schedule's version that it is true of, and each part outside as instants, and as
//! what the clock of the schedule shows, with the reason. A part for which no schedule holds is neither inside nor outside.

use super::compile::{DAY, Hours, Kind, Reason, Stretches, instant, lay_out};
use super::schedule::ScheduleVersion;
use crate::error::Result;
use crate::model::appointment::{EventType, Response, Transparency};
use crate::model::{Appointment, Status, When};
use crate::zone::Zone;
use chrono::{DateTime, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;

/// How many parts outside one answer lists; what is beyond is counted.
pub const PARTS_MAX: usize = 100;
/// The longest appointment that is judged, in days; a longer one is skipped, since nobody works through it.
pub const LENGTH_DAYS_MAX: i64 = 366;

/// Whether an appointment is within working hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All of it, as far as a schedule holds.
    Inside,
    /// Some of it.
    PartlyOutside,
    /// None of it.
    Outside,
    /// Nobody knows: no schedule holds at that time.
    NoSchedule,
    /// It is not judged.
    Skipped(Skip),
}

impl Verdict {
    /// Whether there is something to be warned of.
    pub fn is_outside(self) -> bool {
        matches!(self, Self::PartlyOutside | Self::Outside)
    }
}

/// Why an appointment is not judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Skip {
    /// It is of whole days, which says nothing about hours.
    AllDay,
    /// It blocks no time.
    Free,
    /// The person does not go.
    Declined,
    /// It says where the person works.
    WorkingLocation,
    /// It does not take place.
    Cancelled,
    /// It is longer than [`LENGTH_DAYS_MAX`].
    TooLong,
}

impl Skip {
    /// Whether an appointment is one that is not judged. `own` is the person's address among its guests.
    pub fn of(appointment: &Appointment, own: Option<&str>) -> Option<Self> {
        let own = own.and_then(|own| appointment.attendees.get(&own.to_lowercase()));
        if appointment.status == Status::Cancelled {
            Some(Self::Cancelled)
        } else if appointment.event_type == EventType::WorkingLocation {
            Some(Self::WorkingLocation)
        } else if matches!(appointment.when, When::AllDay { .. }) {
            Some(Self::AllDay)
        } else if own.is_some_and(|own| own.response == Response::Declined) {
            Some(Self::Declined)
        } else if appointment.transparency == Transparency::Transparent {
            Some(Self::Free)
        } else {
            None
        }
    }

    /// The reason as it is written in data.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllDay => "all_day",
            Self::Free => "free",
            Self::Declined => "declined",
            Self::WorkingLocation => "working_location",
            Self::Cancelled => "cancelled",
            Self::TooLong => "too_long",
        }
    }
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A part of an appointment that is outside of working hours. The end is exclusive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The first instant.
    pub start: DateTime<Utc>,
    /// The first instant after it.
    pub end: DateTime<Utc>,
    /// What the clock of `zone` shows at the start.
    pub wall_start: NaiveDateTime,
    /// What the clock of `zone` shows at the end.
    pub wall_end: NaiveDateTime,
    /// The zone of the schedule that holds then.
    pub zone: Zone,
    /// Why it is outside.
    pub reason: Reason,
}

/// The answer about one appointment, or one occurrence of a series.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// In one word.
    pub verdict: Verdict,
    /// When the appointment starts.
    pub start: DateTime<Utc>,
    /// When it ends.
    pub end: DateTime<Utc>,
    /// The parts outside, in order, up to [`PARTS_MAX`].
    pub outside: Vec<Part>,
    /// Parts beyond that.
    pub outside_left_out: u32,
    /// The version that this is true of; `None` where the person has no schedule at all.
    pub version: Option<ScheduleVersion>,
}

impl Check {
    /// The answer about somebody of whom no schedule is known.
    pub fn no_schedule(start: DateTime<Utc>, end: DateTime<Utc>) -> Self {
        Self::bare(Verdict::NoSchedule, start, end, None)
    }

    fn bare(
        verdict: Verdict,
        start: DateTime<Utc>,
        end: DateTime<Utc>,
        version: Option<ScheduleVersion>,
    ) -> Self {
        Self { verdict, start, end, outside: Vec::new(), outside_left_out: 0, version }
    }
}

impl Hours {
    /// The answer in one word, for an appointment that is not skipped: the fastest question.
    ///
    /// An appointment that ends when it starts, or before, is the moment at its start.
    pub fn verdict(&self, start: DateTime<Utc>, end: DateTime<Utc>) -> Verdict {
        let span = seconds(start, end);
        if self.covers(&span) { verdict(self.stretches(), span) } else { self.verdict_beyond(span) }
    }

    /// The same for what was not compiled, worked out for this one time.
    fn verdict_beyond(&self, span: Range<i64>) -> Verdict {
        if too_long(&span) {
            return Verdict::Skipped(Skip::TooLong);
        }
        let around = span.start..span.end.max(span.start + 1);
        verdict(&lay_out(self.rota(), around), span)
    }

    /// Which parts are outside, for an appointment that is not skipped.
    pub fn check(&self, start: DateTime<Utc>, end: DateTime<Utc>) -> Check {
        let span = seconds(start, end);
        let version = Some(self.rota().version().clone());
        if too_long(&span) {
            return Check::bare(Verdict::Skipped(Skip::TooLong), start, end, version);
        }
        if self.covers(&span) {
            self.parts(self.stretches(), span, Check::bare(Verdict::Inside, start, end, version))
        } else {
            let around = span.start..span.end.max(span.start + 1);
            let stretches = lay_out(self.rota(), around);
            self.parts(&stretches, span, Check::bare(Verdict::Inside, start, end, version))
        }
    }

    /// The same for a single appointment, or an occurrence as it is shown; of a series, for its first one. `own` is the person's
    /// address among the guests.
    ///
    /// # Errors
    /// When its times cannot be resolved to instants.
    pub fn check_appointment(&self, appointment: &Appointment, own: Option<&str>) -> Result<Check> {
        let (start, end) = (appointment.when.start_instant()?, appointment.when.end_instant()?);
        Ok(match Skip::of(appointment, own) {
            Some(skip) => {
                let version = Some(self.rota().version().clone());
                Check::bare(Verdict::Skipped(skip), start, end, version)
            }
            None => self.check(start, end),
        })
    }

    fn parts(&self, stretches: &Stretches, span: Range<i64>, mut check: Check) -> Check {
        check.verdict = verdict(stretches, span.clone());
        if !check.verdict.is_outside() {
            return check;
        }
        for (part, state) in stretches.within(span.clone()) {
            let Kind::Gap(reason) = state.kind else { continue };
            if check.outside.len() == PARTS_MAX {
                check.outside_left_out += 1;
                continue;
            }
            let Some(schedule) = self.rota().schedules().get(usize::from(state.schedule)) else { continue };
            let wall = |seconds| instant(schedule.offsets().at(seconds).wall).naive_utc();
            check.outside.push(Part {
                start: instant(part.start),
                end: instant(part.end),
                wall_start: wall(part.start),
                wall_end: wall(part.end),
                zone: schedule.zone().clone(),
                reason,
            });
        }
        check
    }
}

/// A span in whole seconds that has all of it; empty for a moment.
pub(super) fn seconds(start: DateTime<Utc>, end: DateTime<Utc>) -> Range<i64> {
    let from = start.timestamp();
    let until = end.timestamp() + i64::from(end.timestamp_subsec_nanos() > 0);
    from..if end > start { until.max(from) } else { from }
}

fn too_long(span: &Range<i64>) -> bool {
    span.end - span.start > LENGTH_DAYS_MAX * DAY
}

fn verdict(stretches: &Stretches, span: Range<i64>) -> Verdict {
    if too_long(&span) {
        return Verdict::Skipped(Skip::TooLong);
    }
    let (mut inside, mut outside) = (false, false);
    for (_, state) in stretches.within(span) {
        match state.kind {
            Kind::Work => inside = true,
            Kind::Gap(_) => outside = true,
            Kind::Unknown => {}
        }
        if inside && outside {
            break;
        }
    }
    match (inside, outside) {
        (true, true) => Verdict::PartlyOutside,
        (false, true) => Verdict::Outside,
        (true, false) => Verdict::Inside,
        (false, false) => Verdict::NoSchedule,
    }
}

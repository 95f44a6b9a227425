//! Working hours: whether an appointment is within them, which part is not, and when somebody is free. Usable without anything else of
//! calsync.
//!
//! ```
//! use calsync_core::hours::{Draft, Hours, Layer, LayerKind, Period, Reason, Rota, Verdict, horizon};
//! use chrono::Weekday::{Fri, Mon, Thu, Tue, Wed};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The week of a team, once for all of them; and somebody's own leave on top of it.
//! let team = Draft::new("America/New_York")
//!     .every([Mon, Tue, Wed, Thu, Fri], [Period::hours(9, 12), Period::hours(13, 17)])
//!     .layer(Layer::day(LayerKind::Holiday, "2026-12-25".parse()?))
//!     .check()?;
//! let amy = Rota::of([team.into()], [Layer::day(LayerKind::Leave, "2026-12-24".parse()?)], None)?;
//!
//! // Once for many questions.
//! let hours = Hours::compile(&amy, horizon("2026-11-27T12:00:00Z".parse()?))?;
//!
//! let check = hours.check("2026-12-01T16:30:00Z".parse()?, "2026-12-01T18:30:00Z".parse()?);
//! assert_eq!(check.verdict, Verdict::PartlyOutside);
//! assert_eq!(check.outside[0].reason, Reason::Break);
//! assert_eq!(check.outside[0].wall_start.to_string(), "2026-12-01 12:00:00");
//! assert_eq!(check.outside[0].wall_end.to_string(), "2026-12-01 13:00:00");
//!
//! let christmas_eve = hours.verdict("2026-12-24T15:00:00Z".parse()?, "2026-12-24T16:00:00Z".parse()?);
//! assert_eq!(christmas_eve, Verdict::Outside);
//! # Ok(()) }
//! ```
//!
//! A [`Draft`] is checked into a [`Schedule`] (`schedule.rs`), the schedules and the layers of a person are their [`Rota`] (`rota.rs`), and compiled for a
//! span of time they are [`Hours`] (`compile.rs`). Hours answer for an appointment ([`Hours::check`], `check.rs`), for a series
//! ([`Hours::check_series`], `series.rs`), and with free time ([`Hours::free_slots`], `slots.rs`). [`Subject::judge`] asks all
//! that there is to ask about one appointment or series (`judge.rs`), [`settle`] says which warnings are new and which are no
//! longer true (`warnings.rs`), and [`Words`] puts them into a sentence (`words.rs`).
//!
//! Nothing here waits, stores, or asks for the time, and an answer never stops anything. The rules, and what is not done, are in
//! [working hours](crate::docs::working_hours).

mod check;
mod compile;
mod judge;
mod rota;
mod schedule;
mod series;
mod slots;
mod source;
mod warnings;
mod words;

#[cfg(test)]
mod tests;

pub use check::{Check, LENGTH_DAYS_MAX, PARTS_MAX, Part, Skip, Verdict};
pub use compile::{Hours, LAYER_PERIODS_MAX, Reason, SPAN_DAYS_MAX};
pub use judge::{Finding, Subject, find};
pub use rota::{Rota, SCHEDULES_MAX};
pub use schedule::{
    DAY_PERIODS_MAX, Draft, LAYERS_MAX, Layer, LayerKind, PERIOD_MINUTES_MAX, Period, Refused, Schedule,
    ScheduleVersion, Weekly,
};
pub use series::{Changed, HORIZON_MONTHS, LISTED_MAX, SeriesCheck, Visit, horizon, visits};
pub use slots::{SLOTS_MAX, SlotQuestion, Slots, Source};
pub use source::Schedules;
pub use warnings::{Judged, Settled, Warning, WarningKey, settle};
pub use words::{PARTS_NAMED_MAX, TITLE_CHARS_MAX, Words};

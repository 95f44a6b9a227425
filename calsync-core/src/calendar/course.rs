//! A rule made ready to be walked along: what does not depend on where a walk begins is worked out once for a series.

use super::civil::DAY;
use super::days::{Start, of_mask};
use super::offsets::{At, Offsets};
use super::period::{Plain, fixed, plain};
use super::rule::{Freq, Rule};
use super::set::First;

/// A rule, and what follows from where its series starts.
#[derive(Clone, Debug)]
pub(super) struct Course {
    pub(super) rule: Rule,
    pub(super) start: Start,
    /// When the series starts, on the wall clock as written and as it is.
    pub(super) first: i64,
    pub(super) first_at: At,
    pub(super) whole_days: bool,
    /// The times of a period in seconds: of a day, or of an hour or minute for rules that step so.
    pub(super) times: Vec<u32>,
    /// What every block of a plain rule by days or weeks looks like.
    pub(super) plain: Option<Plain>,
    /// How many occurrences each period has, where that is always the same.
    pub(super) fixed: Option<u64>,
}

impl Course {
    pub(super) fn new(rule: Rule, first: First, zone: &Offsets) -> Self {
        let start = Start::of(first.wall.div_euclid(DAY) as i32);
        let times = times(&rule, first.wall.rem_euclid(DAY) as u32, first.whole_days());
        Self {
            start,
            first: first.wall,
            first_at: zone.at_wall(first.wall),
            whole_days: first.whole_days(),
            plain: plain(&rule, &start),
            fixed: fixed(&rule, &start).map(|days| days * times.len() as u64),
            times,
            rule,
        }
    }
}

/// The times of a period, in order. For rules that step by hours or less, empty where the step itself is the time.
fn times(rule: &Rule, first: u32, whole_days: bool) -> Vec<u32> {
    let or = |mask: u64, own: u32| if mask == 0 { 1_u64 << own } else { mask };
    let (minutes, seconds) = (or(rule.minutes, first / 60 % 60), or(rule.seconds, first % 60));
    let of_hour = |minutes: u64| -> Vec<u32> {
        of_mask(minutes).flat_map(|minute| of_mask(seconds).map(move |second| minute * 60 + second)).collect()
    };
    match rule.freq {
        Freq::Secondly => Vec::new(),
        Freq::Minutely if rule.seconds == 0 => Vec::new(),
        Freq::Minutely => of_hour(1),
        Freq::Hourly if rule.minutes == 0 && rule.seconds == 0 => Vec::new(),
        // The minute is the step's own: where clocks change by half an hour, it is another one afterwards.
        Freq::Hourly if rule.minutes == 0 => of_hour(1),
        Freq::Hourly => of_hour(minutes),
        _ if whole_days => vec![0],
        _ => {
            let hours = or(rule.hours.into(), first / 3600);
            let of_hour = of_hour(minutes);
            of_mask(hours).flat_map(|hour| of_hour.iter().map(move |time| hour * 3600 + time)).collect()
        }
    }
}

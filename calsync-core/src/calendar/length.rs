//! How long an occurrence lasts.
//!
//! RFC 5545 knows two ways to say it. A DTEND means the time that elapses, for every occurrence of a series (section 3.8.5.3): a meeting
//! from 01:30 to 03:30 lasts two hours on the day of a clock change as well, and ends at another time on the wall. A DURATION in
//! days means days of the calendar, and what it says in hours and less elapses after them (section 3.3.6).

use super::civil::DAY;
use super::offsets::{At, Offsets};
use chrono::Duration;
use std::fmt;

/// More than the calendar has, in days.
const DAYS_MAX: i64 = 3_660_000;

/// How long an occurrence lasts: days of the calendar, and then elapsed time. Never negative; what ends before it starts has no length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Length {
    days: i64,
    seconds: i64,
}

impl Length {
    /// Elapsed time: what lies between DTSTART and DTEND.
    pub fn exactly(elapsed: Duration) -> Self {
        Self { days: 0, seconds: elapsed.num_seconds().clamp(0, DAYS_MAX * DAY) }
    }

    /// Days of the calendar: to the same time on the wall so many days later. Of whole days, their number.
    pub fn days(days: u32) -> Self {
        Self { days: i64::from(days).min(DAYS_MAX), seconds: 0 }
    }

    /// Reads the value of a DURATION: `P1W`, `P1DT2H`, `PT30M`. `None` where it is none; a negative one is read as no length.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, text) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let text = text.strip_prefix(['P', 'p'])?;
        let (mut length, mut number, mut in_time, mut said) = (Self::default(), None::<i64>, false, false);
        for letter in text.chars() {
            if let Some(digit) = letter.to_digit(10) {
                number = Some(number.unwrap_or(0).checked_mul(10)?.checked_add(digit.into())?);
                continue;
            }
            let (sum, unit) = match (letter.to_ascii_uppercase(), in_time) {
                ('T', false) if number.is_none() => {
                    in_time = true;
                    continue;
                }
                ('W', false) => (&mut length.days, 7),
                ('D', false) => (&mut length.days, 1),
                ('H', true) => (&mut length.seconds, 3600),
                ('M', true) => (&mut length.seconds, 60),
                ('S', true) => (&mut length.seconds, 1),
                _ => return None,
            };
            *sum = sum.checked_add(number.take()?.checked_mul(unit)?)?;
            said = true;
        }
        if !said || number.is_some() {
            return None;
        }
        Some(match negative {
            true => Self::default(),
            false => Self { days: length.days.min(DAYS_MAX), seconds: length.seconds.min(DAYS_MAX * DAY) },
        })
    }

    /// When what starts then ends; `hint` is where in the zone the last one was found.
    #[inline]
    pub(super) fn end(self, start: At, zone: &Offsets, hint: &mut usize) -> At {
        let instant = match self.days {
            0 => start.instant,
            days => zone.at_wall(start.wall + days * DAY).instant,
        };
        zone.at_near(instant + self.seconds, hint)
    }

    /// Orders lengths: longer ones are later, and no two are alike.
    pub(super) fn rank(self) -> (i64, i64) {
        (self.most(), self.days)
    }

    /// No occurrence lasts longer than this, in seconds.
    pub(super) fn most(self) -> i64 {
        match self.days {
            0 => self.seconds,
            // Clocks go back by a day at most.
            days => (days + 1) * DAY + self.seconds,
        }
    }
}

/// As a DURATION writes it: `P1DT3600S`, `PT0S`.
impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("P")?;
        if self.days > 0 {
            write!(f, "{}D", self.days)?;
        }
        match (self.days, self.seconds) {
            (1.., 0) => Ok(()),
            (_, seconds) => write!(f, "T{seconds}S"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_rfc_5545_writes_them() {
        for (text, read) in [
            ("PT1H30M", Some((0, 5400))),
            ("P1W", Some((7, 0))),
            ("+P1DT2H0M5S", Some((1, 7205))),
            ("PT0S", Some((0, 0))),
            ("-PT5M", Some((0, 0))),
            ("P99999999D", Some((DAYS_MAX, 0))),
            ("P", None),
            ("PT", None),
            ("1H", None),
            ("P1H", None),
            ("PT1D", None),
            ("P5", None),
            ("PTH", None),
            ("P99999999999999999999D", None),
            ("", None),
        ] {
            let found = Length::parse(text).map(|length| (length.days, length.seconds));
            assert_eq!(found, read, "{text}");
        }
    }

    /// Clocks that go forward by an hour at instant 3600.
    #[test]
    fn elapsed_time_and_days_of_the_calendar_differ_over_a_clock_change() {
        let zone = Offsets::new(0, [(3600, 3600)].into_iter());
        let start = zone.at_wall(0);
        let end = |length: Length| length.end(start, &zone, &mut 0).instant;
        assert_eq!(end(Length::exactly(Duration::days(1))), DAY);
        assert_eq!(end(Length::days(1)), DAY - 3600);
        assert_eq!(end(Length::exactly(Duration::hours(-1))), 0);
    }
}

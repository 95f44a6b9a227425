//! Days of the Gregorian calendar as numbers.
//!
//! A day is counted from 1 January 1970, a wall-clock time in seconds from that day's midnight. Expansion works on these
//! numbers: a date object in its inner loop costs more than all the rest of it.

/// Seconds of a day on the wall clock.
pub(super) const DAY: i64 = 86_400;

/// Days before each month of a common year and of a leap year; the last entry is the length of the year.
const BEFORE: [[u16; 13]; 2] = [
    [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365],
    [0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335, 366],
];

/// The day number of a date.
pub(super) const fn day_of(year: i32, month: u32, day: u32) -> i32 {
    first_of(year) + BEFORE[is_leap(year) as usize][month as usize - 1] as i32 + day as i32 - 1
}

/// The day number of 1 January.
pub(super) const fn first_of(year: i32) -> i32 {
    let past = year - 1;
    past * 365 + past.div_euclid(4) - past.div_euclid(100) + past.div_euclid(400) - 719_162
}

pub(super) const fn is_leap(year: i32) -> bool {
    year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0)
}

pub(super) const fn days_in_year(year: i32) -> u32 {
    365 + is_leap(year) as u32
}

pub(super) const fn days_in_month(year: i32, month: u32) -> u32 {
    let before = &BEFORE[is_leap(year) as usize];
    (before[month as usize] - before[month as usize - 1]) as u32
}

/// Days of the year before the first of a month.
pub(super) const fn days_before(year: i32, month: u32) -> u32 {
    BEFORE[is_leap(year) as usize][month as usize - 1] as u32
}

/// The day of the week: 0 is Monday.
pub(super) const fn weekday(day: i32) -> u32 {
    (day + 3).rem_euclid(7) as u32
}

/// A day, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Civil {
    pub year: i32,
    /// From 1.
    pub month: u32,
    /// From 1.
    pub day: u32,
}

impl Civil {
    /// Of a day number (Neri and Schneider, "Euclidean affine functions and their application to calendar algorithms", 2023).
    pub(super) const fn of(day: i32) -> Self {
        let shifted = (day as i64 + 719_468 + 146_097 * 1_000) as u64;
        let century = (4 * shifted + 3) / 146_097;
        let of_century = (4 * shifted + 3) % 146_097 / 4;
        let product = 2_939_745 * (4 * of_century + 3);
        let of_year = product % (1 << 32) / 2_939_745 / 4;
        let year = 100 * century + product / (1 << 32);
        let packed = 2_141 * of_year + 197_913;
        let (month, day) = (packed >> 16, packed % 65_536 / 2_141);
        let wraps = of_year >= 306;
        Self {
            year: (year as i64 - 400_000 + wraps as i64) as i32,
            month: if wraps { month - 12 } else { month } as u32,
            day: day as u32 + 1,
        }
    }
}

/// A day as recurrence lines write it.
pub(super) fn date_text(day: i32) -> String {
    let Civil { year, month, day } = Civil::of(day);
    format!("{year:04}{month:02}{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_from_the_year_minus_400_to_9999_is_taken_apart_and_put_together_again() {
        let mut day = day_of(-400, 1, 1);
        for year in -400..=9999 {
            assert_eq!(first_of(year), day);
            for month in 1..=12 {
                for of_month in 1..=days_in_month(year, month) {
                    assert_eq!(Civil::of(day), Civil { year, month, day: of_month });
                    assert_eq!(day_of(year, month, of_month), day);
                    day += 1;
                }
            }
        }
        assert_eq!((weekday(0), weekday(day_of(2026, 11, 27)), weekday(-1)), (3, 4, 2));
    }
}

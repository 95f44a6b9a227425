//! Which days of a period a rule names, as bits.
//!
//! Each BY part that speaks of days is a set; what a period has is where all of its sets meet (the table in RFC 5545, section
//! 3.3.10, read so: a part that "expands" is the first set, one that "limits" is another). Parts that are missing come from the
//! start of the series. Two things that the section leaves open:
//!
//! - BYMONTHDAY in a yearly rule without BYMONTH means every month, as the table says and Google's own library does;
//! - BYWEEKNO without a day means the start's day of the week, and a rule with BYWEEKNO steps by years of whole weeks: the last days of
//!   December may belong to the next one, and the first of January to the last. With BYSETPOS, which counts within a period, it
//!   steps by calendar years, as Google's own library does.

use super::civil::{Civil, days_before, days_in_month, days_in_year, first_of, weekday};
use super::rule::{Freq, Rule};

/// Days of up to a year: bit n is the n-th day after the first.
pub(super) type Bits = [u64; 6];

/// Every seventh day, by the first.
const SEVENTH: [Bits; 7] = {
    let mut all = [[0; 6]; 7];
    let mut day = 0;
    while day < 384 {
        all[day % 7][day / 64] |= 1 << (day % 64);
        day += 1;
    }
    all
};

/// What a rule takes from the start of its series.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    pub day: i32,
    pub civil: Civil,
    pub weekday: u32,
}

impl Start {
    pub(super) fn of(day: i32) -> Self {
        Self { day, civil: Civil::of(day), weekday: weekday(day) }
    }
}

fn set(bits: &mut Bits, day: u32) {
    bits[day as usize / 64] |= 1 << (day % 64);
}

/// Sets `count` days from `from` on.
fn set_run(bits: &mut Bits, from: u32, count: u32) {
    for (at, word) in bits.iter_mut().enumerate() {
        let base = at as u32 * 64;
        let low = from.clamp(base, base + 64) - base;
        let high = (from + count).clamp(base, base + 64) - base;
        if low < high {
            *word |= (u64::MAX >> (64 - (high - low))) << low;
        }
    }
}

fn meet(bits: &mut Bits, other: &Bits) {
    for (word, other) in bits.iter_mut().zip(other) {
        *word &= other;
    }
}

fn join(bits: &mut Bits, other: &Bits) {
    for (word, other) in bits.iter_mut().zip(other) {
        *word |= other;
    }
}

/// Counted from the start, or from the end where negative: the index of the n-th of `count`.
fn nth(n: i32, count: u32) -> Option<u32> {
    let at = if n > 0 { n - 1 } else { count as i32 + n };
    u32::try_from(at).ok().filter(|at| *at < count)
}

/// The index of the n-th such day of the week of a span that begins with the day of the week `first`.
fn nth_weekday(n: i32, day: u8, first: u32, length: u32) -> Option<u32> {
    let offset = (u32::from(day) + 7 - first) % 7;
    if offset >= length {
        return None;
    }
    Some(offset + 7 * nth(n, (length - offset).div_ceil(7))?)
}

/// The days of a year that a yearly rule names.
pub(super) fn of_year(rule: &Rule, start: &Start, year: i32) -> Bits {
    let (by_month_day, by_year_day) = (rule.month_days != (0, 0), !rule.year_days.is_empty());
    let mut bits = [0; 6];
    if rule.days.is_empty() && rule.weeks.is_empty() && !by_month_day && !by_year_day {
        let months = if rule.months == 0 { 1 << start.civil.month } else { rule.months };
        for month in of_mask(months.into()).filter(|month| start.civil.day <= days_in_month(year, *month)) {
            set(&mut bits, days_before(year, month) + start.civil.day - 1);
        }
        return bits;
    }
    let (base, length) = (first_of(year), days_in_year(year));
    let first = weekday(base);
    set_run(&mut bits, 0, length);
    if rule.months != 0 {
        let mut months = [0; 6];
        for month in of_mask(rule.months.into()) {
            set_run(&mut months, days_before(year, month), days_in_month(year, month));
        }
        meet(&mut bits, &months);
    }
    if by_year_day {
        let mut days = [0; 6];
        for day in rule.year_days.iter().filter_map(|day| nth(i32::from(*day), length)) {
            set(&mut days, day);
        }
        meet(&mut bits, &days);
    }
    if by_month_day {
        let mut days = [0; 6];
        for month in 1..=12 {
            let before = days_before(year, month);
            let mask = u64::from(month_days(rule, days_in_month(year, month)));
            days[before as usize / 64] |= mask << (before % 64);
            if before % 64 > 33 {
                days[before as usize / 64 + 1] |= mask >> (64 - before % 64);
            }
        }
        meet(&mut bits, &days);
    }
    if !rule.days.is_empty() {
        let mut days = [0; 6];
        for day in of_mask(rule.days.plain.into()) {
            join(&mut days, &SEVENTH[((day + 7 - first) % 7) as usize]);
        }
        for &(n, day) in &rule.days.numbered {
            match rule.months {
                0 => {
                    nth_weekday(n.into(), day, first, length).into_iter().for_each(|day| set(&mut days, day))
                }
                months => {
                    for month in of_mask(months.into()) {
                        let before = days_before(year, month);
                        let first = (first + before) % 7;
                        let found = nth_weekday(n.into(), day, first, days_in_month(year, month));
                        found.into_iter().for_each(|day| set(&mut days, before + day));
                    }
                }
            }
        }
        meet(&mut bits, &days);
    }
    if !rule.weeks.is_empty() {
        let days =
            if rule.days.is_empty() && !by_month_day && !by_year_day { 1 << start.weekday } else { 0x7f };
        for day in 0..length {
            let (word, bit) = (day as usize / 64, day % 64);
            let of_day = days >> ((first + day) % 7) & 1 == 1;
            if bits[word] >> bit & 1 == 1 && !(of_day && is_in_week(rule, base + day as i32)) {
                bits[word] &= !(1 << bit);
            }
        }
    }
    bits
}

/// The days that a yearly rule with BYWEEKNO names, in the year of weeks that `year` is; bits count from its first day.
pub(super) fn of_weeks(rule: &Rule, start: &Start, year: i32) -> (i32, Bits) {
    let (first, next) = (first_week(rule, year), first_week(rule, year + 1));
    let mut bits = [0; 6];
    for week in rule.weeks.iter().filter_map(|week| nth(i32::from(*week), (next - first) as u32 / 7)) {
        set_run(&mut bits, 7 * week, 7);
    }
    let by_date = rule.months != 0 || rule.month_days != (0, 0) || !rule.year_days.is_empty();
    let mut days = weekdays(rule);
    if days == 0 && rule.month_days == (0, 0) && rule.year_days.is_empty() {
        days = 1 << start.weekday;
    }
    if days != 0 {
        let mut of_days = [0; 6];
        for day in of_mask(days.into()) {
            join(&mut of_days, &SEVENTH[((day + 7 - u32::from(rule.week_start)) % 7) as usize]);
        }
        meet(&mut bits, &of_days);
    }
    if by_date {
        for day in 0..(next - first) as u32 {
            let (word, bit) = (day as usize / 64, day % 64);
            if bits[word] >> bit & 1 == 1 && !is_dated(rule, first + day as i32) {
                bits[word] &= !(1 << bit);
            }
        }
    }
    (first, bits)
}

/// The year of weeks that a day is in.
pub(super) fn week_year(rule: &Rule, day: i32) -> i32 {
    let year = Civil::of(day).year;
    (year - 1..=year + 1).rfind(|year| first_week(rule, *year) <= day).unwrap_or(year)
}

/// The days of a month that a monthly rule names: bit 0 is the first.
pub(super) fn of_month(rule: &Rule, start: &Start, year: i32, month: u32) -> u32 {
    if rule.months != 0 && rule.months >> month & 1 == 0 {
        return 0;
    }
    let length = days_in_month(year, month);
    let mut bits = u32::MAX >> (32 - length);
    let by_month_day = rule.month_days != (0, 0);
    if by_month_day {
        bits &= month_days(rule, length);
    }
    let base = first_of(year) + days_before(year, month) as i32;
    if !rule.days.is_empty() {
        let first = weekday(base);
        let mut days = 0;
        for day in of_mask(rule.days.plain.into()) {
            days |= SEVENTH[((day + 7 - first) % 7) as usize][0] as u32;
        }
        for &(n, day) in &rule.days.numbered {
            days |= nth_weekday(n.into(), day, first, length).map_or(0, |day| 1 << day);
        }
        bits &= days;
    } else if !by_month_day && rule.year_days.is_empty() && rule.weeks.is_empty() {
        bits &= 1u32.checked_shl(start.civil.day - 1).unwrap_or(0);
    }
    keep(rule, base, bits)
}

/// The days of a week that a weekly rule names: bit 0 is the day that weeks begin with.
pub(super) fn of_week(rule: &Rule, start: &Start, first: i32) -> u32 {
    let filtered = rule.month_days != (0, 0) || !rule.year_days.is_empty() || !rule.weeks.is_empty();
    let days = match weekdays(rule) {
        0 if filtered => 0x7f,
        0 => 1 << start.weekday,
        days => days,
    };
    let shift = u32::from(rule.week_start);
    let bits = (days >> shift | days << (7 - shift)) & 0x7f;
    if rule.months == 0 && rule.month_days == (0, 0) {
        return keep(rule, first, bits);
    }
    let mut kept = 0;
    for bit in of_mask(bits.into()) {
        kept |= u32::from(passes(rule, first + bit as i32)) << bit;
    }
    kept
}

/// Whether a day passes every part that speaks of days, for rules that step by days and less.
pub(super) fn passes(rule: &Rule, day: i32) -> bool {
    let days = weekdays(rule);
    if days != 0 && days >> weekday(day) & 1 == 0 {
        return false;
    }
    is_dated(rule, day) && is_in_week(rule, day)
}

/// Whether a day passes BYMONTH, BYMONTHDAY and BYYEARDAY.
fn is_dated(rule: &Rule, day: i32) -> bool {
    if rule.months == 0 && rule.month_days == (0, 0) && rule.year_days.is_empty() {
        return true;
    }
    let civil = Civil::of(day);
    if rule.months != 0 && rule.months >> civil.month & 1 == 0 {
        return false;
    }
    let of_month = rule.month_days == (0, 0)
        || month_days(rule, days_in_month(civil.year, civil.month)) >> (civil.day - 1) & 1 == 1;
    let (at, length) = ((day - first_of(civil.year)) as u32, days_in_year(civil.year));
    let of_year =
        rule.year_days.is_empty() || rule.year_days.iter().any(|n| nth(i32::from(*n), length) == Some(at));
    of_month && of_year
}

/// Whether a day passes BYWEEKNO.
fn is_in_week(rule: &Rule, day: i32) -> bool {
    if rule.weeks.is_empty() {
        return true;
    }
    let year = week_year(rule, day);
    let (first, next) = (first_week(rule, year), first_week(rule, year + 1));
    let week = (day - first) as u32 / 7;
    rule.weeks.iter().any(|n| nth(i32::from(*n), (next - first) as u32 / 7) == Some(week))
}

/// The days of the week that a rule names, whatever their numbers.
pub(super) fn weekdays(rule: &Rule) -> u32 {
    rule.days.numbered.iter().fold(u32::from(rule.days.plain), |days, (_, day)| days | 1 << day)
}

/// Of these days, those that a rule's days and weeks of the year leave.
fn keep(rule: &Rule, base: i32, bits: u32) -> u32 {
    if rule.year_days.is_empty() && rule.weeks.is_empty() {
        return bits;
    }
    let passes = |bit: &u32| is_dated(rule, base + *bit as i32) && is_in_week(rule, base + *bit as i32);
    of_mask(bits.into()).filter(passes).fold(0, |kept, bit| kept | 1 << bit)
}

/// Days of a month by BYMONTHDAY: bit 0 is the first.
fn month_days(rule: &Rule, length: u32) -> u32 {
    let (from_start, from_end) = rule.month_days;
    // Bit n of `from_end` is the n-th last: turned round, the last one is the highest bit.
    let turned = (from_end >> 1).reverse_bits() >> (32 - length);
    (from_start >> 1 | turned) & (u32::MAX >> (32 - length))
}

/// The first day of the first week that has four days in a year.
fn first_week(rule: &Rule, year: i32) -> i32 {
    let fourth = first_of(year) + 3;
    fourth - (weekday(fourth) + 7 - u32::from(rule.week_start)) as i32 % 7
}

/// The numbers of the bits of a mask, in order.
pub(super) fn of_mask(mut mask: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let bit = (mask != 0).then(|| mask.trailing_zeros());
        mask &= mask.wrapping_sub(1);
        bit
    })
}

/// Whether a yearly rule steps by years of whole weeks.
pub(super) fn by_week_years(rule: &Rule) -> bool {
    !rule.weeks.is_empty() && rule.places.is_empty()
}

/// Whether a rule steps by whole days or more.
pub(super) fn steps_by_days(freq: Freq) -> bool {
    freq >= Freq::Daily
}

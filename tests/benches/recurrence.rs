//! How fast series are expanded, beside the `rrule` crate: the same series, the same windows, in one run.
//!
//! ```sh
//! cargo bench -p calsync-testkit --bench recurrence
//! CALSYNC_BENCH_SERIES=1000 CALSYNC_BENCH_ROUNDS=9 CALSYNC_BENCH_SEED=7 cargo bench -p calsync-testkit --bench recurrence
//! ```
//!
//! The series are such as people make: daily, weekly on two days, monthly on the nth weekday, yearly; in America/New_York, begun
//! within two years before the window, at working hours, half of them with one to four exceptions. Both read them from the same
//! lines before anything is timed, except where reading is what is timed.
//!
//! *Batch* fills a vector of instants, *iterator* gives typed slots one by one. Both have to find as many occurrences as `rrule`
//! does, with the same sum of instants, or the benchmark fails. *With overrides* gives starts, ends and values of the same series, two
//! occurrences of each moved by an hour and one cancelled within the window: as many less, or the benchmark fails. `rrule` knows no
//! overrides; it is shown beside it without them. The speed is not asserted: it is of the machine that it runs on.
//! Each line is the median of the rounds; `rrule` is asked once a round as well, for a tenth of the series.

use calsync_core::Zone;
use calsync_core::calendar::{Length, Override, Placed, Reach, Reading, RecurrenceSet, Series, Start};
use calsync_core::model::{Recurrence, Slot};
use chrono::{DateTime, Duration as Span, NaiveDate, NaiveDateTime, Utc};
use rrule::{RRuleSet, Tz};
use std::error::Error;
use std::hint::black_box;
use std::ops::Range;
use std::time::Instant;

type Outcome<T> = Result<T, Box<dyn Error>>;

const ZONE: &str = "America/New_York";
const DAYS: [&str; 5] = ["MO", "TU", "WE", "TH", "FR"];

/// What one core should do: occurrences a second in a batch and through the iterator, and seconds for a seek.
const BATCH: f64 = 100e6;
const ITERATOR: f64 = 25e6;
const SEEK: f64 = 0.5e-6;

/// A series as text.
struct Text {
    start: NaiveDateTime,
    lines: Vec<String>,
}

impl Text {
    fn ours(&self) -> Outcome<Series> {
        let start = Start::Zoned(self.start, Zone::new(ZONE)?);
        let lines = self.lines.iter().map(String::as_str);
        Ok(Series::parse(&start, lines, Reading::Strict).map_err(|refused| refused.to_string())?)
    }

    fn theirs(&self) -> Outcome<RRuleSet> {
        let start = self.start.format("%Y%m%dT%H%M%S");
        let lines = format!("DTSTART;TZID={ZONE}:{start}\n{}", self.lines.join("\n"));
        Ok(lines.parse()?)
    }
}

/// What was found: so many, and the sum of their instants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Found {
    count: u64,
    sum: i64,
}

impl Found {
    fn add(&mut self, instant: i64) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(instant);
    }
}

fn main() -> Outcome<()> {
    let count = number("CALSYNC_BENCH_SERIES", 10_000)?.max(1);
    let rounds = number("CALSYNC_BENCH_ROUNDS", 5)?.max(1);
    let seed = number("CALSYNC_BENCH_SEED", 1)?.max(1);
    let texts = series(count, seed);
    let (ours, theirs) = read(&texts)?;
    println!("{count} series in {ZONE}, median of {rounds} rounds, seed {seed}\n");
    println!("{:<42} {:>12} {:>12} {:>8}  aim", "", "calsync", "rrule", "ratio");

    let reading = median(rounds, || done(read_ours(&texts)))?;
    let reading_theirs = median(rounds, || done(read_theirs(&texts)))?;
    let each = |seconds: f64| format!("{:.2} us", seconds * 1e6 / f64::from(count));
    line("reading a series", &each(reading), &each(reading_theirs), reading_theirs / reading, None);

    for years in [1, 10] {
        let window = instant(2022)..instant(2022 + years);
        let few = theirs.len().div_ceil(10);
        let expected = expand_theirs(&theirs[..few], &window);
        if (batch(&ours[..few], &window)?, each_slot(&ours[..few], &window)?) != (expected, expected) {
            return Err(format!("not what rrule finds in {years} years: {expected:?}").into());
        }
        let all = batch(&ours, &window)?;
        let rate = |seconds: f64, found: Found| found.count as f64 / seconds;
        let rrule = rate(median(rounds, || done(expand_theirs(&theirs[..few], &window)))?, expected);
        let filled = rate(median(rounds, || done(batch(&ours, &window)))?, all);
        let stepped = rate(median(rounds, || done(each_slot(&ours, &window)))?, all);
        let text = |rate: f64| format!("{:.1} M/s", rate / 1e6);
        let aim = |aim: f64, got: f64| Some((format!("{:.0} M/s at least", aim / 1e6), got >= aim));
        let name = |how: &str| format!("{years} years, {} occurrences: {how}", all.count);
        line(&name("batch"), &text(filled), &text(rrule), filled / rrule, aim(BATCH, filled));
        line(&name("iterator"), &text(stepped), &text(rrule), stepped / rrule, aim(ITERATOR, stepped));
        let (sets, cancelled) = with_overrides(&texts, &ours, &window)?;
        let placed = each_instance(&sets, &window)?;
        if placed.count + cancelled != all.count {
            return Err(format!("{} of {} less {cancelled} cancelled", placed.count, all.count).into());
        }
        let placed = rate(median(rounds, || done(each_instance(&sets, &window)))?, placed);
        line(&name("with overrides"), &text(placed), &text(rrule), placed / rrule, aim(ITERATOR, placed));
    }

    for age in [0, 20, 200] {
        let text =
            Text { start: instant(2022 - age).naive_utc(), lines: vec!["RRULE:FREQ=DAILY".to_owned()] };
        let (ours, theirs) = (text.ours()?, text.theirs()?);
        let times = 10_000;
        let seek = median(rounds, || {
            for day in 0..times {
                black_box(week(&ours, instant(2022) + Span::days(i64::from(day % 1000)))?);
            }
            Ok(())
        })? / f64::from(times);
        let from = instant(2022) + Span::days(500);
        let seek_theirs = median(rounds, || {
            done(expand_theirs(std::slice::from_ref(&theirs), &(from..from + Span::days(7))))
        })?;
        let text = |seconds: f64| format!("{:.2} us", seconds * 1e6);
        let aim = Some((format!("{} us at most", SEEK * 1e6), seek <= SEEK));
        line(
            &format!("seven days of a daily series {age} years old"),
            &text(seek),
            &text(seek_theirs),
            seek_theirs / seek,
            aim,
        );
    }
    Ok(())
}

fn done<T>(found: T) -> Outcome<()> {
    drop(black_box(found));
    Ok(())
}

fn number(name: &str, default: u32) -> Outcome<u32> {
    let Ok(text) = std::env::var(name) else { return Ok(default) };
    text.parse().map_err(|error| format!("{name}={text}: {error}").into())
}

fn line(what: &str, ours: &str, theirs: &str, ratio: f64, aim: Option<(String, bool)>) {
    let aim =
        aim.map_or_else(String::new, |(aim, met)| format!("{aim}{}", if met { "" } else { ": MISSED" }));
    println!("{}", format!("{what:<42} {ours:>12} {theirs:>12} {ratio:8.1}  {aim}").trim_end());
}

fn median(rounds: u32, mut act: impl FnMut() -> Outcome<()>) -> Outcome<f64> {
    let mut taken = Vec::new();
    for _ in 0..rounds {
        let began = Instant::now();
        act()?;
        taken.push(began.elapsed().as_secs_f64());
    }
    taken.sort_by(f64::total_cmp);
    Ok(taken[taken.len() / 2])
}

/// The first moment of a year, in UTC.
fn instant(year: i32) -> DateTime<Utc> {
    NaiveDate::from_ymd_opt(year, 1, 1).unwrap_or_default().and_time(chrono::NaiveTime::MIN).and_utc()
}

fn series(count: u32, seed: u32) -> Vec<Text> {
    let mut state = u64::from(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap_or(0)
    };
    (0..count)
        .map(|at| {
            let start = instant(2020).naive_utc()
                + Span::days(random(730) as i64)
                + Span::minutes(8 * 60 + 15 * random(40) as i64);
            let (rule, days) = match at % 4 {
                0 => ("FREQ=DAILY".to_owned(), 1),
                1 => {
                    let (first, second) = (DAYS[random(2)], DAYS[2 + random(3)]);
                    (format!("FREQ=WEEKLY;INTERVAL={};BYDAY={first},{second}", 1 + random(2)), 7)
                }
                2 => (format!("FREQ=MONTHLY;BYDAY={}{}", 1 + random(4), DAYS[random(5)]), 7),
                _ => ("FREQ=YEARLY".to_owned(), 365),
            };
            let mut lines = vec![format!("RRULE:{rule}")];
            if at % 8 < 4 {
                lines.extend((0..=random(4)).map(|_| {
                    let day = start + Span::days(days * (60 + random(500) as i64));
                    format!("EXDATE;TZID={ZONE}:{}", day.format("%Y%m%dT%H%M%S"))
                }));
            }
            Text { start, lines }
        })
        .collect()
}

fn read(texts: &[Text]) -> Outcome<(Vec<Series>, Vec<RRuleSet>)> {
    Ok((read_ours(texts)?, read_theirs(texts)?))
}

fn read_ours(texts: &[Text]) -> Outcome<Vec<Series>> {
    texts.iter().map(Text::ours).collect()
}

fn read_theirs(texts: &[Text]) -> Outcome<Vec<RRuleSet>> {
    texts.iter().map(Text::theirs).collect()
}

fn batch(series: &[Series], window: &Range<DateTime<Utc>>) -> Outcome<Found> {
    let (mut found, mut instants) = (Found::default(), Vec::new());
    for series in series {
        instants.clear();
        series.fill(window.clone(), &mut instants)?;
        found.count += instants.len() as u64;
        found.sum = instants.iter().fold(found.sum, |sum, instant| sum.wrapping_add(*instant));
    }
    Ok(found)
}

fn each_slot(series: &[Series], window: &Range<DateTime<Utc>>) -> Outcome<Found> {
    let mut found = Found::default();
    for series in series {
        for occurrence in series.occurrences_from(window.start) {
            match occurrence?.slot() {
                Slot::Time(instant) if instant < window.end => found.add(instant.timestamp()),
                _ => break,
            }
        }
    }
    Ok(found)
}

/// The series with two moved occurrences and a cancelled one each, from the second one within the window on; and how many are cancelled.
fn with_overrides(
    texts: &[Text],
    series: &[Series],
    window: &Range<DateTime<Utc>>,
) -> Outcome<(Vec<RecurrenceSet<u64>>, u64)> {
    let (mut sets, mut cancelled) = (Vec::new(), 0);
    for (value, (text, series)) in (0..).zip(texts.iter().zip(series)) {
        let zone = Zone::new(ZONE)?;
        let placed = |time: NaiveDateTime, value: u64| Placed {
            start: Start::Zoned(time, zone.clone()),
            length: Length::exactly(Span::minutes(30)),
            value,
        };
        let mut overrides = Vec::new();
        for (at, found) in series.occurrences_from(window.start).skip(1).step_by(3).take(3).enumerate() {
            let found = found?;
            if found.instant() + Span::days(1) >= window.end {
                break;
            }
            let moved = (at != 1).then(|| placed(found.wall() + Span::hours(1), value + 1));
            cancelled += u64::from(moved.is_none());
            overrides.push(Override { slot: found.slot(), reach: Reach::One, to: moved });
        }
        let lines = Recurrence::new(text.lines.clone());
        let set = RecurrenceSet::new(placed(text.start, value), lines, overrides, Reading::Strict);
        sets.push(set.map_err(|refused| refused.to_string())?);
    }
    Ok((sets, cancelled))
}

fn each_instance(sets: &[RecurrenceSet<u64>], window: &Range<DateTime<Utc>>) -> Outcome<Found> {
    let mut found = Found::default();
    for set in sets {
        for instance in set.instances(window.clone()) {
            let instance = instance?;
            black_box((instance.end().instant(), instance.value()));
            found.add(instance.start().instant().timestamp());
        }
    }
    Ok(found)
}

fn week(series: &Series, from: DateTime<Utc>) -> Outcome<Found> {
    each_slot(std::slice::from_ref(series), &(from..from + Span::days(7)))
}

fn expand_theirs(sets: &[RRuleSet], window: &Range<DateTime<Utc>>) -> Found {
    let from = window.start.with_timezone(&Tz::UTC);
    let mut found = Found::default();
    for set in sets {
        let inside = set.into_iter().skip_while(|at| *at < from).take_while(|at| *at < window.end);
        inside.for_each(|at| found.add(at.timestamp()));
    }
    found
}

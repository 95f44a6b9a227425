//! How fast working hours answer: one question, a span of two years, a long series.
//!
//! ```sh
//! cargo bench -p calsync-testkit --bench hours
//! CALSYNC_BENCH_CHECKS=1000000 CALSYNC_BENCH_ROUNDS=51 CALSYNC_BENCH_SEED=7 cargo bench -p calsync-testkit --bench hours
//! ```
//!
//! The person works nine to twelve and one to five in New York, one night a week, with eleven holidays and three weeks of leave a year.
//! Questions are an hour or two long, at random times or in the order of a series. Each figure is the median of the rounds; of single
//! questions, a round is as many of them as are timed together, since a clock cannot tell so short a time.
//!
//! Before anything is timed, the answers are counted against those of the slow way, so that hours that answer nothing fail here
//! instead of being fast. The speed is not asserted: it is of the machine that it runs on.

use calsync_core::Zone;
use calsync_core::calendar::{Reading, Series, Start};
use calsync_core::hours::{Draft, Hours, LISTED_MAX, Layer, LayerKind, Period, Rota, Verdict, visits};
use chrono::Weekday::{Fri, Mon, Thu, Tue, Wed};
use chrono::{DateTime, Datelike as _, Duration, NaiveDate, TimeDelta, Utc};
use std::collections::BTreeMap;
use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Single questions that are timed together.
const TOGETHER: usize = 1_000;

fn main() -> Outcome<()> {
    let checks = number("CALSYNC_BENCH_CHECKS", 200_000)?.max(1);
    let rounds = number("CALSYNC_BENCH_ROUNDS", 51)?.max(1);
    let seed = number("CALSYNC_BENCH_SEED", 1)?;
    let rota = Rota::new(schedule()?);
    let start: DateTime<Utc> = "2026-11-27T00:00:00Z".parse()?;
    let two_years = start..start + Duration::days(730);
    let hours = Hours::compile(&rota, two_years.clone())?;
    let mut random = questions(start, seed, checks as usize);
    count(&rota, &hours, &random)?;

    println!("{checks} questions, {rounds} rounds, seed {seed}\n");
    println!("{:<58} {:>12} {:>12}  aim", "", "median", "slowest");
    line("a question, compiled, at random", time_questions(&hours, &random), NANO, 100.0);
    random.sort_unstable();
    line("a question, compiled, in the order of a series", time_questions(&hours, &random), NANO, 100.0);
    let nothing = Hours::compile(&rota, start..start)?;
    let few = &random[..random.len().min(20 * TOGETHER)];
    line("a question, worked out at once", time_questions(&nothing, few), NANO, 2_000.0);
    let compile = || Ok(Hours::compile(&rota, two_years.clone())?);
    line("two years, compiled", time(rounds, compile)?, MICRO, 500.0);

    // Ten thousand days, so that hours are compiled for ten thousand days; and ten thousand within two years.
    let far = start..start + Duration::days(10_000);
    let long = Hours::compile(&rota, far.clone())?;
    for (what, time_of_day, rule, hours, window) in [
        ("10,000 occurrences, daily, expanded and judged", "09:00:00", "RRULE:FREQ=DAILY", &long, far),
        (
            "10,000 occurrences, fourteen a day, expanded and judged",
            "08:00:00",
            "RRULE:FREQ=DAILY;BYHOUR=8,9,10,11,12,13,14,15,16,17,18,19,20,21;COUNT=10000",
            &hours,
            two_years,
        ),
    ] {
        let begin =
            Start::Zoned(format!("2026-11-27T{time_of_day}").parse()?, Zone::new("America/New_York")?);
        let series = || -> Outcome<_> {
            let series = Series::parse(&begin, [rule], Reading::Strict)?;
            let visits = visits(&series, Duration::hours(1), window.clone(), &BTreeMap::new())?;
            Ok(hours.check_series(visits, LISTED_MAX))
        };
        let found = series()?;
        if found.looked_at != 10_000 || found.outside == 0 || found.outside == found.looked_at {
            return Err(format!("{what}: {} outside of {}", found.outside, found.looked_at).into());
        }
        line(what, time(rounds, series)?, MICRO, 2_000.0);
    }
    Ok(())
}

fn schedule() -> Outcome<calsync_core::hours::Schedule> {
    let mut draft = Draft::new("America/New_York")
        .every([Mon, Tue, Wed, Fri], [Period::hours(9, 12), Period::hours(13, 17)])
        .every([Thu], [Period::hours(22, 30)]);
    for year in 2026..2055 {
        let date = |month, day| NaiveDate::from_ymd_opt(year, month, day).ok_or("no such day");
        for month in 1..=11 {
            draft = draft.layer(Layer::day(LayerKind::Holiday, date(month, 11)?));
        }
        draft = draft.layer(Layer::days(LayerKind::Leave, date(7, 1)?, date(7, 21)?));
    }
    Ok(draft.check()?)
}

/// Appointments of an hour or two within the two years, in seconds.
fn questions(start: DateTime<Utc>, seed: u64, count: usize) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut random = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let quarter = |quarters: u64| TimeDelta::minutes(15 * i64::try_from(quarters).unwrap_or(0));
    (0..count)
        .map(|_| {
            let start = start + quarter(random(4 * 24 * 729));
            (start, start + quarter(4 + random(5)))
        })
        .collect()
}

/// Compares with the slow way, and sees that all kinds of answers are among them.
fn count(rota: &Rota, hours: &Hours, questions: &[(DateTime<Utc>, DateTime<Utc>)]) -> Outcome<()> {
    let mut found = BTreeMap::new();
    for (at, &(start, end)) in questions.iter().enumerate().take(2_000) {
        let verdict = hours.verdict(start, end);
        let day = start.date_naive();
        let nothing = Hours::compile(rota, start..start)?;
        if nothing.check(start, end).verdict != verdict {
            return Err(format!("question {at}, of {day} ({}): {verdict:?}", day.weekday()).into());
        }
        *found.entry(format!("{verdict:?}")).or_insert(0) += 1;
    }
    let all = [Verdict::Inside, Verdict::PartlyOutside, Verdict::Outside];
    if questions.len() > 1_000 && all.iter().any(|verdict| !found.contains_key(&format!("{verdict:?}"))) {
        return Err(format!("not all verdicts are met: {found:?}").into());
    }
    Ok(())
}

/// Seconds for one question, of so many timed together.
fn time_questions(hours: &Hours, questions: &[(DateTime<Utc>, DateTime<Utc>)]) -> Vec<f64> {
    let time = |questions: &[(DateTime<Utc>, DateTime<Utc>)]| {
        let began = Instant::now();
        for (start, end) in questions {
            black_box(hours.verdict(black_box(*start), black_box(*end)));
        }
        began.elapsed().as_secs_f64() / questions.len() as f64
    };
    questions.chunks(TOGETHER).map(time).collect()
}

fn time<T>(rounds: u64, work: impl Fn() -> Outcome<T>) -> Outcome<Vec<f64>> {
    let mut taken = Vec::new();
    for _ in 0..rounds {
        let began = Instant::now();
        let done = black_box(work()?);
        taken.push(began.elapsed().as_secs_f64());
        drop(done);
    }
    Ok(taken)
}

const NANO: (&str, f64) = ("ns", 1e9);
const MICRO: (&str, f64) = ("µs", 1e6);

fn line(what: &str, mut taken: Vec<f64>, (unit, per_second): (&str, f64), aim: f64) {
    taken.sort_by(f64::total_cmp);
    let [median, slowest] = [taken[taken.len() / 2], taken[taken.len() - 1]].map(|time| time * per_second);
    let missed = if median <= aim { "" } else { ": MISSED" };
    println!("{what:<58} {median:9.1} {unit} {slowest:9.1} {unit}  {aim} {unit} at most{missed}");
}

fn number(name: &str, default: u64) -> Outcome<u64> {
    let Ok(text) = std::env::var(name) else { return Ok(default) };
    text.parse().map_err(|error| format!("{name}={text}: {error}").into())
}

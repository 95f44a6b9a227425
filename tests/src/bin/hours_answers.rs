//! Answers questions about working hours, line by line, for a test that is written in another language.
//!
//! Each line on standard input is a question in JSON: `schedule` (a draft), `own` (layers of the person), `from` and `until` (the span that
//! is compiled, in seconds since 1970), and `appointments`, pairs of seconds. Each line on standard output is its answer: `answers`, one for
//! each appointment in order, or `refused`. Every appointment is asked in both ways, from the compiled span and worked out at once;
//! `differs` says where the two were not the same. It ends with its input.

use calsync_core::hours::{Check, Draft, Hours, Layer, Rota, Verdict};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use std::error::Error;
use std::io::{BufRead as _, Write as _};
use std::process::ExitCode;

#[derive(Deserialize)]
struct Question {
    schedule: Draft,
    own: Vec<Layer>,
    from: i64,
    until: i64,
    appointments: Vec<(i64, i64)>,
}

fn main() -> ExitCode {
    match work() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hours-answers: {error}");
            ExitCode::FAILURE
        }
    }
}

fn work() -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let question = serde_json::from_str(&line?)?;
        writeln!(out, "{}", answer(question)?)?;
        out.flush()?;
    }
    Ok(())
}

fn answer(question: Question) -> Result<Value, Box<dyn Error>> {
    let rota = match question.schedule.check().and_then(|one| Rota::of([one.into()], question.own, None)) {
        Ok(rota) => rota,
        Err(refused) => return Ok(json!({"refused": refused.to_string()})),
    };
    let compiled = Hours::compile(&rota, instant(question.from)?..instant(question.until)?)?;
    let nothing = Hours::compile(&rota, DateTime::UNIX_EPOCH..DateTime::UNIX_EPOCH)?;
    let mut answers = Vec::new();
    for (start, end) in question.appointments {
        let (start, end) = (instant(start)?, instant(end)?);
        let check = compiled.check(start, end);
        let short = [compiled.verdict(start, end), nothing.verdict(start, end)];
        if nothing.check(start, end) != check || short != [check.verdict; 2] {
            return Ok(json!({"differs": [check, nothing.check(start, end), short]}));
        }
        answers.push(said(&check));
    }
    Ok(json!({"answers": answers}))
}

fn said(check: &Check) -> Value {
    let parts = check.outside.iter().map(|part| {
        let wall = [part.wall_start, part.wall_end].map(|wall| wall.format("%Y-%m-%dT%H:%M:%S").to_string());
        json!([part.start.timestamp(), part.end.timestamp(), wall[0], wall[1], part.reason])
    });
    let verdict = match check.verdict {
        Verdict::Skipped(skip) => json!({"skipped": skip}),
        verdict => json!(verdict),
    };
    json!({"verdict": verdict, "outside": parts.collect::<Vec<Value>>(), "left_out": check.outside_left_out})
}

fn instant(seconds: i64) -> Result<DateTime<Utc>, String> {
    DateTime::from_timestamp(seconds, 0).ok_or_else(|| format!("{seconds} is no instant"))
}

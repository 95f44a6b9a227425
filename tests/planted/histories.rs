//! Faults that simulated histories notice by themselves: nobody told them where to look.
//!
//! Not every fault can be seen there. Some need what no history has (limits, reviewers, private details, another tenant), some
//! are healed by the next run before the oracle looks, and some need a moment that hardly ever comes. Those are what the
//! directed tests of the table are for.

use crate::judge::on_all_processors;
use calsync_core::planted::{Fault, plant};
use calsync_testkit::sim::{Violation, WorldSettings, run_history};
use std::panic::catch_unwind;

/// So many histories may pass before one of them notices. Each of these faults is noticed by two in a hundred at least.
const HISTORIES_MAX: u64 = 500;

const NOTICED: [Fault; 10] = [
    Fault::WholeRecordWins,
    Fault::DoubtTakenForDone,
    Fault::OverwrittenUnseen,
    Fault::IncarnationForgotten,
    Fault::ComparedAsWritten,
    Fault::MailWithoutLeave,
    Fault::CopyWithGuests,
    Fault::CursorBeforeItsPage,
    Fault::OccurrenceEditsSeries,
    Fault::ZoneDropped,
];

/// The first history that notices, with what it says; a panic is an accident and ends the search.
fn first_noticed(fault: Fault) -> Result<(u64, Violation), String> {
    for seed in 1..=HISTORIES_MAX {
        let planted = plant(fault);
        let ended = catch_unwind(|| run_history(seed, WorldSettings::of(seed), None));
        let met = planted.met();
        drop(planted);
        match ended {
            Ok(Ok(_)) => {}
            Ok(Err(violation)) if met > 0 => return Ok((seed, violation)),
            Ok(Err(violation)) => {
                return Err(format!("history {seed} fails without meeting it: {violation}"));
            }
            Err(_) => return Err(format!("history {seed} panicked")),
        }
    }
    Err(format!("{HISTORIES_MAX} histories noticed nothing"))
}

#[test]
fn simulated_histories_notice_these_faults_without_being_told() {
    let found = on_all_processors(&NOTICED, |fault| (*fault, first_noticed(*fault)));
    let mut wrong = Vec::new();
    for (fault, found) in found {
        match found {
            Ok((seed, violation)) => {
                println!("{:6} {fault:?}: history {seed} breaks {}", fault.promise(), violation.invariant);
                let clean = run_history(seed, WorldSettings::of(seed), None);
                wrong.extend(clean.err().map(|broken| format!("history {seed} fails anyway: {broken}")));
            }
            Err(why) => wrong.push(format!("{fault:?}: {why}")),
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

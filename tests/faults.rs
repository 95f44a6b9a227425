//! The fault sweep: every fault × every kind of step, each cell that exists met again and again.
//!
//! `CALSYNC_FAULT_HITS` says how often each cell must be met (1 by default, 50 in `tests/run --long`). The table is printed at
//! the end, also when all is well. The whole sweep follows from its seeds; a history that ends wrong is played again aloud.
//! `CALSYNC_FAULT_ONLY` takes part of a fault's name, `CALSYNC_FAULT_SEED` begins at a seed, `CALSYNC_FAULT_HISTORIES` ends
//! after so many.

use calsync_testkit::sim::coverage::{Coverage, Trouble, cells};
use calsync_testkit::sim::sweep::sweep_history;
use std::io::Write as _;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Plays histories until nothing is open any more; the seeds of those that ended wrong.
fn sweep(coverage: &mut Coverage, alone: Option<Trouble>, wanted: u64) -> Vec<u64> {
    coverage.meet(alone);
    let most = setting("CALSYNC_FAULT_HISTORIES", 600 + 400 * wanted);
    let first = setting("CALSYNC_FAULT_SEED", 1);
    let (mut failed, mut played) = (Vec::new(), 0);
    for seed in first..first + most {
        if failed.len() >= 10 || coverage.open(wanted).is_empty() {
            break;
        }
        played += 1;
        let play = |coverage: Coverage, aloud| {
            std::panic::catch_unwind(move || sweep_history(seed, coverage, wanted, aloud))
        };
        let ended = play(coverage.clone(), false);
        if let Ok(Ok(swept)) = ended {
            *coverage = swept.coverage;
            continue;
        }
        // What is met in it follows from what was met before: it could not be played again from its seed alone.
        _ = play(coverage.clone(), true);
        match ended {
            Ok(Err(violation)) => println!("seed {seed}: {violation}"),
            _ => println!("seed {seed}: panicked"),
        }
        failed.push(seed);
    }
    println!("{}: {played} histories", alone.map_or("all that come together", Trouble::name));
    failed
}

#[test]
fn every_fault_meets_every_step_that_it_can_and_nothing_is_lost_doubled_or_brought_back() {
    let wanted = setting("CALSYNC_FAULT_HITS", 1);
    let only = std::env::var("CALSYNC_FAULT_ONLY").ok();
    let mut coverage = Coverage::default();
    let mut failed = Vec::new();
    match &only {
        Some(name) => {
            let named = || Trouble::ALL.iter().filter(|trouble| trouble.name().contains(name));
            assert!(named().next().is_some(), "no fault has {name:?} in its name");
            for trouble in named() {
                failed.extend(sweep(&mut coverage, Some(*trouble), wanted));
            }
        }
        None => {
            failed.extend(sweep(&mut coverage, None, wanted));
            for trouble in Trouble::ALL.iter().filter(|trouble| trouble.comes_alone()) {
                failed.extend(sweep(&mut coverage, Some(*trouble), wanted));
            }
        }
    }
    // Not by `println!`, which would be kept back when the test passes.
    let table = format!("{coverage}\neach of {} cells was to be met {wanted} times\n", cells().count());
    std::io::stdout().write_all(table.as_bytes()).expect("the table is shown");
    assert!(failed.is_empty(), "{failed:?}");
    let impossible = coverage.impossible();
    assert!(impossible.is_empty(), "met, and declared not to exist: {impossible:?}");
    let short = cells().filter(|(t, s)| only.is_none() && coverage.of(*t, *s) < wanted);
    let short: Vec<String> =
        short.map(|(t, s)| format!("{} × {}: {}", t.name(), s.name(), coverage.of(t, s))).collect();
    assert!(short.is_empty(), "not met often enough: {short:#?}");
}

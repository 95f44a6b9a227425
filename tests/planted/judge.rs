//! Would our tests notice? calsync breaks its promises on purpose, one at a time, and each time a test has to fail.
//!
//! The faults are [`Fault`]'s, one wrong decision each, at the line where the promise is kept. Beside this file there is a table
//! per test program, called as the program. It names faults, each with a test of that program, which is played twice: as it is,
//! when it has to pass, and with the fault planted, when it has to fail. It counts as noticed only if the fault was met and the
//! test failed at the assertion that the table names. A panic elsewhere (an `unwrap`, an exchange that Google's description
//! forbids) is an accident, and proves nothing.
//!
//! `all.rs` looks over all tables that no fault is left out. `histories.rs` does the same as a table with simulated histories
//! and the oracle, which knows nothing of any fault.

use calsync_core::planted::{Fault, plant};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// The table of a test program. One row: a fault, a test of the program, and words of the assertion that fails.
macro_rules! noticed {
    ($($fault:ident: $part:ident::$test:ident at $assertion:literal,)+) => {
        pub(crate) const CASES: &[crate::judge::Case] = &[$(crate::judge::Case {
            fault: calsync_core::planted::Fault::$fault,
            name: concat!(stringify!($part), "::", stringify!($test)),
            test: crate::$part::$test,
            assertion: $assertion,
        },)+];

        #[test]
        fn every_planted_fault_fails_the_test_of_its_promise() {
            crate::judge::each_is_noticed(CASES);
        }

        #[test]
        fn without_its_fault_every_one_of_these_tests_passes() {
            crate::judge::each_passes(CASES);
        }
    };
}

/// A fault, and the test that notices it.
pub(crate) struct Case {
    pub(crate) fault: Fault,
    pub(crate) name: &'static str,
    pub(crate) test: fn(),
    /// Words of the assertion that fails.
    pub(crate) assertion: &'static str,
}

/// Where a test failed.
#[derive(Clone, Debug)]
pub(crate) struct Failed {
    file: String,
    line: u32,
    message: String,
}

thread_local! {
    /// The panic of a test that is expected to fail, once it did; `None` where panics are reported as always.
    static EXPECTED: RefCell<Option<Option<Failed>>> = const { RefCell::new(None) };
}

/// Catches the place of an expected panic, and keeps it out of the output.
fn catch_places() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let expected = EXPECTED.with_borrow_mut(|expected| {
                let Some(seen) = expected else { return false };
                let (file, line) =
                    panic.location().map_or((String::new(), 0), |at| (at.file().to_owned(), at.line()));
                let payload = panic.payload();
                let text = payload.downcast_ref::<String>().cloned();
                let words = || payload.downcast_ref::<&str>().map(|words| (*words).to_owned());
                let message = text.or_else(words).unwrap_or_default();
                // The first one says why; another one while it unwinds does not.
                seen.get_or_insert(Failed { file, line, message });
                true
            });
            if !expected {
                usual(panic);
            }
        }));
    });
}

/// Plays a test with a fault, or without: how it failed, and how often the fault was met.
pub(crate) fn play(test: fn(), fault: Option<Fault>) -> (Option<Failed>, u64) {
    catch_places();
    EXPECTED.set(Some(None));
    let planted = fault.map(plant);
    let ended = catch_unwind(AssertUnwindSafe(test));
    let met = planted.as_ref().map_or(0, calsync_core::planted::Planted::met);
    drop(planted);
    let failed = EXPECTED.take().flatten();
    assert_eq!(ended.is_err(), failed.is_some());
    (failed, met)
}

impl Failed {
    /// The assertion that failed, as it stands in the source; `None` where it was something else that panicked.
    pub(crate) fn assertion(&self) -> Option<String> {
        let accident = ["called `", "index out of bounds", "it does not heal"];
        if accident.iter().any(|words| self.message.starts_with(words)) {
            return None;
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let source = fs::read_to_string(root.join(&self.file)).ok()?;
        let lines = source.lines().skip(self.line.checked_sub(1)? as usize).map(str::trim);
        let mut statement = String::new();
        for line in lines.take(12) {
            statement.push_str(line);
            if line.ends_with(';') {
                break;
            }
            statement.push(' ');
        }
        statement.starts_with("assert").then_some(statement)
    }
}

/// What a case comes to: a line for the table, or what is wrong.
fn judge(case: &Case) -> Result<String, String> {
    let (fault, name) = (case.fault, case.name);
    let (failed, met) = play(case.test, Some(fault));
    if met == 0 {
        return Err(format!("{fault:?} was never met by {name}"));
    }
    let Some(failed) = failed else {
        return Err(format!("{fault:?} was met {met} times and {name} noticed nothing"));
    };
    let at = format!("{}:{}: {}", failed.file, failed.line, failed.message);
    let Some(assertion) = failed.assertion() else {
        return Err(format!("{fault:?} broke {name} by accident, not at an assertion: {at}"));
    };
    if !assertion.contains(case.assertion) {
        return Err(format!("{fault:?} broke {name} at {assertion}, not at {}: {at}", case.assertion));
    }
    let (promise, says, file, line) = (fault.promise(), fault.says(), failed.file, failed.line);
    Ok(format!("{promise:6} {fault:?}: {says}\n      {name}\n      at {file}:{line}: {assertion:.120}"))
}

/// Does the same for each of many things, on as many threads as there are processors; results in order.
pub(crate) fn on_all_processors<T: Sync, R: Send>(things: &[T], each: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(thing) = things.get(at) else { return };
            let result = each(thing);
            done.lock().unwrap_or_else(PoisonError::into_inner).insert(at, result);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect()
}

/// Each fault fails its test at its assertion.
pub(crate) fn each_is_noticed(cases: &[Case]) {
    let judged = on_all_processors(cases, judge);
    let (noticed, wrong): (Vec<_>, Vec<_>) = judged.into_iter().partition(Result::is_ok);
    for line in noticed.iter().flatten() {
        println!("{line}");
    }
    println!("{} of {} noticed", noticed.len(), cases.len());
    let wrong: Vec<String> = wrong.into_iter().filter_map(Result::err).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Without a fault each test passes.
pub(crate) fn each_passes(cases: &[Case]) {
    let tests: BTreeMap<&str, fn()> = cases.iter().map(|case| (case.name, case.test)).collect();
    let tests: Vec<_> = tests.into_iter().collect();
    let failed = on_all_processors(&tests, |(name, test)| (*name, play(*test, None).0));
    let failed: Vec<_> = failed.into_iter().filter(|(_, failed)| failed.is_some()).collect();
    assert!(failed.is_empty(), "{failed:?}");
}

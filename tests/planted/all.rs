//! All tables together: no fault is left out, each table is played, and nobody but these tests can plant anything.

use crate::judge::play;
use crate::planted;
use calsync_core::planted::{Fault, plant};
use std::fs;
use std::path::Path;

/// Of a table only the faults: its tests are those of another program.
macro_rules! noticed {
    ($($fault:ident: $part:ident::$test:ident at $assertion:literal,)+) => {
        pub(super) const FAULTS: &[calsync_core::planted::Fault] = &[$(calsync_core::planted::Fault::$fault,)+];
    };
}

#[path = "check_configuration.rs"]
mod check_configuration;
#[path = "connections.rs"]
mod connections;
#[path = "vault.rs"]
mod vault;

/// The tables of other programs, by the name of the program.
const ELSEWHERE: [(&str, &[Fault]); 3] = [
    ("check_configuration", check_configuration::FAULTS),
    ("connections", connections::FAULTS),
    ("vault", vault::FAULTS),
];

#[test]
fn every_fault_has_a_test_that_notices_it_and_says_what_it_breaks() {
    let here = planted::CASES.iter().map(|case| case.fault);
    let elsewhere = ELSEWHERE.iter().flat_map(|(_, faults)| faults.iter().copied());
    let noticed: Vec<Fault> = here.chain(elsewhere).collect();
    for fault in Fault::ALL {
        assert!(noticed.contains(fault), "{fault:?} is in no table");
        assert!(fault.says().ends_with('.') && !fault.promise().is_empty(), "{fault:?}");
    }
    println!("{} faults", Fault::ALL.len());
    assert!(Fault::ALL.len() >= 20);
}

#[test]
fn every_table_is_played_by_its_program() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (program, _) in ELSEWHERE {
        let text = fs::read_to_string(tests.join(program).with_extension("rs")).expect("a test program");
        let plays = format!("#[path = \"planted/{program}.rs\"]\nmod planted;\n");
        assert!(text.contains(&plays), "{program} does not play its table");
    }
}

#[test]
fn a_fault_is_met_where_it_is_planted_and_nowhere_else() {
    let settings = || {
        let calls = [calsync_core::binding::Direction::FromRemote.writes_remote(); 2];
        assert!(!calls[0], "it writes");
    };
    let (failed, met) = play(settings, Some(Fault::OneWayIgnored));
    assert_eq!(
        (failed.and_then(|failed| failed.assertion()), met),
        (Some("assert!(!calls[0], \"it writes\");".into()), 1)
    );
    let (failed, met) = play(settings, Some(Fault::LoserNotKept));
    assert_eq!((failed.is_some(), met), (false, 0));
    let (failed, _) = play(|| _ = "one".parse::<u32>().unwrap(), None);
    assert_eq!(failed.expect("it panicked").assertion(), None, "an accident is no assertion");
    let planted = plant(Fault::OneWayIgnored);
    std::thread::spawn(settings).join().expect("another thread is unharmed");
    assert_eq!(planted.met(), 0);
    drop(planted);
    settings();
}

#[test]
fn nobody_but_these_tests_can_plant_a_fault() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    for package in ["", "calsync-core", "calsync-google", "calsync-sqlite", "examples", "tests"] {
        let manifest = root.join(package).join("Cargo.toml");
        let mut section = String::new();
        for line in fs::read_to_string(manifest).expect("a manifest").lines().map(str::trim) {
            if line.starts_with('[') {
                section = line.to_owned();
            } else if !line.starts_with('#') && line.contains("planted") {
                found.push(format!("{package} {section} {line}"));
            }
        }
    }
    assert_eq!(
        found,
        [
            "calsync-core [features] planted = []",
            "tests [dev-dependencies] calsync-core = { workspace = true, features = [\"conformance\", \"planted\"] }",
        ]
    );
}

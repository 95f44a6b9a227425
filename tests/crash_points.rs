//! A process that dies at any of its steps leaves nothing behind that the next one does not put right.
//!
//! Each scenario is played once without a crash, and then again and again from the same beginning: the first time the
//! process dies at its first step, then at its second, until it has no more steps. A step is what other people can notice: a
//! transaction, a lease, a request, a page of changes, and at each one there are two places to die, before it and after it with
//! the answer lost. (A reading that nobody notices is no step: dying in it is dying between the steps around it.) The store is
//! a file, which is closed and opened again; what was not committed is gone. The next process waits until the lease has run
//! out and goes on. A second sweep lets that process die as well, at a step that moves along.
//!
//! In the end Google and the CRM must hold what they hold without a crash, to the last value and the last id (C3, C6); each
//! event was written as often and its guests were mailed no more than without a crash (C5, C7); what lost a conflict is kept
//! (C2); and the run after that writes nothing (C1).
//!
//! A third sweep does without steps: the store answers from threads of its own, as in production, and the future is dropped
//! at each place where it waits, with a transaction perhaps under way.
//!
//! And somebody may act before the next process does: what is deleted then stays deleted (C4), whatever the dead process had
//! written without hearing of it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is a failed test")]

#[path = "crash/picture.rs"]
mod picture;
#[path = "crash/stage.rs"]
mod stage;

use calsync_core::clock::Clock;
use calsync_core::model::{Attendee, Recurrence};
use calsync_core::provider::Mail;
use calsync_testkit::sim::gate::now;
use picture::Picture;
use serde_json::json;
use stage::{AMY, BOB, Stage, Start, slot, when};

const GUEST: &str = "guest@elsewhere.org";

/// What happens, and what must not happen more often than it does without a crash.
struct Scenario {
    /// Whose calendars are bound.
    agents: &'static [&'static str],
    /// Who is mailed.
    mail: Mail,
    /// What happens first.
    first: fn(&Stage),
    /// Whether everything comes to rest after that; otherwise the first run of the binding is part of what is played.
    at_rest_before: bool,
    /// What happens then, before the runs that crash.
    then: fn(&Stage),
    /// Mails that are sent when nothing crashes.
    mails: usize,
    /// Conflicts whose losing values are kept.
    lost: usize,
}

impl Default for Scenario {
    fn default() -> Self {
        let nothing: fn(&Stage) = |_| ();
        let agents = &[AMY];
        Self {
            agents,
            mail: Mail::Nobody,
            first: nothing,
            at_rest_before: true,
            then: nothing,
            mails: 0,
            lost: 0,
        }
    }
}

impl Scenario {
    /// The moment from which the sweeps start.
    fn start(&self) -> Start {
        let stage = Stage::new(self.agents, self.mail);
        (self.first)(&stage);
        if self.at_rest_before {
            stage.come_to_rest();
        }
        (self.then)(&stage);
        stage.google().clear_journal();
        stage.close()
    }

    fn sweep(&self, expected: &[&str]) {
        let start = self.start();

        let calm = Picture::at_rest(&Stage::open(&start));
        let shown: Vec<&str> = calm.shown.iter().map(String::as_str).collect();
        assert_eq!(shown, expected, "without a crash");
        assert_eq!(calm.mails.values().sum::<usize>(), self.mails, "mails without a crash: {:?}", calm.mails);
        assert_eq!(
            calm.lost.len(),
            self.lost,
            "values that lost a conflict, without a crash: {:?}",
            calm.lost
        );

        let mut points = 0;
        for n in 1.. {
            let stage = Stage::open(&start);
            if !stage.crash_at(n) {
                break;
            }
            points = n;
            Picture::at_rest(&stage).check(&calm, &format!("a crash at step {n}"));
        }
        // Every other one, to save time.
        for n in (1..=points).step_by(2) {
            let stage = Stage::open(&start);
            assert!(stage.crash_at(n), "the same beginning has the same steps");
            // The next one gets further than the last one's, or less far, until all pairs of some distance were met.
            let second = 1 + n * 7 % points;
            let twice = stage.crash_at(second);
            Picture::at_rest(&stage)
                .check(&calm, &format!("a crash at step {n}, and {twice} at step {second}"));
        }
        let mut waits = 0;
        for n in 1.. {
            let stage = Stage::open(&start);
            if !stage.drop_at_wait(n) {
                break;
            }
            waits = n;
            Picture::at_rest(&stage).check(&calm, &format!("a future dropped at its wait {n}"));
        }
        println!(
            "{points} crash points, {} pairs of them, {waits} waits at which a future was dropped",
            points.div_ceil(2)
        );
    }
}

/// After a crash at any step somebody deletes what the process was just writing, on one side: that is the last word, even
/// where the process never heard that it had written it.
#[track_caller]
fn sweep_with_a_deletion(first: fn(&Stage), then: fn(&Stage), delete: fn(&Stage) -> bool) {
    let scenario = Scenario { first, then, ..Scenario::default() };
    let start = scenario.start();
    let mut points = 0;
    for n in 1.. {
        let stage = Stage::open(&start);
        if !stage.crash_at(n) {
            break;
        }
        if !delete(&stage) {
            continue;
        }
        points += 1;
        let picture = Picture::at_rest(&stage);
        assert_eq!(picture.shown, ["11-12 14:00 Stays"], "C4: after a crash at step {n} and a deletion");
    }
    println!("{points} crash points with a deletion after it");
    assert!(points > 0, "nothing was ever deleted");
}

// ---- the scenarios ----

#[test]
fn what_was_being_created_and_is_deleted_in_google_after_a_crash_stays_deleted() {
    sweep_with_a_deletion(
        |stage| _ = stage.create("Stays", "2026-11-12T09:00", |_| ()),
        |stage| _ = stage.create("Visit", "2026-11-10T09:00", |_| ()),
        |stage| {
            let there = stage.has_event("Visit");
            if there {
                stage.delete("Visit");
            }
            there
        },
    );
}

#[test]
fn what_was_being_created_and_is_deleted_in_the_crm_after_a_crash_stays_deleted() {
    sweep_with_a_deletion(
        |stage| _ = stage.create("Stays", "2026-11-12T09:00", |_| ()),
        |stage| {
            stage.create("Visit", "2026-11-10T09:00", |a| {
                a.attendees.insert(GUEST.into(), Attendee::default());
            });
        },
        |stage| now(stage.crm().delete(&stage.record("Visit").id)).is_ok(),
    );
}

#[test]
fn what_was_being_changed_and_is_deleted_in_google_after_a_crash_stays_deleted() {
    sweep_with_a_deletion(
        |stage| {
            stage.create("Stays", "2026-11-12T09:00", |_| ());
            stage.create("Call", "2026-11-10T09:00", |_| ());
        },
        |stage| stage.edit("Call", |a| a.summary = Some("Visit".into())),
        // Who deletes it before the change arrived deletes something else, and the change wins.
        |stage| {
            let there = stage.has_event("Visit");
            if there {
                stage.delete("Visit");
            }
            there
        },
    );
}

#[test]
fn what_was_being_changed_and_is_deleted_in_the_crm_after_a_crash_stays_deleted() {
    sweep_with_a_deletion(
        |stage| {
            stage.create("Stays", "2026-11-12T09:00", |_| ());
            stage.create("Call", "2026-11-10T09:00", |_| ());
        },
        |stage| stage.edit("Call", |a| a.summary = Some("Visit".into())),
        |stage| now(stage.crm().delete(&stage.record("Visit").id)).is_ok(),
    );
}

#[test]
fn the_first_run_of_a_binding_survives_a_crash_at_every_step() {
    let scenario = Scenario {
        first: |stage| {
            stage.insert(json!({"summary": "Lunch"}), "2026-11-10T12:00", &[]);
            stage.insert(json!({"summary": "Dentist", "location": "Mall"}), "2026-11-11T08:00", &[]);
            let swim = stage.insert(json!({"summary": "Swim"}), "2026-11-12T18:00", &["FREQ=WEEKLY;COUNT=4"]);
            stage.move_instance(&swim, "20261119T230000Z", "2026-11-20T18:00");
            stage.create("Visit", "2026-11-10T09:00", |a| {
                _ = a.attendees.insert(GUEST.into(), Attendee::default())
            });
            stage.create("Call", "2026-11-10T10:00", |_| ());
            let series = stage.create("Training", "2026-11-11T14:00", |a| {
                a.recurrence = Recurrence::new(vec!["RRULE:FREQ=DAILY;COUNT=3".into()]);
            });
            now(stage.crm().edit_occurrence(&series, slot("2026-11-12T19:00:00Z"), |a| {
                a.location = Some("Hall".into());
            }))
            .unwrap();
        },
        at_rest_before: false,
        ..Scenario::default()
    };
    scenario.sweep(&[
        "11-10 14:00 Visit",
        "11-10 15:00 Call",
        "11-10 17:00 Lunch",
        "11-11 13:00 Dentist @Mall",
        "11-11 19:00 Training",
        "11-12 19:00 Training @Hall",
        "11-12 23:00 Swim",
        "11-13 19:00 Training",
        "11-20 23:00 Swim",
        "11-26 23:00 Swim",
        "12-03 23:00 Swim",
    ]);
}

#[test]
fn what_the_crm_creates_is_created_once_and_its_guests_are_mailed_once() {
    let scenario = Scenario {
        first: |stage| _ = stage.create("Visit", "2026-11-10T09:00", |_| ()),
        then: |stage| {
            stage.create("Signing", "2026-11-11T09:00", |a| {
                a.attendees.insert(GUEST.into(), Attendee::default());
            });
            stage.create("Audit", "2026-11-12T09:00", |a| {
                a.recurrence = Recurrence::new(vec!["RRULE:FREQ=DAILY;COUNT=2".into()]);
            });
        },
        mail: Mail::Guests,
        mails: 1,
        ..Scenario::default()
    };
    scenario.sweep(&["11-10 14:00 Visit", "11-11 14:00 Signing", "11-12 14:00 Audit", "11-13 14:00 Audit"]);
}

#[test]
fn an_edit_in_the_crm_reaches_google_once_and_its_guests_are_mailed_once() {
    let scenario = Scenario {
        first: |stage| {
            stage.create("Visit", "2026-11-10T09:00", |a| {
                a.attendees.insert(GUEST.into(), Attendee::default());
            });
            stage.create("Call", "2026-11-11T09:00", |_| ());
        },
        then: |stage| {
            stage.edit("Visit", |a| {
                a.location = Some("Dock 4".into());
                a.when = when("2026-11-10T11:00");
            });
            stage.edit("Call", |a| a.summary = Some("Long call".into()));
        },
        mail: Mail::Guests,
        mails: 1,
        ..Scenario::default()
    };
    scenario.sweep(&["11-10 16:00 Visit @Dock 4", "11-11 14:00 Long call"]);
}

#[test]
fn an_edit_in_google_reaches_the_crm() {
    let scenario = Scenario {
        first: |stage| {
            stage.create("Visit", "2026-11-10T09:00", |_| ());
            stage.insert(json!({"summary": "Lunch"}), "2026-11-10T12:00", &[]);
        },
        then: |stage| {
            stage.patch("Visit", json!({"location": "Dock 4", "colorId": "3"}));
            stage.patch("Lunch", json!({"summary": "Late lunch"}));
        },
        ..Scenario::default()
    };
    scenario.sweep(&["11-10 14:00 Visit @Dock 4", "11-10 17:00 Late lunch"]);
}

#[test]
fn edits_of_different_fields_on_both_sides_are_both_kept() {
    let scenario = Scenario {
        first: |stage| _ = stage.create("Visit", "2026-11-10T09:00", |_| ()),
        then: |stage| {
            stage.patch("Visit", json!({"location": "Dock 4"}));
            stage.edit("Visit", |a| a.summary = Some("Inspection".into()));
        },
        ..Scenario::default()
    };
    scenario.sweep(&["11-10 14:00 Inspection @Dock 4"]);
}

#[test]
fn of_edits_of_the_same_field_one_wins_and_the_other_is_kept_in_the_journal_once() {
    let scenario = Scenario {
        first: |stage| _ = stage.create("Visit", "2026-11-10T09:00", |_| ()),
        then: |stage| {
            stage.patch("Visit", json!({"summary": "Theirs", "location": "Dock 4"}));
            stage.edit("Visit", |a| {
                a.summary = Some("Ours".into());
                a.description = Some("bring keys".into());
            });
        },
        lost: 1,
        ..Scenario::default()
    };
    scenario.sweep(&["11-10 14:00 Theirs @Dock 4"]);
}

#[test]
fn what_is_deleted_on_either_side_is_gone_on_both_and_its_guests_are_told_once() {
    let scenario = Scenario {
        first: |stage| {
            stage.create("Visit", "2026-11-10T09:00", |a| {
                a.attendees.insert(GUEST.into(), Attendee::default());
            });
            stage.create("Call", "2026-11-11T09:00", |_| ());
            stage.create("Stays", "2026-11-12T09:00", |_| ());
            let rule = "FREQ=WEEKLY;COUNT=4";
            let swim = stage.insert(json!({"summary": "Swim"}), "2026-11-12T18:00", &[rule]);
            stage.move_instance(&swim, "20261119T230000Z", "2026-11-20T18:00");
        },
        then: |stage| {
            let (visit, swim) = (stage.record("Visit").id, stage.record("Swim").id);
            now(stage.crm().delete(&visit)).unwrap();
            now(stage.crm().delete(&swim)).unwrap();
            stage.delete("Call");
        },
        mail: Mail::Guests,
        mails: 1,
        ..Scenario::default()
    };
    scenario.sweep(&["11-12 14:00 Stays"]);
}

#[test]
fn a_series_with_a_moved_and_a_cancelled_occurrence_arrives_from_google() {
    let scenario = Scenario {
        first: |stage| {
            _ = stage.insert(json!({"summary": "Gym"}), "2026-11-10T07:00", &["FREQ=DAILY;COUNT=4"])
        },
        then: |stage| {
            let swim = stage.insert(json!({"summary": "Swim"}), "2026-11-12T18:00", &["FREQ=WEEKLY;COUNT=4"]);
            stage.move_instance(&swim, "20261119T230000Z", "2026-11-20T18:00");
            stage.cancel_instance(&swim, "20261126T230000Z");
            let gym = stage.event("Gym");
            stage.move_instance(&gym, "20261111T120000Z", "2026-11-11T08:00");
            stage.cancel_instance(&gym, "20261112T120000Z");
        },
        ..Scenario::default()
    };
    scenario.sweep(&[
        "11-10 12:00 Gym",
        "11-11 13:00 Gym",
        "11-12 23:00 Swim",
        "11-13 12:00 Gym",
        "11-20 23:00 Swim",
        "12-03 23:00 Swim",
    ]);
}

#[test]
fn an_edited_and_a_cancelled_occurrence_of_the_crm_reach_google() {
    let scenario = Scenario {
        first: |stage| {
            stage.create("Training", "2026-11-11T14:00", |a| {
                a.recurrence = Recurrence::new(vec!["RRULE:FREQ=DAILY;COUNT=4".into()]);
            });
        },
        then: |stage| {
            let series = stage.record("Training").id;
            now(stage.crm().edit_occurrence(&series, slot("2026-11-12T19:00:00Z"), |a| {
                a.location = Some("Hall".into());
                a.when = when("2026-11-12T16:00");
            }))
            .unwrap();
            now(stage.crm().cancel_occurrence(&series, slot("2026-11-13T19:00:00Z"))).unwrap();
        },
        ..Scenario::default()
    };
    scenario.sweep(&["11-11 19:00 Training", "11-12 21:00 Training @Hall", "11-14 19:00 Training"]);
}

#[test]
fn this_and_following_in_the_crm_ends_one_series_and_begins_one_other() {
    let scenario = Scenario {
        first: |stage| {
            let series = stage.create("Training", "2026-11-11T14:00", |a| {
                a.recurrence = Recurrence::new(vec!["RRULE:FREQ=DAILY;COUNT=5".into()]);
            });
            now(stage.crm().edit_occurrence(&series, slot("2026-11-14T19:00:00Z"), |a| {
                a.location = Some("Hall".into());
            }))
            .unwrap();
        },
        then: |stage| {
            let series = stage.record("Training").id;
            now(stage.crm().edit_following(&series, slot("2026-11-13T19:00:00Z"), |a| {
                a.summary = Some("Coaching".into());
            }))
            .unwrap();
        },
        ..Scenario::default()
    };
    scenario.sweep(&[
        "11-11 19:00 Training",
        "11-12 19:00 Training",
        "11-13 19:00 Coaching",
        "11-14 19:00 Training @Hall",
        "11-15 19:00 Coaching",
    ]);
}

#[test]
fn after_the_sync_token_expired_what_was_deleted_meanwhile_is_found_and_nothing_else() {
    let scenario = Scenario {
        first: |stage| {
            for (title, day) in [("One", 10), ("Two", 11), ("Three", 12), ("Four", 13), ("Five", 16)] {
                stage.insert(json!({"summary": title}), &format!("2026-11-{day}T09:00"), &[]);
            }
            stage.create("Visit", "2026-11-17T09:00", |_| ());
        },
        then: |stage| {
            let (id, at) = (stage.event("Two"), stage.clock.now());
            // Gone without a trace, as after thirty days in the bin.
            stage.google().user_delete(at, AMY, &id).unwrap();
            stage.google().user_purge(AMY, &id);
            stage.delete("Visit");
            stage.patch("Four", json!({"location": "Dock 4"}));
            stage.google().expire_sync_tokens();
        },
        ..Scenario::default()
    };
    scenario.sweep(&["11-10 14:00 One", "11-12 14:00 Three", "11-13 14:00 Four @Dock 4", "11-16 14:00 Five"]);
}

#[test]
fn what_is_handed_over_leaves_one_calendar_and_appears_in_the_other() {
    let scenario = Scenario {
        agents: &[AMY, BOB],
        first: |stage| {
            stage.create("Visit", "2026-11-10T09:00", |_| ());
            stage.create("Stays", "2026-11-12T09:00", |_| ());
            let series = stage.create("Training", "2026-11-11T14:00", |a| {
                a.recurrence = Recurrence::new(vec!["RRULE:FREQ=DAILY;COUNT=3".into()]);
            });
            now(stage.crm().edit_occurrence(&series, slot("2026-11-12T19:00:00Z"), |a| {
                a.location = Some("Hall".into());
            }))
            .unwrap();
        },
        then: |stage| {
            for title in ["Visit", "Training"] {
                let id = stage.record(title).id;
                now(stage.crm().reassign(&id, BOB)).unwrap();
            }
        },
        ..Scenario::default()
    };
    scenario.sweep(&[
        "11-12 14:00 Stays",
        "bob: 11-10 14:00 Visit",
        "bob: 11-11 19:00 Training",
        "bob: 11-12 19:00 Training @Hall",
        "bob: 11-13 19:00 Training",
    ]);
}

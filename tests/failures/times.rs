//! Times that no calendar should have, and clocks that are wrong.

use super::desk::{AMY, Desk, Setup, TEAM, hour, timed, visit, with};
use calsync_core::Binding;
use calsync_core::clock::Clock;
use calsync_core::plan::{Action, Waiting};
use serde_json::json;
use std::time::Duration;

/// What is put off is put off until a time; a clock that was wrong then must not make it a time in ten years.
#[tokio::test]
async fn c15_what_was_decided_or_put_off_while_the_clock_was_years_ahead_is_sent_once_it_is_right() {
    for refused in [false, true] {
        let desk = Desk::new().await;
        desk.create(&visit("Visit", "2036-12-01T09:00:00")).await;
        let right = desk.clock.now();
        desk.clock.set(right + chrono::Duration::days(3650));
        // Either it cannot leave, or it may not for an hour.
        if refused {
            desk.refuse_writes(403);
        } else {
            desk.refuse_writes(503);
        }
        let _ = desk.try_run().await;
        desk.undisturbed();
        assert_eq!(desk.queued().await, 1);
        assert!(desk.living().is_empty());
        desk.clock.set(right + chrono::Duration::hours(2));
        for _ in 0..3 {
            desk.clock.advance(Duration::from_secs(2 * 3600));
            let _ = desk.try_run().await;
        }
        assert_eq!(desk.living().len(), 1, "refused {refused}");
        desk.settled().await;
    }
}

/// Two calendars of one agent, and a time that Google does not give back as it was written: before a zone kept whole minutes,
/// its offset cannot be written down.
#[tokio::test]
async fn c05_a_time_that_cannot_be_written_down_does_not_go_back_and_forth_between_two_calendars() {
    let desk = Setup::default().binding(|new| new.push_past(true)).desk().await;
    let team = Binding::two_way(AMY).to("google", TEAM).push_past(true);
    let team = desk.engine.bind(team).await.unwrap();
    desk.enter(timed("old", "0001-06-01T09:00:00", "0001-06-01T10:00:00", "Europe/Berlin"));
    desk.enter(timed("monrovia", "1960-06-01T09:00:00", "1960-06-01T10:00:00", "Africa/Monrovia"));
    desk.enter(hour("new", 1));
    for _ in 0..4 {
        desk.run().await;
        desk.try_run_of(&team).await.unwrap();
    }
    assert_eq!(desk.titles().await, ["new"], "what can be read goes on");
    let writes = desk.writes();
    for _ in 0..3 {
        let report = desk.run().await;
        assert!(!report.wrote(), "{report}");
        let report = desk.try_run_of(&team).await.unwrap();
        assert!(!report.wrote(), "{report}");
    }
    assert_eq!(desk.writes(), writes);
}

/// Google refuses such an event; where one comes all the same, the CRM must not get it.
#[tokio::test]
async fn c13_an_event_that_ends_before_it_starts_is_parked_and_the_rest_goes_on() {
    let desk = Desk::new().await;
    desk.lawless();
    desk.enter(hour("turned", 1));
    desk.enter(hour("empty", 2));
    desk.enter(hour("right", 3));
    desk.after(|_, mut answer| {
        for event in answer["items"].as_array_mut().into_iter().flatten() {
            match event["id"].as_str() {
                Some("turned") => event["end"]["dateTime"] = json!("2026-12-01T08:00:00-07:00"),
                Some("empty") => event["end"] = event["start"].clone(),
                _ => {}
            }
        }
        answer
    });
    let report = desk.run().await;
    assert_eq!(report.count(Action::CreateLocal), 2, "{report}");
    assert_eq!(desk.titles().await, ["empty", "right"]);
    // It is put right, and comes over.
    desk.undisturbed();
    desk.retouch("turned", json!({"colorId": "3"}));
    desk.run().await;
    assert_eq!(desk.titles().await.len(), 3);
    desk.settled().await;
}

/// The same of a series with a rule that is none, or from the beginning of time.
#[tokio::test]
async fn c13_a_rule_that_is_none_and_a_series_since_the_year_1_are_parked_and_the_rest_goes_on() {
    let desk = Desk::new().await;
    desk.lawless();
    let weekly = |id: &str, day| with(hour(id, day), json!({"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=4"]}));
    for (id, day) in [("often", 1), ("oops", 2), ("old", 3), ("right", 4)] {
        desk.enter(weekly(id, day));
    }
    desk.after(|_, mut answer| {
        for event in answer["items"].as_array_mut().into_iter().flatten() {
            match event["id"].as_str() {
                Some("often") => event["recurrence"] = json!(["RRULE:FREQ=FORTNIGHTLY"]),
                Some("oops") => event["recurrence"] = json!(["RRULE:FREQ=DAILY;COUNT=oops"]),
                Some("old") => {
                    event["start"] = json!({"date": "0001-06-01"});
                    event["end"] = json!({"date": "0001-06-02"});
                    event["recurrence"] = json!(["RRULE:FREQ=DAILY"]);
                }
                _ => {}
            }
        }
        answer
    });
    let report = desk.run().await;
    assert_eq!(report.count(Action::CreateLocal), 1, "{report}");
    assert_eq!(desk.titles().await, ["right"; 4]);
    desk.settled().await;
}

/// An occurrence that cannot be read holds its series up for as long as the series is there, and no longer.
#[tokio::test]
async fn c13_a_deleted_series_takes_an_occurrence_that_cannot_be_read_along() {
    for (known_before, made_anew) in [(true, false), (false, false), (true, true), (false, true)] {
        let desk = Desk::new().await;
        let first = timed("s1", "2026-12-01T09:00:00", "2026-12-01T10:00:00", "Europe/Berlin");
        desk.enter(with(first, json!({"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=4"]})));
        desk.run().await;
        if known_before {
            desk.retouch("s1_20261208T080000Z", json!({"location": "Dock 4"}));
            desk.run().await;
        }
        desk.after(|_, mut answer| {
            for event in answer["items"].as_array_mut().into_iter().flatten() {
                if event["id"] == "s1_20261208T080000Z" {
                    event["end"] = json!("soon");
                }
            }
            answer
        });
        desk.retouch("s1_20261208T080000Z", json!({"location": "Dock 5"}));
        let report = desk.run().await;
        assert_eq!(report.waiting.get(&Waiting::Quarantined), Some(&1), "{report}");
        assert_eq!(desk.titles().await.len(), 4, "neither deleted nor overwritten");
        desk.undisturbed();
        desk.remove("s1");
        if made_anew {
            let series = desk.shown().await[0].occurrence.clone().unwrap().series;
            desk.edit(&series, |a| a.description = Some("Weekly".into())).await;
        }
        let report = desk.run().await;
        assert!(report.waiting.is_empty(), "{report}");
        assert_eq!(desk.titles().await.len(), if made_anew { 4 } else { 0 }, "{report}");
        desk.run().await;
        desk.settled_after_a_full_listing().await;
    }
}

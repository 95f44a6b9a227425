//! What Google refuses in the zone and the rule of a series, and what is written instead.

use super::desk::{Desk, Setup, in_zone, visit};
use calsync_core::model::{Recurrence, Slot};
use calsync_core::store::EntryState;
use chrono::{DateTime, Utc};
use serde_json::json;

fn lines(lines: &[String]) -> Recurrence {
    Recurrence::new(lines.to_vec())
}

/// Why intents are parked.
async fn parked(desk: &Desk) -> Vec<String> {
    let store = desk.engine.store();
    let outbox = store.outbox(desk.engine.tenant(), &desk.binding.id, 0, 1000).await.unwrap();
    let why = outbox.into_iter().filter_map(|entry| match entry.state {
        EntryState::Parked { reason, .. } => Some(reason),
        _ => None,
    });
    why.collect()
}

/// `Europe/Kyiv` was refused until months after it was named so (OutlookGoogleCalendarSync); the CRM keeps the name that it writes.
#[tokio::test]
async fn c12_a_zone_that_google_knows_by_its_other_name_is_written_by_that_and_is_no_edit() {
    for (ours, theirs) in [("Europe/Kyiv", "Europe/Kiev"), ("Asia/Calcutta", "Asia/Kolkata")] {
        let unknown = ours.to_owned();
        let arrange = Setup::default().fake(move |fake| {
            fake.behaviour_mut().unknown_zones = vec![unknown.clone()];
        });
        let desk = arrange.desk().await;
        let single = desk.create(&in_zone("Visit", "2026-12-01T09:00:00", ours)).await;
        let mut weekly = in_zone("Weekly", "2026-12-02T09:00:00", ours);
        weekly.recurrence =
            lines(&["RRULE:FREQ=WEEKLY;COUNT=4".to_owned(), format!("EXDATE;TZID={ours}:20261209T090000")]);
        let series = desk.create(&weekly).await;
        let report = desk.run().await;
        assert!(report.waiting.is_empty(), "{report}");
        for title in ["Visit", "Weekly"] {
            let event = desk.titled(title);
            assert_eq!(
                (&event["start"]["timeZone"], &event["end"]["timeZone"]),
                (&json!(theirs), &json!(theirs))
            );
        }
        assert_eq!(desk.titled("Weekly")["recurrence"][1], format!("EXDATE;TZID={theirs}:20261209T090000"));
        desk.run().await;
        desk.settled_after_a_full_listing().await;
        for record in [&single, &series] {
            assert_eq!(desk.value(record, "when").await["zone"], ours, "the CRM's own name stays");
            // A change goes the same way.
            desk.edit(record, |a| a.when = in_zone("", "2026-12-03T11:00:00", ours).when).await;
        }
        let report = desk.run().await;
        assert!(report.waiting.is_empty(), "{report}");
        for title in ["Visit", "Weekly"] {
            let event = desk.titled(title);
            let written: DateTime<Utc> = event["start"]["dateTime"].as_str().unwrap().parse().unwrap();
            let moved = in_zone("", "2026-12-03T11:00:00", ours).when;
            assert_eq!(Slot::Time(written), moved.slot().unwrap(), "{event}");
            assert_eq!(event["start"]["timeZone"], theirs);
        }
        desk.run().await;
        desk.settled_after_a_full_listing().await;
    }
}

#[tokio::test]
async fn c13_a_zone_that_google_does_not_know_by_any_name_is_parked_with_the_reason_and_the_rest_goes_on() {
    let arrange = Setup::default().fake(|fake| {
        fake.behaviour_mut().unknown_zones =
            ["Europe/Kyiv", "Europe/Kiev", "Europe/Berlin"].map(str::to_owned).to_vec();
    });
    let desk = arrange.desk().await;
    desk.create(&in_zone("Kyiv", "2026-12-01T09:00:00", "Europe/Kyiv")).await;
    desk.create(&in_zone("Berlin", "2026-12-02T09:00:00", "Europe/Berlin")).await;
    desk.create(&visit("Visit", "2026-12-03T09:00:00")).await;
    desk.run().await;
    let why = parked(&desk).await;
    assert_eq!(why.len(), 2, "{why:?}");
    assert!(why.iter().all(|why| why.contains("Invalid time zone definition for start time")), "{why:?}");
    assert_eq!(desk.living().len(), 1);
}

/// kewisch/gdata-provider #713: very many EXDATEs are refused.
#[tokio::test]
async fn c13_dates_that_repeat_are_written_once_and_a_series_with_too_many_is_parked_alone() {
    let desk = Desk::new().await;
    let exdate = |day: usize| {
        let date = chrono::NaiveDate::from_ymd_opt(2026, 12, 1).unwrap() + chrono::Days::new(day as u64);
        format!("EXDATE;TZID=America/Vancouver:{}T090000", date.format("%Y%m%d"))
    };
    let series = |title: &str, dates: &mut dyn Iterator<Item = usize>| {
        let mut series = visit(title, "2026-12-01T09:00:00");
        let mut all = vec!["RRULE:FREQ=DAILY".to_owned()];
        all.extend(dates.map(exdate));
        series.recurrence = lines(&all);
        series
    };
    let repeats = desk.create(&series("Repeats", &mut (0..1_000).map(|n| 1 + n % 7))).await;
    let many = desk.create(&series("Many", &mut (1..1_000))).await;
    desk.create(&visit("Visit", "2026-12-03T09:00:00")).await;
    desk.run().await;
    let why = parked(&desk).await;
    assert_eq!(why.len(), 1, "{why:?}");
    assert!(why[0].contains("exceeds the allowed size limit"), "{why:?}");
    assert_eq!(desk.titled("Repeats")["recurrence"].as_array().unwrap().len(), 8);
    assert_eq!(desk.titled("Visit")["status"], "confirmed");
    assert_eq!(desk.living().len(), 2);
    // The CRM's own lines stay as they are, and are no edit against what was written.
    desk.run().await;
    let kept = desk.value(&repeats, "when").await["recurrence"].as_array().unwrap().len();
    assert_eq!(kept, 1_001);
    // Once it fits, it goes.
    desk.edit(&many, |a| a.recurrence = lines(&["RRULE:FREQ=DAILY".to_owned(), exdate(1)])).await;
    desk.run().await;
    assert!(parked(&desk).await.is_empty());
    assert_eq!(desk.titled("Many")["recurrence"].as_array().unwrap().len(), 2);
    desk.run().await;
    desk.settled_after_a_full_listing().await;
}

//! Series: never doubled, never flattened, never moved by somebody's clock.

use super::desk::{AMY, BOB, Desk, EVE, Setup, hour, in_zone, timed, with};
use calsync_core::model::{Recurrence, Slot, When};
use calsync_core::plan::Action;
use calsync_core::provider::Mail;
use calsync_testkit::fake_google::FakeGoogle;
use serde_json::{Value, json};

fn weekly(id: &str, rule: &str) -> Value {
    with(hour(id, 1), json!({"recurrence": [rule]}))
}

/// Both sides show the same, by their own expansion.
async fn same_on_both_sides(desk: &Desk) -> Vec<String> {
    let here = desk.instants().await;
    assert_eq!(here, desk.starts_there());
    here
}

#[tokio::test]
async fn g03_a_pulled_series_is_neither_doubled_nor_pushed_back_and_nobody_is_invited_again() {
    let desk = Setup::default().binding(|new| new.mail(Mail::Guests)).desk().await;
    let list = json!([{"email": AMY}, {"email": BOB, "responseStatus": "accepted"}, {"email": EVE}]);
    desk.enter(with(
        weekly("s1", "RRULE:FREQ=WEEKLY;INTERVAL=1;COUNT=4;WKST=SU"),
        json!({"attendees": list}),
    ));
    let before = desk.event("s1");
    let report = desk.run().await;
    assert_eq!(report.count(Action::CreateLocal), 1, "{report}");
    desk.settled_after_a_full_listing().await;
    assert_eq!((desk.living().len(), desk.writes(), desk.mails(), desk.event("s1")), (1, 0, 0, before));
    assert_eq!(same_on_both_sides(&desk).await.len(), 4);
    let record = desk.record("s1").await;
    assert_eq!(desk.value(&record, &format!("attendee/{BOB}")).await["response"], "accepted");
}

#[tokio::test]
async fn g16_a_series_of_dates_alone_is_kept_as_it_is_and_shown_date_by_date() {
    let desk = Desk::new().await;
    let dates = "RDATE;TZID=America/Vancouver:20261203T110000,20261210T120000";
    desk.enter(weekly("s1", dates));
    desk.enter(hour("g2", 20));
    desk.run().await;
    let record = desk.record("s1").await;
    assert_eq!(desk.value(&record, "when").await["recurrence"], json!([dates]));
    assert_eq!(
        desk.starts().await,
        ["2026-12-01T09:00", "2026-12-03T11:00", "2026-12-10T12:00", "2026-12-20T09:00"]
    );
    same_on_both_sides(&desk).await;
    desk.edit(&record, |a| a.location = Some("Dock 4".into())).await;
    desk.run().await;
    assert_eq!(desk.event("s1")["recurrence"], json!([dates]));
    desk.settled_after_a_full_listing().await;
}

#[tokio::test]
async fn g16_a_rule_that_the_crm_cannot_show_is_stored_whole_and_the_rest_still_syncs() {
    for rule in [
        "RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=3",
        "RRULE:FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO",
        "RRULE:FREQ=HOURLY;INTERVAL=5;COUNT=3",
        "EXRULE:FREQ=WEEKLY;INTERVAL=2",
    ] {
        let desk = Desk::new().await;
        desk.enter(with(hour("s1", 1), json!({"recurrence": [rule, "RRULE:FREQ=WEEKLY;COUNT=6"]})));
        desk.enter(hour("g2", 20));
        desk.run().await;
        let changes = desk.engine.store().record_changes(desk.engine.tenant(), None, None, 10).await.unwrap();
        let titled = |title: &str| {
            let found = changes
                .records
                .iter()
                .find(|r| r.fields.as_ref().unwrap().get("summary") == Some(&json!(title)));
            found.unwrap_or_else(|| panic!("{rule}: {title} is missing")).clone()
        };
        titled("g2");
        let series = titled("s1");
        assert_eq!(
            series.fields.unwrap().get("when").unwrap()["recurrence"],
            json!([rule, "RRULE:FREQ=WEEKLY;COUNT=6"])
        );
        // A change elsewhere in it leaves the rule alone.
        desk.edit(&series.id, |a| a.location = Some("Dock 4".into())).await;
        desk.run().await;
        assert_eq!(desk.event("s1")["recurrence"], json!([rule, "RRULE:FREQ=WEEKLY;COUNT=6"]), "{rule}");
        assert_eq!(desk.event("s1")["location"], "Dock 4");
        desk.settled_after_a_full_listing().await;
    }
}

#[tokio::test]
async fn g18_a_moved_occurrence_is_there_once_and_its_old_time_never_comes_back() {
    let desk = Desk::new().await;
    desk.enter(weekly("s1", "RRULE:FREQ=WEEKLY;COUNT=4"));
    desk.run().await;
    let at = |time: &str| json!({"dateTime": time, "timeZone": "America/Vancouver"});
    desk.user(|fake, now| {
        let (start, end) = (at("2026-12-10T14:00:00-07:00"), at("2026-12-10T15:00:00-07:00"));
        fake.user_move_instance(now, AMY, "s1", "20261208T170000Z", &start, &end)
    })
    .or_else(|_| {
        // The slot in a world where Vancouver keeps daylight saving time for good.
        desk.user(|fake, now| {
            let (start, end) = (at("2026-12-10T14:00:00-07:00"), at("2026-12-10T15:00:00-07:00"));
            fake.user_move_instance(now, AMY, "s1", "20261208T160000Z", &start, &end)
        })
    })
    .unwrap();
    desk.run().await;
    let expected = ["2026-12-01T09:00", "2026-12-10T14:00", "2026-12-15T09:00", "2026-12-22T09:00"];
    assert_eq!(desk.starts().await, expected);
    desk.settled_after_a_full_listing().await;
    // The CRM changes the series and another field of the moved occurrence: it stays where it was moved to.
    let series = desk.shown().await[0].occurrence.clone().unwrap();
    let moved = desk.crm.occurrences(&series.series).await.unwrap();
    assert_eq!(moved.len(), 1);
    let slot = moved[0].occurrence.clone().unwrap().slot;
    desk.crm.edit_occurrence(&series.series, slot, |a| a.location = Some("Dock 4".into())).await.unwrap();
    desk.edit(&series.series, |a| a.description = Some("Weekly".into())).await;
    desk.run().await;
    desk.settled_after_a_full_listing().await;
    assert_eq!(desk.starts().await, expected);
    same_on_both_sides(&desk).await;
    assert_eq!(desk.living().len(), 2);
}

#[tokio::test]
async fn g19_occurrences_deleted_in_google_stay_deleted() {
    let desk = Desk::new().await;
    desk.enter(weekly("s1", "RRULE:FREQ=WEEKLY;COUNT=5"));
    let slots: Vec<String> = {
        let (from, to) = ("2026-12-01T00:00:00Z".parse().unwrap(), "2027-12-01T00:00:00Z".parse().unwrap());
        desk.fake().instances(AMY, from, to).iter().map(|e| e["id"].as_str().unwrap().to_owned()).collect()
    };
    // One before the first listing, one after it.
    desk.remove(&slots[1]);
    desk.run().await;
    assert_eq!(same_on_both_sides(&desk).await.len(), 4);
    desk.settled().await;
    desk.remove(&slots[3]);
    desk.run().await;
    let left = same_on_both_sides(&desk).await;
    assert_eq!(left.len(), 3);
    desk.settled_after_a_full_listing().await;
    // A change of the series brings none of them back.
    let series = desk.record("s1").await;
    desk.edit(&series, |a| a.location = Some("Dock 4".into())).await;
    desk.run().await;
    desk.settled_after_a_full_listing().await;
    assert_eq!(same_on_both_sides(&desk).await, left);
}

#[tokio::test]
pub(crate) async fn g21_thirteen_o_clock_stays_thirteen_o_clock_for_the_organiser() {
    // Clocks go back on 25 October in Berlin and on 1 November in New York.
    let expected = [
        "2026-10-14T11:00:00+00:00",
        "2026-10-21T11:00:00+00:00",
        "2026-10-28T12:00:00+00:00",
        "2026-11-04T12:00:00+00:00",
        "2026-11-11T12:00:00+00:00",
    ];
    let desk = Setup::default().zone("America/New_York").binding(|new| new.push_past(true)).desk().await;
    let event = timed("s1", "2026-10-14T13:00:00", "2026-10-14T14:00:00", "Europe/Berlin");
    desk.enter(with(event, json!({"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=5"]})));
    desk.run().await;
    assert_eq!(same_on_both_sides(&desk).await, expected);
    assert!(desk.starts().await.iter().all(|start| start.ends_with("T13:00")));
    desk.settled_after_a_full_listing().await;
    desk.remove("s1");
    desk.run().await;

    let mut series = in_zone("Ours", "2026-10-14T13:00:00", "Europe/Berlin");
    series.recurrence = Recurrence::new(vec!["RRULE:FREQ=WEEKLY;COUNT=5".into()]);
    let record = desk.create(&series).await;
    desk.run().await;
    assert_eq!(same_on_both_sides(&desk).await, expected);
    assert_eq!(desk.titled("Ours")["start"]["timeZone"], "Europe/Berlin");
    // Pulled back, nothing moved.
    desk.settled_after_a_full_listing().await;
    assert_eq!(desk.value(&record, "when").await["start"], "2026-10-14T13:00:00");
}

#[tokio::test]
async fn g22_the_weekday_of_a_rule_is_meant_where_the_series_is_at_home() {
    let desk = Setup::default().zone("America/New_York").desk().await;
    // Tuesday morning in Tokyo is Monday evening in New York.
    let event = timed("s1", "2026-12-01T09:00:00", "2026-12-01T10:00:00", "Asia/Tokyo");
    desk.enter(with(event, json!({"recurrence": ["RRULE:FREQ=WEEKLY;BYDAY=TU;COUNT=3"]})));
    let mut ours = in_zone("Ours", "2026-12-01T09:30:00", "Asia/Tokyo");
    ours.recurrence = Recurrence::new(vec!["RRULE:FREQ=WEEKLY;BYDAY=TU;COUNT=3".into()]);
    desk.create(&ours).await;
    desk.run().await;
    let instants = same_on_both_sides(&desk).await;
    assert_eq!(instants[..2], ["2026-12-01T00:00:00+00:00", "2026-12-01T00:30:00+00:00"]);
    assert_eq!(instants[4..], ["2026-12-15T00:00:00+00:00", "2026-12-15T00:30:00+00:00"]);
    desk.settled_after_a_full_listing().await;
    // One of them moves by an hour, in the CRM.
    let series = desk.record("s1").await;
    let slot: Slot = "20261208T000000Z".parse().unwrap();
    desk.crm
        .edit_occurrence(&series, slot, |a| a.when = in_zone("", "2026-12-08T10:00:00", "Asia/Tokyo").when)
        .await
        .unwrap();
    desk.run().await;
    assert_eq!(same_on_both_sides(&desk).await[3], "2026-12-08T01:00:00+00:00");
    desk.settled_after_a_full_listing().await;
}

#[tokio::test]
async fn g23_whole_days_are_the_same_days_on_both_sides_of_the_date_line() {
    for zone in ["Pacific/Honolulu", "America/New_York", "UTC", "Asia/Tokyo", "Pacific/Kiritimati"] {
        for (end, days) in [("2026-12-02", 1), ("2026-12-04", 3)] {
            let desk = Setup::default().zone(zone).desk().await;
            let span = json!({"id": "g1", "summary": "Theirs", "start": {"date": "2026-12-01"}, "end": {"date": end}});
            desk.enter(span);
            let when = When::AllDay { start: "2026-12-01".parse().unwrap(), end: end.parse().unwrap() };
            let ours = desk.create(&calsync_core::model::Appointment::new("Ours", when.clone())).await;
            desk.run().await;
            let theirs = desk.record("Theirs").await;
            for record in [&theirs, &ours] {
                assert_eq!(
                    desk.value(record, "when").await,
                    json!({"start": "2026-12-01", "end": end}),
                    "{zone} {days}"
                );
            }
            let event = desk.titled("Ours");
            assert_eq!(
                (&event["start"]["date"], &event["end"]["date"]),
                (&json!("2026-12-01"), &json!(end)),
                "{zone} {days}"
            );
            desk.settled_after_a_full_listing().await;
            // Moved by a day on either side.
            desk.retouch("g1", json!({"start": {"date": "2026-12-11"}, "end": {"date": "2026-12-12"}}));
            let other =
                When::AllDay { start: "2026-12-21".parse().unwrap(), end: "2026-12-24".parse().unwrap() };
            desk.edit(&ours, |a| a.when = other.clone()).await;
            desk.run().await;
            assert_eq!(
                desk.value(&theirs, "when").await,
                json!({"start": "2026-12-11", "end": "2026-12-12"})
            );
            let event = desk.titled("Ours");
            assert_eq!(
                (&event["start"]["date"], &event["end"]["date"]),
                (&json!("2026-12-21"), &json!("2026-12-24"))
            );
            desk.settled_after_a_full_listing().await;
        }
    }
}

#[tokio::test]
async fn g23_a_series_of_whole_days_keeps_its_days_and_its_cancelled_one() {
    for zone in ["Pacific/Honolulu", "UTC", "Pacific/Kiritimati"] {
        let desk = Setup::default().zone(zone).desk().await;
        desk.enter(json!({
            "id": "s1", "summary": "Stock", "start": {"date": "2026-12-01"}, "end": {"date": "2026-12-03"},
            "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=4"],
        }));
        desk.user(|fake, now| fake.user_cancel_instance(now, AMY, "s1", "20261208")).unwrap();
        desk.run().await;
        assert_eq!(same_on_both_sides(&desk).await, ["2026-12-01", "2026-12-15", "2026-12-22"], "{zone}");
        let series = desk.record("Stock").await;
        desk.crm.cancel_occurrence(&series, "20261222".parse().unwrap()).await.unwrap();
        desk.run().await;
        assert_eq!(same_on_both_sides(&desk).await, ["2026-12-01", "2026-12-15"], "{zone}");
        desk.settled_after_a_full_listing().await;
    }
}

/// The same wall time, with the offset that other zone data gives it, in a newer version of the event.
fn by_other_zone_data(mut event: Value) -> Value {
    for edge in ["start", "end"] {
        if let Some(text) = event[edge]["dateTime"].as_str() {
            let other = if text.ends_with("-07:00") { "-08:00" } else { "-07:00" };
            event[edge]["dateTime"] = json!(format!("{}{other}", &text[..text.len() - other.len()]));
            event["etag"] = json!(event["etag"].as_str().unwrap().replace('"', "\"9"));
        }
    }
    event
}

#[tokio::test]
async fn c12_other_zone_data_at_google_s_end_moves_nothing_and_writes_nothing() {
    let desk = Desk::new().await;
    desk.enter(hour("g1", 8));
    desk.enter(weekly("s1", "RRULE:FREQ=WEEKLY;COUNT=4"));
    desk.create(&in_zone("Ours", "2026-12-10T11:00:00", "America/Vancouver")).await;
    desk.run().await;
    desk.settled().await;
    let before = desk.starts().await;
    desk.after(|_, mut answer| {
        if let Some(items) = answer["items"].as_array_mut() {
            *items = items.iter().cloned().map(by_other_zone_data).collect();
        }
        answer
    });
    desk.settled_after_a_full_listing().await;
    assert_eq!(desk.starts().await, before);
    assert!(before.contains(&"2026-12-08T09:00".to_owned()));
}

#[tokio::test]
async fn c11_a_cancelled_slot_that_is_listed_before_its_series_stays_cancelled() {
    let apart = |fake: &mut FakeGoogle| fake.behaviour_mut().master_write_touches_exceptions = false;
    let desk = Setup::default().fake(apart).desk().await;
    desk.run().await;
    desk.enter(weekly("s1", "RRULE:FREQ=WEEKLY;COUNT=4"));
    let (from, to) = ("2026-12-01T00:00:00Z".parse().unwrap(), "2027-12-01T00:00:00Z".parse().unwrap());
    let second = desk.fake().instances(AMY, from, to)[1]["id"].as_str().unwrap().to_owned();
    desk.remove(&second);
    // Somebody edits the series while it is listed: it has left this listing and comes with the next.
    desk.after(|_, mut answer| {
        if let Some(items) = answer["items"].as_array_mut() {
            items.retain(|item| !item["recurringEventId"].is_null());
        }
        answer
    });
    desk.run().await;
    desk.undisturbed();
    desk.retouch("s1", json!({"location": "Dock 4"}));
    desk.run().await;
    assert_eq!(same_on_both_sides(&desk).await.len(), 3);
    desk.settled_after_a_full_listing().await;
}

//! What both sides have before anything links it: joined, made on neither side again, and nobody hears of it.

use super::desk::{AMY, BOB, Desk, EVE, Setup, ZONE, guests, hour, key, timed, visit, with};
use calsync_core::Binding;
use calsync_core::model::{Attendee, Recurrence};
use calsync_core::plan::{Action, Waiting};
use calsync_core::provider::Mail;
use calsync_core::store::MemoryStore;
use calsync_google::Google;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

fn sorted(titles: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut titles: Vec<String> = titles.into_iter().collect();
    titles.sort();
    titles
}

fn there(desk: &Desk) -> Vec<String> {
    sorted(desk.living().iter().map(|event| event["summary"].as_str().unwrap_or_default().to_owned()))
}

#[tokio::test]
pub(crate) async fn g27_g08_a_migrated_crm_meets_the_calendar_that_has_the_same_meetings_already() {
    let desk = Setup::default().binding(|new| new.mail(Mail::Guests)).desk().await;
    let list = json!([{"email": AMY, "responseStatus": "accepted"}, {"email": BOB}, {"email": EVE}]);
    desk.enter(with(hour("visit", 1), json!({"attendees": list, "location": "Dock 4"})));
    desk.enter(with(hour("weekly", 2), json!({"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=6"]})));
    desk.enter(json!({"id": "days0", "summary": "Fair", "start": {"date": "2026-12-07"}, "end": {"date": "2026-12-09"}}));
    desk.enter(timed("lastyear", "2025-12-01T09:00:00", "2025-12-01T10:00:00", ZONE));
    desk.enter(hour("theirs", 4));
    // The CRM's own, without guests and with notes of its own.
    let mut meeting = visit("Visit", "2026-12-01T09:00:00");
    meeting.description = Some("Ask for Ms Ito".into());
    desk.create(&meeting).await;
    let mut weekly = visit("weekly", "2026-12-02T09:00:00");
    weekly.recurrence = Recurrence::new(vec!["RRULE:COUNT=6;FREQ=WEEKLY;INTERVAL=1".into()]);
    desk.create(&weekly).await;
    let mut fair = visit("Fair", "2026-12-07T09:00:00");
    fair.when = calsync_core::model::When::AllDay {
        start: "2026-12-07".parse().unwrap(),
        end: "2026-12-09".parse().unwrap(),
    };
    desk.create(&fair).await;
    desk.create(&visit("lastyear", "2025-12-01T09:00:00")).await;
    desk.create(&visit("ours", "2026-12-05T09:00:00")).await;

    let plan = desk.engine.plan(&desk.binding).await.unwrap();
    assert_eq!(plan.counts.get(&Action::Join), Some(&4), "{plan}");
    assert_eq!((desk.writes(), desk.mails()), (0, 0));
    let report = desk.run().await;
    assert_eq!(report.count(Action::Join), 4, "{report}");
    assert_eq!((report.count(Action::CreateLocal), report.count(Action::CreateRemote)), (1, 1), "{report}");
    desk.run().await;
    desk.settled_after_a_full_listing().await;
    // The calendar's spelling won, and what one side lacked it has.
    let all = ["Fair", "lastyear", "ours", "theirs", "visit", "weekly"].map(str::to_owned);
    assert_eq!(there(&desk), all);
    let event = desk.event("visit");
    assert_eq!((&event["description"], &event["location"]), (&json!("Ask for Ms Ito"), &json!("Dock 4")));
    assert_eq!(guests(&event), [AMY, BOB, EVE]);
    let record = desk.record("visit").await;
    assert_eq!(desk.value(&record, "location").await, json!("Dock 4"));
    assert_eq!(desk.value(&record, "attendee/eve@elsewhere.example").await["response"], json!(null));
    assert_eq!(desk.mails(), 0, "nobody hears of what is only put in step");
    // An edit of the CRM is an edit again, and told.
    desk.edit(&record, |a| a.location = Some("Dock 5".into())).await;
    desk.run().await;
    assert!(desk.mails() > 0);
}

#[tokio::test]
async fn g27_c05_a_second_installation_on_one_calendar_joins_what_the_first_one_made_and_both_come_to_rest() {
    let desk = Desk::new().await;
    let titles = ["one", "two", "three"];
    for (day, title) in titles.iter().enumerate() {
        desk.create(&visit(title, &format!("2026-12-0{}T09:00:00", day + 1))).await;
    }
    desk.run().await;
    desk.run().await;
    let writes = desk.writes();
    let store = MemoryStore::new(desk.clock.clone(), "another installation".into());
    let other = desk.another_engine(Arc::new(store), Google::service_account(key()), 8);
    let crm = other.appointments().unwrap();
    for (day, title) in titles.iter().enumerate() {
        crm.create(AMY, &visit(title, &format!("2026-12-0{}T09:00:00", day + 1))).await.unwrap();
    }
    let binding = other.bind(Binding::two_way(AMY).to("google", AMY)).await.unwrap();
    let report = other.run(&binding).await.unwrap();
    assert_eq!(report.count(Action::Join), 3, "{report}");
    for _ in 0..3 {
        desk.clock.advance(Duration::from_secs(60));
        desk.run().await;
        other.run(&binding).await.unwrap();
    }
    assert_eq!(there(&desk), sorted(titles.map(str::to_owned)));
    assert_eq!(desk.titles().await.len(), 3);
    assert_eq!(desk.writes(), writes, "neither writes what the other has written");
    // What one writes the other takes over, once.
    desk.edit(&desk.record("two").await, |a| a.location = Some("Dock 4".into())).await;
    for _ in 0..3 {
        desk.clock.advance(Duration::from_secs(60));
        desk.run().await;
        other.run(&binding).await.unwrap();
    }
    assert_eq!(desk.writes(), writes + 1);
}

#[tokio::test]
pub(crate) async fn g27_what_cannot_be_told_apart_waits_and_is_not_made_again_in_any_run() {
    let desk = Desk::new().await;
    for id in ["first", "second"] {
        desk.enter(with(hour(id, 1), json!({"summary": "Call", "attendees": [{"email": BOB}]})));
    }
    let mut call = visit("Call", "2026-12-01T09:00:00");
    call.attendees.insert(EVE.into(), Attendee::default());
    let record = desk.create(&call).await;
    for _ in 0..3 {
        let report = desk.run().await;
        assert_eq!(report.waiting.get(&Waiting::Ambiguous), Some(&3), "{report}");
        assert_eq!((desk.living().len(), desk.titles().await.len(), desk.writes()), (2, 1, 0));
    }
    let mut plan = desk.engine.plan(&desk.binding).await.unwrap();
    let rows = plan.rows().all().await.unwrap();
    let row = rows.iter().find(|row| row.record.as_ref() == Some(&record)).expect("a row of the CRM's");
    assert_eq!(row.candidates, ["first", "second"]);
    plan.rematch(row.number, calsync_core::engine::Match::Event("second".into())).await.unwrap();
    let report = desk.engine.apply(&plan).await.unwrap();
    assert_eq!(report.count(Action::Join), 1, "{report}\n{plan}");
    // Nothing of the CRM's could be the first one any more.
    let report = desk.run().await;
    assert_eq!(report.count(Action::CreateLocal), 1, "{report}");
    desk.run().await;
    desk.settled_after_a_full_listing().await;
    let invited = guests(&desk.event("second"));
    assert!(invited.contains(&BOB.to_owned()) && invited.contains(&EVE.to_owned()), "{invited:?}");
    assert_eq!((desk.living().len(), desk.titles().await.len(), desk.mails()), (2, 2, 0));
}

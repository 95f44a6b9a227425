//! Events that are not ordinary: of other kinds, declined or free, private.

use super::desk::{AMY, Desk, EVE, Setup, hour, with};
use super::log::Log;
use calsync_core::model::{EventType, Visibility};
use calsync_core::plan::{Action, Waiting};
use calsync_core::provider::Mail;
use calsync_testkit::fake_google::{Fault, FaultKind, Role, Route};
use calsync_testkit::marked::MARK;
use serde_json::{Value, json};
use std::fmt::Write as _;

fn days(id: &str, day: u32, fields: Value) -> Value {
    let event = json!({
        "id": id, "summary": id,
        "start": {"date": format!("2026-12-{day:02}")}, "end": {"date": format!("2026-12-{:02}", day + 1)},
    });
    with(event, fields)
}

/// One event of every kind that Google keeps to itself, and of one that it may invent tomorrow.
fn kinds(desk: &Desk) {
    let birthday = json!({"eventType": "birthday", "birthdayProperties": {"type": "birthday"},
        "visibility": "private", "transparency": "transparent", "recurrence": ["RRULE:FREQ=YEARLY"]});
    desk.enter(days("birthday", 1, birthday));
    let place = json!({"eventType": "workingLocation", "visibility": "public", "transparency": "transparent",
        "workingLocationProperties": {"type": "homeOffice", "homeOffice": {}}});
    desk.enter(days("place", 2, place));
    desk.enter(with(hour("flight", 3), json!({"eventType": "fromGmail"})));
    desk.enter(with(hour("tomorrow", 4), json!({"eventType": "focusTime"})));
}

#[tokio::test]
async fn g35_kinds_of_their_own_come_over_and_are_never_written() {
    let desk = Setup::default()
        .fake(|fake| {
            fake.account(AMY);
        })
        .desk()
        .await;
    kinds(&desk);
    // Tomorrow's Google calls it something that nobody knows yet.
    desk.lawless();
    desk.after(|_, mut answer| {
        let rename = |event: &mut Value| {
            if event["id"] == "tomorrow" {
                event["eventType"] = json!("dreamTime");
            }
        };
        answer["items"].as_array_mut().into_iter().flatten().for_each(rename);
        rename(&mut answer);
        answer
    });
    let report = desk.run().await;
    assert_eq!(report.count(Action::CreateLocal), 4, "{report}");
    desk.settled().await;
    for (title, kind) in [
        ("birthday", "birthday"),
        ("place", "workingLocation"),
        ("flight", "fromGmail"),
        ("tomorrow", "dreamTime"),
    ] {
        let record = desk.record(title).await;
        assert_eq!(desk.value(&record, "event_type").await, kind);
        let before = desk.event(title);
        desk.edit(&record, |a| a.summary = Some(format!("{title} of the CRM"))).await;
        let report = desk.run().await;
        assert_eq!(report.waiting.get(&Waiting::Forbidden), Some(&1), "{title}: {report}");
        assert_eq!((desk.writes(), desk.event(title)), (0, before), "{title}");
        desk.edit(&record, |a| a.summary = Some(title.to_owned())).await;
        let report = desk.settled().await;
        assert!(report.waiting.is_empty(), "{title}: {report}");
    }
    // Deleting one in the CRM deletes none there that Google does not let go.
    for title in ["birthday", "place", "tomorrow"] {
        let record = desk.record(title).await;
        desk.crm.delete(&record).await.unwrap();
    }
    let report = desk.run().await;
    assert_eq!(report.waiting.get(&Waiting::Forbidden), Some(&3), "{report}");
    assert_eq!((desk.writes(), desk.living().len()), (0, 4));
}

#[tokio::test]
async fn g35_a_kind_that_google_invents_tomorrow_passes_through_the_crm_unharmed() {
    let kind = EventType::from("dreamTime".to_owned());
    assert_eq!(kind.as_str(), "dreamTime");
    // An ordinary appointment of the CRM is never made into a special one, nor the other way round.
    let desk = Desk::new().await;
    kinds(&desk);
    desk.run().await;
    desk.settled_after_a_full_listing().await;
    assert_eq!(desk.event("birthday")["eventType"], "birthday");
    assert_eq!(desk.writes(), 0);
}

#[tokio::test]
async fn g38_declined_tentative_and_free_are_kept_through_every_change() {
    let desk = Desk::new().await;
    let declined = json!({
        "organizer": {"email": EVE},
        "attendees": [{"email": EVE, "responseStatus": "accepted"}, {"email": AMY, "responseStatus": "declined"}],
    });
    desk.enter(with(hour("declined", 1), declined));
    desk.enter(with(hour("tentative", 2), json!({"status": "tentative"})));
    desk.enter(with(hour("free", 3), json!({"transparency": "transparent"})));
    desk.run().await;
    let (declined, tentative, free) =
        (desk.record("declined").await, desk.record("tentative").await, desk.record("free").await);
    assert_eq!(desk.value(&declined, &format!("attendee/{AMY}")).await["response"], "declined");
    assert_eq!(desk.value(&tentative, "status").await, "tentative");
    assert_eq!(desk.value(&free, "transparency").await, "transparent");
    for record in [&tentative, &free] {
        desk.edit(record, |a| a.location = Some("Dock 4".into())).await;
    }
    desk.retouch("tentative", json!({"description": "by hand"}));
    desk.run().await;
    desk.settled_after_a_full_listing().await;
    assert_eq!(desk.event("tentative")["status"], "tentative");
    assert_eq!(desk.event("free")["transparency"], "transparent");
    assert_eq!(desk.value(&tentative, "description").await, "by hand");
    assert_eq!(desk.writes(), 2);
    assert_eq!(desk.value(&declined, &format!("attendee/{AMY}")).await["response"], "declined");
}

#[tokio::test]
async fn g39_a_private_event_stays_private_and_out_of_every_log() {
    let log = Log::default();
    // With a single one, tracing takes it for every thread's, and other threads have none.
    let _second = tracing::Dispatch::new(Log::default());
    let _guard = tracing::subscriber::set_default(log.clone());
    let desk = Setup::default().binding(|new| new.mail(Mail::Guests)).desk().await;
    let mut printed = String::new();
    desk.fake().inject(Fault::new(FaultKind::Status { code: 503 }).on(Route::PatchEvent));
    let secret = json!({"summary": "neversay visit", "description": "neversay text", "location": "neversay street",
        "visibility": "private", "attendees": [{"email": AMY}, {"email": EVE, "comment": "neversay comment"}]});
    desk.enter(with(hour("g1", 1), secret.clone()));
    desk.enter(with(hour("g2", 2), with(secret, json!({"visibility": "confidential"}))));
    let plan = desk.engine.plan(&desk.binding).await.unwrap();
    let _ = write!(printed, "{plan}{plan:?}");
    let mut keep = |report: &calsync_core::Report| {
        let _ = write!(printed, "{report}{report:?}");
        for row in &report.rows {
            let _ = write!(printed, "{row}{row:?}");
        }
    };
    keep(&desk.run().await);
    let shown = desk.shown().await;
    assert_eq!(shown.len(), 2);
    for (shown, visibility) in shown.iter().zip([Visibility::Private, Visibility::Confidential]) {
        assert_eq!(shown.appointment.visibility, visibility);
        desk.edit(&shown.record, |a| a.description = Some("neversay edited".into())).await;
    }
    desk.retouch("g1", json!({"location": "neversay avenue"}));
    keep(&desk.run().await);
    keep(&desk.settled().await);
    for (id, visibility) in [("g1", "private"), ("g2", "confidential")] {
        let event = desk.event(id);
        assert_eq!(
            (&event["visibility"], &event["description"]),
            (&json!(visibility), &json!("neversay edited"))
        );
    }
    for write in desk.fake().journal().iter().filter(|entry| entry.wrote()) {
        assert_eq!(write.request_json().get("visibility"), None);
    }
    // What is refused, lost or conflicting says no more.
    desk.edit(&shown[0].record, |a| a.summary = Some("neversay here".into())).await;
    desk.retouch("g1", json!({"summary": "neversay there"}));
    keep(&desk.run().await);
    let log = log.0.lock().unwrap().clone();
    assert!(log.contains("run ended"), "nothing was logged: {log}");
    assert!(!log.contains(MARK), "{log}");
    assert!(!printed.contains(MARK), "{printed}");
}

#[tokio::test]
async fn g39_a_private_appointment_of_the_crm_arrives_private() {
    let desk = Desk::new().await;
    let mut visit = super::desk::visit("neversay", "2026-12-01T09:00:00");
    visit.visibility = Visibility::Private;
    let record = desk.create(&visit).await;
    let report = desk.run().await;
    assert!(!format!("{report}{report:?}").contains(MARK), "{report}");
    assert_eq!(desk.titled("neversay")["visibility"], "private");
    desk.edit(&record, |a| a.summary = Some("neversay 2".into())).await;
    desk.run().await;
    assert_eq!(desk.titled("neversay 2")["visibility"], "private");
    desk.settled_after_a_full_listing().await;
    // To somebody who may only read the calendar, it is a busy hour.
    let robot = Setup::default()
        .google(|| calsync_google::Google::service_account(super::desk::key()).delegated(false))
        .fake(|fake| fake.share(AMY, super::desk::ROBOT, Role::Reader))
        .desk()
        .await;
    robot.enter(with(hour("g1", 1), json!({"visibility": "private", "summary": "neversay"})));
    robot.run().await;
    let shown = robot.shown().await;
    assert_eq!((shown.len(), shown[0].appointment.summary.as_deref()), (1, None));
    let before = robot.event("g1");
    robot.edit(&shown[0].record, |a| a.summary = Some("guessed".into())).await;
    robot.run().await;
    assert_eq!((robot.event("g1"), robot.writes()), (before, 0));
}

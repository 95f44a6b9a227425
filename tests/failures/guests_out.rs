//! Guests who were mirrored while mail was on are taken out of the calendar once it is off, if somebody wants that.

use super::desk::{AMY, BOB, Desk, EVE, Setup, guests, hour, visit, with};
use calsync_core::ErrorKind;
use calsync_core::binding::Direction;
use calsync_core::engine::RowState;
use calsync_core::model::{Appointment, Attendee, Recurrence};
use calsync_core::plan::Action;
use calsync_core::provider::Mail;
use serde_json::json;

fn with_eve(mut appointment: Appointment) -> Appointment {
    appointment.attendees.insert(EVE.into(), Attendee::default());
    appointment
}

/// A binding whose mail was on and is switched off: with a visit, a series with a changed occurrence, a visit without guests, and an
/// invitation of somebody else's.
async fn switched_off() -> Desk {
    let desk = Setup::default().binding(|new| new.mail(Mail::Guests)).desk().await;
    desk.create(&with_eve(visit("Visit", "2026-12-01T09:00:00"))).await;
    let mut weekly = with_eve(visit("Weekly", "2026-12-02T09:00:00"));
    weekly.recurrence = Recurrence::new(vec!["RRULE:FREQ=WEEKLY;COUNT=4".into()]);
    let series = desk.create(&weekly).await;
    desk.create(&visit("Alone", "2026-12-03T09:00:00")).await;
    let invitation = with(hour("theirs", 4), json!({"attendees": [{"email": BOB}, {"email": AMY}]}));
    desk.user(|fake, now| fake.user_insert(now, BOB, &invitation)).unwrap();
    desk.run().await;
    let second = desk
        .shown()
        .await
        .into_iter()
        .filter(|shown| shown.appointment.summary.as_deref() == Some("Weekly"))
        .nth(1)
        .unwrap();
    let slot = second.occurrence.unwrap().slot;
    desk.crm.edit_occurrence(&series, slot, |a| a.summary = Some("Once at dock 4".into())).await.unwrap();
    desk.run().await;
    desk.engine.change(&desk.binding, |binding| binding.mail = Mail::Nobody).await.unwrap();
    desk
}

/// The titles of what has Eve in the calendar.
fn eve_is_at(desk: &Desk) -> Vec<String> {
    let mut titles: Vec<String> = (desk.living().iter())
        .filter(|event| guests(event).iter().any(|guest| guest == EVE))
        .map(|event| {
            format!(
                "{}{}",
                event["summary"].as_str().unwrap_or_default(),
                event["location"].as_str().unwrap_or_default()
            )
        })
        .collect();
    titles.sort();
    titles
}

#[tokio::test]
async fn g05_a_plan_takes_mirrored_guests_out_of_the_calendar_and_keeps_them_in_the_crm() {
    let desk = switched_off().await;
    let (writes, mails) = (desk.writes(), desk.mails());
    assert_eq!(eve_is_at(&desk), ["Once at dock 4", "Visit", "Weekly"]);
    let mut plan = desk.engine.plan_guests_out(&desk.binding).await.unwrap();
    assert!(plan.guests_out);
    assert_eq!(plan.counts, [(Action::UpdateRemote, 3)].into(), "{plan}");
    let rows = plan.rows().all().await.unwrap();
    for row in &rows {
        assert!(
            row.guests.contains(&EVE.to_owned()) && row.guests_told == 0 && row.guests_untold > 0,
            "{row:?}"
        );
        assert!(row.before.as_ref().unwrap().get(&format!("attendee/{EVE}")).is_some(), "{row:?}");
    }
    assert_eq!(desk.writes(), writes, "nothing is written before somebody says so");
    // The one visit is to stay as it is.
    let visit = rows.iter().find(|row| row.summary.as_deref() == Some("Visit")).unwrap();
    plan.deselect(&[visit.number]).await.unwrap();
    let report = desk.engine.apply(&plan).await.unwrap();
    assert_eq!(report.count(Action::UpdateRemote), 2, "{report}");
    // The series moved on with its first write, and its occurrence is decided about once more.
    desk.run().await;
    assert_eq!(eve_is_at(&desk), ["Visit"]);
    let series = desk.record("Weekly").await;
    assert!(!desk.value(&series, &format!("attendee/{EVE}")).await.is_null(), "she stays in the CRM");
    assert_eq!(guests(&desk.event("theirs")), [AMY, BOB], "an invitation is its organiser's");
    desk.settled_after_a_full_listing().await;
    // What is changed later on either side brings nobody back, and nobody is lost in the CRM.
    desk.edit(&series, |a| {
        a.summary = Some("Weekly round".into());
        a.attendees.insert(BOB.into(), Attendee::default());
    })
    .await;
    desk.run().await;
    let id = desk.titled("Weekly round")["id"].as_str().unwrap().to_owned();
    assert_eq!(guests(&desk.event(&id)), Vec::<String>::new());
    desk.retouch(&id, json!({"description": "Bring keys"}));
    desk.run().await;
    assert_eq!(desk.value(&series, "description").await, "Bring keys");
    assert!(!desk.value(&series, &format!("attendee/{BOB}")).await.is_null());
    // What stayed is kept in step with its guests, and can be taken out another day.
    let visit = desk.record("Visit").await;
    desk.edit(&visit, |a| _ = a.attendees.insert(BOB.into(), Attendee::default())).await;
    desk.run().await;
    assert!(guests(&desk.titled("Visit")).contains(&BOB.to_owned()));
    let plan = desk.engine.plan_guests_out(&desk.binding).await.unwrap();
    assert_eq!(plan.rows().all().await.unwrap().len(), 1, "{plan}");
    desk.engine.apply(&plan).await.unwrap();
    assert_eq!(eve_is_at(&desk), Vec::<String>::new());
    let plan = desk.engine.plan_guests_out(&desk.binding).await.unwrap();
    assert_eq!(plan.rows().all().await.unwrap(), [], "there is nothing left to take out");
    assert_eq!(desk.mails(), mails, "nobody heard of any of it");
    desk.settled_after_a_full_listing().await;
}

#[tokio::test]
async fn g05_guests_are_out_in_the_end_whatever_comes_between_the_plan_and_its_writes() {
    let desk = switched_off().await;
    let mails = desk.mails();
    let plan = desk.engine.plan_guests_out(&desk.binding).await.unwrap();
    // Decided and stored, and the calendar cannot be written just now; meanwhile both sides are edited.
    desk.refuse_writes(503);
    assert!(desk.engine.apply(&plan).await.unwrap().error.is_some());
    assert_eq!(eve_is_at(&desk), ["Once at dock 4", "Visit", "Weekly"]);
    let visit = desk.record("Visit").await;
    let id = desk.titled("Visit")["id"].as_str().unwrap().to_owned();
    desk.retouch(&id, json!({"location": "Dock 7"}));
    let series = desk.record("Weekly").await;
    desk.edit(&series, |a| a.description = Some("Bring keys".into())).await;
    desk.undisturbed();
    desk.run().await;
    desk.run().await;
    desk.settled().await;
    assert_eq!(eve_is_at(&desk), Vec::<String>::new());
    assert_eq!(desk.value(&visit, "location").await, "Dock 7");
    assert_eq!(desk.titled("Visit")["location"], "Dock 7");
    for record in [&visit, &series] {
        assert!(!desk.value(record, &format!("attendee/{EVE}")).await.is_null(), "she stays in the CRM");
    }
    assert_eq!(desk.mails(), mails);
    desk.settled_after_a_full_listing().await;
}

#[tokio::test]
async fn g05_what_moved_since_the_plan_is_planned_again_and_stays_about_guests() {
    let desk = switched_off().await;
    let mails = desk.mails();
    let plan = desk.engine.plan_guests_out(&desk.binding).await.unwrap();
    let id = desk.titled("Visit")["id"].as_str().unwrap().to_owned();
    desk.retouch(&id, json!({"location": "Dock 7"}));
    desk.engine.apply(&plan).await.unwrap();
    assert!(eve_is_at(&desk).contains(&"VisitDock 7".to_owned()));
    let mut plan = desk.engine.open_plan(&plan.id).await.unwrap();
    let rows = plan.rows().all().await.unwrap();
    let moved = rows.iter().find(|row| row.state == RowState::Moved).unwrap();
    plan.select(&[moved.number]).await.unwrap();
    desk.engine.apply(&plan).await.unwrap();
    desk.run().await;
    desk.settled().await;
    assert_eq!(eve_is_at(&desk), Vec::<String>::new());
    assert_eq!((desk.titled("Visit")["location"].as_str(), desk.mails()), (Some("Dock 7"), mails));
}

#[tokio::test]
async fn g05_a_binding_that_does_not_write_to_the_calendar_takes_nobody_out() {
    let desk = switched_off().await;
    let binding = desk.engine.redirect(&desk.binding, Direction::FromRemote).await.unwrap();
    let error = desk.engine.plan_guests_out(&binding).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert_eq!(eve_is_at(&desk), ["Once at dock 4", "Visit", "Weekly"]);
}

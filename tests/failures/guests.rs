//! Guests: never mailed by accident, never lost, never invited twice; and what they do reaches the CRM.

use super::desk::{AMY, BOB, Desk, EVE, Setup, TEAM, guests, hour, visit, with};
use calsync_core::Binding;
use calsync_core::model::Attendee;
use calsync_core::plan::Action;
use calsync_core::provider::Mail;
use calsync_testkit::fake_google::{Fault, FaultKind, MailKind, Route};
use serde_json::{Value, json};

fn meeting(id: &str, day: u32) -> Value {
    let list = json!([
        {"email": AMY, "responseStatus": "accepted"},
        {"email": BOB, "responseStatus": "accepted"},
        {"email": EVE, "optional": true, "comment": "perhaps later"},
    ]);
    with(hour(id, day), json!({"attendees": list, "colorId": "5", "guestsCanModify": false}))
}

#[tokio::test]
async fn g01_a_stamp_changes_nothing_but_the_stamp_and_mails_nobody() {
    let desk = Desk::new().await;
    desk.enter(meeting("g1", 1));
    let before = desk.event("g1");
    assert_eq!(desk.run().await.count(Action::CreateLocal), 1);
    // A pull needs no stamp: the link is kept in the store.
    assert_eq!((desk.writes(), desk.event("g1")), (0, before.clone()));
    // The first change of the CRM carries the stamp along.
    let record = desk.record("g1").await;
    desk.edit(&record, |a| a.description = Some("Bring the plans".into())).await;
    desk.run().await;
    let (mut after, mut expected) = (desk.event("g1"), before);
    assert!(after["extendedProperties"]["private"]["calsyncOperation"].is_string(), "{after}");
    expected["description"] = json!("Bring the plans");
    for event in [&mut after, &mut expected] {
        for changes in ["etag", "updated", "sequence", "extendedProperties"] {
            event.as_object_mut().unwrap().remove(changes);
        }
    }
    assert_eq!(after, expected);
    let body = desk.fake().journal().iter().find(|entry| entry.wrote()).unwrap().request_json();
    assert_eq!(body.as_object().unwrap().keys().collect::<Vec<_>>(), ["description", "extendedProperties"]);
    assert_eq!(desk.mails(), 0);
    desk.settled_after_a_full_listing().await;
}

/// Meetings of the last three years with a customer, and two that are still to come.
async fn three_years(desk: &Desk) {
    for month in 0..36 {
        let start = format!("{}-{:02}-01T09:00:00", 2023 + (month + 10) / 12, (month + 10) % 12 + 1);
        let mut visit = visit(&format!("Visit {month}"), &start);
        visit.attendees.insert(EVE.into(), Attendee::default());
        desk.create(&visit).await;
    }
    for day in [1, 2] {
        let mut visit = visit(&format!("Coming {day}"), &format!("2026-12-{day:02}T09:00:00"));
        visit.attendees.insert(EVE.into(), Attendee::default());
        desk.create(&visit).await;
    }
}

#[tokio::test]
async fn g02_years_of_meetings_are_counted_first_and_past_ones_stay_where_they_are() {
    let desk = Desk::new().await;
    three_years(&desk).await;
    let plan = desk.engine.plan(&desk.binding).await.unwrap();
    assert_eq!(plan.counts.get(&Action::CreateRemote), Some(&2), "{plan}");
    assert_eq!(plan.counts.get(&Action::Skip), Some(&36), "{plan}");
    assert_eq!((desk.writes(), desk.mails()), (0, 0));
    let report = desk.engine.apply(&plan).await.unwrap();
    assert_eq!(report.count(Action::CreateRemote), 2, "{report}");
    assert_eq!((desk.living().len(), desk.mails()), (2, 0));
    // What Google knows of them by now comes back.
    assert_eq!(desk.run().await.count(Action::UpdateLocal), 2);
    desk.settled_after_a_full_listing().await;
}

#[tokio::test]
async fn g02_past_meetings_that_are_wanted_in_the_calendar_arrive_without_a_mail() {
    let desk = Setup::default().binding(|new| new.push_past(true)).desk().await;
    three_years(&desk).await;
    assert_eq!(desk.run().await.count(Action::CreateRemote), 38);
    assert_eq!((desk.living().len(), desk.mails()), (38, 0));
    desk.settled().await;
}

#[tokio::test]
pub(crate) async fn g02_nobody_is_invited_to_a_meeting_that_is_over() {
    let desk = Setup::default().binding(|new| new.push_past(true).mail(Mail::Guests)).desk().await;
    three_years(&desk).await;
    assert_eq!(desk.run().await.count(Action::CreateRemote), 38);
    let mailed: Vec<String> = desk.fake().mails().iter().map(|mail| mail.event.clone()).collect();
    let coming: Vec<String> =
        ["Coming 1", "Coming 2"].map(|title| desk.titled(title)["id"].as_str().unwrap().to_owned()).into();
    assert!(mailed.iter().all(|event| coming.contains(event)), "{} mails", mailed.len());
}

#[tokio::test]
pub(crate) async fn g04_a_second_copy_of_somebody_else_s_meeting_has_no_guests_to_mail() {
    let desk = Setup::default().binding(|new| new.mail(Mail::Guests)).desk().await;
    let other = Binding::two_way(AMY).to("google", TEAM).mail(Mail::Guests);
    let team = desk.engine.bind(other).await.unwrap();
    let invitation = json!({"organizer": {"email": EVE}, "creator": {"email": EVE}});
    desk.enter(with(meeting("g1", 1), invitation));
    for _ in 0..2 {
        desk.run().await;
        desk.try_run_of(&team).await.unwrap();
    }
    let copies = desk.living_in(TEAM);
    assert_eq!(copies.len(), 1, "{copies:?}");
    assert_eq!(guests(&copies[0]), Vec::<String>::new());
    assert_eq!(desk.mails(), 0);
    // The title moves on to the copy; still nobody hears of it, and the original keeps its guests.
    desk.retouch("g1", json!({"summary": "Moved on"}));
    for _ in 0..2 {
        desk.run().await;
        desk.try_run_of(&team).await.unwrap();
    }
    let copies = desk.living_in(TEAM);
    assert_eq!((copies.len(), &copies[0]["summary"]), (1, &json!("Moved on")));
    assert_eq!((guests(&copies[0]).len(), guests(&desk.event("g1")).len(), desk.mails()), (0, 3, 0));
    desk.settled().await;
}

/// The agent's own address is among the guests of one occurrence of the team's series: Google puts that one into the agent's calendar,
/// where calsync has a copy of the series.
#[tokio::test]
async fn g04_an_occurrence_that_google_brings_as_a_guest_s_copy_is_there_once() {
    let desk = Desk::new().await;
    let team = desk.engine.bind(Binding::two_way(AMY).to("google", TEAM)).await.unwrap();
    let series = with(hour("g1", 1), json!({"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"]}));
    desk.user(|fake, at| fake.user_insert(at, TEAM, &series)).unwrap();
    let rounds = async || {
        for _ in 0..3 {
            desk.try_run_of(&team).await.unwrap();
            desk.run().await;
        }
    };
    rounds().await;
    let invite = |list: Value| {
        let change = json!({"attendees": list});
        desk.user(|fake, at| fake.user_patch(at, TEAM, "g1_20261208T160000Z", &change)).unwrap();
    };
    let all = [1, 8, 15].map(|day| format!("2026-12-{day:02}T16:00:00+00:00"));
    for list in [json!([{"email": AMY}]), json!([]), json!([{"email": AMY}, {"email": EVE}])] {
        let invited = list.as_array().is_some_and(|list| !list.is_empty());
        invite(list);
        rounds().await;
        assert_eq!(desk.instants().await, all);
        assert_eq!(desk.starts_there(), all);
        let copies = desk.living().iter().filter(|event| event["organizer"]["email"] == TEAM).count();
        assert_eq!(copies, usize::from(invited));
        assert_eq!(desk.mails(), 0);
    }
    desk.settled().await;
}

#[tokio::test]
pub(crate) async fn g05_once_mail_is_switched_off_neither_a_change_nor_a_deletion_mails_anybody() {
    let desk = Setup::default().binding(|new| new.mail(Mail::Guests)).desk().await;
    let mut visit = visit("Visit", "2026-12-01T09:00:00");
    visit.attendees.insert(EVE.into(), Attendee::default());
    let record = desk.create(&visit).await;
    desk.run().await;
    assert_eq!(desk.mails(), 1);
    desk.engine.change(&desk.binding, |binding| binding.mail = Mail::Nobody).await.unwrap();
    desk.edit(&record, |a| a.location = Some("Dock 4".into())).await;
    desk.run().await;
    desk.crm.delete(&record).await.unwrap();
    desk.run().await;
    assert_eq!((desk.living().len(), desk.writes(), desk.mails()), (0, 3, 1));
}

#[tokio::test]
async fn g43_what_guest_or_organiser_take_back_in_google_is_cancelled_in_the_crm() {
    let desk = Desk::new().await;
    let mut visit = visit("Booking", "2026-12-01T09:00:00");
    visit.attendees.insert(BOB.into(), Attendee::default());
    let record = desk.create(&visit).await;
    desk.run().await;
    let id = desk.titled("Booking")["id"].as_str().unwrap().to_owned();
    // The guest says no: the appointment stays, the answer is told.
    desk.user(|fake, now| fake.user_respond(now, BOB, &id, "declined")).unwrap();
    desk.run().await;
    assert_eq!(desk.value(&record, &format!("attendee/{BOB}")).await["response"], "declined");
    // It is deleted in the calendar that it was made in.
    desk.remove(&id);
    assert_eq!(desk.run().await.count(Action::DeleteLocal), 1);
    assert_eq!(desk.value(&record, "status").await, "cancelled");
    assert_eq!(desk.value(&record, "summary").await, "Booking");
    desk.settled_after_a_full_listing().await;

    // Somebody else's meeting, taken back by its organiser.
    let invitation = with(hour("theirs", 2), json!({"attendees": [{"email": BOB}, {"email": AMY}]}));
    desk.user(|fake, now| fake.user_insert(now, BOB, &invitation)).unwrap();
    desk.run().await;
    let theirs = desk.record("theirs").await;
    desk.user(|fake, now| fake.user_delete(now, BOB, "theirs")).unwrap();
    assert_eq!(desk.run().await.count(Action::DeleteLocal), 1);
    assert_eq!(desk.value(&theirs, "status").await, "cancelled");
    assert_eq!(desk.mails(), 0);
    desk.settled_after_a_full_listing().await;
}

#[tokio::test]
async fn c07_a_lost_answer_mails_every_guest_once() {
    for fault in [
        FaultKind::LostAfterWork,
        FaultKind::Truncated { bytes: 20 },
        FaultKind::StatusAfterWork { code: 503 },
    ] {
        let desk = Setup::default().binding(|new| new.mail(Mail::Guests)).desk().await;
        let lose = |route| desk.fake().inject(Fault::new(fault.clone()).on(route));
        let heard = |kind| desk.fake().mails().iter().filter(|mail| mail.kind == kind).count();
        let mut visit = visit("Visit", "2026-12-01T09:00:00");
        visit.attendees.insert(EVE.into(), Attendee::default());
        lose(Route::InsertEvent);
        let record = desk.create(&visit).await;
        desk.run().await;
        desk.settled().await;
        assert_eq!((desk.living().len(), heard(MailKind::Invitation), desk.mails()), (1, 1, 1), "{fault:?}");
        lose(Route::PatchEvent);
        desk.edit(&record, |a| a.when = super::desk::visit("", "2026-12-01T11:00:00").when).await;
        desk.run().await;
        desk.settled().await;
        assert_eq!((heard(MailKind::Update), desk.mails()), (1, 2), "{fault:?}");
        lose(Route::DeleteEvent);
        desk.crm.cancel(&record).await.unwrap();
        desk.run().await;
        desk.settled().await;
        assert_eq!((heard(MailKind::Cancellation), desk.mails()), (1, 3), "{fault:?}");
        desk.settled_after_a_full_listing().await;
    }
}

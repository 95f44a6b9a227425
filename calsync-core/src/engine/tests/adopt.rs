//! What both sides have before the first run.

use super::*;
use crate::plan::Waiting;
use crate::provider::Mail;

#[tokio::test]
async fn what_both_sides_have_already_is_joined_and_put_in_step_not_made_again() {
    let desk = Desk::new().await;
    let mut here = visit("Site visit");
    here.location = Some("Dock 4".into());
    let mut there = visit("site  visit");
    there.description = Some("Bring keys".into());
    desk.paper.put("g1", there.to_fields());
    let record = desk.crm.create("amy@example.com", &here).await.unwrap();
    let report = desk.run().await;
    assert_eq!(report.count(Action::Join), 1, "{report}");
    assert_eq!((report.count(Action::CreateLocal), report.count(Action::CreateRemote)), (0, 0), "{report}");
    assert_eq!(desk.only().await, record.id);
    let living = desk.paper.living();
    assert_eq!(living.len(), 1);
    for fields in [&living[0].1, &desk.crm_fields(&record.id).await] {
        assert_eq!((text(fields, "location"), text(fields, "description")), ("Dock 4", "Bring keys"));
    }
    desk.settled().await;
    // Linked like anything else from now on.
    desk.paper.delete("g1");
    assert_eq!(desk.run().await.count(Action::DeleteLocal), 1);
    desk.settled().await;
}

#[tokio::test]
async fn two_that_are_the_same_are_joined_without_a_write() {
    let desk = Desk::new().await;
    desk.paper.put("g1", visit("Site visit").to_fields());
    desk.crm.create("amy@example.com", &visit("Site visit")).await.unwrap();
    let report = desk.run().await;
    assert_eq!(report.count(Action::Join), 1, "{report}");
    assert!(desk.paper.sheet().writes.is_empty());
    desk.settled().await;
}

#[tokio::test]
async fn a_series_is_joined_with_its_occurrences_slot_by_slot() {
    let desk = Desk::new().await;
    desk.paper.put("g1", series("Stand-up").to_fields());
    let record = desk.crm.create("amy@example.com", &series("Stand-up")).await.unwrap();
    desk.crm.edit_occurrence(&record.id, slot(1), |a| a.location = Some("Room 1".into())).await.unwrap();
    desk.crm.cancel_occurrence(&record.id, slot(2)).await.unwrap();
    desk.paper.put_occurrence("g1", slot(3), State::Gone);
    let report = desk.run().await;
    assert_eq!(report.count(Action::Join), 1, "{report}");
    assert_eq!(report.count(Action::CreateRemote), 0, "{report}");
    desk.settled().await;
    let from = "2026-12-01T00:00:00Z".parse().unwrap();
    let to = "2027-02-01T00:00:00Z".parse().unwrap();
    let shown = desk.crm.window("amy@example.com", from, to).await.unwrap();
    let days: Vec<_> =
        shown.iter().map(|shown| shown.occurrence.as_ref().unwrap().slot.to_string()).collect();
    let expected: Vec<_> = [0, 1, 4].map(|n| slot(n).to_string()).into();
    assert_eq!(days, expected);
    let sheet = desk.paper.sheet();
    assert_eq!(sheet.writes.len(), 2, "one occurrence changed, one cancelled: {:?}", sheet.writes);
}

#[tokio::test]
async fn what_may_be_the_same_waits_and_is_made_on_neither_side() {
    let desk = Desk::new().await;
    desk.paper.put("g1", visit("Call").to_fields());
    desk.paper.put("g2", visit("Call").to_fields());
    desk.paper.put("g3", visit("Another").to_fields());
    desk.crm.create("amy@example.com", &visit("Call")).await.unwrap();
    let report = desk.run().await;
    assert_eq!(report.waiting.get(&Waiting::Ambiguous), Some(&3), "{report}");
    assert_eq!((report.count(Action::CreateLocal), report.count(Action::CreateRemote)), (1, 0), "{report}");
    let row = report.rows.iter().find(|row| row.record.is_some() && row.waiting.is_some()).unwrap();
    assert_eq!(row.candidates, ["g1", "g2"]);
    // The reason goes away: two differ now, and one is left.
    desk.paper.put("g2", visit("Call back").to_fields());
    let report = desk.run().await;
    assert_eq!((report.count(Action::Join), report.count(Action::CreateLocal)), (1, 1), "{report}");
    desk.settled().await;
}

#[tokio::test]
async fn c07_nobody_is_mailed_about_what_is_only_put_in_step_and_about_the_next_edit_they_are() {
    let desk = Desk::with(|new| new.mail(Mail::Guests)).await;
    let guest = |mut appointment: Appointment| {
        appointment.attendees.insert("guest@example.com".into(), Default::default());
        appointment
    };
    desk.paper.put("g1", guest(visit("Site visit")).to_fields());
    let mut here = guest(visit("Site visit"));
    here.location = Some("Dock 4".into());
    let record = desk.crm.create("amy@example.com", &here).await.unwrap();
    let plan = desk.engine.plan(&desk.binding).await.unwrap();
    let rows = plan.rows().next().await.unwrap();
    assert!(rows.iter().all(|row| row.guests_told == 0), "{plan}");
    let report = desk.run().await;
    let update =
        report.rows.iter().find(|row| row.action == Action::UpdateRemote).expect("the location goes over");
    assert_eq!((update.guests_told, update.guests_untold), (0, 1), "{report}");
    desk.settled().await;
    desk.crm.edit(&record.id, |a| a.location = Some("Dock 5".into())).await.unwrap();
    let report = desk.run().await;
    assert_eq!(report.rows[0].guests_told, 1, "{report}");
}

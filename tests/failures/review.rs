//! Plans against the calendar service: what they ask for, what they tell, and what they leave waiting.

use super::desk::{AMY, BOB, Desk, EVE, Setup, hour, visit};
use calsync_core::guard::Over;
use calsync_core::model::{Attendee, Visibility};
use calsync_core::plan::Action;
use calsync_core::provider::Mail;
use calsync_testkit::fake_google::Route;

/// What is deselected is known: neither the runs in between nor its selection need the calendar to be listed from the beginning, or
/// the event to be read again.
#[tokio::test]
async fn what_is_deselected_waits_and_is_carried_out_later_without_a_new_listing() {
    let desk = Desk::new().await;
    for day in 1..=5 {
        desk.enter(hour(&format!("g{day}"), day));
    }
    let mut plan = desk.engine.plan(&desk.binding).await.unwrap();
    plan.deselect(&[2, 3]).await.unwrap();
    desk.engine.apply(&plan).await.unwrap();
    let reads = desk.asked(Route::GetEvent);
    for _ in 0..3 {
        let report = desk.run().await;
        assert_eq!((report.requests, report.count(Action::CreateLocal)), (1, 0), "{report}");
    }
    plan.select(&[2, 3]).await.unwrap();
    let report = desk.engine.apply(&plan).await.unwrap();
    assert_eq!((report.requests, report.count(Action::CreateLocal)), (1, 2), "{report}");
    assert_eq!(desk.asked(Route::GetEvent), reads);
    assert_eq!(desk.titles().await.len(), 5);
    desk.settled_after_a_full_listing().await;
}

/// A plan over a calendar that seems to be empty says so, and does not pass that off as nothing to do.
#[tokio::test]
async fn c09_a_plan_says_that_a_listing_is_not_believed() {
    let desk = Desk::new().await;
    for day in 1..=20 {
        desk.enter(hour(&format!("g{day:02}"), day));
    }
    desk.run().await;
    for day in 1..=20 {
        desk.remove(&format!("g{day:02}"));
        desk.fake().user_purge(AMY, &format!("g{day:02}"));
    }
    desk.fake().expire_sync_tokens();
    let plan = desk.engine.plan(&desk.binding).await.unwrap();
    let held: Vec<_> = plan.held.iter().map(|held| (held.over, held.planned)).collect();
    assert_eq!(held, [(Over::Listing, 20)], "{plan}");
    let again = desk.engine.open_plan(&plan.id).await.unwrap();
    assert_eq!(again.held, plan.held);
    assert!(again.to_string().contains(&plan.held[0].to_string()), "{again}");
    let report = desk.engine.apply(&plan).await.unwrap();
    assert!(!report.wrote(), "{report}");
    assert_eq!(desk.titles().await.len(), 20);
}

/// Who would be told and who would not, by address; of a private appointment only how many.
#[tokio::test]
async fn a_plan_names_the_guests_of_what_it_would_write() {
    for (mail, told) in [(Mail::Nobody, 0), (Mail::Guests, 2)] {
        let desk = Setup::default().binding(move |new| new.mail(mail)).desk().await;
        let mut open = visit("open", "2026-12-01T09:00:00");
        for guest in [BOB, EVE] {
            open.attendees.insert(guest.into(), Attendee::default());
        }
        let mut private = open.clone();
        private.visibility = Visibility::Private;
        for appointment in [&open, &private] {
            desk.create(appointment).await;
        }
        let plan = desk.engine.plan(&desk.binding).await.unwrap();
        let mut guests: Vec<Vec<String>> = Vec::new();
        for row in plan.rows().all().await.unwrap() {
            assert_eq!((row.row.guests_told, row.row.guests_untold), (told, 2 - told), "{plan}");
            guests.push(row.row.guests);
        }
        guests.sort();
        assert_eq!(guests, [vec![], vec![BOB.to_owned(), EVE.to_owned()]], "{plan}");
        assert_eq!(desk.mails(), 0);
    }
}

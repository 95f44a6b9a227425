//! What is evidence that something is gone, and what comes back after it was.

use super::desk::{AMY, BOB, Desk, Way, visit};
use calsync_core::Binding;
use calsync_core::plan::Action;
use calsync_testkit::fake_google::{Fault, FaultKind};
use serde_json::{Value, json};

/// A calendar that is not shared any more says 404 to everything, also to a deletion and to the reading after it. That is no
/// deletion: once the calendar is shared again the event is still there, and nobody would look at it any more.
#[tokio::test]
async fn c04_a_deletion_in_a_calendar_that_was_just_unshared_is_done_once_it_is_shared_again() {
    let desk = Desk::new().await;
    let record = desk.create(&visit("Visit", "2026-12-01T09:00:00")).await;
    desk.run().await;
    desk.settled().await;
    desk.crm.delete(&record).await.unwrap();
    let mut unshared = false;
    desk.before(move |request, fake| {
        unshared |= request.method() == http::Method::DELETE;
        if unshared {
            fake.inject(Fault::new(FaultKind::CalendarGone));
        }
        Way::Free
    });
    let _ = desk.try_run().await;
    desk.undisturbed();
    assert_eq!(desk.living().len(), 1);
    desk.heal().await;
    desk.run().await;
    assert!(desk.living().is_empty(), "nobody looks at it any more");
    desk.settled().await;
}

/// The answer to a creation is lost, and when it is asked for what became of it, the calendar is not shared. That the id is taken
/// and nothing is found under it is no evidence then that it was deleted.
#[tokio::test]
async fn c03_a_creation_in_a_calendar_that_cannot_be_read_for_a_while_is_not_made_twice() {
    let desk = Desk::new().await;
    desk.create(&visit("Visit", "2026-12-01T09:00:00")).await;
    desk.fake().inject(Fault::new(FaultKind::LostAfterWork).on_writes());
    let mut written = false;
    desk.before(move |request, fake| {
        let writes = request.method() == http::Method::POST && request.uri().path().ends_with("/events");
        if written && !writes {
            fake.inject(Fault::new(FaultKind::CalendarGone));
        }
        written |= writes;
        Way::Free
    });
    let _ = desk.try_run().await;
    desk.undisturbed();
    assert_eq!(desk.living().len(), 1);
    desk.heal().await;
    desk.run().await;
    assert_eq!((desk.living().len(), desk.titles().await.len()), (1, 1), "made twice");
    desk.settled().await;
}

/// Its event was deleted so long ago that it cannot be read any more, and its id is still not free.
#[tokio::test]
async fn c15_what_was_deleted_without_a_trace_is_made_anew_under_another_id() {
    let desk = Desk::new().await;
    desk.create(&visit("Visit", "2026-12-01T09:00:00")).await;
    desk.run().await;
    let id = desk.titled("Visit")["id"].as_str().unwrap().to_owned();
    desk.engine.unbind(&desk.binding).await.unwrap();
    desk.remove(&id);
    desk.fake().user_purge(AMY, &id);
    let gone = id.clone();
    desk.before(move |request, fake| {
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        if request.method() == http::Method::POST && body["id"] == *gone {
            let (code, reason) = (409, "duplicate".to_owned());
            fake.inject(Fault::new(FaultKind::Refuse { code, reason, message: String::new() }).on_writes());
        }
        Way::Free
    });
    let binding = desk.engine.bind(Binding::two_way(AMY).to("google", AMY)).await.unwrap();
    for _ in 0..3 {
        let _ = desk.try_run_of(&binding).await;
    }
    assert_eq!((desk.living().len(), desk.titles().await), (1, vec!["Visit".to_owned()]));
    assert_ne!(desk.titled("Visit")["id"], json!(id));
    let report = desk.try_run_of(&binding).await.unwrap();
    assert!(!report.wrote() && report.error.is_none(), "{report}");
}

/// The old agent takes the event out of the bin. The record is the new agent's by now, and keeps what that agent wrote.
#[tokio::test]
async fn c02_an_event_that_comes_back_after_its_record_was_given_away_overwrites_nothing_there() {
    let desk = Desk::new().await;
    let bob = desk.engine.bind(Binding::two_way(BOB).to("google", BOB)).await.unwrap();
    let record = desk.create(&visit("Visit", "2026-12-01T09:00:00")).await;
    desk.run().await;
    let id = desk.titled("Visit")["id"].as_str().unwrap().to_owned();
    desk.crm.reassign(&record, BOB).await.unwrap();
    desk.run().await;
    desk.try_run_of(&bob).await.unwrap();
    desk.edit(&record, |a| a.location = Some("Bob's office".into())).await;
    desk.try_run_of(&bob).await.unwrap();
    assert_eq!((desk.living().len(), desk.living_in(BOB).len()), (0, 1));

    desk.retouch(&id, json!({"status": "confirmed", "location": "Amy's office"}));
    assert_eq!(desk.living().len(), 1);
    let report = desk.run().await;
    assert_eq!((report.count(Action::CreateLocal), report.count(Action::DeleteRemote)), (0, 1), "{report}");
    desk.try_run_of(&bob).await.unwrap();
    assert_eq!(desk.value(&record, "location").await, "Bob's office");
    assert_eq!(desk.living_in(BOB)[0]["location"], "Bob's office");
    assert!(desk.living().is_empty());
    // What was lost by it is written down.
    let journal =
        desk.engine.store().journal(desk.engine.tenant(), &desk.binding.id, None, 100).await.unwrap();
    let lost = journal.iter().filter_map(|entry| entry.lost.as_ref());
    assert!(
        lost.filter_map(|fields| fields.get("location")).any(|location| location == "Amy's office"),
        "{journal:?}"
    );
    desk.settled().await;
    assert_eq!(desk.mails(), 0);
}

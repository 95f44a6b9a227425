//! What is evidence that something is gone, and what comes back after it was.

use super::desk::{Desk, Way, visit};
use calsync_testkit::fake_google::{Fault, FaultKind};

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

//! Times that no calendar should have, and clocks that are wrong.

use super::desk::{Desk, visit};
use calsync_core::clock::Clock;
use std::time::Duration;

/// What is put off is put off until a time; a clock that was wrong then must not make it a time in ten years.
#[tokio::test]
async fn c15_what_was_decided_or_put_off_while_the_clock_was_years_ahead_is_sent_once_it_is_right() {
    for refused in [false, true] {
        let desk = Desk::new().await;
        desk.create(&visit("Visit", "2036-12-01T09:00:00")).await;
        let right = desk.clock.now();
        desk.clock.set(right + chrono::Duration::days(3650));
        // Either it cannot leave, or it may not for an hour.
        if refused {
            desk.refuse_writes(403);
        } else {
            desk.refuse_writes(503);
        }
        let _ = desk.try_run().await;
        desk.undisturbed();
        assert_eq!(desk.queued().await, 1);
        assert!(desk.living().is_empty());
        desk.clock.set(right + chrono::Duration::hours(2));
        for _ in 0..3 {
            desk.clock.advance(Duration::from_secs(2 * 3600));
            let _ = desk.try_run().await;
        }
        assert_eq!(desk.living().len(), 1, "refused {refused}");
        desk.settled().await;
    }
}

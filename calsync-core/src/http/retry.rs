//! How long to wait before the next attempt: pure.

use crate::planted::{self, Fault};
use std::time::Duration;

/// The bounds of repeating.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// The first wait is at most this long.
    pub first: Duration,
    /// No wait is longer, unless the service asked for more.
    pub wait_max: Duration,
    /// Attempts, the first one included.
    pub attempts_max: u32,
}

impl Default for Backoff {
    /// Half a second, doubling up to 32 seconds, five attempts.
    fn default() -> Self {
        Self { first: Duration::from_millis(500), wait_max: Duration::from_secs(32), attempts_max: 5 }
    }
}

/// The wait before attempt `attempt + 1`, or `None` when that was the last. Full jitter: anything between nothing and a
/// limit that doubles, decided by `chance` (any random number); what the service asked for is the least.
pub fn next_wait(backoff: &Backoff, attempt: u32, asked: Option<Duration>, chance: u64) -> Option<Duration> {
    if attempt >= backoff.attempts_max {
        return None;
    }
    let limit = backoff.first.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(backoff.wait_max);
    let millis = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
    let jittered = Duration::from_millis(chance % millis.saturating_add(1).max(1));
    let asked = asked.filter(|_| !planted::on(Fault::WaitIgnored));
    Some(asked.map_or(jittered, |asked| asked + jittered / 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_stay_below_a_limit_that_doubles_and_end_with_the_last_attempt() {
        let backoff = Backoff::default();
        for (attempt, limit) in [(1, 500), (2, 1000), (3, 2000), (4, 4000)] {
            for chance in [0, 1, 499, 7_777_777, u64::MAX] {
                let wait = next_wait(&backoff, attempt, None, chance).expect("not the last");
                assert!(wait <= Duration::from_millis(limit), "attempt {attempt}: {wait:?}");
            }
        }
        assert_eq!(next_wait(&backoff, 5, None, 0), None);
    }

    #[test]
    fn what_the_service_asks_for_is_the_least() {
        let wait = next_wait(&Backoff::default(), 1, Some(Duration::from_secs(60)), 3).expect("not the last");
        assert!(wait >= Duration::from_secs(60));
    }
}

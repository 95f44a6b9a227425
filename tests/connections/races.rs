//! Many workers, one grant (S7).

use super::office::{AMY, Office};
use calsync_core::ErrorKind;
use calsync_core::provider::{Effort, Provider, Target};
use calsync_testkit::fake_google::{Fault, FaultKind, Route};
use std::sync::Arc;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

async fn ask(provider: Arc<dyn Provider>) -> calsync_core::Result<()> {
    let target = Target { calendar: AMY.into(), subject: AMY.to_owned() };
    provider.calendar(&target, &Effort::default()).await.map(drop)
}

/// What a history of a grant is made of, by chance.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Polls a call so often and drops it then: its process died. `true` where it came to its end before.
pub(crate) async fn die_after(call: impl Future<Output = calsync_core::Result<()>>, polls: u64) -> bool {
    let mut left = polls;
    let dies = std::future::poll_fn(|context| {
        if left == 0 {
            return std::task::Poll::Ready(());
        }
        left -= 1;
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    });
    tokio::select! {
        biased;
        () = dies => false,
        _ = call => true,
    }
}

/// Four workers, a server that rotates, answers that are lost before or after the work, workers that die anywhere, and a person who takes
/// the grant back and gives it again: whatever happened, a grant that Google still has works in the end, and one that Google has not
/// says so; no worker ends the grant of another.
#[tokio::test]
async fn s07_histories_of_four_workers_and_a_rotating_server_end_with_what_google_has() {
    let (mut refreshed, mut died, mut refused) = (0, 0, 0);
    for seed in 1..=300_u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let office = Office::new().await;
        office.fake().behaviour_mut().rotate_refresh_tokens = true;
        office.connected(AMY).await;
        let workers = workers(&office, 4);
        let mut there = true;
        for _ in 0..12 {
            office.clock.advance(Duration::from_secs(1800 * dice.below(3)));
            for kind in [FaultKind::LostAfterWork, FaultKind::LostBeforeWork, FaultKind::Status { code: 503 }]
            {
                if dice.below(6) == 0 {
                    office.fake().inject(Fault::new(kind).on(Route::Token));
                }
            }
            match dice.below(12) {
                0 => {
                    office.fake().user_disconnects(super::office::CLIENT, AMY);
                    there = false;
                }
                1 | 2 if !there => {
                    // An answer to a code that is lost is lost for good: the person tries again.
                    while !matches!(
                        office.try_connect(AMY).await,
                        Ok(calsync_google::connect::Outcome::Connected(_))
                    ) {}
                    there = true;
                }
                _ => {}
            }
            let polls: Vec<u64> =
                workers.iter().map(|_| if dice.below(3) == 0 { dice.below(30) } else { 10_000 }).collect();
            let calls =
                workers.iter().zip(&polls).map(|(worker, polls)| die_after(ask(worker.clone()), *polls));
            died += futures_util::future::join_all(calls).await.iter().filter(|ended| !**ended).count();
        }
        // The faults are used up, and whoever died is over.
        office.clock.advance(Duration::from_secs(7200));
        let mut outcomes = Vec::new();
        for worker in &workers {
            let mut outcome = ask(worker.clone()).await;
            for _ in 0..40 {
                if outcome.as_ref().is_err_and(|error| error.kind() != ErrorKind::Unauthorized) {
                    outcome = ask(worker.clone()).await;
                }
            }
            outcomes.push(outcome.map_err(|error| error.kind()));
        }
        let expected = if there { Ok(()) } else { Err(ErrorKind::Unauthorized) };
        assert!(
            outcomes.iter().all(|outcome| *outcome == expected),
            "seed {seed}, there {there}: {outcomes:?}"
        );
        refreshed += office.tokens_asked();
        refused += usize::from(!there);
    }
    assert!(refreshed > 1_000 && died > 300 && refused > 20, "{refreshed} {died} {refused}");
}

fn workers(office: &Office, count: u64) -> Vec<Arc<dyn Provider>> {
    (0..count).map(|n| office.worker(100 + n).build().unwrap().providers()(&office.tenant).unwrap()).collect()
}

#[tokio::test]
pub(crate) async fn s07_four_workers_that_want_a_token_at_once_ask_for_one() {
    for rotate in [false, true] {
        let office = Office::new().await;
        office.fake().behaviour_mut().rotate_refresh_tokens = rotate;
        office.connected(AMY).await;
        let workers = workers(&office, 4);
        for _ in 0..20 {
            office.clock.advance(HOUR);
            let asked = office.tokens_asked();
            // Two calls in each.
            let calls = workers.iter().flat_map(|worker| [ask(worker.clone()), ask(worker.clone())]);
            for outcome in futures_util::future::join_all(calls).await {
                outcome.unwrap();
            }
            assert_eq!(office.tokens_asked(), asked + 1, "rotating: {rotate}");
        }
    }
}

#[tokio::test]
pub(crate) async fn s07_calls_of_one_process_wait_for_one_refresh_and_not_for_the_clock() {
    let office = Office::new().await;
    office.connected(AMY).await;
    office.clock.advance(HOUR);
    let (worker, before) = (workers(&office, 1).remove(0), office.now());
    for outcome in futures_util::future::join_all((0..8).map(|_| ask(worker.clone()))).await {
        outcome.unwrap();
    }
    assert_eq!(office.now(), before, "somebody waited for a lease that is its own");
}

#[tokio::test]
pub(crate) async fn s07_a_worker_that_comes_late_with_an_old_token_does_not_end_the_new_grant() {
    for gone in [true, false] {
        let office = Office::new().await;
        office.connected(AMY).await;
        office.clock.advance(HOUR);
        let worker = workers(&office, 1).remove(0);
        if gone {
            office.fake().user_disconnects(super::office::CLIENT, AMY);
        }
        // While the answer to its refresh is on the way (a refusal, or a token), the person connects again.
        office.hold_answer();
        let again = async {
            office.held().await;
            let connected = office.connected(AMY).await;
            office.let_arrive();
            connected
        };
        let (outcome, connected) = tokio::join!(ask(worker.clone()), again);
        assert!(connected.again);
        let grant = office.connections.grant(&office.tenant, AMY).await.unwrap().unwrap();
        assert_eq!((grant.refused, grant.granted), (None, office.now()), "it is the new one");
        outcome.unwrap();
        ask(worker).await.unwrap();
    }
}

#[tokio::test]
async fn s07_a_worker_that_dies_while_it_refreshes_holds_the_others_up_for_a_minute_at_most() {
    let office = Office::new().await;
    office.connected(AMY).await;
    office.clock.advance(HOUR);
    let workers = workers(&office, 2);
    // Dropped in the middle of its request.
    tokio::select! {
        biased;
        _ = ask(workers[0].clone()) => panic!("it lives"),
        () = std::future::ready(()) => {}
    }
    // The clock goes on with the wait.
    ask(workers[1].clone()).await.unwrap();
}

#[tokio::test]
pub(crate) async fn s07_who_disconnects_while_a_worker_refreshes_stays_disconnected_and_who_connects_after_it_connected()
 {
    for again in [false, true] {
        let office = Office::new().await;
        office.connected(AMY).await;
        office.clock.advance(HOUR);
        let worker = workers(&office, 1).remove(0);
        office.hold_answer();
        let leave = async {
            office.held().await;
            let left = office.connections.disconnect(&office.tenant, AMY, &Effort::default()).await.unwrap();
            if again {
                office.connected(AMY).await;
            }
            office.let_arrive();
            left
        };
        let (outcome, left) = tokio::join!(ask(worker.clone()), leave);
        assert!(left.is_some());
        if again {
            let grant = office.connections.grant(&office.tenant, AMY).await.unwrap().unwrap();
            assert_eq!((grant.refused, grant.granted), (None, office.now()), "it is the new one");
            outcome.unwrap();
            ask(worker).await.unwrap();
            continue;
        }
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Unauthorized);
        assert!(office.connections.grant(&office.tenant, AMY).await.unwrap().is_none());
        assert_eq!(ask(worker).await.unwrap_err().kind(), ErrorKind::Unauthorized);
    }
}

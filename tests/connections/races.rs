//! Many workers, one grant (S7).

use super::office::{AMY, Office};
use calsync_core::ErrorKind;
use calsync_core::provider::{Effort, Provider, Target};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

async fn ask(provider: Arc<dyn Provider>) -> calsync_core::Result<()> {
    let target = Target { calendar: AMY.into(), subject: AMY.to_owned() };
    provider.calendar(&target, &Effort::default()).await.map(drop)
}

fn workers(office: &Office, count: u64) -> Vec<Arc<dyn Provider>> {
    (0..count).map(|n| office.worker(100 + n).build().unwrap().providers()(&office.tenant).unwrap()).collect()
}

#[tokio::test]
async fn s07_four_workers_that_want_a_token_at_once_ask_for_one() {
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
async fn s07_a_worker_that_comes_late_with_an_old_token_does_not_end_the_new_grant() {
    let office = Office::new().await;
    office.connected(AMY).await;
    office.clock.advance(HOUR);
    let worker = workers(&office, 1).remove(0);
    // While its refresh is on the way, the person takes the grant back and connects again.
    let once = AtomicBool::new(true);
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    office.before(move |request, fake| {
        if request.uri().path().ends_with("/token") && once.swap(false, Ordering::Relaxed) {
            fake.user_disconnects(super::office::CLIENT, AMY);
            told.send(()).unwrap();
        }
    });
    let again = async {
        heard.recv().await.unwrap();
        office.connected(AMY).await
    };
    let (outcome, connected) = tokio::join!(ask(worker.clone()), again);
    assert!(connected.again);
    office.undisturbed();
    // Whichever came first: the new grant lives, and is used.
    _ = outcome;
    let grant = office.connections.grant(&office.tenant, AMY).await.unwrap().unwrap();
    assert_eq!(grant.refused, None);
    ask(worker).await.unwrap();
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
async fn s07_who_disconnects_while_a_worker_refreshes_stays_disconnected() {
    let office = Office::new().await;
    office.connected(AMY).await;
    office.clock.advance(HOUR);
    let worker = workers(&office, 1).remove(0);
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let once = AtomicBool::new(true);
    office.before(move |request, _| {
        if request.uri().path().ends_with("/token") && once.swap(false, Ordering::Relaxed) {
            told.send(()).unwrap();
        }
    });
    let leave = async {
        heard.recv().await.unwrap();
        office.connections.disconnect(&office.tenant, AMY, &Effort::default()).await.unwrap()
    };
    let (outcome, left) = tokio::join!(ask(worker.clone()), leave);
    assert!(left.is_some());
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Unauthorized);
    assert!(office.connections.grant(&office.tenant, AMY).await.unwrap().is_none());
    assert_eq!(ask(worker).await.unwrap_err().kind(), ErrorKind::Unauthorized);
}

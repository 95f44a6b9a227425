//! Two workers on one binding: whoever lost the lease writes nothing more (C14).

use super::desk::{Desk, Setup, Way, hour, key, visit};
use calsync_core::clock::ManualClock;
use calsync_core::store::{MemoryStore, Store};
use calsync_core::{Binding, ErrorKind};
use calsync_google::Google;
use futures_util::FutureExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Takes the lease of the binding for somebody else, once it has run out by the store's clock.
fn steal(store: &MemoryStore, clock: &ManualClock, binding: &Binding) {
    clock.advance(Duration::from_secs(130));
    let name = format!("binding/{}", binding.id);
    let lease = store
        .lease(&binding.tenant, &name, "somebody else", Duration::from_secs(3600))
        .now_or_never()
        .expect("it does not wait")
        .unwrap();
    assert!(lease.is_some(), "the lease had not run out");
}

#[tokio::test]
pub(crate) async fn c14_a_worker_that_lost_its_lease_writes_nothing_more() {
    // The theft happens before the n-th request of the run; the store's clock is ahead of the worker's.
    for theft in 1..=8_u32 {
        let stores = Arc::new(ManualClock::new("2026-11-23T08:00:00Z".parse().unwrap()));
        let store = MemoryStore::new(stores.clone(), "installation".into());
        let (shared, kept): (Arc<dyn Store>, _) = (Arc::new(store.clone()), store.clone());
        let desk = Setup::default().page_size(2).store(move |_| Arc::clone(&shared)).desk().await;
        for n in 1..=3 {
            desk.enter(hour(&format!("g{n}"), n));
            desk.create(&visit(&format!("v{n}"), &format!("2026-12-{:02}T11:00:00", n + 10))).await;
        }
        let (binding, count, thiefs) = (desk.binding.clone(), Arc::new(AtomicU32::new(0)), stores.clone());
        let snapshot = Arc::new(std::sync::Mutex::new(None));
        let (seen, after) = (count.clone(), snapshot.clone());
        desk.before(move |_, _| {
            if seen.fetch_add(1, Ordering::Relaxed) + 1 == theft {
                steal(&kept, &thiefs, &binding);
                *after.lock().unwrap() = Some(kept.snapshot());
            }
            Way::Free
        });
        let writes =
            |desk: &Desk| desk.fake().journal().iter().filter(|entry| entry.route.is_write()).count();
        let outcome = desk.try_run().await;
        let Some(stolen) = snapshot.lock().unwrap().clone() else {
            assert!(outcome.is_ok());
            continue;
        };
        assert!(outcome.is_err(), "theft before request {theft}: the run goes on");
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LeaseLost, "theft before request {theft}: {error}");
        assert_eq!(store.snapshot(), stolen, "theft before request {theft}: the store was written");
        // Writes that were marked as sent before may leave, and are found again; nothing new does.
        assert!(writes(&desk) <= 3, "theft before request {theft}");
        desk.undisturbed();
        stores.advance(Duration::from_secs(4000));
        desk.run().await;
        desk.run().await;
        assert_eq!((desk.titles().await.len(), desk.living().len()), (6, 6), "theft before request {theft}");
        desk.settled().await;
    }
}

#[tokio::test]
async fn c14_two_workers_at_once_take_turns() {
    let desk = Desk::new().await;
    desk.enter(hour("g1", 1));
    let other = desk.another_engine(Arc::clone(desk.engine.store()), Google::service_account(key()), 8);
    let (binding, refused) = (desk.binding.clone(), Arc::new(AtomicU32::new(0)));
    let counted = refused.clone();
    desk.before(move |_, _| {
        if counted.load(Ordering::Relaxed) == 0 {
            let outcome = other.run(&binding).now_or_never().expect("it is refused at once");
            assert_eq!(outcome.unwrap_err().kind(), ErrorKind::LeaseLost);
            counted.fetch_add(1, Ordering::Relaxed);
        }
        Way::Free
    });
    desk.run().await;
    assert_eq!((refused.load(Ordering::Relaxed), desk.titles().await.len()), (1, 1));
    assert_eq!(desk.state().await.health.last_error, None);
}

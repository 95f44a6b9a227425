//! The store in a file keeps the promises that every store makes, on its own threads and on the caller's.

#![allow(clippy::expect_used, reason = "a test that cannot be set up has failed")]

use calsync_core::clock::ManualClock;
use calsync_core::store::Store;
use calsync_sqlite::{SqliteBuilder, SqliteStore};
use std::cell::Cell;
use std::sync::Arc;

async fn check(settings: impl Fn(SqliteBuilder) -> SqliteBuilder) {
    let directory = tempfile::tempdir().expect("a directory");
    let count = Cell::new(0);
    calsync_core::conformance::store(async |clock: Arc<ManualClock>| {
        count.set(count.get() + 1);
        let path = directory.path().join(format!("{}.db", count.get()));
        let store = settings(SqliteStore::builder(path).clock(clock)).open().await;
        Arc::new(store.expect("the store opens")) as Arc<dyn Store>
    })
    .await;
}

#[tokio::test]
async fn a_store_with_threads_of_its_own_keeps_all_promises() {
    check(|builder| builder).await;
}

#[tokio::test]
async fn a_store_on_the_calling_thread_keeps_all_promises() {
    check(SqliteBuilder::on_calling_thread).await;
}

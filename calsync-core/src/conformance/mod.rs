//! The promises of calsync's contracts as tests for anyone's implementation.
//!
//! Whoever brings a database of their own turns on the feature `conformance` in their dev-dependencies and hands
//! [`store`] a way to make an empty store:
//!
//! ```
//! # use calsync_core::store::{MemoryStore, Store};
//! # use std::sync::Arc;
//! # async fn my_test() {
//! calsync_core::conformance::store(async |clock| {
//!     Arc::new(MemoryStore::new(clock, "test".into())) as Arc<dyn Store>
//! })
//! .await;
//! # }
//! ```
//!
//! Every case gets a store of its own, and all cases are tried before the broken ones are named.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a broken promise is reported by a panic; that is what tests are for"
)]

mod case;
mod store;

use crate::clock::ManualClock;
use crate::store::Store;
use std::sync::Arc;

/// Tries every promise of [`Store`]. `make` makes an empty store that goes by the given clock; it is called once per case.
///
/// # Panics
/// When a promise is broken, naming each case and what it found.
pub async fn store(make: impl AsyncFn(Arc<ManualClock>) -> Arc<dyn Store>) {
    case::run(&store::cases(), make).await;
}

#[cfg(test)]
mod tests {
    use crate::store::{MemoryStore, Store};
    use std::sync::Arc;

    #[tokio::test]
    async fn the_store_in_memory_keeps_all_promises() {
        super::store(async |clock| Arc::new(MemoryStore::new(clock, "here".into())) as Arc<dyn Store>).await;
    }
}

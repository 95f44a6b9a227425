//! Keeps a CRM's appointments and a remote calendar the same, both ways.
//!
//! calsync is a library: a CRM links it, keeps the data, and decides when to run it. There is no service and nothing that runs by
//! itself. This crate knows no provider and links no database; those are crates of their own that implement
//! [`provider::Provider`] and [`store::Store`].
//!
//! ```
//! # use calsync_core::{Binding, Engine, Result, provider::Provider, store::Store};
//! # async fn example(store: impl Store, google: impl Provider) -> Result<()> {
//! let engine = Engine::builder(store).provider("google", google).build()?;
//!
//! let binding = engine.bind(Binding::two_way("amy@example.com").to("google", "amy@example.com")).await?;
//! let report = engine.run(&binding).await?; // or: engine.plan(&binding), look at its rows, engine.apply(&plan)
//! for warning in report.warnings() {
//!     println!("{warning}");
//! }
//! # Ok(()) }
//! ```
//!
//! # The flow
//!
//! ```text
//! observe   page → decode → normalise → commit observations + page token        (every page; nothing is decided yet)
//! decide    after the last page: sweep → count deletions → plan each family
//! act       commit: writes to the own table, links, bases, intents, journal     (one transaction per chunk of families)
//! push      intent → marked as sent → provider → acknowledge (the new base)
//! ```
//!
//! [`Engine::run`] goes through it for one [`Binding`] and says in a [`Report`] what it did. It is bounded in time, spawns nothing,
//! and may be dropped at any await: the next run goes on from what is stored. Any number of workers may call it; a lease lets one
//! of them run.
//!
//! # What it promises
//!
//! * **Both sides become the same**, and a run after which nothing was edited writes nothing.
//! * **Nobody's edit is lost silently.** Different fields edited on both sides are both kept. The same field goes to the
//!   binding's [`Policy`](binding::Policy), and the value that lost is in the journal.
//! * **Nothing is made twice.** The id of a new event is a hash of what it stands for, stored before the request; a lost answer is
//!   settled by reading back.
//! * **Deletion needs evidence** (a tombstone, or "not found" for that very id while the calendar answers), and more deletions
//!   than the binding's [`Limits`](limits::Limits) allow are held back.
//! * **Nobody is mailed** unless the binding says so.
//! * **A plan writes nothing.** [`Engine::plan`] stores what a run would do, with reasons; [`Engine::apply`] does what is still true.
//!
//! [`docs::semantics`] has the table of every case, [`docs::architecture`] says where each promise is kept in the code, and
//! [`docs::embedding`] how a CRM takes it in.
//!
//! # Features
//!
//! `system` (default) is the operating system's clock and chance on tokio's timer, `reqwest` (default) the HTTP transport, and
//! `conformance` the promises of a [`store::Store`] as a test suite for anyone's implementation. `planted` makes calsync break
//! promises on purpose, for its own tests: nobody else turns it on.

pub mod audit;
pub mod binding;
pub mod calendar;
#[cfg(test)]
#[path = "../../tests/src/captured.rs"]
mod captured;
pub mod check;
pub mod clock;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod detail;
pub mod docs;
pub mod engine;
mod error;
pub mod guard;
pub mod halt;
pub mod host;
pub mod hours;
pub mod http;
mod id;
pub mod limits;
pub mod model;
pub mod plan;
#[doc(hidden)]
pub mod planted;
pub mod provider;
pub mod report;
pub mod roster;
mod scope;
mod secret;
pub mod store;
pub mod vault;
mod zone;
mod zone_links;
mod zone_windows;

pub use binding::Binding;
pub use engine::Engine;
pub use error::{Error, ErrorKind, Result, Retry};
pub use id::*;
pub use report::Report;
pub use secret::Secret;
pub use zone::{Wall, Zone};

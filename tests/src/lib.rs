//! Stateful fakes of the services that calsync talks to, for its own tests and for those of its embedders.
//!
//! A fake behaves like the real thing, or refuses: it keeps state, pages, expires tokens, counts quota, checks etags,
//! and answers what it does not know with a refusal and never with an empty success. What it says is held against the
//! service's own description of itself ([`discovery`]).

mod captured;
pub mod discovery;
pub mod fake_google;
pub mod marked;
pub mod sim;
pub mod tapped_store;

/// Keeps what this process logs from now on in a file of the directory that `CALSYNC_LOGS` names, if it names one. Every fake begins with it.
pub fn keep_logs() {
    captured::begin();
}

//! Google Calendar for calsync: credentials, calls, and the translation of events.
//!
//! [`Google`] implements [`calsync_core::provider::Provider`]. It decides nothing: it lists, reads and writes events of one
//! calendar at a time, on behalf of one person, and says in the canonical model what it saw.
//!
//! ```no_run
//! use calsync_google::{Google, ServiceAccountKey};
//!
//! # fn main() -> calsync_core::Result<()> {
//! let google = Google::service_account(ServiceAccountKey::from_file("key.json")?).build()?;
//! # let _ = google;
//! # Ok(())
//! # }
//! ```
//!
//! # What it promises
//!
//! * **Series, not occurrences.** Listings use `singleEvents=false`: a series is one record, what differs from it is another,
//!   and a cancelled occurrence is kept. Expansion in the provider would lose deletions and never end.
//! * **Nothing is lost on the way.** Every field is optional on reading, unknown fields travel in `extra`, and writing is a
//!   PATCH of the units that changed, so that what calsync does not model stays as Google has it.
//! * **Nobody is mailed by accident.** Every write names `sendUpdates`.
//! * **Errors are told apart by reason.** The same HTTP status means opposite things in this API; see `wire::error`.
//! * **Endpoints are constants.** They change only in code ([`GoogleBuilder::endpoints`]); never through a key file, never
//!   through an answer.
//!
//! What a host shows to people is here too, as data and without asking Google: which scopes a feature needs ([`scope`]), how an
//! administrator sets Google up ([`guide`]), and what an agent reads who is asked to connect ([`invitation::text`]).
//!
//! Facts about the API are commented where they are used. Where Google's guide and its behaviour differ, the behaviour that
//! maintained clients have met is what counts.

mod auth;
mod calendars;
mod call;
#[cfg(test)]
#[path = "../../tests/src/captured.rs"]
mod captured;
pub mod check;
mod config;
pub mod connect;
mod decode;
mod encode;
pub mod guide;
pub mod invitation;
mod project;
mod provider;
pub mod scope;
mod text;
pub(crate) mod wire;

/// Reads a page of a listing into Google's own types and no further: the least that any client does, which benchmarks
/// measure. Answers how many events there were and where the listing goes on.
///
/// # Errors
/// The page is not one.
#[cfg(feature = "bench")]
#[doc(hidden)]
pub fn read_page_only(body: &[u8]) -> calsync_core::Result<(usize, Option<String>)> {
    let answer = http::Response::new(bytes::Bytes::copy_from_slice(body));
    let page: wire::calendar::Events = wire::read(&answer, false)?;
    let next = page.next_page_token().map(str::to_owned);
    let mut count = 0;
    for item in page.items.unwrap_or_default() {
        if let Ok(event) = serde_json::from_str(item.get()) {
            count += usize::from(std::hint::black_box(wire::event::Event::take(event)).is_ok());
        }
    }
    Ok((count, next))
}

pub use auth::{ClientKind, OAuthClient, OAuthClientFile, ServiceAccountKey};
pub use calendars::{CalendarCheck, CalendarChecks, CalendarVerdict, How};
pub use check::Check;
pub use config::{Endpoints, GoogleBuilder, SCOPE_CALENDAR, SCOPE_EVENTS};
pub use provider::Google;
pub use scope::{Feature, Scopes};

/// The private extended property that carries the operation which last wrote an event. It rides inside writes that are made
/// anyway, and is left out of the canonical properties.
pub const STAMP: &str = "calsyncOperation";

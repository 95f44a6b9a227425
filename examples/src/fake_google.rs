//! A Google of one's own: the stateful fake of calsync's tests behind real HTTP on the loopback interface.
//!
//! It has two people, a service account that may act for both (domain-wide delegation), and two calendars that somebody else
//! wrote: files from the test resources of the crate `calcard`, loaded as Google holds them after an import.

use crate::Result;
use calsync_google::{Endpoints, SCOPE_EVENTS, ServiceAccountKey};
use calsync_testkit::fake_google::{FakeGoogle, GOOGLE_TOKEN_URL, Server};
use chrono::Utc;
use serde_json::json;

/// The first person.
pub const ALICE: &str = "alice@example.com";
/// The second person.
pub const BOB: &str = "bob@example.com";
/// The zone of both calendars.
pub const ZONE: &str = "America/Vancouver";

/// A throwaway key: it opens no account anywhere (`tests/data/keys/README.md`).
const KEY: &str = include_str!("../../tests/data/keys/throwaway_service_account.pem");
const SERVICE_ACCOUNT: &str = "quickstart@calsync-quickstart.iam.gserviceaccount.com";
const SERVICE_ACCOUNT_NUMBER: &str = "100000000000000000001";

/// A daily series of five with one moved occurrence (`tests/data/ics/README.md`, also for the licence).
const DAILY: &str = include_str!("../../tests/data/ics/calcard__297.ics");
/// A monthly series without an end, with added, left out and moved occurrences, and guests.
const MONTHLY: &str = include_str!("../../tests/data/ics/calcard__259.ics");

/// Starts it on a free port. It ends when the server is dropped.
///
/// # Errors
/// When no port can be bound.
pub fn start() -> Result<Server> {
    let mut google = FakeGoogle::new();
    for person in [ALICE, BOB] {
        google.account(person);
        google.set_zone(person, ZONE);
    }
    google.service_account(SERVICE_ACCOUNT, SERVICE_ACCOUNT_NUMBER, KEY.as_bytes())?;
    google.delegate(SERVICE_ACCOUNT_NUMBER, &[SCOPE_EVENTS]);
    google.load_ics(Utc::now(), ALICE, DAILY)?;
    google.load_ics(Utc::now(), BOB, MONTHLY)?;
    Ok(Server::start(google, "127.0.0.1:0")?)
}

/// The key file of its service account, as Google's console gives one out.
///
/// # Errors
/// When the key cannot be read, which a test would find.
pub fn key() -> Result<ServiceAccountKey> {
    let file = json!({
        "type": "service_account",
        "project_id": "calsync-quickstart",
        "private_key_id": "0123456789abcdef0123456789abcdef01234567",
        "private_key": KEY,
        "client_email": SERVICE_ACCOUNT,
        "client_id": SERVICE_ACCOUNT_NUMBER,
        "token_uri": GOOGLE_TOKEN_URL,
        "universe_domain": "googleapis.com",
    });
    Ok(ServiceAccountKey::from_json(&file.to_string())?)
}

/// Where it is. A key file never says so: endpoints change in code only.
///
/// # Errors
/// When its address is none.
pub fn endpoints(server: &Server) -> Result<Endpoints> {
    Ok(Endpoints::under(server.base_url())?)
}

//! Keeps a CRM's appointments and a remote calendar the same, both ways.

pub mod binding;
pub mod clock;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod error;
pub mod host;
pub mod http;
mod id;
pub mod model;
pub mod provider;
mod secret;
pub mod store;
mod zone;
mod zone_windows;

pub use binding::Binding;
pub use error::{Error, ErrorKind, Result, Retry};
pub use id::*;
pub use secret::Secret;
pub use zone::{Wall, Zone};

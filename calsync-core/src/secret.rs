//! A string that cannot be printed.
//!
//! [`Secret`] has no `Display` and no `Serialize`, its `Debug` says `[redacted]`, its memory is wiped when it is dropped, and
//! reading it is spelled [`Secret::reveal`], so that every place that does is easy to find.

use crate::planted::{self, Fault};
use secrecy::{ExposeSecret, SecretString};
use std::fmt;

/// A token, key or password.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes the text over; the caller's own copy is the caller's to wipe.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The text. Keep it out of errors, logs and anything that is stored.
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if planted::on(Fault::SecretPrinted) { self.reveal() } else { "[redacted]" })
    }
}

impl<'de> serde::Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        SecretString::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_prints_as_redacted_whatever_the_format() {
        let secret = Secret::new("ya29.neversay");
        assert_eq!(format!("{secret:?} {secret:#?}"), "[redacted] [redacted]");
    }
}

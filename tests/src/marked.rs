//! Secrets that can be looked for: each has a word in it that nothing else has.
//!
//! The fake's own tokens and codes carry it always. What a test makes up is made with what is here, and what calsync makes from
//! random bytes carries it where those come from [`MarkedEntropy`]. So a search for [`MARK`] (and for its bytes in base64 and
//! hexadecimal) in logs and in output finds each secret that got out, whichever it was.

use calsync_core::clock::Entropy;

/// The word. It stands in secrets and in texts of private events, and in nothing that is meant to be printed.
pub const MARK: &str = "neversay";

/// A secret of an OAuth client.
pub const CLIENT_SECRET: &str = "GOCSPX-neversay";

/// A refresh token, another one for each name.
pub fn refresh_token(name: &str) -> String {
    format!("1//0{MARK}-{name}")
}

/// The bytes of a master key, told apart by its number.
pub fn key_bytes(number: u8) -> [u8; 32] {
    let mut bytes = [number; 32];
    mark(&mut bytes);
    bytes
}

/// Random bytes that begin with [`MARK`] where a secret is made of them: 16 or 32 at once. For tests only.
///
/// Calsync makes states, PKCE verifiers, invitation tokens and data keys of so many. It makes ids of 16 as well, which may be
/// printed: the word in 32 hexadecimal digits alone is no secret.
#[derive(Debug)]
pub struct MarkedEntropy<E>(E);

impl<E: Entropy> MarkedEntropy<E> {
    /// What comes from there, marked.
    pub fn new(from: E) -> Self {
        crate::keep_logs();
        Self(from)
    }
}

impl<E: Entropy> Entropy for MarkedEntropy<E> {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.fill(bytes);
        if matches!(bytes.len(), 16 | 32) {
            mark(bytes);
        }
    }
}

fn mark(bytes: &mut [u8]) {
    for (byte, mark) in bytes.iter_mut().zip(MARK.bytes()) {
        *byte = mark;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use calsync_core::clock::SeededEntropy;

    #[test]
    fn c18_every_secret_that_is_made_here_carries_the_word() {
        assert!(CLIENT_SECRET.contains(MARK) && refresh_token("amy").contains(MARK));
        assert!(key_bytes(1).starts_with(MARK.as_bytes()) && key_bytes(1) != key_bytes(2));
        let entropy = MarkedEntropy::new(SeededEntropy::new(1));
        let mut bytes = [[0; 32]; 2];
        bytes.iter_mut().for_each(|bytes| entropy.fill(bytes));
        assert!(bytes.iter().all(|bytes| bytes.starts_with(MARK.as_bytes())) && bytes[0] != bytes[1]);
        // What a passing test prints is looked through as well: this has to be found.
        println!("control-{MARK}");
    }
}

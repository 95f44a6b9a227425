//! Opaque tokens that carry their own meaning.
//!
//! Page tokens and sync tokens hold everything that is needed to go on, so that a million of them cost no memory; a
//! checksum makes every other string an invalid token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const BETWEEN: char = '\u{1f}';

pub(crate) fn seal(kind: &str, parts: &[String]) -> String {
    let mut text = kind.to_owned();
    for part in parts {
        text.push(BETWEEN);
        text.push_str(part);
    }
    let sum = hash(&text);
    text.push(BETWEEN);
    text.push_str(&format!("{sum:016x}"));
    // Google's tokens of this kind end in "=" as well.
    format!("{}=", URL_SAFE_NO_PAD.encode(text))
}

pub(crate) fn open(kind: &str, token: &str) -> Option<Vec<String>> {
    let bytes = URL_SAFE_NO_PAD.decode(token.strip_suffix('=')?).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (text, sum) = text.rsplit_once(BETWEEN)?;
    if format!("{:016x}", hash(text)) != sum {
        return None;
    }
    let mut parts = text.split(BETWEEN).map(str::to_owned);
    (parts.next()? == kind).then(|| parts.collect())
}

/// FNV-1a with a final mix: stable between runs and machines, unlike the standard library's hashers.
pub(crate) fn hash(text: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in text.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}

/// A server-made event id: 26 characters of base32hex, as Google's are.
pub(crate) fn event_id(serial: u64) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
    let mut id = String::new();
    for round in 0..3_u64 {
        let mut bits = hash(&format!("event-{serial}-{round}"));
        for _ in 0..10 {
            let index = usize::try_from(bits & 31).unwrap_or_default();
            id.push(ALPHABET.get(index).map_or('0', |byte| char::from(*byte)));
            bits >>= 5;
        }
    }
    id.truncate(26);
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_only_as_what_it_was_sealed() {
        let token = seal("page", &["a".to_owned(), String::new()]);
        assert_eq!(open("page", &token), Some(vec!["a".to_owned(), String::new()]));
        assert_eq!(open("sync", &token), None);
        assert_eq!(open("page", &token[1..]), None);
        assert_eq!(open("page", "CPDAlvWDx70CEPDAlvWDx70CGAU="), None);
    }
}

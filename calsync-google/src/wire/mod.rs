//! Google's JSON, as Google names it.
//!
//! Answers come from outside and are treated so: a body is bounded by the transport, its nesting is bounded here, and every
//! field is optional. What a body cannot be read as is said by the name of the field, never by its content.

pub(crate) mod calendar;
pub(crate) mod error;
pub(crate) mod event;

use bytes::Bytes;
use calsync_core::{Error, ErrorKind, Result};
use serde::de::DeserializeOwned;

/// Deepest nesting of an answer. Google's events are less than ten deep.
pub(crate) const DEPTH_MAX: usize = 64;

/// Reads a success body. A body that cannot be read is a fault of the way, not of the record, so that it is worth repeating;
/// for a write it also means that nobody knows whether the write happened.
pub(crate) fn read<T: DeserializeOwned>(answer: &http::Response<Bytes>, writes: bool) -> Result<T> {
    let refuse = |what: &'static str| {
        let error = Error::new(ErrorKind::Protocol, what).with("status", answer.status().as_u16()).later();
        if writes { error.maybe_sent() } else { error }
    };
    let body = answer.body();
    if depth(body) > DEPTH_MAX {
        return Err(refuse("the answer is nested too deeply"));
    }
    serde_json::from_slice(body).map_err(|e| {
        // The cause is told by its category: the parser's own text may quote what it read.
        refuse(match (body.iter().find(|b| !b.is_ascii_whitespace()), e.classify()) {
            (None, _) => "the answer is empty",
            (Some(b'<'), _) => "the answer is a web page, not JSON",
            (_, serde_json::error::Category::Eof) => "the answer is cut off",
            (_, serde_json::error::Category::Data) => "the answer has an unexpected form",
            _ => "the answer is not JSON",
        })
    })
}

/// How deep arrays and objects are nested, counted without building anything.
fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for byte in json {
        match (quoted, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => quoted = !quoted,
            (false, b'[' | b'{') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;
    use calsync_core::Retry;

    #[track_caller]
    fn check(body: impl Into<Bytes>, message: &str) {
        let answer = http::Response::builder().status(200).body(body.into()).expect("an answer");
        let error =
            read::<serde_json::Map<String, serde_json::Value>>(&answer, true).expect_err("unreadable");
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Protocol, Retry::Later));
        assert!(error.may_have_been_sent());
        assert_eq!(error.message(), message);
    }

    #[test]
    fn a_success_that_cannot_be_read_says_why_without_its_content_and_leaves_the_write_open() {
        check("", "the answer is empty");
        check("  \n", "the answer is empty");
        check("<!doctype html><p>Sign in to the hotel", "the answer is a web page, not JSON");
        check(r#"{"id":"a","summary":"sec"#, "the answer is cut off");
        check("[]", "the answer has an unexpected form");
        check("hello", "the answer is not JSON");
        check(format!("{{\"a\":{}{}}}", "[".repeat(64), "]".repeat(64)), "the answer is nested too deeply");
    }

    #[test]
    fn nesting_is_counted_outside_of_strings_only() {
        assert_eq!(depth(br#"{"a":"[[[[\"[[["}"#), 1);
        assert_eq!(depth(br#"{"a":[{"b":[]}]}"#), 4);
    }
}

//! Which method a request calls.
//!
//! Paths are compared piece by piece, and pieces are decoded after the path was cut: an encoded slash belongs to an id.
//! A piece that is written out wins over a parameter, as `calendarList/watch` does over `calendarList/{calendarId}`.

use super::document::{Method, Segment};

/// Finds the method, or says what is wrong with the path.
pub(super) fn find<'a>(methods: &'a [Method], verb: &http::Method, path: &str) -> Result<&'a Method, String> {
    let Some(path) = path.strip_prefix('/') else { return Err("does not begin with a slash".to_owned()) };
    let mut pieces = Vec::new();
    for piece in path.split('/') {
        pieces.push(percent_decode(piece).ok_or_else(|| format!("`{piece}` is not percent-encoded UTF-8"))?);
    }

    let fitting = methods.iter().filter(|method| fits(&method.path, &pieces));
    let mut other_verbs = Vec::new();
    let mut called: Option<&Method> = None;
    for method in fitting {
        if method.http_method != verb.as_str() {
            other_verbs.push(method.http_method.as_str());
        } else if called.is_none_or(|best| literals(method) > literals(best)) {
            called = Some(method);
        }
    }
    match called {
        Some(method) => Ok(method),
        None if other_verbs.is_empty() => Err("no method has this path".to_owned()),
        None => Err(format!("this path takes {}, not {verb}", other_verbs.join(", "))),
    }
}

/// Undoes percent-encoding; `None` for a cut or wrong escape, and for bytes that are not UTF-8.
pub(super) fn percent_decode(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let high = char::from(bytes.next()?).to_digit(16)?;
            let low = char::from(bytes.next()?).to_digit(16)?;
            decoded.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).ok()
}

fn fits(path: &[Segment], pieces: &[String]) -> bool {
    path.len() == pieces.len()
        && path.iter().zip(pieces).all(|(segment, piece)| match segment {
            Segment::Literal(literal) => literal == piece,
            // An empty id is how a request for one event becomes a request for all of them.
            Segment::Parameter => !piece.is_empty(),
        })
}

fn literals(method: &Method) -> usize {
    method.path.iter().filter(|segment| **segment != Segment::Parameter).count()
}

//! Takes a grant back (RFC 7009).
//!
//! Revoking a refresh token ends the whole grant: every token that this account gave to this OAuth client.

use super::{finish, pairs};
use bytes::Bytes;
use calsync_core::http::{BaseUrl, Call};
use calsync_core::{Error, ErrorKind, Result, Secret};

/// Takes back the grant of this token.
#[derive(Debug)]
pub(crate) struct Revoke(pub(crate) Secret);

impl Call for Revoke {
    /// Whether there was anything to take back: a token that is dead already is no error.
    type Output = bool;

    fn request(&self, base: &BaseUrl) -> Result<http::Request<Bytes>> {
        let form = http::header::HeaderValue::from_static("application/x-www-form-urlencoded");
        let body = pairs(&[("token", self.0.reveal())]);
        finish(http::Request::post(base.as_str()).header(http::header::CONTENT_TYPE, form), body.into())
    }

    fn parse(&self, answer: &http::Response<Bytes>) -> Result<bool> {
        let status = answer.status();
        if status.is_success() {
            return Ok(true);
        }
        let later = status.is_server_error() || matches!(status.as_u16(), 408 | 429);
        if status == http::StatusCode::BAD_REQUEST {
            return Ok(false);
        }
        let error = Error::new(ErrorKind::Unavailable, "Google did not take the grant back")
            .with("status", status.as_u16());
        Err(if later { error.later() } else { error })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_is_dead_already_is_taken_back() {
        let parse = |status| {
            let answer = http::Response::builder().status(status).body(Bytes::new()).expect("an answer");
            Revoke(Secret::new("1//neversay")).parse(&answer)
        };
        assert!(parse(200).expect("done"));
        assert!(!parse(400).expect("done before"));
        assert!(parse(503).is_err() && parse(403).is_err());
        let base = BaseUrl::new("https://oauth2.googleapis.com/revoke").expect("an address");
        let request = Revoke(Secret::new("1//neversay+b")).request(&base).expect("a request");
        assert_eq!((request.uri().query(), &request.body()[..]), (None, &b"token=1%2F%2Fneversay%2Bb"[..]));
        assert!(!format!("{:?}", Revoke(Secret::new("1//neversay"))).contains("neversay"));
    }
}

//! The token endpoint: a signed assertion for an access token, and the way for requests that the `oauth2` crate makes.
//!
//! Nothing of an answer of this endpoint goes into an error but the two fields that OAuth makes public: the code and its
//! description, which [`super::super::auth::refusal`] turns into what a person can do.

use super::{finish, pairs};
use bytes::Bytes;
use calsync_core::http::{BaseUrl, Call};
use calsync_core::{Error, ErrorKind, Result, Secret};
use chrono::{DateTime, Utc};
use http::StatusCode;
use serde_json::Value;
use std::fmt;
use std::time::Duration;

const FORM: &str = "application/x-www-form-urlencoded";

/// The grant of RFC 7523: a signed assertion for an access token.
#[derive(Debug)]
pub(crate) struct JwtGrant {
    pub(crate) assertion: Secret,
}

/// What the token endpoint answers.
#[derive(Debug)]
pub(crate) enum GrantAnswer {
    /// A token.
    Token { token: Secret, lives: Duration },
    /// A refusal that is no matter of waiting.
    Refused(Refused),
}

/// A refusal in the two words that are public.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) description: String,
    /// When the answer was made, by the server's clock.
    pub(crate) date: Option<DateTime<Utc>>,
}

impl Call for JwtGrant {
    type Output = GrantAnswer;

    fn request(&self, base: &BaseUrl) -> Result<http::Request<Bytes>> {
        let body = pairs(&[
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
            ("assertion", self.assertion.reveal()),
        ]);
        finish(http::Request::post(base.as_str()).header(http::header::CONTENT_TYPE, FORM), body.into())
    }

    fn parse(&self, answer: &http::Response<Bytes>) -> Result<GrantAnswer> {
        if let Some(error) = passing(answer) {
            return Err(error);
        }
        if let Some(refused) = refused(answer) {
            return Ok(GrantAnswer::Refused(refused));
        }
        let body: Value = crate::wire::read(answer, false)?;
        let token = body.get("access_token").and_then(Value::as_str).filter(|token| !token.is_empty());
        let token = token
            .ok_or_else(|| Error::new(ErrorKind::Protocol, "the token endpoint gave no token").later())?;
        Ok(GrantAnswer::Token { token: Secret::new(token), lives: lives(&body) })
    }
}

/// A request that was made elsewhere, taken through the same sender: repeated, counted, bounded.
pub(crate) struct Forward(pub(crate) http::Request<Vec<u8>>);

impl fmt::Debug for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Forward")
    }
}

impl Call for Forward {
    type Output = http::Response<Vec<u8>>;

    fn request(&self, _: &BaseUrl) -> Result<http::Request<Bytes>> {
        Ok(self.0.clone().map(Bytes::from))
    }

    fn parse(&self, answer: &http::Response<Bytes>) -> Result<Self::Output> {
        if let Some(error) = passing(answer) {
            return Err(error);
        }
        // Some token services write the lifetime as text, which the oauth2 crate refuses.
        let mut body: Value = crate::wire::read(answer, false)?;
        if answer.status() == StatusCode::OK && body.get("expires_in").is_some() {
            body["expires_in"] = lives(&body).as_secs().into();
        }
        let mut forwarded = http::Response::new(body.to_string().into_bytes());
        *forwarded.status_mut() = answer.status();
        *forwarded.headers_mut() = answer.headers().clone();
        Ok(forwarded)
    }
}

/// The lifetime, as a number or as text; half an hour where it is missing.
fn lives(body: &Value) -> Duration {
    let seconds = match body.get("expires_in") {
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(value) => value.as_u64(),
        None => None,
    };
    Duration::from_secs(seconds.unwrap_or(1800).min(24 * 3600))
}

fn refused(answer: &http::Response<Bytes>) -> Option<Refused> {
    if answer.status().is_success() {
        return None;
    }
    let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    Some(Refused {
        status: answer.status().as_u16(),
        code: text("error"),
        description: text("error_description"),
        date: crate::wire::error::date(answer.headers()),
    })
}

/// What passes by itself: the statuses and codes that Google's own library repeats (google-auth, `_client.py`), redirects,
/// and answers that no token endpoint gives.
fn passing(answer: &http::Response<Bytes>) -> Option<Error> {
    let status = answer.status();
    let failed = |kind, what: &'static str| Some(Error::new(kind, what).with("status", status.as_u16()));
    if status.is_redirection() {
        return failed(
            ErrorKind::Protocol,
            "the token endpoint answered with a redirect, which is not followed",
        );
    }
    if status == StatusCode::TOO_MANY_REQUESTS {
        return failed(ErrorKind::RateLimited, "the token endpoint asks for fewer requests")
            .map(Error::later);
    }
    if status == StatusCode::REQUEST_TIMEOUT || status.is_server_error() {
        return failed(ErrorKind::Unavailable, "the token endpoint failed").map(Error::later);
    }
    if status.is_success() {
        return None;
    }
    let body: Option<Value> = serde_json::from_slice(answer.body()).ok();
    let Some(code) = body.as_ref().and_then(|body| body.get("error")).and_then(Value::as_str) else {
        let error = failed(ErrorKind::Protocol, "the token endpoint's refusal does not have its form");
        return error.map(|e| {
            e.later().cure(
                "A proxy or a firewall may have answered in Google's place: look at the network in between.",
            )
        });
    };
    let description =
        body.as_ref().and_then(|b| b.get("error_description")).and_then(Value::as_str).unwrap_or_default();
    let passes = ["internal_failure", "server_error", "temporarily_unavailable"];
    if passes.contains(&code) || passes.contains(&description) {
        return failed(ErrorKind::Unavailable, "the token endpoint failed").map(|e| e.later().reason(code));
    }
    if matches!(code, "slow_down" | "rate_limit_exceeded") {
        return failed(ErrorKind::RateLimited, "the token endpoint asks for fewer requests")
            .map(Error::later);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use calsync_core::Retry;

    fn parse(status: u16, body: &str) -> Result<GrantAnswer> {
        let answer = http::Response::builder().status(status).body(Bytes::copy_from_slice(body.as_bytes()));
        JwtGrant { assertion: Secret::new("head.neversay.sig") }.parse(&answer.expect("an answer"))
    }

    #[test]
    fn a_lifetime_is_read_as_a_number_and_as_text() {
        for (body, seconds) in [
            (r#"{"access_token":"ya29.neversay-a","expires_in":3599,"token_type":"Bearer"}"#, 3599),
            (r#"{"access_token":"ya29.neversay-a","expires_in":"3599"}"#, 3599),
            (r#"{"access_token":"ya29.neversay-a"}"#, 1800),
        ] {
            match parse(200, body).expect("a token") {
                GrantAnswer::Token { token, lives } => {
                    assert_eq!((token.reveal(), lives.as_secs()), ("ya29.neversay-a", seconds));
                }
                GrantAnswer::Refused(refused) => panic!("{refused:?}"),
            }
        }
    }

    #[test]
    fn what_passes_by_itself_is_repeated_and_what_does_not_is_told() {
        for (status, body) in [
            (500, ""),
            (503, "<html>"),
            (408, ""),
            (429, "{}"),
            (400, r#"{"error":"internal_failure"}"#),
            (400, r#"{"error":"x","error_description":"temporarily_unavailable"}"#),
            (404, "<html>not here"),
            (200, "<html>hello"),
            (200, "{}"),
        ] {
            let error = parse(status, body).expect_err("no token");
            assert_eq!(error.retry(), Retry::Later, "{status} {body}");
        }
        assert_eq!(parse(302, "").expect_err("no token").retry(), Retry::Never);
        let refused =
            parse(400, r#"{"error":"invalid_grant","error_description":"Bad Request"}"#).expect("a refusal");
        assert!(matches!(refused, GrantAnswer::Refused(Refused { status: 400, .. })));
    }

    #[test]
    fn the_assertion_travels_in_the_body_and_stays_out_of_the_printed_call() {
        let call = JwtGrant { assertion: Secret::new("head.neversay.sig") };
        let base = BaseUrl::new("https://oauth2.googleapis.com/token").expect("an address");
        let request = call.request(&base).expect("a request");
        assert_eq!(request.uri(), "https://oauth2.googleapis.com/token");
        assert_eq!(
            request.body(),
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=head.neversay.sig"
        );
        assert!(!format!("{call:?}").contains("neversay"));
    }
}

//! Who consented: the account behind a token (`oauth2.userinfo.get`).

use super::finish;
use crate::wire::error::{About, refusal};
use bytes::Bytes;
use calsync_core::http::{BaseUrl, Call};
use calsync_core::{Error, ErrorKind, Result};
use serde_json::Value;

/// Asks for the account of the token that the request carries.
#[derive(Debug)]
pub(crate) struct GetUserinfo;

impl Call for GetUserinfo {
    /// The address, in lower case.
    type Output = String;

    fn request(&self, base: &BaseUrl) -> Result<http::Request<Bytes>> {
        finish(http::Request::get(base.as_str()), Bytes::new())
    }

    fn parse(&self, answer: &http::Response<Bytes>) -> Result<String> {
        if answer.status() != http::StatusCode::OK {
            return Err(refusal(answer, About::Listing));
        }
        let body: Value = crate::wire::read(answer, false)?;
        let email = body.get("email").and_then(Value::as_str).filter(|email| email.contains('@'));
        let email = email.ok_or_else(|| {
            Error::new(ErrorKind::Protocol, "Google does not say which account consented").later()
        })?;
        // An address that Google has not verified may be anybody's.
        if body.get("verified_email").and_then(Value::as_bool) == Some(false) {
            return Err(Error::new(
                ErrorKind::Unauthorized,
                "Google has not verified the address of this account",
            )
            .cure("Verify the address in the Google account, or use another account."));
        }
        Ok(email.trim().to_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<String> {
        GetUserinfo.parse(&http::Response::new(Bytes::copy_from_slice(body.as_bytes())))
    }

    #[test]
    fn s06_the_account_is_its_verified_address_in_lower_case() {
        assert_eq!(
            parse(r#"{"email":"Amy@Example.com","verified_email":true}"#).expect("an address"),
            "amy@example.com"
        );
        assert_eq!(parse(r#"{"email":"amy@example.com"}"#).expect("an address"), "amy@example.com");
        for bad in
            [r#"{}"#, r#"{"email":""}"#, r#"{"email":7}"#, r#"{"email":"a@b.c","verified_email":false}"#]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}

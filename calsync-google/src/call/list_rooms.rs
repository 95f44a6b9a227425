//! `resources.calendars.list` of the Directory API: whether the rooms of an organisation can be listed.
//!
//! It is an API of its own, enabled as "Admin SDK API", and answers only those who hold an administrator's role.

use super::{finish, pairs};
use crate::wire::error::{About, refusal};
use bytes::Bytes;
use calsync_core::Result;
use calsync_core::http::{BaseUrl, Call};
use serde_json::{Map, Value};

/// One room, to see whether it is allowed.
#[derive(Debug)]
pub(crate) struct ListRooms;

impl Call for ListRooms {
    type Output = ();

    fn request(&self, base: &BaseUrl) -> Result<http::Request<Bytes>> {
        let query = pairs(&[("maxResults", "1")]);
        finish(
            http::Request::get(format!("{base}/customer/my_customer/resources/calendars?{query}")),
            Bytes::new(),
        )
    }

    fn parse(&self, answer: &http::Response<Bytes>) -> Result<()> {
        if answer.status() != http::StatusCode::OK {
            return Err(refusal(answer, About::Listing));
        }
        crate::wire::read::<Map<String, Value>>(answer, false).map(drop)
    }
}

//! Google's own description of the Calendar API as the judge of every exchange in the tests.
//!
//! A fake server written by the people who wrote the client shares their misunderstandings. The discovery document is not
//! theirs: Google generates its client libraries from it. So each request that calsync sends, and each answer that a fake
//! gives, is held against that document: the path and the method exist, each parameter is known and well formed, each
//! field of a body is known to its schema and has its type and format, required fields are there, and an error looks as
//! Google's errors do. An unknown field is a violation, not a curiosity: a misspelt field is silently dropped by Google.
//!
//! The rule it keeps: everything is read from the document (and, where the document says it only in words, from its
//! descriptions); nothing here knows the fake or the client.
//!
//! What it deliberately does not do: it does not judge behaviour (which events a list holds, what an edit changes), it
//! does not look at headers, and it does not read `multipart/mixed` batches; a batch is checked part by part.

mod body;
mod document;
mod mask;
mod query;
mod route;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt, sync::LazyLock};

use self::{
    body::{BodyCheck, Place},
    document::{Document, Method, Schema},
    mask::Mask,
};

/// The discovery document of Google's Calendar API, ready to check exchanges against.
#[derive(Debug)]
pub struct Discovery {
    methods: Vec<Method>,
    schemas: BTreeMap<String, Schema>,
    error: Schema,
}

/// Which half of an exchange broke the rules: the client's, or the server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The path, the query or the request's body.
    Request,
    /// The status or the answer's body.
    Answer,
}

/// One thing in an exchange that Google's document does not allow.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The method's id, such as `calendar.events.list`; for a path that no method has, the HTTP method and the path.
    pub method: String,
    /// Whose fault it is.
    pub part: Part,
    /// Where in that part, such as `query.maxResults` or `body.items[3].start.dateTime`.
    pub place: String,
    /// What is wrong there.
    pub problem: String,
}

/// More than this many violations of one exchange say nothing new; the rest is left out.
const VIOLATIONS_MAX: usize = 50;

impl Discovery {
    /// The Calendar API v3, parsed at the first call.
    pub fn calendar() -> &'static Discovery {
        #[allow(
            clippy::expect_used,
            reason = "the document is compiled in: no input reaches this, and a test calls it"
        )]
        static CALENDAR: LazyLock<Discovery> = LazyLock::new(|| {
            Discovery::from_json(include_str!("../../data/discovery/calendar.v3.json"))
                .expect("the discovery document uses only what this module knows")
        });
        &CALENDAR
    }

    /// Reads a discovery document; a type or a format that this module does not know is an error, so that a newer
    /// document cannot be checked by half.
    fn from_json(json: &str) -> Result<Discovery, serde_json::Error> {
        let document: Document = serde_json::from_str(json)?;
        let methods = document.methods();
        let error = serde_json::from_str(include_str!("error.json"))?;
        Ok(Discovery { methods, schemas: document.schemas, error })
    }

    /// The ids of all methods, such as `calendar.events.list`, in the document's order.
    pub fn method_ids(&self) -> impl Iterator<Item = &str> {
        self.methods.iter().map(|method| method.id.as_str())
    }

    /// The id of the method that this HTTP method and path call, if there is one; a query is ignored.
    pub fn method_id(&self, method: &http::Method, path_and_query: &str) -> Option<&str> {
        let (path, _) = split_query(path_and_query);
        route::find(&self.methods, method, path).ok().map(|method| method.id.as_str())
    }

    /// Holds one request and its answer against the document.
    ///
    /// The request is judged whatever the answer was: a request that Google would refuse with 400 is a violation even
    /// where the server did refuse it. A test that sends one on purpose filters by [`Violation::part`].
    ///
    /// # Errors
    ///
    /// Everything that is wrong, request first, at most 50 entries.
    pub fn check_exchange(
        &self,
        method: &http::Method,
        path_and_query: &str,
        request_body: &[u8],
        status: u16,
        response_body: &[u8],
    ) -> Result<(), Vec<Violation>> {
        let (path, query) = split_query(path_and_query);
        let called = match route::find(&self.methods, method, path) {
            Ok(called) => called,
            Err(problem) => {
                return Err(vec![Violation {
                    method: format!("{method} {path}"),
                    part: Part::Request,
                    place: "path".to_owned(),
                    problem,
                }]);
            }
        };

        let mut found = Findings { method: &called.id, part: Part::Request, violations: Vec::new() };
        let fields = query::check(called, query, &mut found);
        let mask = fields.and_then(|text| self.mask(called, &text, &mut found));
        self.check_request_body(called, request_body, &mut found);

        found.part = Part::Answer;
        match status {
            200..=299 => self.check_answer(called, status, response_body, mask.as_ref(), &mut found),
            // `If-None-Match` on a read.
            304 if *method == http::Method::GET => {
                if !response_body.is_empty() {
                    found.report("body", "a 304 answer has no body");
                }
            }
            400..=599 => self.check_error(status, response_body, &mut found),
            _ => found.report("status", format!("Google does not answer {status} here")),
        }

        if found.violations.is_empty() { Ok(()) } else { Err(found.violations) }
    }

    /// Reads the request's `fields`. One that the answer's schema does not allow is the request's fault, and the answer is
    /// then judged without it.
    fn mask(&self, called: &Method, text: &str, found: &mut Findings<'_>) -> Option<Mask> {
        let checked = Mask::parse(text).and_then(|mask| {
            if let Some(schema) = self.schema(called.response.as_deref()) {
                mask.check(schema, &self.schemas)?;
            }
            Ok(mask)
        });
        checked.map_err(|problem| found.report("query.fields", problem)).ok()
    }

    fn check_request_body(&self, called: &Method, body: &[u8], found: &mut Findings<'_>) {
        let Some(schema) = self.schema(called.request.as_deref()) else {
            if !body.is_empty() {
                found.report("body", "the method takes no body");
            }
            return;
        };
        if body.is_empty() {
            found.report("body", "the method needs a body");
        } else if let Some(value) = json(body, found) {
            BodyCheck { schemas: &self.schemas, required_by: Some(&called.id), found }.value(
                schema,
                &value,
                None,
                Place::ROOT,
            );
        }
    }

    fn check_answer(
        &self,
        called: &Method,
        status: u16,
        body: &[u8],
        mask: Option<&Mask>,
        found: &mut Findings<'_>,
    ) {
        let Some(schema) = self.schema(called.response.as_deref()) else {
            if !body.is_empty() {
                found.report("body", "the method answers without a body");
            }
            return;
        };
        if status != 200 {
            found.report("status", format!("a method that answers with a body answers 200, not {status}"));
        }
        if body.is_empty() {
            found.report("body", "the method answers with a body");
        } else if let Some(value) = json(body, found) {
            BodyCheck { schemas: &self.schemas, required_by: None, found }.value(
                schema,
                &value,
                mask,
                Place::ROOT,
            );
        }
    }

    /// The shape of an error is not in the document. `error.json` writes it down in the document's own terms, after
    /// developers.google.com/workspace/calendar/api/guides/errors: `error.errors[]` with domain, reason and message is
    /// the classic part, `status` and `details[]` come with errors of Google's infrastructure.
    fn check_error(&self, status: u16, body: &[u8], found: &mut Findings<'_>) {
        // What stands between the client and the API answers 5xx with a page, or with nothing.
        if status >= 500 && serde_json::from_slice::<serde::de::IgnoredAny>(body).is_err() {
            return;
        }
        let Some(value) = json(body, found) else { return };
        BodyCheck { schemas: &self.schemas, required_by: Some("error"), found }.value(
            &self.error,
            &value,
            None,
            Place::ROOT,
        );
        let error = &value["error"];
        if error.get("code").is_some_and(|code| *code != status) {
            found.report("body.error.code", format!("{} in an answer with status {status}", error["code"]));
        }
        let classic = error["errors"].as_array().is_some_and(|errors| !errors.is_empty());
        if !classic && error["status"].as_str().is_none() {
            found.report("body.error", "neither an entry in `errors` nor a `status`");
        }
    }

    fn schema(&self, name: Option<&str>) -> Option<&Schema> {
        name.and_then(|name| self.schemas.get(name))
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = match self.part {
            Part::Request => "request",
            Part::Answer => "answer",
        };
        write!(f, "{}: {part} {}: {}", self.method, self.place, self.problem)
    }
}

/// What was found so far, and about which half of which method's exchange.
struct Findings<'a> {
    method: &'a str,
    part: Part,
    violations: Vec<Violation>,
}

impl Findings<'_> {
    fn report(&mut self, place: impl Into<String>, problem: impl Into<String>) {
        if self.violations.len() < VIOLATIONS_MAX {
            self.violations.push(Violation {
                method: self.method.to_owned(),
                part: self.part,
                place: place.into(),
                problem: problem.into(),
            });
        }
    }
}

fn split_query(path_and_query: &str) -> (&str, &str) {
    path_and_query.split_once('?').unwrap_or((path_and_query, ""))
}

fn json(body: &[u8], found: &mut Findings<'_>) -> Option<serde_json::Value> {
    match serde_json::from_slice(body) {
        Ok(value) => Some(value),
        Err(error) => {
            found.report("body", format!("not JSON: {error}"));
            None
        }
    }
}

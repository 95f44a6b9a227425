//! A transport for tests: answers in the given order, and keeps what was asked.

use super::lock;
use async_trait::async_trait;
use bytes::Bytes;
use calsync_core::http::{Transport, TransportError};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

#[derive(Debug, Default)]
pub(crate) struct Script {
    answers: Mutex<VecDeque<Result<(u16, String), TransportError>>>,
    asked: Mutex<Vec<http::Request<Bytes>>>,
    date: Mutex<Option<String>>,
}

impl Script {
    pub(crate) fn new(answers: &[(u16, &str)]) -> Arc<Self> {
        let script = Arc::new(Self::default());
        for (status, body) in answers {
            script.push(*status, body);
        }
        script
    }

    pub(crate) fn push(&self, status: u16, body: &str) {
        lock(&self.answers).push_back(Ok((status, body.to_owned())));
    }

    pub(crate) fn fail(&self, error: TransportError) {
        lock(&self.answers).push_back(Err(error));
    }

    /// Every answer carries this date.
    pub(crate) fn date(&self, date: &str) {
        *lock(&self.date) = Some(date.to_owned());
    }

    pub(crate) fn bodies(&self) -> Vec<String> {
        lock(&self.asked).iter().map(|r| String::from_utf8_lossy(r.body()).into_owned()).collect()
    }

    pub(crate) fn uris(&self) -> Vec<String> {
        lock(&self.asked).iter().map(|r| format!("{} {}", r.method(), r.uri())).collect()
    }

    pub(crate) fn header(&self, number: usize, name: &str) -> Option<String> {
        let asked = lock(&self.asked);
        asked[number].headers().get(name).map(|value| value.to_str().expect("text").to_owned())
    }
}

#[async_trait]
impl Transport for Script {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        lock(&self.asked).push(request);
        let (status, body) = lock(&self.answers).pop_front().expect("an answer for every request")?;
        let mut answer = http::Response::builder().status(status);
        if let Some(date) = &*lock(&self.date) {
            answer = answer.header("date", date);
        }
        Ok(answer.body(body.into()).expect("an answer"))
    }
}

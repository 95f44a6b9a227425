//! The fake behind a socket.
//!
//! A thin layer: each request goes to [`FakeGoogle::handle`] under a lock, and the answer's [`Delivery`] is carried out
//! on the wire. A lost answer cuts the connection before a byte of it is written; a truncated one promises its whole
//! length and breaks off. The server has a thread and a runtime of its own, so that tests may use any runtime or none,
//! and ends when it is dropped.
//!
//! Only here does the fake look at a clock. For measuring others it can keep the pages of listings that it has rendered
//! ([`Server::start_keeping_pages`]), as rendering takes it longer than reading them takes a client.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread::JoinHandle;

use axum::Router;
use axum::body::Body;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request};
use axum::serve::{IncomingStream, Listener};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::{Answer, Delivery, FakeGoogle};

/// Larger requests are refused with 413.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A running server; dropping it closes the socket and all connections.
#[derive(Debug)]
pub struct Server {
    base_url: String,
    fake: Arc<Mutex<FakeGoogle>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves the fake at this address; port 0 takes a free one.
    ///
    /// # Errors
    ///
    /// The address cannot be bound.
    pub fn start(fake: FakeGoogle, address: &str) -> io::Result<Self> {
        Self::start_with_clock(fake, address, Utc::now)
    }

    /// As [`Server::start`], with a memory for rendered pages: a listing that is asked for again under the same address, whoever
    /// asks, is answered with the same bytes until a request changes something or gives an order. Quotas, faults and
    /// journal do not see such an answer, so this is for benchmarks only.
    ///
    /// # Errors
    ///
    /// The address cannot be bound.
    pub fn start_keeping_pages(fake: FakeGoogle, address: &str) -> io::Result<Self> {
        Self::start_as(fake, address, Utc::now, Some(Pages::default()))
    }

    /// Serves the fake with a clock of the caller's choice.
    ///
    /// # Errors
    ///
    /// The address cannot be bound.
    pub fn start_with_clock(fake: FakeGoogle, address: &str, now: fn() -> DateTime<Utc>) -> io::Result<Self> {
        Self::start_as(fake, address, now, None)
    }

    fn start_as(
        mut fake: FakeGoogle,
        address: &str,
        now: fn() -> DateTime<Utc>,
        pages: Option<Pages>,
    ) -> io::Result<Self> {
        let socket = std::net::TcpListener::bind(address)?;
        socket.set_nonblocking(true)?;
        let base_url = format!("http://{}", socket.local_addr()?);
        fake.set_base_url(&base_url);
        let fake = Arc::new(Mutex::new(fake));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(socket)?
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let shared = Arc::clone(&fake);
        let router = Router::new().fallback(move |ConnectInfo(cut): ConnectInfo<Cut>, request: Request| {
            serve(Arc::clone(&shared), now, pages.clone(), cut, request)
        });
        let service = router.into_make_service_with_connect_info::<Cut>();
        let thread = std::thread::Builder::new().name("fake-google".to_owned()).spawn(move || {
            runtime.block_on(async move {
                let server = axum::serve(Connections(listener), service).into_future();
                tokio::select! {
                    _ = server => {},
                    _ = stopped => {},
                }
            });
        })?;
        Ok(Self { base_url, fake, stop: Some(stop), thread: Some(thread) })
    }

    /// `http://127.0.0.1:port`, without a slash at its end.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The fake itself, locked: for arranging and for looking. No request is handled while the guard lives.
    pub fn fake(&self) -> MutexGuard<'_, FakeGoogle> {
        self.fake.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the server ends, which it does only by failing.
    pub fn wait(mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic in that thread was reported there already.
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Pages by their address.
type Pages = Arc<Mutex<BTreeMap<String, Answer>>>;

async fn serve(
    fake: Arc<Mutex<FakeGoogle>>,
    now: fn() -> DateTime<Utc>,
    pages: Option<Pages>,
    cut: Cut,
    request: Request,
) -> http::Response<Body> {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, BODY_BYTES_MAX).await else {
        let mut response = http::Response::new(Body::from("the body is too large, or broke off\n"));
        *response.status_mut() = http::StatusCode::PAYLOAD_TOO_LARGE;
        return response;
    };
    let answer = {
        let mut fake = fake.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pages = pages.as_ref().map(|pages| pages.lock().unwrap_or_else(PoisonError::into_inner));
        let listing = parts.method == http::Method::GET && parts.uri.path().ends_with("/events");
        let address = parts.uri.to_string();
        if let Some(pages) = pages.as_mut().filter(|_| parts.method != http::Method::GET) {
            // Asking for a token changes nothing.
            if parts.uri.path() != "/token" {
                pages.clear();
            }
        }
        let kept = pages.as_ref().filter(|_| listing).and_then(|pages| pages.get(&address).cloned());
        kept.unwrap_or_else(|| {
            let answer = fake.handle(now(), http::Request::from_parts(parts, body));
            if let Some(pages) = pages.filter(|_| listing && answer.response.status() == http::StatusCode::OK)
            {
                { pages }.insert(address, answer.clone());
            }
            answer
        })
    };
    match answer.delivery {
        Delivery::Whole => answer.response.map(Body::from),
        Delivery::Slow { pause } => {
            tokio::time::sleep(pause).await;
            answer.response.map(Body::from)
        }
        Delivery::LostBeforeWork | Delivery::LostAfterWork => {
            cut.0.store(true, Ordering::SeqCst);
            answer.response.map(|_| Body::empty())
        }
        Delivery::Truncated { bytes } => truncated(answer.response, bytes),
    }
}

/// The head promises the whole body; the connection breaks in the middle of it.
fn truncated(response: http::Response<Bytes>, bytes: usize) -> http::Response<Body> {
    let (mut head, body) = response.into_parts();
    if let Ok(length) = http::HeaderValue::from_str(&body.len().to_string()) {
        head.headers.insert(http::header::CONTENT_LENGTH, length);
    }
    let kept = body.slice(..bytes.min(body.len().saturating_sub(1)));
    let parts = futures_util::stream::unfold(Some(kept), |kept| async move {
        match kept {
            Some(kept) => Some((Ok(kept), None)),
            None => {
                // Without a pause the head would wait for more body and never leave.
                tokio::task::yield_now().await;
                Some((
                    Err(io::Error::new(io::ErrorKind::ConnectionReset, "the answer breaks off here")),
                    None,
                ))
            }
        }
    });
    http::Response::from_parts(head, Body::from_stream(parts))
}

/// The order to cut a connection: its next write fails, so nothing of the answer leaves.
#[derive(Clone, Debug)]
struct Cut(Arc<AtomicBool>);

struct Connections(TcpListener);

struct Connection {
    stream: TcpStream,
    cut: Cut,
}

impl Listener for Connections {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        // axum's own listener waits and tries again when, for example, no file descriptor is left.
        let (stream, address) = Listener::accept(&mut self.0).await;
        (Connection { stream, cut: Cut(Arc::default()) }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, Connections>> for Cut {
    fn connect_info(stream: IncomingStream<'_, Connections>) -> Self {
        stream.io().cut.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.cut.0.load(Ordering::SeqCst) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake_google::{Fault, FaultKind};
    use std::io::{Read as _, Write as _};

    /// Sends one request over a connection of its own and reads until the server closes it.
    fn ask(server: &Server, method: &str, path: &str, body: &str) -> String {
        let address = server.base_url().strip_prefix("http://").unwrap().to_owned();
        let mut stream = std::net::TcpStream::connect(&address).unwrap();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        // A connection that is cut may end in an error instead of an end.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8(answer).unwrap()
    }

    fn server() -> (Server, String) {
        let mut fake = FakeGoogle::new();
        let token = fake.access_token(Utc::now(), "a@x.test", &["calendar"]);
        let path = format!("/calendar/v3/calendars/primary/events?access_token={token}");
        (Server::start(fake, "127.0.0.1:0").unwrap(), path)
    }

    const EVENT: &str = r#"{"id":"first","start":{"date":"2026-01-05"},"end":{"date":"2026-01-06"}}"#;

    #[test]
    fn a_browser_is_sent_back_to_the_application_over_the_wire() {
        let mut fake = FakeGoogle::new();
        fake.account("a@x.test");
        fake.oauth_client("c", "neversay").redirect_uris = vec!["https://crm.test/cb".to_owned()];
        let server = Server::start(fake, "127.0.0.1:0").unwrap();
        let asked =
            "/o/oauth2/v2/auth?client_id=c&response_type=code&scope=email&login_hint=a%40x.test&state=s";
        let page = ask(&server, "GET", &format!("{asked}&redirect_uri=https%3A%2F%2Fcrm.test%2F"), "");
        assert!(page.starts_with("HTTP/1.1 400 ") && page.contains("redirect_uri_mismatch"), "{page}");
        assert!(!page.contains("location:"), "{page}");
        let page = ask(&server, "GET", &format!("{asked}&redirect_uri=https%3A%2F%2Fcrm.test%2Fcb"), "");
        let (_, sealed) = page.split_once("name=\"page\" value=\"").unwrap();
        let form = format!("page={}&do=allow", sealed.split_once('"').unwrap().0);
        let answer = ask(&server, "POST", "/o/oauth2/v2/auth", &form);
        assert!(answer.starts_with("HTTP/1.1 302 "), "{answer}");
        assert!(answer.contains("location: https://crm.test/cb?state=s&code=4%2F"), "{answer}");
    }

    #[test]
    fn an_answer_arrives_with_its_headers_and_the_server_ends_when_dropped() {
        let (server, path) = server();
        let answer = ask(&server, "GET", &path, "");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("content-type: application/json; charset=UTF-8\r\n"), "{answer}");
        assert!(answer.contains("\"nextSyncToken\""), "{answer}");
        let address = server.base_url().strip_prefix("http://").unwrap().to_owned();
        drop(server);
        assert!(std::net::TcpStream::connect(address).is_err());
    }

    #[test]
    fn a_lost_answer_is_a_connection_that_breaks_without_a_byte() {
        for (kind, stored) in [(FaultKind::LostBeforeWork, false), (FaultKind::LostAfterWork, true)] {
            let (server, path) = server();
            server.fake().inject(Fault::new(kind));
            assert_eq!(ask(&server, "POST", &path, EVENT), "");
            assert_eq!(server.fake().event("a@x.test", "first").is_some(), stored);
            assert!(ask(&server, "GET", &path, "").starts_with("HTTP/1.1 200"));
        }
    }

    #[test]
    fn a_truncated_answer_promises_more_than_it_gives() {
        let (server, path) = server();
        server.fake().inject(Fault::new(FaultKind::Truncated { bytes: 10 }));
        let answer = ask(&server, "POST", &path, EVENT);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let length: usize =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
        assert!(length > 100, "{head}");
        assert!(body.len() <= 10, "{body}");
    }

    #[test]
    fn a_slow_answer_arrives_in_the_end() {
        let (server, path) = server();
        server.fake().inject(Fault::new(FaultKind::Slow { milliseconds: 20 }));
        assert!(ask(&server, "GET", &path, "").starts_with("HTTP/1.1 200"));
    }

    #[test]
    fn a_kept_page_is_given_again_until_something_is_written() {
        let mut fake = FakeGoogle::new();
        let token = fake.access_token(Utc::now(), "a@x.test", &["calendar"]);
        let path = format!("/calendar/v3/calendars/primary/events?access_token={token}");
        let server = Server::start_keeping_pages(fake, "127.0.0.1:0").unwrap();
        let (first, second) = (ask(&server, "GET", &path, ""), ask(&server, "GET", &path, ""));
        assert_eq!((first, server.fake().requests()), (second, 1));
        ask(&server, "POST", &path, EVENT);
        assert!(ask(&server, "GET", &path, "").contains("2026-01-05"));
        assert_eq!(server.fake().requests(), 3);
    }

    #[test]
    fn the_time_comes_from_the_clock_that_was_given() {
        let mut fake = FakeGoogle::new();
        fake.account("a@x.test");
        let clock = || DateTime::from_timestamp(86_400, 0).unwrap_or_default();
        let server = Server::start_with_clock(fake, "127.0.0.1:0", clock).unwrap();
        let answer = ask(&server, "GET", "/_fake/state", "");
        assert!(answer.contains("date: Fri, 02 Jan 1970 00:00:00 GMT\r\n"), "{answer}");
    }
}

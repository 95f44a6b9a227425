//! The transport on reqwest and rustls.
//!
//! TLS 1.2 or newer, ring as the crypto provider, certificates checked against the system's trust store, no redirects. A
//! container without `ca-certificates` cannot verify anybody: the error says so. Answers are decompressed and measured here
//! while they stream.

use super::body::{Body, Refused};
use super::{BODY_BYTES_MAX, Transport, TransportError, TransportFault};
use crate::error::{Error, ErrorKind, Result};
use crate::planted::{self, Fault};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use http::HeaderValue;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH};
use reqwest::redirect::Policy;
use std::time::Duration;

/// How long things may take and how large an answer may be.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Longest wait for a connection.
    connect: Duration,
    /// Longest pause between two parts of an answer.
    idle: Duration,
    /// Longest time for a request and its answer together.
    total: Duration,
    body_bytes_max: usize,
    /// Names and values of all header fields together.
    head_bytes_max: usize,
}

const LIMITS: Limits = Limits {
    connect: Duration::from_secs(10),
    idle: Duration::from_secs(30),
    total: Duration::from_secs(120),
    body_bytes_max: BODY_BYTES_MAX,
    head_bytes_max: 64 * 1024,
};

/// Sends with reqwest.
#[derive(Clone, Debug)]
pub struct ReqwestTransport {
    client: reqwest::Client,
    limits: Limits,
}

impl ReqwestTransport {
    /// A client of its own; share it, as it keeps connections open.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when the system's trust store cannot be read.
    pub fn new() -> Result<Self> {
        Self::with(LIMITS)
    }

    fn with(limits: Limits) -> Result<Self> {
        // Somebody in this process may have installed a provider earlier; theirs stays.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let followed = if planted::on(Fault::RedirectFollowed) { Policy::limited(5) } else { Policy::none() };
        let client = reqwest::Client::builder()
            .user_agent(concat!("calsync/", env!("CARGO_PKG_VERSION"), " (gzip)"))
            .redirect(followed)
            .connect_timeout(limits.connect)
            .read_timeout(limits.idle)
            .timeout(limits.total)
            .min_tls_version(reqwest::tls::Version::TLS_1_2)
            .default_headers(http::HeaderMap::from_iter([(
                ACCEPT_ENCODING,
                HeaderValue::from_static("gzip"),
            )]))
            .build()
            .map_err(|e| {
                Error::new(ErrorKind::Config, "the HTTP client cannot be made")
                    .cure("Check that the system's certificates (ca-certificates) are installed.")
                    .caused_by(e)
            })?;
        Ok(Self { client, limits })
    }
}

#[async_trait]
impl Transport for ReqwestTransport {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        let request = reqwest::Request::try_from(request).map_err(|e| failed(&e, false))?;
        let answer = self.client.execute(request).await.map_err(|e| {
            // A connection that was never made carried nothing.
            let maybe_sent = !e.is_connect() && !e.is_builder();
            failed(&e, maybe_sent)
        })?;
        let (status, mut head) = (answer.status(), answer.headers().clone());
        let head_bytes: usize = head.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        if head_bytes > self.limits.head_bytes_max {
            return Err(refused(format!(
                "the answer's head is larger than {} bytes",
                self.limits.head_bytes_max
            )));
        }
        let encoding = head.remove(CONTENT_ENCODING);
        let encoding = encoding.as_ref().map(|value| value.to_str().unwrap_or("?"));
        let mut body = Body::new(encoding, self.limits.body_bytes_max).map_err(unreadable)?;
        let mut stream = answer.bytes_stream();
        while let Some(part) = stream.next().await {
            body.take(&part.map_err(|e| failed(&e, true))?).map_err(unreadable)?;
        }
        head.remove(CONTENT_LENGTH);
        let mut answer = http::Response::new(body.finish().map_err(unreadable)?);
        (*answer.status_mut(), *answer.headers_mut()) = (status, head);
        Ok(answer)
    }
}

fn refused(message: String) -> TransportError {
    TransportError { message, maybe_sent: true, limit: true, fault: TransportFault::Other }
}

fn unreadable(why: Refused) -> TransportError {
    let limit = matches!(why, Refused::TooLarge(_) | Refused::OutOfProportion);
    TransportError { limit, ..refused(why.to_string()) }
}

fn failed(error: &reqwest::Error, maybe_sent: bool) -> TransportError {
    let what = if error.is_timeout() {
        "timed out"
    } else if error.is_connect() {
        "no connection"
    } else if error.is_decode() || error.is_body() {
        "the answer broke off"
    } else {
        "failed"
    };
    // The innermost cause names the host's problem (refused, unknown name, untrusted certificate); the outer ones
    // repeat the address, which may hold ids.
    let mut cause: &dyn std::error::Error = error;
    while let Some(below) = cause.source() {
        cause = below;
    }
    TransportError { message: format!("{what}: {cause}"), maybe_sent, limit: false, fault: fault(error) }
}

/// Where it failed, read from all causes together: the types of most of them are the connector's own, so that they are known by their
/// texts; the tests fail with real connections. The proxy comes first, as its own causes are those of a connection again.
fn fault(error: &reqwest::Error) -> TransportFault {
    let mut found = if error.is_timeout() {
        TransportFault::Timeout
    } else if error.is_connect() {
        TransportFault::Connect
    } else {
        TransportFault::Other
    };
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(this) = cause {
        let text = this.to_string();
        if text.starts_with("tunnel error") {
            return TransportFault::Proxy;
        }
        // An I/O error hides the error inside of it from `source`, and there may be one inside of another.
        let mut inside = this;
        while let Some(deeper) = inside.downcast_ref::<std::io::Error>().and_then(|io| io.get_ref()) {
            inside = deeper;
        }
        found = match inside.downcast_ref::<rustls::Error>() {
            Some(rustls::Error::InvalidCertificate(_)) => TransportFault::Certificate,
            Some(_) => TransportFault::Tls,
            None if text == "dns error" => TransportFault::Name,
            None => found,
        };
        cause = this.source();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use wiremock::matchers::any;
    use wiremock::{Mock, MockServer, ResponseTemplate};

    fn transport() -> ReqwestTransport {
        let limits = Limits { total: Duration::from_millis(300), body_bytes_max: 64 * 1024, ..LIMITS };
        ReqwestTransport::with(limits).expect("a client")
    }

    fn get(uri: &str) -> http::Request<Bytes> {
        let request = http::Request::get(uri).header("authorization", "Bearer neversay");
        request.body(Bytes::new()).expect("a request")
    }

    /// A server that reads one request and then writes these bytes, or nothing, and hangs up.
    async fn raw(answer: &'static [u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.expect("a connection");
            let mut request = [0; 4096];
            let _ = socket.read(&mut request).await;
            let _ = socket.write_all(answer).await;
        });
        format!("http://{address}/")
    }

    #[tokio::test]
    async fn s03_redirects_are_not_followed_and_the_token_goes_nowhere_else() {
        let (google, elsewhere) = (MockServer::start().await, MockServer::start().await);
        Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&elsewhere).await;
        for status in [301, 302, 303, 307, 308] {
            google.reset().await;
            let redirect = ResponseTemplate::new(status).insert_header("location", elsewhere.uri());
            Mock::given(any()).respond_with(redirect).mount(&google).await;
            let answer = transport().send(get(&google.uri())).await.expect("an answer");
            assert_eq!(answer.status().as_u16(), status);
        }
        assert_eq!(elsewhere.received_requests().await.map(|r| r.len()), Some(0));
    }

    #[tokio::test]
    async fn answers_are_asked_for_in_the_form_that_google_compresses() {
        let google = MockServer::start().await;
        Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&google).await;
        transport().send(get(&google.uri())).await.expect("an answer");
        let requests = google.received_requests().await.expect("requests");
        let header = |name: &str| requests[0].headers[name].to_str().expect("text").to_owned();
        // Google compresses only for clients whose name says so (guide "Improve performance").
        assert!(header("user-agent").contains("gzip") && header("accept-encoding").contains("gzip"));
    }

    #[tokio::test]
    async fn s13_a_large_answer_is_refused_while_it_streams_also_when_it_arrives_compressed() {
        let google = MockServer::start().await;
        let large = 64 * 1024 + 1;
        for (body, encoding) in [(vec![b'x'; large], "identity"), (gzip_of_zeros(1024 * 1024), "gzip")] {
            google.reset().await;
            let answer =
                ResponseTemplate::new(200).insert_header("content-encoding", encoding).set_body_bytes(body);
            Mock::given(any()).respond_with(answer).mount(&google).await;
            let error = transport().send(get(&google.uri())).await.expect_err("too large");
            assert!(error.limit && error.maybe_sent, "{encoding}: {error:?}");
            assert_eq!(error.message, "the answer is larger than 65536 bytes");
        }
        google.reset().await;
        let fits = ResponseTemplate::new(200)
            .insert_header("content-encoding", "gzip")
            .set_body_bytes(gzip_of_zeros(64 * 1024));
        Mock::given(any()).respond_with(fits).mount(&google).await;
        let answer = transport().send(get(&google.uri())).await.expect("an answer");
        assert_eq!(answer.body().len(), 64 * 1024);
    }

    #[tokio::test]
    async fn s13_an_endless_head_is_refused() {
        let google = MockServer::start().await;
        let mut answer = ResponseTemplate::new(200);
        for number in 0..40 {
            answer = answer.insert_header(format!("x-{number}"), "x".repeat(2000));
        }
        Mock::given(any()).respond_with(answer).mount(&google).await;
        let error = transport().send(get(&google.uri())).await.expect_err("too large");
        assert!(error.limit && error.message == "the answer's head is larger than 65536 bytes", "{error:?}");
    }

    #[tokio::test]
    async fn a_refused_connection_and_an_unknown_name_carried_nothing() {
        let closed =
            TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
        for uri in [format!("http://{closed}/"), "http://calsync.invalid/".to_owned()] {
            let error = transport().send(get(&uri)).await.expect_err("nobody there");
            assert!(!error.maybe_sent && !error.limit, "{error:?}");
            assert!(error.message.starts_with("no connection: "), "{error:?}");
            let expected =
                if uri.contains("invalid") { TransportFault::Name } else { TransportFault::Connect };
            assert_eq!(error.fault, expected, "{error:?}");
        }
    }

    /// A server with a certificate that nobody vouches for, as that of a proxy that opens TLS.
    async fn unknown_authority() -> String {
        let certificate = include_bytes!("../../../tests/data/keys/throwaway_loopback_certificate.der");
        let key = include_bytes!("../../../tests/data/keys/throwaway_loopback_key.der");
        transport();
        let config = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(
                vec![rustls::pki_types::CertificateDer::from_slice(certificate)],
                rustls::pki_types::PrivatePkcs8KeyDer::from(&key[..]).into(),
            )
            .expect("a certificate");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        std::thread::spawn(move || {
            let mut talk = rustls::ServerConnection::new(std::sync::Arc::new(config)).expect("a connection");
            let (mut socket, _) = listener.accept().expect("a connection");
            while talk.is_handshaking() && talk.complete_io(&mut socket).is_ok() {}
        });
        format!("https://{address}/")
    }

    #[tokio::test]
    async fn a_certificate_that_nobody_here_trusts_is_told_apart_from_no_tls_at_all() {
        let error = transport().send(get(&unknown_authority().await)).await.expect_err("not trusted");
        assert_eq!((error.fault, error.maybe_sent), (TransportFault::Certificate, false), "{error:?}");
        let plain = raw(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.replace("http://", "https://");
        let error = transport().send(get(&plain)).await.expect_err("no TLS");
        assert_eq!((error.fault, error.maybe_sent), (TransportFault::Tls, false), "{error:?}");
    }

    #[tokio::test]
    async fn a_proxy_that_wants_a_login_forbids_the_host_or_is_not_there_is_told_apart() {
        let closed =
            TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
        for proxy in [
            raw(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n").await,
            raw(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").await,
            format!("http://{closed}/"),
        ] {
            let through = transport();
            let client = reqwest::Client::builder().proxy(reqwest::Proxy::all(&proxy).expect("a proxy"));
            let through = ReqwestTransport { client: client.build().expect("a client"), ..through };
            let error = through.send(get("https://www.example.com/")).await.expect_err("no way");
            assert_eq!((error.fault, error.maybe_sent), (TransportFault::Proxy, false), "{error:?}");
        }
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_or_never_comes_may_have_been_a_write_that_happened() {
        for (answer, message) in [
            (&b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"id\":"[..], "the answer broke off: "),
            (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 12\r\n\r\n\x1f\x8b\x08\0\0\0\0\0\0\xff\x01\x02", "the answer broke off: "),
            (b"", "failed: "),
        ] {
            let error = transport().send(get(&raw(answer).await)).await.expect_err("no answer");
            assert!(error.maybe_sent && !error.limit, "{error:?}");
            assert!(error.message.starts_with(message), "{error:?}");
        }
    }

    #[tokio::test]
    async fn an_answer_that_takes_too_long_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let uri = format!("http://{}/", listener.local_addr().expect("an address"));
        // The system accepts the connection; nobody ever answers.
        let error = transport().send(get(&uri)).await.expect_err("no answer");
        assert!(error.maybe_sent && error.message.starts_with("timed out: "), "{error:?}");
        assert_eq!(error.fault, TransportFault::Timeout);
    }

    #[tokio::test]
    async fn c18_nothing_of_the_request_is_in_an_error() {
        let error = transport()
            .send(get(&format!("{}secret-path?q=neversay", raw(b"").await)))
            .await
            .expect_err("no answer");
        assert!(!error.message.contains("neversay") && !error.message.contains("secret-path"), "{error:?}");
    }

    /// `length` zero bytes, compressed.
    fn gzip_of_zeros(length: usize) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut encoder, &vec![0; length]).expect("memory");
        encoder.finish().expect("memory")
    }
}
